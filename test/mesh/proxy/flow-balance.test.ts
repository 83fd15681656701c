/** D4, D7: properties of balancer and breaker, on a simulated clock with seeded randomness. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SimulatedClock } from '../../../base/clock.js';
import { seededRandom } from '../../../base/random.js';
import type { Backend, BreakerPolicy } from '../../../mesh/model.js';
import { openMs } from '../../../mesh/proxy/flow/balance/accrual.js';
import { BackendState } from '../../../mesh/proxy/flow/balance/backend.js';
import { EndpointRecord } from '../../../mesh/proxy/flow/balance/endpoint.js';
import { backend, bench, carry, destination, retry, route, state } from './flow-bench.js';

const breaker = (more: Partial<BreakerPolicy> = {}): BreakerPolicy => ({
  consecutiveFailures: 5,
  minOpenMs: 1000,
  maxOpenMs: 60_000,
  jitter: 0.5,
  maxEjectedRatio: 1,
  panicRatio: 0,
  ...more,
});

const addresses = (count: number): string[] =>
  Array.from({ length: count }, (_, i) => `10.0.0.${i + 1}:80`);

function stateOf(count: number, more: Partial<Backend> = {}, seed = 1) {
  const clock = new SimulatedClock(1_700_000_000_000);
  const parts = { clock, random: seededRandom(seed) };
  return {
    clock,
    backend: new BackendState('cart.retail', backend(addresses(count), more), parts),
  };
}

/** Sends one request to an endpoint with a given duration and result. */
function send(
  to: ReturnType<typeof stateOf>,
  answer: (address: string) => { tookMs: number; failed: boolean },
): string | undefined {
  const nowMs = to.clock.monotonicMs();
  const e = to.backend.pick(nowMs, undefined, true);
  if (!e) return undefined;
  const probe = to.backend.pickedProbe;
  const { tookMs, failed } = answer(e.address);
  to.backend.observe(e, tookMs, failed, nowMs + tookMs);
  to.backend.verdict(e, failed, probe, nowMs + tookMs);
  return e.address;
}

test('with affinity a client keeps its endpoint while it is ready, and for its time', () => {
  const balancer = { ...backend([]).balancer, affinitySeconds: 60 };
  const to = stateOf(8, { balancer, breaker: breaker() });
  const ask = (failed = false): string | undefined => send(to, () => ({ tookMs: 5, failed }));
  const many = (count: number): string[] => {
    const asked = Array.from({ length: count }, () => {
      to.clock.advance(1000);
      return ask() ?? '';
    });
    return [...new Set(asked)];
  };
  const [first = '', ...others] = many(200);
  expect(others).toEqual([]);
  // Its breaker opens, so that another endpoint is kept, also after the first is well again.
  for (let i = 0; i < 5; i++) expect(ask(true)).toBe(first);
  const [second, ...more] = many(200);
  expect([second === first, more]).toEqual([false, []]);
  // A retry goes elsewhere, and does not move the client.
  const tried = to.backend.endpoints.filter((e) => e.address === second);
  expect(to.backend.pick(to.clock.monotonicMs(), tried, true)?.address).not.toBe(second);
  expect(many(20)).toEqual([second]);
  // Without a request for longer than that, nothing is kept.
  const later = new Set<string | undefined>();
  for (let i = 0; i < 50; i++) {
    to.clock.advance(61_000);
    later.add(ask());
  }
  expect(later.size).toBeGreaterThan(3);
});

test('D4: the slower of two endpoints gets less, whatever the latencies', () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 50 }), fc.integer(), (factor, seed) => {
      const to = stateOf(2, {}, seed);
      const counts = new Map<string, number>();
      for (let i = 0; i < 2000; i++) {
        to.clock.advance(10);
        const picked = send(to, (a) => ({
          tookMs: a === '10.0.0.1:80' ? 4 : 4 * factor,
          failed: false,
        }));
        counts.set(picked!, (counts.get(picked!) ?? 0) + 1);
      }
      expect(counts.get('10.0.0.1:80')!).toBeGreaterThan(2 * (counts.get('10.0.0.2:80') ?? 0));
    }),
    { numRuns: 25 },
  );
});

