/**
 * The open model: requests fall due at a given pace, and are begun however long earlier ones take. What the driver
 * is late with is begun at once and counted from when it was due, so that a stall shows in the latencies (Gil Tene's
 * coordinated omission).
 */
import type { Clock, Timer } from '../../base/clock.js';
import { type Pace, paceOf } from './profile.js';

/** The longest that a timer is set for: a pace may rest for ever. */
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

  /** `begin` gets the moment the request was due, by the clock's monotonic time; `phase` is a share of the period. */
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
