/**
 * Limits how many frames of one kind a peer may send without useful work. The bucket fills with time and with useful
 * work; when it is empty, the connection ends. Work counts, so that a busy honest peer is never mistaken for a flood.
 */
export class Allowance {
  #left: number;
  #filledMs: number;
  readonly #burst: number;
  readonly #perSecond: number;

  constructor(burst: number, perSecond: number, nowMs: number) {
    this.#left = burst;
    this.#burst = burst;
    this.#perSecond = perSecond;
    this.#filledMs = nowMs;
  }

  earn(amount: number): void {
    const left = this.#left + amount;
    this.#left = left < this.#burst ? left : this.#burst;
  }

  /** False: too much. `now` is called only when the bucket looks empty. */
  spend(amount: number, now: () => number): boolean {
    this.#left -= amount;
    if (this.#left >= 0) return true;
    const nowMs = now();
    this.earn(((nowMs - this.#filledMs) * this.#perSecond) / 1000);
    this.#filledMs = nowMs;
    return this.#left >= 0;
  }
}
