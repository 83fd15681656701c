/**
 * Measures whether this machine keeps time: how late timers run during a scenario. If the rig's own clock stalls, a
 * late alert cannot be told from a late machine, and the verdict says so.
 */
import { readFileSync } from 'node:fs';
import type { Clock, Timer } from '../../base/clock.js';
import type { LatenessRecord } from '../../runbooks/record.js';

/**
 * The limit for the share of the time in which a task waited for a CPU. The runner has priority, so it may keep time
 * although the system under test does not.
 */
const pressureMax = 0.8;

const periodMs = 25;
/** Half an hour. */
const maxSamples = 72_000;

/**
 * The reason why the machine is too busy to fail a scenario, or undefined. A busy machine's timers are late by a
 * quarter of a scrape interval (p95), or the machine stalled for a whole one. A quiet machine stays below 5 ms.
 */
export function tooBusy(lateness: LatenessRecord, scrapeIntervalMs: number): string | undefined {
  const limitMs = scrapeIntervalMs / 4;
  if (lateness.p95Ms > limitMs) {
    return `timers came ${lateness.p95Ms} ms late (p95), where ${Math.round(limitMs)} ms are allowed`;
  }
  const { cpuPressure } = lateness;
  if (cpuPressure !== undefined && cpuPressure > pressureMax) {
    return (
      `work waited for a CPU in ${Math.round(100 * cpuPressure)}% of the time, ` +
      `where ${Math.round(100 * pressureMax)}% are allowed`
    );
  }
  if (lateness.maxMs <= scrapeIntervalMs) return undefined;
  return `it stood still for ${lateness.maxMs} ms, longer than the ${scrapeIntervalMs} ms between scrapes`;
}

/** Pressure stall information of the kernel (Linux 4.20 and later). */
export function cpuStalledMs(file = '/proc/pressure/cpu'): number | undefined {
  try {
    const total = /^some .*total=(\d+)/m.exec(readFileSync(file, 'utf8'))?.[1];
    return total === undefined ? undefined : Number(total) / 1000;
  } catch {
    return undefined;
  }
}

export class LatenessMeter {
  readonly #clock: Clock;
  readonly #samples: number[] = [];
  readonly #stalled: () => number | undefined;
  readonly #start: { stalledMs: number | undefined; atMs: number };
  #timer: Timer | undefined;

  /**
   * `stalledMs` returns the total time in which a task waited for a CPU; undefined if the kernel does not report it.
   */
  constructor(clock: Clock, stalledMs: () => number | undefined) {
    this.#clock = clock;
    this.#stalled = stalledMs;
    this.#start = { stalledMs: stalledMs(), atMs: clock.monotonicMs() };
    this.#next();
  }

  stop(): LatenessRecord {
    this.#timer?.cancel();
    const sorted = Float64Array.from(this.#samples).sort();
    const at = (q: number): number =>
      Math.round(sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0);
    const pressure = this.#pressure();
    return {
      p50Ms: at(0.5),
      p95Ms: at(0.95),
      maxMs: at(1),
      ...(pressure !== undefined && { cpuPressure: pressure }),
    };
  }

  #pressure(): number | undefined {
    const { stalledMs, atMs } = this.#start;
    const nowMs = this.#stalled();
    const tookMs = this.#clock.monotonicMs() - atMs;
    if (stalledMs === undefined || nowMs === undefined || tookMs <= 0) return undefined;
    return Math.min(1, Math.max(0, (nowMs - stalledMs) / tookMs));
  }

  #next(): void {
    const dueMs = this.#clock.monotonicMs() + periodMs;
    this.#timer = this.#clock.after(periodMs, () => {
      if (this.#samples.length < maxSamples) {
        this.#samples.push(Math.max(0, this.#clock.monotonicMs() - dueMs));
      }
      this.#next();
    });
  }
}