test('D4: endpoints that are alike get alike', () => {
  const b = bench(state([destination([backend(addresses(5))])]));
  const counts = new Map<string, number>();
  for (let i = 0; i < 5000; i++) {
    const [address] = carry(b, b.begin(), () => ({ tookMs: 5 })).tried;
    counts.set(address!, (counts.get(address!) ?? 0) + 1);
  }
  for (const count of counts.values()) {
    expect(count).toBeGreaterThan(800);
    expect(count).toBeLessThan(1200);
  }
});

test('D4: an endpoint that fails fast does not attract load, without any breaker', () => {
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const to = stateOf(3, {}, seed);
      let bad = 0;
      for (let i = 0; i < 3000; i++) {
        to.clock.advance(1);
        const picked = send(to, (a) =>
          a === '10.0.0.1:80' ? { tookMs: 0.2, failed: true } : { tookMs: 20, failed: false },
        );
        if (picked === '10.0.0.1:80' && i > 100) bad++;
      }
      expect(bad).toBeLessThan(2900 / 3 / 4);
    }),
    { numRuns: 20 },
  );
});

test('D4: the load is never negative, never NaN, and falls while idle', () => {
  const sample = fc.record({
    ms: fc.double({ min: 0, max: 1e5, noNaN: true }),
    failed: fc.boolean(),
    afterMs: fc.double({ min: 0, max: 1e6, noNaN: true }),
  });
  fc.assert(
    fc.property(fc.array(sample, { maxLength: 60 }), (samples) => {
      const limits = { maxConnections: 1, maxPending: 1, maxRequests: 1 };
      const e = new EndpointRecord({ address: '10.0.0.1:80' }, limits, 30, 0);
      let nowMs = 0;
      for (const { ms, failed, afterMs } of samples) {
        nowMs += afterMs;
        const before = e.load(nowMs, 10_000);
        e.observe(ms, failed, nowMs, 10_000);
        const load = e.load(nowMs, 10_000);
        expect(load).toBeGreaterThan(0);
        if (failed) expect(load).toBeGreaterThanOrEqual(before * 0.999);
        expect(e.load(nowMs + 5000, 10_000)).toBeLessThanOrEqual(load);
      }
    }),
  );
});

test('D4: weights are kept within noise', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 9 }), fc.integer(), (weight, seed) => {
      const source = backend(addresses(2), {
        balancer: { kind: 'random', defaultRttMs: 30, decaySeconds: 10, slowStartSeconds: 0 },
      });
      source.endpoints[0]!.weight = weight;
      source.endpoints[1]!.weight = 10 - weight;
      const parts = { clock: new SimulatedClock(), random: seededRandom(seed) };
      const to = new BackendState('cart.retail', source, parts);
      let first = 0;
      for (let i = 0; i < 4000; i++)
        if (to.pick(0, undefined, true)?.address === '10.0.0.1:80') first++;
      expect(Math.abs(first / 4000 - weight / 10)).toBeLessThan(0.04);
    }),
    { numRuns: 20 },
  );
});

test('slow start: a new endpoint begins with a tenth, and grows', () => {
  const balancer = {
    kind: 'ewma',
    defaultRttMs: 30,
    decaySeconds: 10,
    slowStartSeconds: 60,
  } as const;
  const b = bench(state([destination([backend(addresses(2), { balancer })])]));
  const share = (seconds: number): number => {
    let fresh = 0;
    const count = seconds * 100;
    for (let i = 0; i < count; i++) {
      const { tried } = carry(b, b.begin(), () => ({ tookMs: 10 }));
      if (tried[0] === '10.0.0.3:80') fresh++;
    }
    return fresh / count;
  };
  share(5);
  b.gateway.apply(state([destination([backend(addresses(3), { balancer })])], [], 2));
  expect(b.gateway.endpoints()[2]).toMatchObject({ state: 'slow-start' });
  const young = share(5);
  share(55);
  const grown = share(10);
  expect(young).toBeLessThan(0.16);
  expect(grown).toBeGreaterThan(0.25);
  expect(b.gateway.endpoints()[2]).toMatchObject({ state: 'ready' });
});

