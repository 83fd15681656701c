/** The policies through real proxies and sockets, as clients, servers and the admin port see them. */
import { type IncomingHttpHeaders, request } from 'node:http';
import { afterAll, afterEach, expect, test } from 'vitest';
import type { Route } from '../../../mesh/model.js';
import {
  destination,
  httpServer,
  pki,
  route,
  server,
  startProxy,
  state,
  type TestProxy,
  until,
} from './rig.js';

const closing: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});
let mesh: Awaited<ReturnType<typeof pki>> | undefined;
afterAll(() => mesh?.remove());

interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
}

/** Rejects when the connection ends without an answer. */
function ask(
  port: number,
  options: { path?: string; method?: string; headers?: Record<string, string>; host?: string } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { path = '/', method = 'GET', headers = {}, host = 'cart' } = options;
    const outgoing = request(
      { host: '127.0.0.1', port, path, method, agent: false, headers: { ...headers, host } },
      (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
        );
        response.on('error', reject);
      },
    );
    outgoing.on('error', reject);
    outgoing.end();
  });
}

/** A server that answers with its name and the received request as JSON; `say` changes its answer. */
async function app(name: string) {
  const heard: { url: string; headers: IncomingHttpHeaders }[] = [];
  const it = {
    heard,
    say: (): { status: number; afterMs?: number } => ({ status: 200 }),
    address: '',
  };
  const running = await httpServer((req, res) => {
    heard.push({ url: req.url ?? '', headers: req.headers });
    req.resume();
    const { status, afterMs = 0 } = it.say();
    setTimeout(() => {
      res.writeHead(status, { 'content-type': 'text/plain', 'x-app': name });
      res.end(name);
    }, afterMs);
  });
  closing.push(() => running.close());
  it.address = `127.0.0.1:${running.port}`;
  return it;
}

async function proxyTo(
  addresses: string[],
  routes: Route[],
  more: Parameters<typeof destination>[2] = {},
): Promise<TestProxy> {
  const proxy = await startProxy({
    state: state({ destinations: [destination('cart', addresses, { ...more, routes })] }),
  });
  closing.push(() => proxy.stop());
  return proxy;
}

const admin = async (proxy: TestProxy, path: string, body?: unknown): Promise<unknown> => {
  const init = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) };
  return (await fetch(`http://127.0.0.1:${proxy.admin}${path}`, init)).json();
};

