/** The flow's decisions applied to real bytes: retries with bodies, deadlines, mirrors, header changes, faults. */
import { afterEach, expect, test } from 'vitest';
import type { Route, RetryPolicy } from '../../../mesh/model.js';
import {
  destination,
  rawServer,
  route,
  type Running,
  say,
  startProxy,
  state,
  type TestProxy,
  until,
} from './rig.js';

let cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  const due = cleanups.toReversed();
  cleanups = [];
  for (const cleanup of due) await cleanup();
});

const ok = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';
const broken = 'HTTP/1.1 503 No\r\ncontent-length: 4\r\n\r\nfail';
const retry: RetryPolicy = {
  limit: 2,
  statuses: [[500, 599]],
  onConnectFailure: true,
  unsafeMethods: false,
  backoff: { baseMs: 1, maxMs: 5, jitter: 1 },
  maxBufferedBytes: 1000,
};

/** A server that answers whole requests by `answer`, and keeps the received ones. `''`: no answer. */
async function app(
  answer: (whole: string, count: number) => string,
): Promise<Running & { heard: string[] }> {
  const heard: string[] = [];
  const server = await rawServer((socket) => {
    let seen = '';
    socket.on('end', () => socket.end());
    socket.on('data', (chunk) => {
      seen += chunk.toString('latin1');
      const at = seen.indexOf('\r\n\r\n');
      if (at < 0) return;
      const length = Number(/content-length: (\d+)/i.exec(seen)?.[1] ?? 0);
      const chunked = /transfer-encoding: chunked/i.test(seen);
      if (chunked ? !seen.endsWith('0\r\n\r\n') : seen.length < at + 4 + length) return;
      heard.push(seen);
      const text = answer(seen, heard.length);
      seen = '';
      if (text === 'reset') socket.resetAndDestroy();
      else if (text !== '') socket.write(text, 'latin1');
    });
  });
  cleanups.push(() => server.close());
  return { ...server, heard };
}

async function proxied(
  apps: Running[],
  with_: Partial<Route> = {},
  more: Parameters<typeof destination>[2] = {},
): Promise<TestProxy> {
  const proxy = await startProxy({
    state: state({
      destinations: [
        destination(
          'cart',
          apps.map((a) => `127.0.0.1:${a.port}`),
          { routes: [route(with_)], ...more },
        ),
      ],
    }),
  });
  cleanups.push(() => proxy.stop());
  return proxy;
}

const get = 'GET /x HTTP/1.1\r\nHost: cart\r\n\r\n';
const send = (
  proxy: TestProxy,
  bytes: string | string[],
  until_: RegExp | number = /ok$/,
): Promise<string> => say(proxy.outbound, bytes, { until: until_ });

test('a failure is tried again elsewhere, with its body, and the client sees one answer', async () => {
  const bad = await app(() => broken);
  const good = await app(() => ok);
  const proxy = await proxied([bad, good], { retry });
  for (let i = 0; i < 10; i++) {
    const body = `PUT /${i} HTTP/1.1\r\nHost: cart\r\nContent-Length: 5\r\n\r\nabcde`;
    expect(await send(proxy, [body.slice(0, 60), body.slice(60)])).toBe(ok);
    const chunked = `PUT /${i} HTTP/1.1\r\nHost: cart\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n`;
    expect(await send(proxy, [chunked.slice(0, 70), chunked.slice(70)])).toBe(ok);
  }
  expect(bad.heard.length).toBeGreaterThan(0);
  expect(good.heard.length).toBe(20);
  for (const text of [...bad.heard, ...good.heard])
    expect(text).toMatch(/abcde$|3\r\nabc\r\n0\r\n\r\n$/);
});

test('an unsafe request is never sent twice', async () => {
  const bad = await app((_, count) => (count === 1 ? broken : ok));
  const proxy = await proxied([bad], { retry });
  expect(
    await send(proxy, 'POST / HTTP/1.1\r\nHost: cart\r\nContent-Length: 0\r\n\r\n', /fail$/),
  ).toBe(broken);
  expect(bad.heard.length).toBe(1);
});

