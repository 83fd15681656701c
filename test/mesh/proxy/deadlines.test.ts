/** Deadlines: never early, at most a slot late, even if armed again, cancelled or stalled. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SimulatedClock } from '../../../base/clock.js';
import { Deadline, DeadlineWheel } from '../../../mesh/proxy/listen/deadlines.js';

const slotMs = 8;

test('each runs once, in time, by the last that was set', () => {
  const step = fc.record({
    which: fc.nat(9),
    inMs: fc.oneof(fc.nat(100), fc.nat(40_000)),
    advanceMs: fc.oneof(fc.nat(20), fc.nat(30_000)),
    cancel: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const clock = new SimulatedClock(1000);
      const wheel = new DeadlineWheel(clock);
      const due = Array.from({ length: 10 }, () => Infinity);
      const deadlines = due.map(
        (_, i) =>
          new Deadline(wheel, (nowMs) => {
            expect(nowMs).toBeGreaterThanOrEqual(due[i] as number);
            expect(nowMs).toBeLessThanOrEqual((due[i] as number) + 2 * slotMs);
            due[i] = Infinity;
          }),
      );
      for (const { which, inMs, advanceMs, cancel } of steps) {
        const deadline = deadlines[which] as Deadline;
        if (cancel) {
          deadline.cancel();
          due[which] = Infinity;
        } else {
          due[which] = clock.monotonicMs() + inMs;
          deadline.at(due[which] as number);
        }
        clock.advance(advanceMs);
        for (const at of due) expect(at).toBeGreaterThan(clock.monotonicMs() - 2 * slotMs);
      }
      clock.advance(100_000);
      expect(due.every((at) => at === Infinity)).toBe(true);
    }),
  );
});

test('running one may cancel or arm the others', () => {
  const clock = new SimulatedClock();
  const wheel = new DeadlineWheel(clock);
  const ran: string[] = [];
  const b = new Deadline(wheel, () => ran.push('b'));
  const c = new Deadline(wheel, () => ran.push('c'));
  const a = new Deadline(wheel, () => {
    ran.push('a');
    b.cancel();
    a.at(clock.monotonicMs() + 50);
  });
  // The deadline set last is processed first.
  c.at(40);
  b.at(40);
  a.at(40);
  clock.advance(60);
  expect(ran.filter((name) => name !== 'b')).toEqual(['a', 'c']);
  clock.advance(60);
  expect(ran[ran.length - 1]).toBe('a');
});
