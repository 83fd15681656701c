/** D7: breakers by scope; D4: zones; D5: retries without a policy. On a simulated clock. */
import { expect, test } from 'vitest';
import type { BreakerPolicy } from '../../../mesh/model.js';
import {
  backend,
  bench,
  type Bench,
  carry,
  destination,
  request,
  route,
  state,
} from './flow-bench.js';

const breaker: BreakerPolicy = {
  consecutiveFailures: 5,
  successRate: { threshold: 0.8, windowSeconds: 10, minRequests: 20 },
  minOpenMs: 1000,
  maxOpenMs: 60_000,
  jitter: 0,
  maxEjectedRatio: 1,
  panicRatio: 0,
};
const one = ['10.0.0.1:80'];
/** Requests do not wait for an endpoint, so a closed one is reported at once. */
const cart = (endpoints = one) => backend(endpoints, { breaker, failFastMs: 0 });
const prefix = (value: string) =>
  route(value.slice(1), { matches: [{ path: { kind: 'prefix', value } }] });

const get = (b: Bench, path: string, status = 200) =>
  carry(b, b.begin(request({ path })), () => ({ status }));

/** Whether requests for a path are sent to any endpoint. */
const isServed = (b: Bench, path: string): boolean => get(b, path).tried.length > 0;

test.each([
  ['two routes', [prefix('/bad'), prefix('/good')]],
  ['one route for all', [route('all')]],
  ['no route', []],
])('D7: a path that always fails ejects no endpoint for the others: %s', (_what, routes) => {
  const b = bench(state([destination([cart()], routes)]));
  for (let i = 0; i < 50; i++) get(b, `/bad/${i}`, 500);
  expect(isServed(b, '/bad/x')).toBe(false);
  for (let i = 0; i < 50; i++) expect(isServed(b, `/good/${i}`)).toBe(true);
  const [report] = b.gateway.endpoints();
  expect(report).toMatchObject({ state: 'open', reason: 'consecutive-failures' });
  expect(report?.shutTo).toEqual([routes.length === 0 ? 'default/bad' : expect.any(String)]);
  // The probe is one of the failing requests, and its result counts for those.
  b.clock.advance(1001);
  expect(isServed(b, '/bad/x')).toBe(true);
  expect(b.gateway.endpoints()[0]).toMatchObject({ state: 'ready' });
});

test('D7: the success rate of one path does not eject for the others either', () => {
  const b = bench(state([destination([cart()])]));
  for (let i = 0; i < 200; i++) {
    get(b, '/flaky', i % 2 === 0 ? 500 : 200);
    get(b, '/good');
  }
  expect(b.gateway.endpoints()[0]).toMatchObject({ reason: 'success-rate' });
  expect(isServed(b, '/flaky')).toBe(false);
  expect(isServed(b, '/good')).toBe(true);
});

test('D7: two paths that fail are shut, each by itself, and a third is served', () => {
  const b = bench(state([destination([cart()])]));
  for (let i = 0; i < 20; i++) get(b, i % 2 === 0 ? '/a' : '/b', 500);
  expect([isServed(b, '/a'), isServed(b, '/b'), isServed(b, '/c')]).toEqual([false, false, true]);
});

test('D7: an endpoint that fails whatever it is asked is out for all, as soon as by one path', () => {
  const b = bench(state([destination([cart()])]));
  for (const path of ['/a', '/b', '/c', '/d', '/e']) get(b, path, 500);
  expect(b.gateway.endpoints()[0]).toMatchObject({ state: 'open' });
  expect(isServed(b, '/never-asked')).toBe(false);
});

test('D7: paths that nobody could list make no list of scopes', () => {
  const b = bench(state([destination([cart()])]));
  for (let i = 0; i < 10_000; i++) {
    get(b, `/${i}`, 500);
    get(b, '/good');
  }
  expect(isServed(b, '/good')).toBe(true);
  expect(b.gateway.endpoints()[0]?.shutTo?.length ?? 0).toBeLessThanOrEqual(16);
});

test('D7: of several endpoints only the one that fails a path is left out for it', () => {
  const b = bench(state([destination([cart(['10.0.0.1:80', '10.0.0.2:80'])])]));
  const ask = (path: string) =>
    carry(b, b.begin(request({ path })), (a) => ({
      status: path === '/bad' && a === '10.0.0.1:80' ? 500 : 200,
    })).tried[0];
  for (let i = 0; i < 200; i++) ask('/bad');
  const bad = new Set(Array.from({ length: 50 }, () => ask('/bad')));
  expect([...bad]).toEqual(['10.0.0.2:80']);
});

test('D4: endpoints of the own zone are preferred while half of it is well, and not at any price', () => {
  const made = backend(['10.0.0.1:80', '10.0.0.2:80', '10.0.0.3:80', '10.0.0.4:80']);
  made.endpoints = made.endpoints.map((e, i) => ({ ...e, zone: i < 2 ? 'a' : 'b' }));
  const near = ['10.0.0.1:80', '10.0.0.2:80'];
  const b = bench(state([destination([made])]), {
    config: { workload: { name: 'web', namespace: 'retail', zone: 'a' } },
  });
  const shareOf = (tookMs: (address: string) => number): number => {
    let inZone = 0;
    for (let i = 0; i < 1000; i++) {
      const { tried } = carry(b, b.begin(), (a) => ({ tookMs: tookMs(a) }));
      if (near.includes(tried[0] as string)) inZone++;
    }
    return inZone / 1000;
  };
  expect(shareOf(() => 5)).toBe(1);
  // More than three times as slow: the way to another zone pays.
  expect(shareOf((a) => (near.includes(a) ? 100 : 5))).toBeLessThan(0.9);
  const elsewhere = bench(state([destination([made])]), {
    config: { workload: { name: 'web', namespace: 'retail', zone: 'c' } },
  });
  const asked = new Set(
    Array.from({ length: 200 }, () => carry(elsewhere, elsewhere.begin(), () => ({})).tried[0]),
  );
  expect(asked.size).toBe(4);
});

test('D5: an endpoint that refuses everything unprocessed is not tried three times for ever', () => {
  const b = bench(state([destination([backend(one)])]));
  let tries = 0;
  for (let i = 0; i < 1000; i++) {
    carry(b, b.begin(), () => {
      tries++;
      return { fails: 'not-processed', tookMs: 0 };
    });
  }
  // A fifth of the requests and a hundred: the default budget of a destination.
  expect(tries).toBeGreaterThan(1000);
  expect(tries).toBeLessThanOrEqual(1000 + 200 + 100);
});
