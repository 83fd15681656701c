/** Whether this machine keeps time, by its timers and by its kernel. */
import { expect, test } from 'vitest';
import { SimulatedClock } from '../../base/clock.js';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cpuStalledMs, LatenessMeter, tooBusy } from '../../chaos/runner/lateness.js';

const quiet = { p50Ms: 0, p95Ms: 62, maxMs: 250 };
test.each([
  [quiet, undefined],
  [{ ...quiet, p95Ms: 63 }, 'timers came 63 ms late (p95), where 63 ms are allowed'],
  [{ ...quiet, maxMs: 251 }, 'it stood still for 251 ms, longer than the 250 ms between scrapes'],
  [{ ...quiet, cpuPressure: 0.8 }, undefined],
  [
    { ...quiet, cpuPressure: 0.81 },
    'work waited for a CPU in 81% of the time, where 80% are allowed',
  ],
])('%j', (lateness, said) => {
  expect(tooBusy(lateness, 250)).toBe(said);
});

test('is measured by timers that come late, and by what the kernel says', () => {
  let stalledMs: number | undefined = 100;
  let lateMs = 0;
  const clock = new SimulatedClock(1000);
  const late = {
    nowMs: () => clock.nowMs(),
    monotonicMs: () => clock.monotonicMs() + lateMs,
    after: (delayMs: number, run: () => void) => clock.after(delayMs, run),
    every: () => ({ cancel: () => undefined }),
  };
  const meter = new LatenessMeter(late, () => stalledMs);
  clock.advance(25 * 18);
  lateMs = 40;
  clock.advance(25);
  lateMs += 10;
  clock.advance(25);
  stalledMs = 160;
  // 500 ms on the clock, and 50 ms late.
  expect(meter.stop()).toEqual({ p50Ms: 0, p95Ms: 40, maxMs: 40, cpuPressure: 60 / 550 });
  clock.advance(1000);
  stalledMs = undefined;
  expect(meter.stop()).toEqual({ p50Ms: 0, p95Ms: 40, maxMs: 40 });
});

test.each([
  [0, 1],
  [2000, 1],
  [-50, 0],
])('a pressure of %d ms in a second is between nothing and all', (stalled, most) => {
  let stalledMs = 100;
  const clock = new SimulatedClock();
  const meter = new LatenessMeter(clock, () => stalledMs);
  expect(meter.stop()).toEqual({ p50Ms: 0, p95Ms: 0, maxMs: 0 });
  clock.advance(1000);
  stalledMs += stalled;
  expect(meter.stop().cpuPressure).toBe(Math.min(most, Math.max(0, stalled / 1000)));
});

test.each([
  ['some avg10=0.00 total=2500000\nfull avg10=0.00 total=9\n', 2500],
  ['full avg10=0.00 total=9\nsome avg10=1.00 avg60=2.00 total=7000\n', 7],
  ['awesome total=7000\n', undefined],
  ['some avg10=0.00\n', undefined],
  [undefined, undefined],
])('the kernel says %j', (text, ms) => {
  const folder = mkdtempSync(join(tmpdir(), 'firedrill-pressure-'));
  const file = join(folder, 'cpu');
  if (text !== undefined) writeFileSync(file, text);
  expect(cpuStalledMs(file)).toBe(ms);
  rmSync(folder, { recursive: true });
});
