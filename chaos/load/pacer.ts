/**
 * The open model: requests fall due at a constant pace, and are begun however long earlier ones take. What the driver
 * is late with is begun at once and counted from when it was due, so that a stall shows in the latencies (Gil Tene's
 * coordinated omission).
 */
import type { Clock, Timer } from '../../base/clock.js';

export class Pacer {
  readonly #clock: Clock;
  readonly #periodMs: number;
  readonly #begin: (dueMs: number) => void;
  readonly #startMs: number;
  #begun = 0;
  #timer: Timer | undefined;

  /** `begin` gets the moment the request was due, by the clock's monotonic time. */
  constructor(clock: Clock, perSecond: number, begin: (dueMs: number) => void, phase = 0) {
    this.#clock = clock;
    this.#periodMs = 1000 / perSecond;
    this.#begin = begin;
    this.#startMs = clock.monotonicMs() + phase * this.#periodMs;
    this.#next();
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #next(): void {
    const dueMs = this.#startMs + this.#begun * this.#periodMs;
    const waitMs = Math.max(0, dueMs - this.#clock.monotonicMs());
    this.#timer = this.#clock.after(waitMs, () => {
      const nowMs = this.#clock.monotonicMs();
      for (;;) {
        const due = this.#startMs + this.#begun * this.#periodMs;
        if (due > nowMs) break;
        this.#begun++;
        this.#begin(due);
      }
      this.#next();
    });
  }
}
