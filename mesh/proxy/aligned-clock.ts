/**
 * The real clock, with periodic timers that fire together: an idle proxy wakes once for all of them. Waking up is
 * nearly their whole cost.
 */
import { type Clock, realClock, type Timer } from '../../base/clock.js';

interface Periodic {
  readonly periodMs: number;
  readonly run: () => void;
  dueMs: number;
}

/** A timer that is due this soon runs now. */
const earlyMs = 2;
const periodics = new Set<Periodic>();
let timer: Timer | undefined;
let strikesMs = Infinity;

/** The next multiple of the period. */
const nextMs = (periodMs: number, nowMs: number): number =>
  (Math.floor((nowMs + earlyMs) / periodMs) + 1) * periodMs;

function arm(): void {
  let dueMs = Infinity;
  for (const periodic of periodics) dueMs = Math.min(dueMs, periodic.dueMs);
  if (dueMs === strikesMs) return;
  timer?.cancel();
  strikesMs = dueMs;
  if (dueMs < Infinity) timer = realClock.after(dueMs - realClock.monotonicMs(), strike);
}

function strike(): void {
  strikesMs = Infinity;
  const nowMs = realClock.monotonicMs();
  const due = [...periodics].filter((periodic) => periodic.dueMs <= nowMs + earlyMs);
  for (const periodic of due) periodic.dueMs = nextMs(periodic.periodMs, nowMs);
  arm();
  for (const periodic of due) if (periodics.has(periodic)) runAlone(periodic);
}

/** One that throws, each time perhaps, must not cost the others theirs. */
function runAlone({ run }: Periodic): void {
  try {
    run();
  } catch (error) {
    setImmediate(() => {
      throw error;
    });
  }
}

export const alignedClock: Clock = {
  ...realClock,
  /**
   * Fires at multiples of the period on the monotonic clock, so the first call comes before a whole period has
   * passed.
   */
  every(periodMs, run) {
    const dueMs = nextMs(periodMs, realClock.monotonicMs());
    const periodic = { periodMs, run, dueMs };
    periodics.add(periodic);
    arm();
    return {
      cancel: () => {
        periodics.delete(periodic);
        arm();
      },
    };
  },
};
