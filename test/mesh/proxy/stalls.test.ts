/**
 * A proxy that was busy does not blame others for being late: it reads the kernel's buffers before it runs deadlines.
 */
import { connect as connectTls } from 'node:tls';
import { readFileSync } from 'node:fs';
import { afterEach, expect, test } from 'vitest';
import { realClock } from '../../../base/clock.js';
import { afterPoll, Deadline, DeadlineWheel } from '../../../mesh/proxy/listen/deadlines.js';
import { Connector } from '../../../mesh/proxy/listen/connect.js';
import { ProxyMetrics } from '../../../mesh/proxy/telemetry/proxy-metrics.js';
import { IdentityStore } from '../../../mesh/proxy/tls/identity-store.js';
import { endpointAt } from './http2-rig.js';
import { httpServer, pki, server, startProxy, state } from './rig.js';

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).toReversed()) await clean();
});

/** Blocks this process for `forMs`. */
function stall(forMs: number): void {
  const endMs = performance.now() + forMs;
  while (performance.now() < endMs);
}

test('after a stall deadlines run behind what was waiting to be read', async () => {
  const wheel = new DeadlineWheel(realClock, afterPoll);
  const order: string[] = [];
  const both = new Promise<void>((resolve) => {
    const deadline = new Deadline(wheel, () => {
      order.push('deadline');
      resolve();
    });
    deadline.at(realClock.monotonicMs() + 20);
  });
  const read = import('node:fs/promises').then(async (fs) => {
    await fs.stat('.');
    order.push('read');
  });
  await new Promise((resolve) => setImmediate(resolve));
  stall(100);
  await Promise.all([both, read]);
  expect(order).toEqual(['read', 'deadline']);
});

test('connections that were made while the proxy was busy are no connect timeouts', async () => {
  const app = await httpServer((_, response) => response.end('fine'));
  cleanups.push(() => app.close());
  const metrics = new ProxyMetrics(realClock);
  const connector = new Connector({
    direction: 'outbound',
    identity: new IdentityStore(realClock, metrics),
    metrics,
    clock: realClock,
    connectTimeoutMs: 30,
    handshakeTimeoutMs: 30,
    ownPorts: new Set(),
  });
  const results = Array.from(
    { length: 20 },
    () =>
      new Promise<string>((resolve) => {
        connector.connect(endpointAt(app.port), ['http/1.1'], {
          connected(wire) {
            wire.destroy();
            resolve('connected');
          },
          failed: resolve,
        });
      }),
  );
  // The kernel accepts the connections during the stall.
  stall(200);
  expect(new Set(await Promise.all(results))).toEqual(new Set(['connected']));
});

test('a burst of new TLS clients at a young proxy: every one is served', async () => {
  const keys = await pki();
  const app = await httpServer((_, response) => response.end('fine'));
  const identity = await keys.issue('cart');
  const proxy = await startProxy({
    sides: ['inbound'],
    identity,
    state: state({ servers: [server(0, `127.0.0.1:${app.port}`)] }),
  });
  const { inbound } = proxy;
  proxy.proxy.apply(state({ servers: [server(inbound, `127.0.0.1:${app.port}`)] }), 'file');
  cleanups.push(
    () => keys.remove(),
    () => proxy.stop(),
    () => app.close(),
  );
  const client = await keys.issue('web');
  const options = {
    port: inbound,
    host: '127.0.0.1',
    servername: identity.name,
    ca: readFileSync(client.trustAnchorsFile),
    cert: readFileSync(client.certificateFile as string),
    key: readFileSync(client.keyFile as string),
    checkServerIdentity: () => undefined,
    ALPNProtocols: ['http/1.1'],
  };
  const ask = (): Promise<string> =>
    new Promise((resolve) => {
      let got = '';
      const socket = connectTls(options, () =>
        socket.write('GET / HTTP/1.1\r\nHost: cart\r\nConnection: close\r\n\r\n'),
      );
      socket.on('data', (text: Buffer) => (got += text.toString('latin1')));
      socket.on('error', (error) => resolve(String(error)));
      socket.on('close', () => resolve(got));
    });
  const answers = await Promise.all(Array.from({ length: 400 }, ask));
  expect(answers.filter((text) => !text.endsWith('fine'))).toEqual([]);
}, 60_000);
