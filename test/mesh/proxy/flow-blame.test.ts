/** Blame: failures of the proxy itself, copies that were never sent, shares that may not be used, loops. */
import { request as httpRequest } from 'node:http';
import { readFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import type { Route } from '../../../mesh/model.js';
import type { TryFailure } from '../../../mesh/proxy/flow/contract.js';
import {
  backend,
  bench,
  carry,
  destination,
  request,
  retry,
  route,
  server,
  state,
} from './flow-bench.js';
import * as rig from './rig.js';

const open: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close();
});

const two = ['10.0.0.1:80', '10.0.0.2:80'];
const breaker = {
  consecutiveFailures: 3,
  minOpenMs: 1000,
  maxOpenMs: 60_000,
  jitter: 0.5,
  maxEjectedRatio: 1,
  panicRatio: 0,
};

test.each([
  ['exhausted', 503, 'this machine has no port, file descriptor or memory left\n'],
  ['no-certificate', 503, 'this proxy has no certificate yet\n'],
  ['loop', 508, 'the address is the proxy itself: the request would loop\n'],
] as [TryFailure, number, string][])('%s ejects nobody', (fails, status, body) => {
  const b = bench(state([destination([{ ...backend(two), breaker }])]));
  for (let i = 0; i < 20; i++) {
    const flow = b.begin(request({ method: 'POST' }));
    expect(carry(b, flow, () => ({ fails }))).toMatchObject({ status, reason: fails });
    expect(flow.refusal?.body).toBe(body);
  }
  expect(b.gateway.endpoints()).toMatchObject([
    { state: 'ready', failures: 0, pending: 0 },
    { state: 'ready', failures: 0, pending: 0 },
  ]);
  const { outbound, inbound } = b.gateway;
  const opaque = outbound.connect(outbound.destinationFor('', '10.96.0.7:80'), '10.1.1.1');
  while (opaque.pick()) if (opaque.tryFailed(fails) === 'fail') break;
  opaque.ended('complete', 0, 0);
  expect(b.metric('outbound_endpoint_failures_total')).toBe(0);
  b.gateway.apply(state([], [server()], 2));
  const [app] = inbound.servers();
  const call = inbound.begin(inbound.serverFor(4143)!, request());
  expect(carry(b, call, () => ({ fails }))).toMatchObject({ status, reason: fails });
  expect(app?.target.failures).toBe(0);
});

test('where ports run out on the way to one endpoint, the request goes to another', () => {
  const b = bench(state([destination([backend(two)], [route('r', { retry: retry() })])]));
  for (let i = 0; i < 20; i++) {
    const flow = b.begin(request({ method: 'POST' }));
    const outcome = carry(b, flow, (a) => (a === two[0] ? { fails: 'exhausted' } : {}));
    expect(outcome.status).toBe(200);
  }
});

test.each(['unsent', 'failed'] as const)('a copy that is %s', (how) => {
  const shadow = { ...backend(['10.0.1.1:80'], { name: 'v2' }), breaker };
  const mirrored = route('all', { mirror: { backend: 'v2', fraction: 1 } });
  const b = bench(state([destination([backend(two), shadow], [mirrored])]));
  for (let i = 0; i < 5; i++) {
    const flow = b.begin();
    flow.pick();
    flow.mirror?.ended(how);
    flow.ended('client-gone', -1, 0, 0);
  }
  const { state: gate, pending } = b.gateway.endpoints().find((e) => e.backend === 'v2')!;
  expect({ gate, pending }).toEqual({ gate: how === 'failed' ? 'open' : 'ready', pending: 0 });
  const result = how === 'failed' ? 'failed' : 'skipped';
  expect(b.metric(`outbound_http_mirror_requests_total{result="${result}"}`)).toBeGreaterThan(2);
});

test.each(['http1', 'http2'] as const)(
  'a body too large for a copy is no failure of the shadow: %s',
  async (kind) => {
    const app = await rig.httpServer((req, res) => {
      req.resume();
      req.on('end', () => res.end('ok'));
    });
    open.push(() => app.close());
    const backends = ['cart', 'shadow'].map((name) => ({
      ...rig.destination('cart', [`127.0.0.1:${app.port}`]).backends[0]!,
      name,
      breaker,
    }));
    const routes = [rig.route({ mirror: { backend: 'shadow', fraction: 1 } })];
    const proxy = await rig.startProxy({
      state: rig.state({
        destinations: [{ ...rig.destination('cart', [], { protocol: 'http1' }), routes, backends }],
      }),
    });
    open.push(() => proxy.stop());
    const body = Buffer.alloc(100_000, 'x');
    for (let i = 0; i < 4; i++) {
      const status =
        kind === 'http1' ? await upload(proxy.outbound, body) : await upload2(proxy.outbound, body);
      expect(status).toBe(200);
    }
    const { gateway } = proxy.proxy;
    expect(gateway.endpoints().find((e) => e.backend === 'shadow')).toMatchObject({
      state: 'ready',
      failures: 0,
    });
  },
);

