/**
 * A retry budget: over any `ttlSeconds`, retries are at most `ratio` of the requests, plus a floor. Time is cut into
 * ten slots that expire one by one, as in Finagle's and tower's; the sums are kept, so a query costs nothing. Retries
 * are remembered one slot longer than requests: otherwise one burst at the end of the first slot and another when it
 * expires would be twice the floor within nine tenths of the time.
 */
import type { RetryBudget } from '../../../model.js';

const slots = 10;
/** Slots of retries: as many as requests have, and the current one. */
const retrySlots = slots + 1;

export class Budget {
  readonly policy: RetryBudget;
  readonly #slotMs: number;
  readonly #floor: number;
  readonly #requests = new Float64Array(slots);
  readonly #retries = new Float64Array(retrySlots);
  #requestsSum = 0;
  #retriesSum = 0;
  #slot = 0;
  #retrySlot = 0;
  #slotEndMs: number;

  constructor(policy: RetryBudget, nowMs: number) {
    this.policy = policy;
    this.#slotMs = Math.max(1, (policy.ttlSeconds * 1000) / slots);
    this.#floor = policy.minRetriesPerSecond * policy.ttlSeconds;
    this.#slotEndMs = nowMs + this.#slotMs;
  }

  /** Counts one request; retries are not counted here. */
  deposit(nowMs: number): void {
    if (nowMs >= this.#slotEndMs) this.#expire(nowMs);
    (this.#requests[this.#slot] as number) += 1;
    this.#requestsSum++;
  }

  /** Takes one retry from the budget; false when none is left. */
  withdraw(nowMs: number): boolean {
    if (this.remaining(nowMs) < 1) return false;
    (this.#retries[this.#retrySlot] as number) += 1;
    this.#retriesSum++;
    return true;
  }

  /** Retries that could be taken now; a fraction below one is none. */
  remaining(nowMs: number): number {
    if (nowMs >= this.#slotEndMs) this.#expire(nowMs);
    return Math.max(0, this.policy.ratio * this.#requestsSum + this.#floor - this.#retriesSum);
  }

  #expire(nowMs: number): void {
    const passed = Math.floor((nowMs - this.#slotEndMs) / this.#slotMs) + 1;
    for (let i = 0; i < Math.min(passed, retrySlots); i++) {
      this.#slot = (this.#slot + 1) % slots;
      this.#requestsSum -= this.#requests[this.#slot] as number;
      this.#requests[this.#slot] = 0;
      this.#retrySlot = (this.#retrySlot + 1) % retrySlots;
      this.#retriesSum -= this.#retries[this.#retrySlot] as number;
      this.#retries[this.#retrySlot] = 0;
    }
    this.#slotEndMs += passed * this.#slotMs;
  }
}
