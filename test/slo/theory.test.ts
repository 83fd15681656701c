/** Detection and reset by arithmetic, against the figures of the SRE Workbook and a simulation in small steps. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readSloText, theoryOf } from '../../slo/index.js';
import { crossingMs, type ErrorStep, resetMs } from '../../slo/rules/theory.js';

const [slo] = readSloText(
  't.yaml',
  `apiVersion: firedrill.dev/v1
service: pay
slos:
  - name: availability
    objective: 99.9
    sli: {events: {bad: errors_total, total: requests_total}}
    alerting: {pageAbove: false}
`,
);

test('a total outage at 99.9% pages after 52 s over an hour at 14.4x', () => {
  const theory = theoryOf(slo!, 'page', { baseline: 0, errorRatio: 1 });
  expect(theory.detection?.exactMs).toBeCloseTo(0.0144 * 3_600_000, 3);
  expect(theory.windows.map((w) => w.factor)).toEqual([14.4, 6]);
});

test('a burn below every factor is never found', () => {
  expect(theoryOf(slo!, 'page', { baseline: 0, errorRatio: 0.005 }).detection).toBeUndefined();
});

test('windows scale, and so does what theory says of them', () => {
  const step = { baseline: 0, errorRatio: 0.5, durationMs: 30_000 };
  const scaled = theoryOf(slo!, 'page', step, { timeScale: 1 / 120 });
  const full = theoryOf(slo!, 'page', { ...step, durationMs: 3_600_000 });
  expect(scaled.detection?.exactMs).toBeCloseTo((full.detection?.exactMs ?? 0) / 120, 3);
  expect(scaled.reset?.exactMs).toBeCloseTo((full.reset?.exactMs ?? 0) / 120, 3);
});

describe('the reset of a window', () => {
  test.each([
    ['before the change is a tenth of it', 100, { baseline: 0, errorRatio: 1, durationMs: 10 }, 0],
    [
      'when the data that come are as many as needed',
      100,
      { baseline: 0, errorRatio: 1, durationMs: 10, historyMs: 50 },
      40,
    ],
    [
      'later beside errors that were there',
      100,
      { baseline: 0.05, errorRatio: 1, durationMs: 5, historyMs: 50 },
      40,
    ],
    ['at once without a change', 100, { baseline: 0.1, errorRatio: 1, durationMs: 0 }, 0],
    [
      'when all of it has left, if the baseline is the bound',
      100,
      { baseline: 0.1, errorRatio: 1, durationMs: 10 },
      100,
    ],
    [
      'never above a bound that the baseline exceeds',
      100,
      { baseline: 0.2, errorRatio: 1, durationMs: 10 },
      Infinity,
    ],
    [
      'sooner with less traffic',
      100,
      { baseline: 0, errorRatio: 1, durationMs: 20, historyMs: 0, trafficRatio: 0.25 },
      45,
    ],
  ])('%s', (_, windowMs, step, ms) => {
    expect(resetMs(windowMs, 0.1, step)).toBeCloseTo(ms, 9);
  });
});

test('an SLO made of others is counted a step later for each level', () => {
  const slos = readSloText(
    't.yaml',
    `apiVersion: firedrill.dev/v1
service: shop
slos:
  - { name: a, objective: 99.9, sli: { events: { bad: ae_total, total: a_total } } }
  - { name: b, objective: 99.9, sli: { events: { bad: be_total, total: b_total } } }
  - { name: both, objective: 99.5, sli: { chain: [shop-a, shop-b] } }
  - { name: all, objective: 99.5, sli: { composite: [shop-both, shop-a] } }
`,
  );
  const latest = (id: string, timeScale = 1): number => {
    const of = { ...slos.find((one) => one.id === id)!, objective: 99.5 };
    const theory = theoryOf(of, 'page', { baseline: 0, errorRatio: 1 }, { timeScale });
    return theory.detection!.latestMs;
  };
  expect(latest('shop-both') - latest('shop-a')).toBeCloseTo(30_000, 6);
  expect(latest('shop-all') - latest('shop-a')).toBeCloseTo(60_000, 6);
  expect(latest('shop-both', 1 / 30) - latest('shop-a', 1 / 30)).toBeCloseTo(1000, 6);
});

describe('the bounds', () => {
  const read = (alerting: string, sli = '{events: {bad: errors_total, total: requests_total}}') =>
    readSloText(
      't.yaml',
      `apiVersion: firedrill.dev/v1
service: pay
slos:
  - name: availability
    objective: 99.9
    sli: ${sli}
    alerting: ${alerting}
`,
    )[0]!;
  const windows = 'windows: [{severity: page, factor: 10, long: 1h, short: 5m}]';
  const step = { baseline: 0, errorRatio: 1, durationMs: 1_200_000, scrapeIntervalMs: 10_000 };

  test('a page: a scrape, a step and an evaluation late at most, a step early', () => {
    const { detection, reset } = theoryOf(read(`{${windows}}`), 'page', step);
    expect(detection).toEqual({ exactMs: 36_000, earliestMs: 6000, latestMs: 36_000 + 70_000 });
    // The five-minute window recovers before the hour does: after 297 s only 1% of its data is bad.
    expect(reset).toEqual({ exactMs: 297_000, earliestMs: 267_000, latestMs: 297_000 + 70_000 });
  });

  test('pending and keeping add themselves, and an evaluation each', () => {
    const slo = read(`{${windows}, page: {for: 2m, keepFiringFor: 10m}}`);
    const { detection, reset } = theoryOf(slo, 'page', step);
    expect(detection).toEqual({ exactMs: 156_000, earliestMs: 126_000, latestMs: 256_000 });
    expect(reset).toEqual({ exactMs: 897_000, earliestMs: 867_000, latestMs: 1_027_000 });
    const scaled = theoryOf(slo, 'page', { ...step, durationMs: 10_000 }, { timeScale: 1 / 120 });
    expect(scaled.detection?.exactMs).toBe(1300);
    expect(scaled.reset?.exactMs).toBe(7475);
  });

  test('a ticket of days waits for a coarse step, and is evaluated at the pace of those', () => {
    const slo = read('{windows: [{severity: ticket, factor: 10, long: 1d, short: 2h}]}');
    const long = { ...step, durationMs: 7_200_000 };
    const { detection } = theoryOf(slo, 'ticket', long);
    expect(detection).toEqual({
      exactMs: 864_000,
      earliestMs: 834_000,
      latestMs: 864_000 + 10_000 + 2 * 30_000 + 240_000 + 240_000,
    });
  });

  test('one window of days among others is enough for the wait', () => {
    const days = '{severity: page, factor: 1, long: 1d, short: 2h}';
    const both = `{windows: [{severity: page, factor: 10, long: 1h, short: 5m}, ${days}]}`;
    const { detection, windows: found } = theoryOf(read(both), 'page', step);
    expect(found.map((w) => w.detectMs)).toEqual([36_000, 86_400]);
    expect(detection?.latestMs).toBe(36_000 + 100_000 + 240_000);
  });

  test('the last of the windows that fired keeps it firing', () => {
    const slow = '{severity: page, factor: 10, long: 6h, short: 30m}';
    const both = `{windows: [{severity: page, factor: 10, long: 1h, short: 5m}, ${slow}]}`;
    const { reset } = theoryOf(read(both), 'page', step);
    expect(reset?.exactMs).toBe(1_782_000);
  });

  test('a probe is counted when the slowest would be over', () => {
    const slo = read(`{${windows}}`, '{probe: probe_success}');
    const { detection, reset } = theoryOf(slo, 'page', step);
    expect([detection?.exactMs, reset?.exactMs]).toEqual([66_000, 327_000]);
  });

  test('a ratio above the bound from the start fires at once, and never ends', () => {
    expect(crossingMs(1000, 0.1, { baseline: 0.2, errorRatio: 1 })).toBe(0);
    expect(resetMs(1000, 0.1, { baseline: 0.2, errorRatio: 1, durationMs: 10 })).toBe(Infinity);
    expect(crossingMs(1000, 0.1, { baseline: 0, errorRatio: 0.1 })).toBe(Infinity);
  });

  test('neither pages nor tickets where the SLO wants none', () => {
    const none = theoryOf(read('{page: false}'), 'page', step);
    expect(none).toEqual({ detection: undefined, reset: undefined, windows: [] });
    const over = theoryOf(read(`{${windows}}`), 'page', { ...step, durationMs: 36_000 });
    expect(over.detection).toBeUndefined();
    expect(over.windows[0]?.detectMs).toBeUndefined();
    const standing = theoryOf(read(`{${windows}}`), 'page', { baseline: 0, errorRatio: 1 });
    expect(standing.reset).toBeUndefined();
    expect(standing.detection?.latestMs).toBe(36_000 + 90_000);
  });
});

/** The ratio of a window at `t`, summed in small steps; the fault lasts from 0 to its duration. */
function simulate(windowMs: number, step: ErrorStep, t: number): number {
  const { historyMs = Infinity, durationMs = Infinity, trafficRatio = 1 } = step;
  const dt = windowMs / 2000;
  let bad = 0;
  let total = 0;
  for (let u = t - windowMs + dt / 2; u < t; u += dt) {
    if (u < -historyMs) continue;
    const during = u >= 0 && u < durationMs;
    const events = during ? trafficRatio : 1;
    bad += events * (during ? step.errorRatio : step.baseline);
    total += events;
  }
  return total === 0 ? 0 : bad / total;
}

