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

/** The ratio of a window at `t`, summed in small steps; the fault is from 0 to its duration. */
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
        // The simulation's own grain: one step more or less of bad events.
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