async function metric(proxy: TestProxy, name: string, ...labels: string[]): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${proxy.admin}/metrics`)).text();
  return text
    .split('\n')
    .filter((l) => l.startsWith(`${name}{`) || l.startsWith(`${name} `))
    .filter((l) => labels.every((label) => l.includes(label)))
    .reduce((sum, l) => sum + Number(l.slice(l.lastIndexOf(' ') + 1)), 0);
}

const retry: NonNullable<Route['retry']> = {
  limit: 2,
  statuses: [[500, 599]],
  onConnectFailure: true,
  unsafeMethods: false,
  backoff: { baseMs: 1, maxMs: 5, jitter: 1 },
  budget: { ratio: 1, minRetriesPerSecond: 100, ttlSeconds: 10 },
  maxBufferedBytes: 65_536,
};

test('D5: one of three servers fails, one is not there: clients do not notice, and it is counted', async () => {
  const [good, bad] = [await app('good'), await app('bad')];
  bad.say = () => ({ status: 503 });
  const proxy = await proxyTo([good.address, bad.address, '127.0.0.1:1'], [route({ retry })]);
  for (let i = 0; i < 40; i++) {
    expect(await ask(proxy.outbound)).toMatchObject({ status: 200, body: 'good' });
  }
  expect(await metric(proxy, 'response_total', 'classification="failure"')).toBe(0);
  expect(await metric(proxy, 'outbound_http_route_retry_requests_total')).toBeGreaterThan(0);
  expect(await metric(proxy, 'retry_same_endpoint_total')).toBe(0);
  const endpoints = (await admin(proxy, '/endpoints')) as {
    address: string;
    state: string;
    reason?: string;
  }[];
  expect(endpoints.find((e) => e.address === '127.0.0.1:1')).toMatchObject({
    reason: 'refused',
    state: expect.stringMatching(/down|half-open/),
  });
});

test('D7: a server that fails is ejected, shown as such, and comes back by a probe', async () => {
  const [good, bad] = [await app('good'), await app('bad')];
  bad.say = () => ({ status: 500 });
  const breaker = {
    consecutiveFailures: 2,
    minOpenMs: 50,
    maxOpenMs: 200,
    jitter: 0.5,
    maxEjectedRatio: 0.5,
    panicRatio: 0.1,
  };
  const balancer = {
    kind: 'random' as const,
    defaultRttMs: 30,
    decaySeconds: 10,
    slowStartSeconds: 0,
  };
  const proxy = await proxyTo([good.address, bad.address], [route()], {
    backend: { breaker, balancer },
  });
  const stateOf = async (): Promise<string | undefined> =>
    ((await admin(proxy, '/endpoints')) as { address: string; state: string }[]).find(
      (e) => e.address === bad.address,
    )?.state;
  await until(async () => {
    await ask(proxy.outbound);
    return /open/.test((await stateOf()) ?? '');
  });
  expect(
    await metric(proxy, 'outbound_endpoint_ejections_total', 'reason="consecutive-failures"'),
  ).toBe(1);
  bad.say = () => ({ status: 200 });
  await until(async () => {
    await ask(proxy.outbound);
    return (await stateOf()) === 'ready';
  });
});

test('D6: a slow try is retried elsewhere, a slow request answered 504', async () => {
  const [good, slow] = [await app('good'), await app('slow')];
  slow.say = () => ({ status: 200, afterMs: 1500 });
  const quick = route({ name: 'quick', timeouts: { perTryMs: 150, requestMs: 5000 }, retry });
  const proxy = await proxyTo([good.address, slow.address], [quick]);
  for (let i = 0; i < 10; i++) expect((await ask(proxy.outbound)).body).toBe('good');
  const strict = await proxyTo([slow.address], [route({ timeouts: { requestMs: 100 } })]);
  expect(await ask(strict.outbound)).toMatchObject({
    status: 504,
    headers: { 'l5d-proxy-error': expect.stringContaining('request-timeout') },
  });
});

test('D8, D9: header match, split, edits, rewrite, redirect', async () => {
  const [v1, v2] = [await app('v1'), await app('v2')];
  const backends = ['cart', 'v2'].map((name, i) => ({
    ...destination('cart', [i === 0 ? v1.address : v2.address]).backends[0]!,
    name,
  }));
  const prefix = (value: string): Route['matches'] => [{ path: { kind: 'prefix', value } }];
  const routes = [
    route({
      name: 'qa',
      matches: [{ headers: [{ name: 'x-user', kind: 'exact', value: 'qa' }] }],
      backend: 'v2',
    }),
    route({ name: 'old', matches: prefix('/old'), redirect: { path: '/new', status: 308 } }),
    route({
      name: 'api',
      matches: prefix('/api'),
      rewrite: { prefix: '/v1', host: 'inner.local' },
      requestHeaders: { set: [['x-set', '1']], remove: ['x-secret'] },
      responseHeaders: { add: [['x-added', '2']], remove: ['x-app'] },
    }),
    route({
      name: 'split',
      matches: [],
      split: [
        { backend: 'cart', weight: 1 },
        { backend: 'v2', weight: 1 },
      ],
    }),
  ];
  const proxy = await startProxy({
    state: state({ destinations: [{ ...destination('cart', []), routes, backends }] }),
  });
  closing.push(() => proxy.stop());
  expect((await ask(proxy.outbound, { headers: { 'x-user': 'qa' } })).body).toBe('v2');
  expect(await ask(proxy.outbound, { path: '/old/1?q=2' })).toMatchObject({
    status: 308,
    headers: { location: 'http://cart/new?q=2' },
  });
  v1.heard.length = 0;
  const edited = await ask(proxy.outbound, {
    path: '/api/items?q=1',
    headers: { 'x-secret': 's' },
  });
  expect(edited.headers).toMatchObject({ 'x-added': '2' });
  expect(edited.headers['x-app']).toBeUndefined();
  expect(v1.heard[0]).toMatchObject({
    url: '/v1/items?q=1',
    headers: { host: 'inner.local', 'x-set': '1' },
  });
  expect(v1.heard[0]?.headers['x-secret']).toBeUndefined();
  const served = new Set<string>();
  for (let i = 0; i < 30; i++) served.add((await ask(proxy.outbound)).body);
  expect(served).toEqual(new Set(['v1', 'v2']));
});

test('D9: a mirror gets a marked copy, and its answer changes nothing', async () => {
  const [real, shadow] = [await app('real'), await app('shadow')];
  shadow.say = () => ({ status: 500 });
  const backends = ['cart', 'shadow'].map((name, i) => ({
    ...destination('cart', [i === 0 ? real.address : shadow.address]).backends[0]!,
    name,
  }));
  const routes = [route({ mirror: { backend: 'shadow', fraction: 1 } })];
  const proxy = await startProxy({
    state: state({ destinations: [{ ...destination('cart', []), routes, backends }] }),
  });
  closing.push(() => proxy.stop());
  for (let i = 0; i < 5; i++)
    expect((await ask(proxy.outbound, { path: `/${i}` })).body).toBe('real');
  await until(() => shadow.heard.length === 5);
  expect(shadow.heard.every((h) => h.headers['x-firedrill-mirror'] === 'true')).toBe(true);
  expect(real.heard.every((h) => h.headers['x-firedrill-mirror'] === undefined)).toBe(true);
  expect(await metric(proxy, 'response_total', 'classification="failure"')).toBe(0);
});

test('D10: 429 and 503 with Retry-After', async () => {
  const it = await app('cart');
  const proxy = await proxyTo(
    [it.address],
    [
      route({
        name: 'rated',
        matches: [{ path: { kind: 'exact', value: '/rated' } }],
        rateLimit: { requestsPerSecond: 0.01, burst: 2, per: 'all' },
      }),
      route({ name: 'narrow', maxConcurrent: 1 }),
    ],
  );
  const rated = [];
  for (let i = 0; i < 3; i++) rated.push(await ask(proxy.outbound, { path: '/rated' }));
  expect(rated.map((a) => a.status)).toEqual([200, 200, 429]);
  expect(Number(rated[2]!.headers['retry-after'])).toBeGreaterThan(0);
  it.say = () => ({ status: 200, afterMs: 300 });
  const both = await Promise.all([ask(proxy.outbound), ask(proxy.outbound)]);
  expect(both.map((a) => a.status).sort()).toEqual([200, 503]);
  expect(both.find((a) => a.status === 503)!.headers['retry-after']).toBe('1');
});

test('faults by the admin port: abort, delay, reset, for as long as the lease lasts', async () => {
  const it = await app('cart');
  const proxy = await proxyTo([it.address], [route()]);
  const put = (fault: object): Promise<unknown> =>
    admin(proxy, '/faults', { id: 'f', side: 'outbound', ratio: 1, ttlMs: 60_000, ...fault });
  await put({ abortStatus: 418 });
  expect((await ask(proxy.outbound)).status).toBe(418);
  await put({ delayMs: 200 });
  const beganMs = performance.now();
  expect((await ask(proxy.outbound)).status).toBe(200);
  expect(performance.now() - beganMs).toBeGreaterThanOrEqual(190);
  await put({ reset: true });
  await expect(ask(proxy.outbound)).rejects.toThrow();
  await put({ abortStatus: 503, match: { destination: 'pay.retail' } });
  expect((await ask(proxy.outbound)).status).toBe(200);
  expect(await admin(proxy, '/faults')).toMatchObject([{ id: 'f', effect: 3 }]);
  await put({ abortStatus: 503, ttlMs: 50 });
  await until(async () => (await ask(proxy.outbound)).status === 200);
  expect(await admin(proxy, '/faults')).toEqual([]);
  expect(await admin(proxy, '/faults', { side: 'x' })).toMatchObject({
    error: expect.stringContaining('bad side'),
  });
});

test('D13, D11, why: one request over two hops of mutual TLS, told by spans, tap and why', async () => {
  mesh = await pki();
  const it = await app('cart');
  const spans: Record<string, unknown>[] = [];
  const collector = await httpServer((req, res) => {
    let text = '';
    req.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    req.on('end', () => {
      const body = JSON.parse(text) as { resourceSpans: { scopeSpans: { spans: [] }[] }[] };
      for (const r of body.resourceSpans) for (const s of r.scopeSpans) spans.push(...s.spans);
      res.end('{}');
    });
  });
  closing.push(() => collector.close());
  const tracing = { otlpUrl: `http://127.0.0.1:${collector.port}`, sampleRatio: 1 };
  const inbound = await startProxy({
    sides: ['inbound'],
    workload: { name: 'cart', namespace: 'retail' },
    identity: await mesh.issue('cart'),
    tracing,
    state: state({ servers: [server(1, it.address, { defaultPolicy: 'all-authenticated' })] }),
  });
  closing.push(() => inbound.stop());
  const outbound = await startProxy({
    identity: await mesh.issue('web'),
    workload: { name: 'web', namespace: 'retail' },
    tracing,
    state: state({
      destinations: [
        destination(
          'cart',
          [{ address: `127.0.0.1:${inbound.inbound}`, identity: mesh.identityOf('cart') }],
          { routes: [route({ name: 'items' })] },
        ),
      ],
    }),
  });
  closing.push(() => outbound.stop());
  const tap = await fetch(`http://127.0.0.1:${inbound.admin}/tap`, {
    method: 'POST',
    body: JSON.stringify({ identity: mesh.identityOf('web'), output: 'json' }),
  });
  const reader = tap.body!.pipeThrough(new TextDecoderStream()).getReader();
  await admin(outbound, '/why', { forMs: 60_000 });
  const headers = { 'x-request-id': 'one', 'l5d-client-id': 'forged' };
  expect((await ask(outbound.outbound, { path: '/items?token=x', headers })).body).toBe('cart');

  const [heard] = it.heard;
  expect(heard?.headers['l5d-client-id']).toBe(mesh.identityOf('web'));
  await until(() => spans.length === 2, 15_000);
  const server_ = spans.find((s) => s.kind === 2)!;
  const client = spans.find((s) => s.kind === 3)!;
  expect(server_).toMatchObject({ traceId: client.traceId, parentSpanId: client.spanId });
  expect(heard?.headers.traceparent).toBe(
    `00-${String(server_.traceId)}-${String(server_.spanId)}-01`,
  );

  let lines = '';
  while (!lines.includes('"end"')) lines += (await reader.read()).value ?? '';
  await reader.cancel();
  expect(JSON.parse(lines.split('\n')[0]!)).toMatchObject({
    event: 'req',
    proxy: 'in',
    tls: 'true',
    path: '/items?token=[redacted]',
    clientId: mesh.identityOf('web'),
  });
  expect(await admin(outbound, '/why?id=one')).toMatchObject({
    traceId: client.traceId,
    route: 'items',
    target: `127.0.0.1:${inbound.inbound}`,
    verdict: { status: 200 },
  });
  expect(await metric(outbound, 'response_total', 'tls="true"', 'rt_route="items"')).toBe(1);
  expect(await metric(inbound, 'inbound_http_authz_allow_total', 'tls="true"')).toBe(1);
  expect(await metric(inbound, 'response_total', 'direction="inbound"', 'dst="cart.retail"')).toBe(
    1,
  );
});

test('D10: memory short: requests are refused rather than the process lost', async () => {
  const it = await app('cart');
  const proxy = await startProxy({
    limits: { maxMemoryBytes: 1_000_000 },
    state: state({ destinations: [destination('cart', [it.address], { routes: [route()] })] }),
  });
  closing.push(() => proxy.stop());
  await until(async () => (await ask(proxy.outbound)).status === 503);
  const refused = await ask(proxy.outbound);
  expect(refused.headers['retry-after']).toBeDefined();
});

test('D7: no endpoint listens: fail fast with Retry-After, and recover once one does', async () => {
  const proxy = await proxyTo(['127.0.0.1:1'], [route()], { backend: { failFastMs: 100 } });
  const first = await ask(proxy.outbound);
  expect([502, 503]).toContain(first.status);
  await until(async () => {
    const { headers, status } = await ask(proxy.outbound);
    return status === 503 && headers['retry-after'] !== undefined;
  });
  const it = await app('late');
  proxy.proxy.apply(
    state({ version: 2, destinations: [destination('cart', [it.address], { routes: [route()] })] }),
    'file',
  );
  expect(await ask(proxy.outbound)).toMatchObject({ status: 200, body: 'late' });
});
