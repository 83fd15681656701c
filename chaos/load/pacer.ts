/**
 * The open model: requests are due at a given pace, and are begun regardless of the latency of earlier ones. Late
 * requests are begun at once and their latency counts from the due time, so that a stall is visible in the latencies
 * (Gil Tene's coordinated omission).
 */
import type { Clock, Timer } from '../../base/clock.js';
import { type Pace, paceOf } from './profile.js';

/** The longest timer in milliseconds, because a pace may rest for ever. */
const maxWaitMs = 60_000;

export class Pacer {
  readonly #clock: Clock;
  readonly #perSecond: number;
  readonly #begin: (dueMs: number) => void;
  readonly #startMs: number;
  readonly #phase: number;
  readonly #pace: Pace;
  #begun = 0;
  #timer: Timer | undefined;

  /**
   * `begin` gets the time when the request was due, by the clock's monotonic time; `phase` is a share of the period.
   */
  constructor(
    clock: Clock,
    perSecond: number,
    begin: (dueMs: number) => void,
    phase = 0,
    pace: Pace = paceOf(),
  ) {
    this.#clock = clock;
    this.#perSecond = perSecond;
    this.#begin = begin;
    this.#startMs = clock.monotonicMs();
    this.#phase = phase;
    this.#pace = pace;
    this.#next();
  }

  stop(): void {
    this.#timer?.cancel();
  }

  get #dueMs(): number {
    return this.#startMs + this.#pace.reached((this.#begun + this.#phase) / this.#perSecond);
  }

  #next(): void {
    const waitMs = Math.min(maxWaitMs, Math.max(0, this.#dueMs - this.#clock.monotonicMs()));
    this.#timer = this.#clock.after(waitMs, () => {
      const nowMs = this.#clock.monotonicMs();
      for (let due = this.#dueMs; due <= nowMs; due = this.#dueMs) {
        this.#begun++;
        this.#begin(due);
      }
      this.#next();
    });
  }
}
