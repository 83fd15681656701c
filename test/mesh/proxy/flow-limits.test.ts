/** D5, D10: properties of retry budget, backoff, token bucket and shedder. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SimulatedClock } from '../../../base/clock.js';
import { seededRandom } from '../../../base/random.js';
import { MemoryGuard } from '../../../mesh/proxy/flow/limit/memory-guard.js';
import { Shedder } from '../../../mesh/proxy/flow/limit/shedder.js';
import { maxBuckets, RateLimiter } from '../../../mesh/proxy/flow/limit/rate-limiter.js';
import { backoffMs } from '../../../mesh/proxy/flow/retry/backoff.js';
import { Budget } from '../../../mesh/proxy/flow/retry/budget.js';
import { TokenBucket } from '../../../mesh/token-bucket.js';

const events = fc.array(
  fc.record({
    afterMs: fc.integer({ min: 0, max: 3000 }),
    requests: fc.integer({ min: 0, max: 50 }),
    wants: fc.integer({ min: 0, max: 50 }),
  }),
  { maxLength: 100 },
);

test('D5: at each retry, those of the last ttl stay within ratio and floor', () => {
  fc.assert(
    fc.property(
      events,
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.integer({ min: 0, max: 20 }),
      (steps, ratio, minRetriesPerSecond) => {
        const ttlSeconds = 10;
        const budget = new Budget({ ratio, minRetriesPerSecond, ttlSeconds }, 0);
        const taken: number[] = [];
        const asked: number[] = [];
        let nowMs = 0;
        for (const { afterMs, requests, wants } of steps) {
          nowMs += afterMs;
          for (let i = 0; i < requests; i++) {
            budget.deposit(nowMs);
            asked.push(nowMs);
          }
          let took = 0;
          for (let i = 0; i < wants; i++) if (budget.withdraw(nowMs)) took++;
          taken.push(...Array<number>(took).fill(nowMs));
          expect(budget.remaining(nowMs)).toBeGreaterThanOrEqual(0);
          // Only a retry is judged: requests that allowed an earlier one may be forgotten before the retry is.
          if (took === 0) continue;
          const recent = taken.filter((t) => t > nowMs - 10_000).length;
          const possible = asked.filter((t) => t > nowMs - 10_000).length;
          expect(recent).toBeLessThanOrEqual(ratio * possible + minRetriesPerSecond * ttlSeconds);
        }
      },
    ),
  );
});

test('D5: a budget that has been spent is whole again after its ttl and a slot', () => {
  const budget = new Budget({ ratio: 0, minRetriesPerSecond: 2, ttlSeconds: 5 }, 0);
  for (let i = 0; i < 10; i++) expect(budget.withdraw(0)).toBe(true);
  expect(budget.withdraw(0)).toBe(false);
  expect(budget.withdraw(4999)).toBe(false);
  expect(budget.withdraw(5501)).toBe(true);
  expect(budget.remaining(1e9)).toBe(10);
});

test('D5: full jitter spreads over the whole of zero to the ceiling', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 60 }), fc.integer(), (retry, seed) => {
      const ms = backoffMs({ baseMs: 25, maxMs: 250, jitter: 1 }, retry, seededRandom(seed));
      expect(ms).toBeGreaterThan(0);
      expect(ms).toBeLessThanOrEqual(Math.min(250, 25 * 2 ** Math.min(retry, 30)));
    }),
  );
  const random = seededRandom(3);
  const all = Array.from({ length: 2000 }, () =>
    backoffMs({ baseMs: 100, maxMs: 100, jitter: 1 }, 0, random),
  );
  const tenths = Array.from(
    { length: 10 },
    (_, i) => all.filter((ms) => ms >= i * 10 && ms < (i + 1) * 10).length,
  );
  for (const count of tenths) expect(count).toBeGreaterThan(140);
  expect(backoffMs({ baseMs: 25, maxMs: 250, jitter: 0 }, 3, random)).toBe(200);
});

test('D10: over any stretch of time a bucket lets through at most burst + rate * time', () => {
  fc.assert(
    fc.property(
      fc.double({ min: 0.1, max: 200, noNaN: true }),
      fc.integer({ min: 1, max: 50 }),
      fc.array(fc.integer({ min: 0, max: 500 }), { minLength: 1, maxLength: 300 }),
      (rate, burst, gaps) => {
        const bucket = new TokenBucket(rate, burst, 0);
        const taken: number[] = [];
        let nowMs = 0;
        for (const gap of gaps) {
          nowMs += gap;
          if (bucket.take(nowMs)) taken.push(nowMs);
          else {
            // The reported wait must be exact.
            const waitMs = bucket.waitMs(nowMs);
            expect(waitMs).toBeGreaterThan(0);
            expect(waitMs).toBeLessThanOrEqual(1000 / rate + 1e-6);
          }
        }
        for (let i = 0; i < taken.length; i += 7) {
          const spanMs = nowMs - (taken[i] as number);
          expect(taken.length - i).toBeLessThanOrEqual(burst + (spanMs * rate) / 1000 + 1e-6);
        }
      },
    ),
  );
});

test('D10: each identity has its bucket, overrides theirs, and the table is bounded', () => {
  const policy = {
    requestsPerSecond: 1,
    burst: 1,
    per: 'identity' as const,
    overrides: [{ identities: ['vip.retail'], requestsPerSecond: 10, burst: 3 }],
  };
  const limiter = new RateLimiter(policy, 0);
  expect(limiter.take('a', 0)).toBe(0);
  expect(limiter.take('a', 0)).toBeGreaterThan(0);
  expect(limiter.take('b', 0)).toBe(0);
  for (let i = 0; i < 3; i++) expect(limiter.take('vip.retail', 0)).toBe(0);
  expect(limiter.take('vip.retail', 0)).toBeCloseTo(100);
  for (let i = 2; i < maxBuckets; i++) limiter.take(`x${i}`, 0);
  // The table is full: new clients share one bucket.
  expect(limiter.take('y1', 0)).toBe(0);
  expect(limiter.take('y2', 0)).toBeGreaterThan(0);
  // Once the old buckets are full again they are dropped.
  expect(limiter.take('y3', 5000)).toBe(0);
  expect(limiter.take('y4', 5000)).toBe(0);
});

test('D10: the shedder lowers its limit while latency grows with the load, and comes back', () => {
  const shedder = new Shedder(200);
  let nowMs = 0;
  const run = (seconds: number, latencyMs: number, inFlight: number): void => {
    for (let i = 0; i < seconds * 100; i++) {
      nowMs += 10;
      shedder.observe(latencyMs, inFlight, nowMs);
    }
  };
  run(20, 10, 20);
  expect(shedder.limit).toBe(200);
  run(20, 400, 190);
  const overloaded = shedder.limit;
  expect(overloaded).toBeLessThan(150);
  expect(overloaded).toBeGreaterThanOrEqual(20);
  run(120, 10, 10);
  expect(shedder.limit).toBeGreaterThan(overloaded);
});

test('memory: the nearer to the limit, the more is shed', () => {
  let used = 0;
  const clock = new SimulatedClock();
  const guard = new MemoryGuard({ clock, limitBytes: 100, usedBytes: () => used });
  let pressed = 0;
  guard.onPressure = () => pressed++;
  const at = (bytes: number): number => {
    used = bytes;
    clock.advance(250);
    return guard.shedRatio;
  };
  // One look a second below half of the limit; four above.
  used = 99;
  clock.advance(999);
  expect(guard.shedRatio).toBe(0);
  clock.advance(1);
  expect(guard.shedRatio).toBe(1);
  expect(at(80)).toBe(0);
  // A burst does not wait for the timer.
  expect(at(20)).toBe(0);
  used = 99;
  for (let i = 0; i < 127; i++) expect(guard.ratioForRequest()).toBe(0);
  expect(guard.ratioForRequest()).toBe(1);
  expect(at(80)).toBe(0);
  expect(at(91)).toBeCloseTo(0.5);
  expect(at(99)).toBe(1);
  expect(at(50)).toBe(0);
  expect(pressed).toBe(3);
});
