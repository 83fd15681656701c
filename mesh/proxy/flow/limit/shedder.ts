/**
 * An adaptive limit on requests in flight at the app: if latency grows with load, the app is queueing, and fewer
 * requests are better. After Netflix's Gradient2 (concurrency-limits): the limit follows the ratio of a slow average
 * of latency to that of the last window, plus room for a short queue; it moves only while the app is in use, between
 * a tenth of the server's maxConcurrent and all of it.
 */

const windowMs = 200;
const minSamples = 10;
/** Latency may be twice the long average before the limit falls: ordinary noise must not shed. */
const tolerance = 2;
const smoothing = 0.2;
/** Windows that the long average spans. */
const longWindows = 100;

export class Shedder {
  readonly #max: number;
  readonly #min: number;
  limit: number;
  #windowEndMs = 0;
  #sumMs = 0;
  #count = 0;
  #peakInFlight = 0;
  #longMs = 0;
  #windows = 0;

  constructor(maxConcurrent: number) {
    this.#max = Math.max(1, maxConcurrent);
    this.#min = Math.max(1, Math.ceil(maxConcurrent / 10));
    this.limit = this.#max;
  }

  get max(): number {
    return this.#max;
  }

  /** An answer of the app: time to its head, and the requests in flight. Failures say nothing about its queue. */
  observe(latencyMs: number, inFlight: number, nowMs: number): void {
    this.#sumMs += latencyMs;
    this.#count++;
    if (inFlight > this.#peakInFlight) this.#peakInFlight = inFlight;
    if (nowMs < this.#windowEndMs) return;
    if (this.#count >= minSamples) this.#adapt(this.#sumMs / this.#count);
    else if (this.#windowEndMs !== 0 && nowMs < this.#windowEndMs + 5 * windowMs) return;
    this.#windowEndMs = nowMs + windowMs;
    this.#sumMs = 0;
    this.#count = 0;
    this.#peakInFlight = 0;
  }

  #adapt(shortMs: number): void {
    if (this.#windows < 10) {
      // Warming up: a plain average.
      this.#windows++;
      this.#longMs += (shortMs - this.#longMs) / this.#windows;
      return;
    }
    this.#longMs += (shortMs - this.#longMs) / longWindows;
    // The latency of a long overload must not stay the normal value once the overload is over.
    if (this.#longMs > 2 * shortMs) this.#longMs *= 0.95;
    if (this.#peakInFlight < this.limit / 2 && shortMs <= tolerance * this.#longMs) {
      // The app is lightly used and fast: raise the limit slowly, as nothing speaks against it.
      this.limit = Math.min(this.#max, this.limit + Math.sqrt(this.limit) * smoothing);
      return;
    }
    const gradient = Math.max(0.5, Math.min(1, (tolerance * this.#longMs) / shortMs));
    const next = this.limit * gradient + Math.sqrt(this.limit);
    const smoothed = this.limit * (1 - smoothing) + next * smoothing;
    this.limit = Math.min(this.#max, Math.max(this.#min, smoothed));
  }
}