describe('crossing and reset agree with a simulation', () => {
  const steps = fc.record({
    baseline: fc.double({ min: 0, max: 0.01, noNaN: true }),
    errorRatio: fc.double({ min: 0.1, max: 1, noNaN: true }),
    trafficRatio: fc.double({ min: 0.2, max: 2, noNaN: true }),
    historyMs: fc.integer({ min: 20_000, max: 200_000 }),
    durationMs: fc.integer({ min: 20_000, max: 150_000 }),
  });
  test('for any step', () => {
    fc.assert(
      fc.property(steps, fc.double({ min: 0.02, max: 0.09, noNaN: true }), (step, bound) => {
        const windowMs = 100_000;
        const cross = crossingMs(windowMs, bound, step);
        const near = windowMs / 500;
        if (cross + near >= step.durationMs) return;
        // The precision of the simulation: one step more or less of bad events.
        const grain = 0.003;
        expect(simulate(windowMs, step, cross + near)).toBeGreaterThan(bound - grain);
        if (cross > near)
          expect(simulate(windowMs, step, cross - near)).toBeLessThan(bound + grain);
        const reset = resetMs(windowMs, bound, step);
        const after = step.durationMs + reset;
        expect(simulate(windowMs, step, after + near)).toBeLessThan(bound + grain);
        if (reset > near)
          expect(simulate(windowMs, step, after - near)).toBeGreaterThan(bound - grain);
      }),
      { numRuns: 300 },
    );
  });
});
