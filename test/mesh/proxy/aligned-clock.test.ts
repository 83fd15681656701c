import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { alignedClock } from '../../../mesh/proxy/aligned-clock.js';

beforeEach(() => void vi.useFakeTimers({ now: 0 }));
afterEach(() => void vi.useRealTimers());

test('periodic timers fire together, whenever they were started', () => {
  const strikes: string[] = [];
  const at = (name: string) => () => void strikes.push(`${name}@${Math.round(performance.now())}`);
  const base = Math.ceil(performance.now() / 1000) * 1000;
  vi.advanceTimersByTime(base - performance.now() + 130);
  const fast = alignedClock.every(500, at('fast'));
  vi.advanceTimersByTime(240);
  const slow = alignedClock.every(1000, at('slow'));
  expect(vi.getTimerCount()).toBe(1);
  vi.advanceTimersByTime(1700);
  const shown = strikes.map((s) => s.replace(/\d+$/, (ms) => String(Number(ms) - base)));
  expect(shown).toEqual([
    'fast@500',
    'fast@1000',
    'slow@1000',
    'fast@1500',
    'fast@2000',
    'slow@2000',
  ]);
  fast.cancel();
  slow.cancel();
  expect(vi.getTimerCount()).toBe(0);
});

test('a timer that another cancels in the same turn does not run', () => {
  let runs = 0;
  const first = alignedClock.every(100, () => second.cancel());
  const second = alignedClock.every(100, () => runs++);
  vi.advanceTimersByTime(1000);
  expect(runs).toBe(0);
  first.cancel();
});
