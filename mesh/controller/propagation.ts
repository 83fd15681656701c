/**
 * Measures the time from a change to its last acknowledgement: one batch for each change, waiting for the proxies
 * that it concerns.
 */
import type { Clock } from '../../base/clock.js';

export class Batch {
  readonly changedAtMs: number;
  /** Proxies that have not answered yet. */
  waiting = 0;
  answered = 0;

  constructor(changedAtMs: number) {
    this.changedAtMs = changedAtMs;
  }
}

export class Propagation {
  readonly #clock: Clock;
  /** Batches that wait for proxies. */
  readonly #open = new Set<Batch>();
  /** Called with seconds from a change to its last acknowledgement. */
  onComplete: (seconds: number) => void = () => undefined;
  /** Called with seconds from a change to one proxy's acknowledgement. */
  onAnswer: (seconds: number) => void = () => undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Age of the oldest open batch, in seconds; 0 when there is none. */
  oldestSeconds(): number {
    for (const batch of this.#open) return (this.#clock.nowMs() - batch.changedAtMs) / 1000;
    return 0;
  }

  begin(changedAtMs: number): Batch {
    return new Batch(changedAtMs);
  }

  join(batch: Batch): void {
    batch.waiting++;
    this.#open.add(batch);
  }

  answered(batch: Batch): void {
    batch.answered++;
    this.onAnswer((this.#clock.nowMs() - batch.changedAtMs) / 1000);
    this.#leave(batch);
  }

  /** The proxy disconnected, so the batch does not wait for it. */
  abandoned(batch: Batch): void {
    this.#leave(batch);
  }

  #leave(batch: Batch): void {
    batch.waiting--;
    if (batch.waiting > 0) return;
    this.#open.delete(batch);
    if (batch.answered > 0) this.onComplete((this.#clock.nowMs() - batch.changedAtMs) / 1000);
  }
}