test('D7: consecutive failures trip, one real request probes, a failure doubles the wait', () => {
  const to = stateOf(1, { breaker: breaker({ jitter: 0 }) });
  const fail = () => ({ tookMs: 0, failed: true });
  for (let i = 0; i < 5; i++) expect(send(to, fail)).toBeDefined();
  const [e] = to.backend.endpoints as [EndpointRecord];
  expect([e.gate, e.gateReason]).toEqual(['open', 'consecutive-failures']);
  expect(send(to, fail)).toBeUndefined();
  let waitMs = 1000;
  for (let round = 0; round < 4; round++) {
    to.clock.advance(waitMs - 1);
    expect(to.backend.pick(to.clock.monotonicMs(), undefined, true)).toBeUndefined();
    to.clock.advance(1);
    const nowMs = to.clock.monotonicMs();
    const probe = to.backend.pick(nowMs, undefined, true);
    expect(probe).toBe(e);
    expect(e.stateAt(nowMs)).toBe('half-open');
    // Exactly one: while it is out no other request gets through.
    expect(to.backend.pick(nowMs, undefined, true)).toBeUndefined();
    to.backend.verdict(e, true, true, nowMs);
    waitMs *= 2;
  }
  to.clock.advance(waitMs);
  expect(send(to, () => ({ tookMs: 1, failed: false }))).toBe(e.address);
  expect([e.gate, e.trips]).toEqual(['ready', 0]);
  expect(to.backend.ejections.get('probe-failed')).toBe(4);
});

test('D7: a probe whose client leaves tells nothing: the next request is the probe', () => {
  const to = stateOf(1, { breaker: breaker({ consecutiveFailures: 1, jitter: 0 }) });
  send(to, () => ({ tookMs: 0, failed: true }));
  to.clock.advance(1000);
  const nowMs = to.clock.monotonicMs();
  const e = to.backend.pick(nowMs, undefined, true) as EndpointRecord;
  to.backend.probeLost(e);
  expect(to.backend.pick(nowMs, undefined, true)).toBe(e);
  expect(to.backend.pickedProbe).toBe(true);
});

test('D7: a low success rate trips, given enough requests', () => {
  const successRate = { threshold: 0.8, windowSeconds: 10, minRequests: 20 };
  const to = stateOf(1, { breaker: breaker({ consecutiveFailures: 1000, successRate }) });
  let sent = 0;
  while (send(to, () => ({ tookMs: 0, failed: sent++ % 2 === 0 })) !== undefined) {
    to.clock.advance(10);
    if (sent > 100) break;
  }
  expect(sent).toBeGreaterThanOrEqual(20);
  expect(sent).toBeLessThan(23);
  expect(to.backend.endpoints[0]?.gateReason).toBe('success-rate');
});

test('D7: never more ejected than the cap allows, and one may always be', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 12 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.integer(),
      (count, maxEjectedRatio, seed) => {
        const policy = breaker({ consecutiveFailures: 2, maxEjectedRatio });
        const to = stateOf(count, { breaker: policy }, seed);
        for (let i = 0; i < 300; i++) {
          to.clock.advance(1);
          send(to, () => ({ tookMs: 1, failed: true }));
          const open = to.backend.endpoints.filter((e) => e.gate === 'open').length;
          expect(open).toBeLessThanOrEqual(Math.max(1, Math.floor(maxEjectedRatio * count)));
        }
      },
    ),
    { numRuns: 60 },
  );
});

