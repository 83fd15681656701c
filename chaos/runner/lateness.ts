/**
 * Whether this machine keeps time: how late timers come while a scenario runs. A rig whose own clock stumbles cannot
 * tell a late alert from a late machine, and its verdict says so.
 */
import type { Clock, Timer } from '../../base/clock.js';
import type { LatenessRecord } from '../../runbooks/record.js';

const periodMs = 25;
/** Half an hour. */
const maxSamples = 72_000;

/**
 * Why the machine is too busy to fail a scenario, or undefined: its timers come late by a quarter of a scrape interval
 * (p95), or it stood still for a whole one. A quiet machine stays below 5 ms.
 */
export function tooBusy(lateness: LatenessRecord, scrapeIntervalMs: number): string | undefined {
  const limitMs = scrapeIntervalMs / 4;
  if (lateness.p95Ms > limitMs) {
    return `timers came ${lateness.p95Ms} ms late (p95), where ${Math.round(limitMs)} ms are allowed`;
  }
  if (lateness.maxMs <= scrapeIntervalMs) return undefined;
  return `it stood still for ${lateness.maxMs} ms, longer than the ${scrapeIntervalMs} ms between scrapes`;
}

export class LatenessMeter {
  readonly #clock: Clock;
  readonly #samples: number[] = [];
  #timer: Timer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#next();
  }

  stop(): LatenessRecord {
    this.#timer?.cancel();
    const sorted = Float64Array.from(this.#samples).sort();
    const at = (q: number): number =>
      Math.round(sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0);
    return { p50Ms: at(0.5), p95Ms: at(0.95), maxMs: at(1) };
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
