/** The table of front.cases.ts for every pair of protocols: one contract for all of them. */
import { afterEach, describe, expect, test } from 'vitest';
import { deadPort } from './dead-port.js';
import { cases, type Case } from './front.cases.js';
import { type App, ask, type Protocol, type Seen, startApp } from './front-rig.js';
import { destination, route, server, startProxy, state, type TestProxy, until } from './rig.js';

const pairs = [
  ['http1', 'http1', 'http1'],
  ['http2', 'http2', 'http2'],
  ['http1-http2', 'http1', 'http2'],
  ['http2-http1', 'http2', 'http1'],
] as const;

const open: { close?(): void; stop?(): Promise<void> }[] = [];
afterEach(async () => {
  for (const thing of open.splice(0)) {
    thing.close?.();
    await thing.stop?.();
  }
});

async function outbound(c: Case, app: App, shadow: App, to: Protocol): Promise<TestProxy> {
  const endpoint = (port: number): object => ({
    address: `127.0.0.1:${port}`,
    ...(to === 'http2' && { http2: true }),
  });
  const shop = destination('cart', [], { routes: c.routes ?? [route()] });
  shop.protocol = to === 'http1' ? 'http1' : 'detect';
  const [cart] = shop.backends;
  if (!cart) throw new Error('the rig gives a backend');
  const dead = c.also === 'refused' ? [endpoint(await deadPort())] : [];
  cart.endpoints = [...dead, endpoint(app.port)] as typeof cart.endpoints;
  const copy = {
    ...cart,
    name: 'shadow',
    endpoints: [endpoint(shadow.port)] as typeof cart.endpoints,
  };
  if (c.also === 'shadow') shop.backends.push(copy);
  return startProxy({ state: state({ destinations: [shop] }) });
}

function inbound(c: Case, app: App, to: Protocol): Promise<TestProxy> {
  const one = server(1, `127.0.0.1:${app.port}`, c.server);
  one.protocol = to === 'http1' ? 'http1' : 'http2';
  return startProxy({ sides: ['inbound'], state: state({ servers: [one] }) });
}

async function run(c: Case, from: Protocol, to: Protocol): Promise<void> {
  const app = await startApp(to, c.app ?? (() => ({ body: 'ok' })));
  const shadow = await startApp(to, () => ({ body: 'nobody reads this' }));
  open.push(app, shadow);
  const proxy =
    c.side === 'outbound' ? await outbound(c, app, shadow, to) : await inbound(c, app, to);
  open.push(proxy);
  for (const fault of c.faults ?? [])
    proxy.proxy.gateway.faults.put({ id: 'f', ttlMs: 60_000, ...fault });
  for (let i = 1; i < (c.times ?? 1); i++) await ask(from, proxy[c.side], c.sent ?? {});
  const got = await ask(from, proxy[c.side], c.sent ?? {});
  // Below 0: refused, by an answer in HTTP/1.1 and by a reset of the stream in HTTP/2.
  const expected = c.status >= 0 ? c.status : from === 'http1' ? -c.status : 0;
  expect(got.status).toBe(expected);
  const isApps = c.calls === undefined && expected === c.status && c.status < 400;
  expect(app.seen.length).toBe(c.calls ?? (isApps ? 1 : app.seen.length));
  if (c.sees || c.seesHeaders || c.seesTrailers) looksAt(c, app.seen[app.seen.length - 1] as Seen);
  for (const [name, value] of Object.entries(c.gets ?? {})) {
    if (value instanceof RegExp) expect(got.headers[name]).toMatch(value);
    else expect(got.headers[name]).toBe(value);
  }
  for (const [name, value] of Object.entries(c.getsTrailers ?? {}))
    expect(got.trailers[name]).toBe(value);
  if (typeof c.getsBody === 'string') expect(got.body).toBe(c.getsBody);
  if (c.shadowCalls !== undefined) {
    await until(() => shadow.seen.length >= (c.shadowCalls as number));
    await until(() => proxy.proxy.gateway.endpoints().every((e) => e.pending === 0));
    expect(shadow.seen.map((s) => s.body)).toEqual(
      Array.from({ length: c.shadowCalls }, () => c.sent?.body ?? ''),
    );
    for (const seen of shadow.seen) expect(seen.headers['x-firedrill-mirror']).toBe('true');
  }
  await until(() => proxy.proxy.busy === 0);
}

function looksAt(c: Case, seen: Seen): void {
  const { authority, ...rest } = c.sees ?? {};
  expect(seen).toMatchObject(rest);
  if (authority instanceof RegExp) expect(seen.authority).toMatch(authority);
  else if (authority !== undefined) expect(seen.authority).toBe(authority);
  for (const [name, value] of Object.entries(c.seesHeaders ?? {}))
    expect([name, seen.headers[name]]).toEqual([name, value]);
  for (const [name, value] of Object.entries(c.seesTrailers ?? {}))
    expect([name, seen.trailers[name]]).toEqual([name, value]);
}

describe.each(pairs)('%s', (pair, from, to) => {
  for (const c of cases) {
    const spoken =
      c.side === 'inbound' && pair === 'http1-http2'
        ? 'the inbound side speaks to the app what its client spoke'
        : undefined;
    const why = c.skip?.[pair] ?? spoken;
    if (why !== undefined) test.skip(`${c.name} (${why})`, () => undefined);
    else test(`${c.side}: ${c.name}`, { timeout: 20_000 }, () => run(c, from, to));
  }
});

test('there are at least 80 rows, no two of a name', () => {
  expect(cases.length).toBeGreaterThanOrEqual(80);
  expect(new Set(cases.map((c) => `${c.side} ${c.name}`)).size).toBe(cases.length);
});