test('D7: in panic all endpoints are used again', () => {
  const to = stateOf(4, { breaker: breaker({ consecutiveFailures: 1, panicRatio: 0.5 }) });
  for (let i = 0; i < 200; i++) {
    to.clock.advance(1);
    expect(send(to, () => ({ tookMs: 1, failed: true }))).toBeDefined();
  }
  expect(to.backend.panicking).toBe(true);
  expect(to.backend.panicTotal).toBeGreaterThan(0);
});

test('D7: the open time is within its bounds and grows', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 40 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.integer(),
      (trips, jitter, seed) => {
        const policy = { minOpenMs: 100, maxOpenMs: 5000, jitter };
        const ms = openMs(policy, trips, seededRandom(seed));
        const base = Math.min(5000, 100 * 2 ** Math.min(30, trips - 1));
        expect(ms).toBeGreaterThanOrEqual(base);
        expect(ms).toBeLessThanOrEqual(Math.min(5000, base * (1 + jitter)));
      },
    ),
  );
});

test('D7: a request that cannot be retried is no probe while others are ready', () => {
  const to = stateOf(2, { breaker: breaker({ consecutiveFailures: 1, jitter: 0 }) });
  while (!to.backend.endpoints.some((e) => e.gate === 'open')) {
    send(to, (a) => ({ tookMs: 1, failed: a === '10.0.0.1:80' }));
  }
  to.clock.advance(1001);
  const nowMs = to.clock.monotonicMs();
  expect(to.backend.pick(nowMs, undefined, false)?.address).toBe('10.0.0.2:80');
  expect(to.backend.pick(nowMs, undefined, true)?.address).toBe('10.0.0.1:80');
});

test('nothing leaks, whatever happens: pending, queue and budget come back to rest', () => {
  const step = fc.record({
    what: fc.constantFrom('good', '500', 'refused', 'reset', 'timeout', 'leave', 'tls', 'stale'),
    tookMs: fc.integer({ min: 0, max: 800 }),
    post: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), fc.integer(), (steps, seed) => {
      const policy = breaker({ consecutiveFailures: 2, minOpenMs: 50, maxOpenMs: 400 });
      const routes = [route('all', { retry: retry(), timeouts: { requestMs: 2000 } })];
      const b = bench(state([destination([backend(addresses(3), { breaker: policy })], routes)]), {
        seed,
      });
      for (const { what, tookMs, post } of steps) {
        const flow = b.begin(requestOf(post));
        carry(
          b,
          flow,
          () => {
            switch (what) {
              case 'good':
              case 'leave':
                return { tookMs };
              case '500':
                return { status: 500, tookMs };
              case 'timeout':
                return { fails: 'request-timeout', tookMs };
              case 'tls':
                return { fails: 'tls:expired', tookMs };
              case 'stale':
                return { fails: 'stale-connection', tookMs };
              default:
                return { fails: what as 'refused' | 'reset', tookMs };
            }
          },
          what === 'leave' ? 'client-gone' : 'complete',
        );
      }
      expect(b.metric('outbound_endpoint_pending')).toBe(0);
      expect(b.metric('requests_in_flight')).toBe(0);
      expect(b.metric('outbound_http_balancer_queue_length')).toBe(0);
      expect(b.metric('retry_same_endpoint_total')).toBe(0);
      expect(b.metric('request_total')).toBe(steps.length);
      expect(b.metric('response_total')).toBe(steps.length);
      expect(b.metric('response_latency_ms_count')).toBe(steps.length);
      // Every attempt is accounted for, including those whose answer the client never saw.
      expect(b.metric('route_actual_response_total')).toBe(b.metric('route_actual_request_total'));
    }),
    { numRuns: 60 },
  );
});

const requestOf = (post: boolean) => ({
  method: post ? 'POST' : 'GET',
  path: '/',
  authority: 'cart',
  isGrpc: false,
  header: () => undefined,
  peerIdentity: undefined,
  peerAddress: '10.1.1.1',
  tls: 'disabled' as const,
});
