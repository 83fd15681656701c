/** Copies of slow requests: in every protocol, the loser cancelled, within the budget, and never of an unsafe one. */
import type { ServerResponse } from 'node:http';
import { afterEach, describe, expect, test } from 'vitest';
import type { Destination, Route } from '../../../mesh/model.js';
import { readerOf } from '../../../mesh/controller/registry/field-schema.js';
import { configProblems } from '../../../mesh/proxy/config.js';
import { routeFields } from '../../../mesh/schema/route.js';
import { ask, type Protocol, type Sent, startApp } from './front-rig.js';
import {
  destination,
  httpServer,
  route,
  say,
  startProxy,
  state,
  type TestProxy,
  until,
} from './rig.js';

const open: { close?(): unknown; stop?(): unknown }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).toReversed()) await (one.close?.() ?? one.stop?.());
});

const hedge = { hedge: { afterMs: 20 } };

async function proxied(
  ports: number[],
  to: Protocol,
  more: Partial<Route> = hedge,
  of: Partial<Destination> = {},
): Promise<TestProxy> {
  const shop = { ...destination('cart', [], { routes: [route(more)] }), ...of };
  shop.protocol = to === 'http1' ? 'http1' : 'detect';
  const [cart] = shop.backends;
  if (!cart) throw new Error('the rig gives a backend');
  cart.endpoints = ports.map((port) => ({
    address: `127.0.0.1:${port}`,
    ...(to === 'http2' && { http2: true }),
  }));
  const proxy = await startProxy({ state: state({ destinations: [shop] }) });
  open.push(proxy);
  return proxy;
}

/** Two endpoints, which answer the first, the second … request at either of them in turn. */
async function endpoints(
  ...turns: ((answer: ServerResponse) => void)[]
): Promise<{ ports: number[]; count: () => number; left: () => number }> {
  let count = 0;
  let left = 0;
  const handle = async (): Promise<number> => {
    const server = await httpServer((request, response) => {
      response.on('close', () => void (response.writableEnded || left++));
      request.resume();
      turns[Math.min(count++, turns.length - 1)]?.(response);
    });
    open.push(server);
    return server.port;
  };
  const ports = [await handle(), await handle()];
  return { ports, count: () => count, left: () => left };
}

const ok = (answer: ServerResponse): void => void answer.end('ok');
const silent = (): void => undefined;
const broken = (answer: ServerResponse): void => void answer.writeHead(503).end();
const later = (answer: ServerResponse): void => void setTimeout(() => answer.end('ok'), 150);

/** Copies sent, copies that won, copies that were not sent. */
async function copies(proxy: TestProxy): Promise<number[]> {
  const page = await (await fetch(`http://127.0.0.1:${proxy.admin}/metrics`)).text();
  return ['requests', 'wins', 'overflow'].map((name) =>
    Number(
      new RegExp(`^outbound_http_route_hedge_${name}_total\\{.*\\} (\\d+)`, 'm').exec(page)?.[1],
    ),
  );
}

const idle = (proxy: TestProxy): Promise<void> =>
  until(() => proxy.proxy.gateway.endpoints().every((e) => e.pending === 0));

const pairs: [Protocol, Protocol][] = [
  ['http1', 'http1'],
  ['http1', 'http2'],
  ['http2', 'http1'],
  ['http2', 'http2'],
];

describe.each(pairs)('%s to %s', (from, to) => {
  test('a copy answers in place of a silent endpoint, whose attempt is cancelled', async () => {
    let count = 0;
    const answer = (): object =>
      count++ === 0
        ? { instead: 'silence' }
        : { body: 'ok', headers: { 'x-a': 'b' }, trailers: { 'x-sum': '2' } };
    const apps = [await startApp(to, answer), await startApp(to, answer)];
    open.push(...apps);
    const proxy = await proxied(
      apps.map((app) => app.port),
      to,
    );
    const got = await ask(from, proxy.outbound, { path: '/items?a=b' });
    expect(got).toMatchObject({ status: 200, body: 'ok', trailers: { 'x-sum': '2' } });
    expect(got.headers['x-a']).toBe('b');
    expect(apps.map((app) => app.seen.length)).toEqual([1, 1]);
    await until(() => apps.some((app) => app.left === 1));
    await idle(proxy);
    expect(await copies(proxy)).toEqual([1, 1, 0]);
    const [why] = (await (await fetch(`http://127.0.0.1:${proxy.admin}/why`)).json()) as object[];
    expect(why).toMatchObject({
      retries: 0,
      hedge: { afterMs: 20, won: true },
      earlierTries: [{ status: 0, failure: 'slower' }],
    });
  });
});

