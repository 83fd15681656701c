/** Sheds requests before the process runs out of memory: the nearer to the limit, the more requests are refused. */
import type { Clock, Timer } from '../../../../base/clock.js';

/** Periods of the check: below half of the limit, and above. */
const calmMs = 1000;
const watchfulMs = 250;
const watchfulFrom = 0.5;
/** The requests of a burst make the guard look; an idle proxy's timer would see the burst too late. */
const requestsBetweenLooks = 128;
/** Garbage is collected before anything is shed, but not more often than this: a collection takes some 10 ms. */
const collectMs = 1000;
/** Nothing is shed below this share of the limit, everything from `all` on. */
const from = 0.85;
const all = 0.97;

export class MemoryGuard {
  /** Share of new requests to refuse, 0 to 1. */
  shedRatio = 0;
  /** Share of the limit in use. */
  used = 0;
  readonly #clock: Clock;
  readonly #limitBytes: number;
  readonly #usedBytes: () => number;
  readonly #collect: (() => void) | undefined;
  #collectedMs = -Infinity;
  #timer: Timer | undefined;
  #isWatchful = false;
  #requests = 0;
  /** Called once as shedding begins: the fronts close idle connections and drop spare buffers. */
  onPressure: () => void = () => undefined;

  /** Without a limit the guard does nothing. `usedBytes` may include garbage until `collect` has run. */
  constructor(parts: {
    clock: Clock;
    limitBytes: number | undefined;
    usedBytes: () => number;
    collect?: (() => void) | undefined;
  }) {
    this.#clock = parts.clock;
    this.#limitBytes = parts.limitBytes ?? 0;
    this.#usedBytes = parts.usedBytes;
    this.#collect = parts.collect;
    this.#watch(calmMs);
  }

  #watch(periodMs: number): void {
    if (this.#limitBytes <= 0) return;
    this.#timer?.cancel();
    this.#timer = this.#clock.every(periodMs, () => this.check());
  }

  /** The share of new requests to refuse, 0 to 1, asked once for each request. */
  ratioForRequest(): number {
    if (this.#limitBytes > 0 && ++this.#requests >= requestsBetweenLooks) this.check();
    return this.shedRatio;
  }

  check(): void {
    this.#requests = 0;
    this.used = this.#usedBytes() / this.#limitBytes;
    const nowMs = this.#clock.monotonicMs();
    if (this.used > from && this.#collect && nowMs - this.#collectedMs >= collectMs) {
      this.#collect();
      this.#collectedMs = nowMs;
      this.used = this.#usedBytes() / this.#limitBytes;
    }
    if (this.used > watchfulFrom !== this.#isWatchful) {
      this.#isWatchful = !this.#isWatchful;
      this.#watch(this.#isWatchful ? watchfulMs : calmMs);
    }
    const before = this.shedRatio;
    this.shedRatio = Math.min(1, Math.max(0, (this.used - from) / (all - from)));
    if (before === 0 && this.shedRatio > 0) this.onPressure();
  }

  close(): void {
    this.#timer?.cancel();
  }
}
