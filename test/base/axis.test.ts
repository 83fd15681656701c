/** Axes: ticks are round, few, and within the range; scales stay within the picture. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  linearScale,
  linearTicks,
  logScale,
  logTicks,
  tickTime,
  timeTicks,
} from '../../base/axis.js';

test('ticks of values are round', () => {
  expect(linearTicks(0, 1, 3)).toEqual([0, 0.5, 1]);
  expect(linearTicks(0.95, 1, 3)).toEqual([0.96, 0.98, 1]);
  expect(linearTicks(0, 731.2, 3)).toEqual([0, 500]);
  expect(linearTicks(-128.45, 6.3, 4)).toEqual([-100, -50, 0]);
  expect(linearTicks(3, 3, 4)).toEqual([3]);
  expect(logTicks(0.1, 1200)).toEqual([0.1, 1, 10, 100, 1000]);
});

test('ticks of time are whole units of a clock', () => {
  const at = Date.UTC(2026, 10, 29, 14, 5, 7);
  const seconds = timeTicks(at, at + 60_000, 6);
  expect(seconds.map((t) => tickTime(t, 10_000))[0]).toBe('14:05:10');
  expect(timeTicks(at, at + 3_600_000, 4).map((t) => tickTime(t, 900_000))).toEqual([
    '14:15',
    '14:30',
    '14:45',
    '15:00',
  ]);
  expect(timeTicks(at, at + 30 * 86_400_000, 5).map((t) => tickTime(t, 604_800_000))[0]).toMatch(
    /^\d+ (Nov|Dec)$/,
  );
});

test('any range has few ticks, in order, within the range', () => {
  const stretch = fc.tuple(
    fc.double({ min: -1e9, max: 1e9, noNaN: true }),
    fc.double({ min: 1e-3, max: 1e9, noNaN: true }),
  );
  fc.assert(
    fc.property(stretch, fc.integer({ min: 2, max: 12 }), ([min, length], count) => {
      // Steps of time are at least a second.
      const slack = 1e-5 + (Math.abs(min) + length) * 1e-9;
      for (const ticks of [
        linearTicks(min, min + length, count),
        timeTicks(min, min + length, count),
      ]) {
        expect(ticks.length).toBeLessThanOrEqual(count + 1);
        for (const tick of ticks) {
          expect(tick).toBeGreaterThanOrEqual(min - slack);
          expect(tick).toBeLessThanOrEqual(min + length + slack);
        }
      }
    }),
  );
});

test('scales keep within the picture, and a log scale puts zero at its lower end', () => {
  const linear = linearScale([0, 10], [100, 0]);
  expect([0, 5, 10, 20, -3].map(linear)).toEqual([100, 50, 0, 0, 100]);
  const log = logScale([0.1, 1000], [100, 0]);
  expect([0, 0.1, 10, 1000, 1e6].map((v) => Math.round(log(v)))).toEqual([100, 100, 50, 0, 0]);
});