test('the first answers after its copy was sent: the copy is cancelled', async () => {
  const { ports, count, left } = await endpoints(later, silent);
  const proxy = await proxied(ports, 'http1');
  expect(await ask('http1', proxy.outbound, {})).toMatchObject({ status: 200, body: 'ok' });
  expect(count()).toBe(2);
  await until(() => left() === 1);
  await idle(proxy);
  expect(await copies(proxy)).toEqual([1, 0, 0]);
});

test('a failed answer of the copy does not win over a slow good one', async () => {
  const { ports } = await endpoints(later, broken);
  const proxy = await proxied(ports, 'http1');
  expect(await ask('http1', proxy.outbound, {})).toMatchObject({ status: 200, body: 'ok' });
  await idle(proxy);
  expect(await copies(proxy)).toEqual([1, 0, 0]);
});

test('the first breaks while its copy is under way: the copy goes on alone', async () => {
  const breaks = (answer: ServerResponse): void =>
    void setTimeout(() => answer.socket?.destroy(), 60);
  const { ports, count } = await endpoints(breaks, later);
  const proxy = await proxied(ports, 'http1');
  expect(await ask('http1', proxy.outbound, {})).toMatchObject({ status: 200, body: 'ok' });
  expect(count()).toBe(2);
  expect(await copies(proxy)).toEqual([1, 1, 0]);
});

test('a client that leaves cancels both', async () => {
  const { ports, count, left } = await endpoints(silent);
  const proxy = await proxied(ports, 'http1');
  const call = say(proxy.outbound, 'GET / HTTP/1.1\r\nHost: cart\r\n\r\n', { limitMs: 500 });
  await until(() => count() === 2);
  await call;
  await until(() => left() === 2);
  await idle(proxy);
});

const unhedged: [string, Sent, Partial<Route>, Partial<Destination>, number[]][] = [
  ['a POST', { method: 'POST' }, hedge, {}, [0, 0, 0]],
  ['a PUT with a body', { method: 'PUT', body: 'x' }, hedge, {}, [0, 0, 0]],
  [
    'a request beyond the budget',
    {},
    hedge,
    { retryBudget: { ratio: 0, minRetriesPerSecond: 0, ttlSeconds: 10 } },
    [0, 0, 1],
  ],
];

test.each(unhedged)('%s has no copy', async (_, sent, more, of, counted) => {
  const { ports, count } = await endpoints(later, ok);
  const proxy = await proxied(ports, 'http1', more, of);
  expect(await ask('http1', proxy.outbound, sent)).toMatchObject({ status: 200 });
  expect(count()).toBe(1);
  expect(await copies(proxy)).toEqual(counted);
});

test.each(['http1', 'http2'] as const)('TE: trailers to %s', async (to) => {
  const app = await startApp(to, () => ({ body: 'ok' }));
  open.push(app);
  const proxy = await proxied([app.port], to);
  await ask('http1', proxy.outbound, { headers: [['te', 'trailers']] });
  const { te, connection } = app.seen[0]?.headers ?? {};
  expect([te, connection]).toEqual(['trailers', to === 'http1' ? 'te' : undefined]);
});

test('without another endpoint there is no copy', async () => {
  const { ports, count } = await endpoints(later, ok);
  const proxy = await proxied(ports.slice(1), 'http1');
  expect(await ask('http1', proxy.outbound, {})).toMatchObject({ status: 200, body: 'ok' });
  expect(count()).toBe(1);
  expect(await copies(proxy)).toEqual([0, 0, 1]);
});

test('as written in a registry, and wrong values in a registry and in a proxy’s file', () => {
  const written = (after: unknown): unknown => ({ name: 'all', hedge: { after } });
  const reader = readerOf(routeFields);
  expect(reader.parse(written('100ms')).hedge).toEqual({ afterMs: 100 });
  const [issue] = reader.safeParse(written('soon')).error?.issues ?? [];
  expect(issue?.path).toEqual(['hedge', 'after']);
  const routes = [route({ hedge: { afterMs: -1 } })];
  const problems = configProblems({
    workload: { name: 'test', namespace: 'retail' },
    admin: { host: '127.0.0.1', port: 0 },
    outbound: { host: '127.0.0.1', port: 0, mode: 'explicit' },
    state: state({ destinations: [destination('cart', [], { routes })] }),
  });
  expect(problems).toMatchObject([
    { path: ['state', 'destinations', 0, 'routes', 0, 'hedge', 'afterMs'] },
  ]);
});