test('a reset before the answer is tried again where that is safe', async () => {
  const server = await app((_, count) => (count % 2 === 1 ? 'reset' : ok));
  const proxy = await proxied([server], { retry });
  expect(await send(proxy, get)).toBe(ok);
  expect(server.heard.length).toBe(2);
});

test('a body beyond what may be kept is sent once', async () => {
  const server = await app((_, count) => (count === 1 ? broken : ok));
  const proxy = await proxied([server], { retry });
  const body = `PUT / HTTP/1.1\r\nHost: cart\r\nContent-Length: 2000\r\n\r\n${'x'.repeat(2000)}`;
  expect(await send(proxy, body, /fail$/)).toBe(broken);
  expect(server.heard.length).toBe(1);
});

test('a connection that the app closed while idle costs nobody a request', async () => {
  let closes = 0;
  const server = await rawServer((socket) => {
    let served = 0;
    socket.on('data', () => {
      // The second request on a connection meets its end.
      if (++served === 1) socket.write(ok);
      else {
        closes++;
        socket.destroy();
      }
    });
  });
  cleanups.push(() => server.close());
  const proxy = await proxied([server]);
  for (let i = 0; i < 6; i++) expect(await send(proxy, get)).toBe(ok);
  expect(closes).toBeGreaterThan(0);
});

