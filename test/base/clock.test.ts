import { expect, test } from 'vitest';
import { SimulatedClock } from '../../base/clock.js';
import { seededRandom } from '../../base/random.js';

test('timers run at their own due time, in order, once or again and again', () => {
  const clock = new SimulatedClock(1000);
  const seen: string[] = [];
  clock.after(30, () => seen.push(`once@${clock.nowMs()}`));
  const tick = clock.every(20, () => seen.push(`tick@${clock.nowMs()}`));
  clock.advance(50);
  tick.cancel();
  clock.advance(100);
  expect(seen).toEqual(['tick@1020', 'once@1030', 'tick@1040']);
  expect(clock.nowMs()).toBe(1150);
  expect(clock.monotonicMs()).toBe(150);
});

test('a timer set by a timer runs in the same advance when it falls due', () => {
  const clock = new SimulatedClock();
  const seen: number[] = [];
  clock.after(10, () => clock.after(10, () => seen.push(clock.nowMs())));
  clock.advance(25);
  expect(seen).toEqual([20]);
});

test('one seed gives one sequence, spread evenly', () => {
  const [a, b] = [seededRandom(7), seededRandom(7)];
  const draws = Array.from({ length: 10_000 }, () => a.next());
  expect(draws.slice(0, 5)).toEqual(Array.from({ length: 5 }, () => b.next()));
  expect(Math.min(...draws)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...draws)).toBeLessThan(1);
  expect(draws.reduce((s, x) => s + x, 0) / draws.length).toBeCloseTo(0.5, 1);
});
