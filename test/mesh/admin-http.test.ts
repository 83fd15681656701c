/** Access to an admin port: probes and scrapers from anywhere, all other calls from this machine's programs only. */
import type { IncomingMessage } from 'node:http';
import { expect, test } from 'vitest';
import { whyRefused } from '../../mesh/admin-http.js';

const from = (remoteAddress: string | undefined, headers: Record<string, string> = {}) =>
  ({ headers, socket: { remoteAddress } }) as unknown as IncomingMessage;

test.each(['GET /metrics', 'GET /live', 'GET /ready'])('%s is open to all', (call) => {
  for (const address of ['10.1.2.3', '127.0.0.1', '::1', 'fd00::2', '::ffff:10.0.0.1']) {
    expect(whyRefused(from(address, { host: 'cart.shop.svc' }), call)).toBeUndefined();
  }
});

test.each([
  'POST /shutdown',
  'POST /faults',
  'POST /tap',
  'GET /config',
  'GET /why',
  'GET /proxies',
])('%s is for loopback alone', (call) => {
  for (const address of ['10.1.2.3', 'fd00::2', '::ffff:10.0.0.1', '1.127.0.0', undefined]) {
    expect(whyRefused(from(address, { host: '127.0.0.1:4191' }), call)).toMatch(/port-forward/);
  }
  for (const address of ['127.0.0.1', '127.8.0.1', '::1', '::ffff:127.0.0.1']) {
    expect(whyRefused(from(address, { host: '127.0.0.1:4191' }), call)).toBeUndefined();
    expect(whyRefused(from(address, { host: 'elsewhere.example' }), call)).toMatch(/web pages/);
  }
});