test('deadlines: a try, all tries, and a stream that stands still', async () => {
  const silent = await app(() => '');
  const good = await app(() => ok);
  const tries = await proxied([silent, good], { timeouts: { perTryMs: 60 }, retry });
  for (let i = 0; i < 5; i++) expect(await send(tries, get)).toBe(ok);
  const once = await proxied([silent], { timeouts: { perTryMs: 60 } });
  expect(await send(once, get, /\r\n\r\n/)).toMatch(/^HTTP\/1\.1 504 /);
  const all = await proxied([silent], { timeouts: { requestMs: 80 }, retry });
  expect(await send(all, get, /\r\n\r\n/)).toMatch(/^HTTP\/1\.1 504 /);
  const stalled = await app(() => 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc');
  for (const timeouts of [{ requestMs: 80 }, { idleMs: 80 }]) {
    const proxy = await proxied([stalled], { timeouts });
    expect(await say(proxy.outbound, get)).toMatch(/abc<reset>$/);
  }
});

test('a mirror gets a marked copy, and nothing that it does is seen', async () => {
  const main = await app(() => ok);
  for (const reply of ['reset', '', 'nonsense\r\n\r\n', broken]) {
    const copy = await app(() => reply);
    const { backends } = destination('cart', [`127.0.0.1:${main.port}`]);
    const [backend] = backends;
    if (!backend) throw new Error('no backend');
    const endpoints = [{ address: `127.0.0.1:${copy.port}` }];
    const proxy = await proxied(
      [main],
      { mirror: { backend: 'copy', fraction: 1 } },
      {
        backends: [backend, { ...backend, name: 'copy', endpoints }],
      },
    );
    const body = 'POST /m HTTP/1.1\r\nHost: cart\r\nContent-Length: 5\r\n\r\nabcde';
    expect(await send(proxy, [body.slice(0, 60), body.slice(60)])).toBe(ok);
    await until(() => copy.heard.length === 1);
    expect(copy.heard[0]).toMatch(
      /^POST \/m HTTP\/1\.1\r\nHost: cart\r\n[^]*mirror[^]*\r\n\r\nabcde$/i,
    );
    expect(main.heard[main.heard.length - 1]).not.toMatch(/mirror/i);
  }
});

test('heads are changed as the route says', async () => {
  const server = await app(
    () => 'HTTP/1.1 200 OK\r\nX-Old: 1\r\nx-kept: 2\r\ncontent-length: 2\r\n\r\nok',
  );
  const proxy = await proxied([server], {
    matches: [{ path: { kind: 'prefix', value: '/old' } }],
    rewrite: { prefix: '/new', host: 'elsewhere' },
    requestHeaders: { set: [['x-set', 'b']], add: [['x-add', 'c']], remove: ['x-gone'] },
    responseHeaders: { set: [['x-old', '2']], remove: ['x-none'] },
  });
  const text = await send(
    proxy,
    'GET /old/a?q HTTP/1.1\r\nHost: cart\r\nX-Set: a\r\nX-Gone: 1\r\nX-Add: a\r\nX-Plain: 1\r\n\r\n',
  );
  expect(text).toBe('HTTP/1.1 200 OK\r\nx-kept: 2\r\ncontent-length: 2\r\nx-old: 2\r\n\r\nok');
  expect(server.heard[0]).toBe(
    'GET /new/a?q HTTP/1.1\r\nX-Add: a\r\nX-Plain: 1\r\nhost: elsewhere\r\nx-set: b\r\nx-add: c\r\n\r\n',
  );
});

test('a redirect is answered without asking anybody', async () => {
  const server = await app(() => ok);
  const proxy = await proxied([server], {
    redirect: { scheme: 'https', host: 'new', status: 308 },
  });
  const text = await send(proxy, get + get, /308[^]*308[^]*\r\n\r\n$/);
  expect(text).toMatch(/^HTTP\/1\.1 308 Permanent Redirect\r\n[^]*location: https:\/\/new\/x\r\n/);
  expect(server.heard).toEqual([]);
});

test('faults: delay, abort, reset, black hole, bandwidth', async () => {
  const server = await app(
    () => `HTTP/1.1 200 OK\r\ncontent-length: 20000\r\n\r\n${'x'.repeat(20_000)}`,
  );
  const proxy = await proxied([server]);
  const fault = (lease: object): unknown =>
    proxy.proxy.gateway.faults.put({
      id: 'f',
      side: 'outbound',
      ratio: 1,
      ttlMs: 60_000,
      ...lease,
    });
  fault({ delayMs: 150 });
  let beginMs = performance.now();
  expect((await send(proxy, get, 20_000)).length).toBeGreaterThan(20_000);
  expect(performance.now() - beginMs).toBeGreaterThan(145);
  fault({ abortStatus: 418 });
  expect(await send(proxy, get, /\r\n\r\n/)).toMatch(/^HTTP\/1\.1 418 /);
  fault({ reset: true });
  expect(await say(proxy.outbound, get)).toBe('<reset>');
  fault({ blackhole: true });
  expect(await say(proxy.outbound, get, { limitMs: 200 })).toBe('<timeout>');
  await until(() => proxy.proxy.busy === 0);
  // The answer came in one piece; the next request is delayed for it.
  const effect = (): number => proxy.proxy.gateway.faults.list()[0]?.effect ?? NaN;
  const before = effect();
  fault({ bytesPerSecond: 1_000_000_000 });
  expect((await send(proxy, get, 20_000)).length).toBeGreaterThan(20_000);
  expect(effect()).toBe(before);
  fault({ bytesPerSecond: 100_000 });
  beginMs = performance.now();
  const large = await app(
    () => `HTTP/1.1 200 OK\r\ncontent-length: 400000\r\n\r\n${'x'.repeat(400_000)}`,
  );
  proxy.proxy.apply(
    state({ version: 2, destinations: [destination('cart', [`127.0.0.1:${large.port}`])] }),
    'file',
  );
  fault({ bytesPerSecond: 400_000 });
  expect((await send(proxy, get, 400_001)).length).toBeGreaterThan(400_000);
  expect(effect()).toBe(before + 1);
  expect(performance.now() - beginMs).toBeGreaterThan(500);
});

test('a fault that ends releases its requests: a delayed one goes on, a black hole is reset', async () => {
  const server = await app(() => ok);
  const proxy = await proxied([server]);
  const { faults } = proxy.proxy.gateway;
  const lease = { id: 'f', side: 'outbound', ratio: 1, ttlMs: 600_000 };
  const struck = (): Promise<void> => until(() => (faults.list()[0]?.effect ?? 0) > 0);
  faults.put({ ...lease, delayMs: 500_000 });
  const delayed = send(proxy, get, /\r\n\r\n/);
  await struck();
  // A renewed lease still knows what it holds.
  faults.put({ ...lease, delayMs: 500_000 });
  faults.remove('f');
  expect(await delayed).toMatch(/^HTTP\/1\.1 200 /);
  faults.put({ ...lease, blackhole: true });
  const swallowed = say(proxy.outbound, get, { limitMs: 20_000 });
  await struck();
  faults.remove('f');
  expect(await swallowed).toBe('<reset>');
  await until(() => proxy.proxy.busy === 0);
});