function upload(port: number, body: Buffer): Promise<number> {
  return new Promise((resolve, reject) => {
    const call = httpRequest(
      { host: '127.0.0.1', port, method: 'POST', headers: { host: 'cart' } },
      (res) => {
        res.resume();
        res.on('end', () => resolve(res.statusCode ?? 0));
      },
    );
    call.on('error', reject).end(body);
  });
}

async function upload2(port: number, body: Buffer): Promise<number> {
  const { connect } = await import('node:http2');
  const session = connect(`http://127.0.0.1:${port}`);
  open.push(() => session.destroy());
  return new Promise((resolve, reject) => {
    const stream = session.request({ ':method': 'POST', ':authority': 'cart', ':path': '/' });
    stream.on('response', (head) => resolve(Number(head[':status']))).on('error', reject);
    stream.resume().end(body);
  });
}

test('an opaque connection gets no backend in place of one that does not exist or may not be used', () => {
  const split: Route['split'] = [
    { backend: 'cart', weight: 1, respond: { status: 500, reason: 'no-backend' } },
    { backend: 'cart', weight: 0 },
  ];
  const begin = (routes: Route[]) => {
    const { outbound } = bench(state([destination([backend(two)], routes)])).gateway;
    return outbound.connect(outbound.destinationFor('', '10.96.0.7:80'), '10.1.1.1').refusal;
  };
  expect(begin([])).toBeUndefined();
  expect(begin([route('r', { split })])).toEqual({ kind: 'answer' });
  expect(begin([route('r', { split: [{ backend: 'gone', weight: 1 }] })])).toEqual({
    kind: 'answer',
  });
  expect(begin([route('r', { split: [{ backend: 'cart', weight: 0 }] })])).toEqual({
    kind: 'answer',
  });
});

test.each(['0.0.0.0', '127.0.0.2', '127.1', '[::ffff:127.0.0.1]', 'localhost'])(
  'a request whose host is the proxy itself, by the name %s, is answered 508 once',
  async (host) => {
    const proxy = await rig.startProxy({
      outbound: { host: '0.0.0.0', port: 0, mode: 'explicit' },
      state: rig.state({ unknownDestinations: 'forward' }),
    });
    open.push(() => proxy.stop());
    const get = `GET / HTTP/1.1\r\nHost: ${host}:${proxy.outbound}\r\n\r\n`;
    const said = await rig.say(proxy.outbound, get, { until: /would loop\n$/ });
    expect(said).toMatch(/^HTTP\/1\.1 508 /);
    expect(proxy.proxy.gateway.outbound.begun).toBe(1);
    const opened = await rig.say(
      proxy.outbound,
      `CONNECT ${host}:${proxy.outbound} HTTP/1.1\r\nHost: x\r\n\r\n`,
    );
    expect(opened).toMatch(/^HTTP\/1\.1 502 /);
  },
);

test('a service’s address without the usual port is that service', () => {
  const { outbound } = bench(state([destination([backend(two)])])).gateway;
  expect(outbound.destinationFor('10.96.0.7').name).toBe('cart.retail');
  expect(outbound.destinationFor('10.96.0.7:80').name).toBe('cart.retail');
  expect(outbound.destinationFor('10.96.0.7:81').name).toBe('unknown');
});

test('why names no target for a request that the server refused, and keeps no long texts', () => {
  const b = bench(state([], [server({ defaultPolicy: 'deny' })]));
  const { inbound, why } = b.gateway;
  why.recordAll(60_000);
  const path = `/${'a'.repeat(50_000)}`;
  carry(b, inbound.begin(inbound.serverFor(4143)!, request({ path })), () => ({}));
  const [told] = why.recent(1);
  expect(told).toMatchObject({ target: null, verdict: { status: 403 } });
  expect(String(told?.path)).toHaveLength(2000);
});

test.each([
  ['GET', 403, 'not authorized\n'.length],
  ['HEAD', 403, 0],
  ['GET', 204, 0],
  ['GET', 304, 0],
])(
  '%s answered %i by the proxy counts the body that is sent: %i bytes',
  async (method, status, bytes) => {
    const folder = mkdtempSync(join(tmpdir(), 'firedrill-blame-'));
    open.push(() => rmSync(folder, { recursive: true }));
    const accessLog = join(folder, 'access.log');
    const denied = rig.server(1, '127.0.0.1:9', {
      defaultPolicy: status === 403 ? 'deny' : 'audit',
    });
    const proxy = await rig.startProxy({
      sides: ['inbound'],
      accessLog,
      state: rig.state({ servers: [denied] }),
    });
    const fault = { id: 'f', side: 'inbound', ratio: 1, ttlMs: 60_000, abortStatus: status };
    if (status !== 403) proxy.proxy.gateway.faults.put(fault);
    await rig.say(proxy.inbound, `${method} / HTTP/1.1\r\nHost: cart\r\nConnection: close\r\n\r\n`);
    await proxy.stop();
    const line = JSON.parse(readFileSync(accessLog, 'utf8')) as object;
    expect(line).toMatchObject({ status, responseBytes: bytes });
  },
);
