/** What a breaker counts of one endpoint: failures in a row, and the success rate over a sliding window. */
import type { Random } from '../../../../base/random.js';
import type { BreakerPolicy } from '../../../model.js';

export type TripReason = 'consecutive-failures' | 'success-rate';

const slots = 10;

export class FailureAccrual {
  readonly #policy: BreakerPolicy;
  readonly #slotMs: number;
  readonly #good = new Float64Array(slots);
  readonly #bad = new Float64Array(slots);
  #goodSum = 0;
  #badSum = 0;
  #slot = 0;
  #slotEndMs = 0;
  consecutive = 0;

  constructor(policy: BreakerPolicy) {
    this.#policy = policy;
    this.#slotMs = Math.max(1, ((policy.successRate?.windowSeconds ?? 1) * 1000) / slots);
  }

  /** Why to trip now, if so. */
  record(failed: boolean, nowMs: number): TripReason | undefined {
    this.consecutive = failed ? this.consecutive + 1 : 0;
    const rate = this.#policy.successRate;
    if (rate) {
      this.#expire(nowMs);
      if (failed) {
        (this.#bad[this.#slot] as number)++;
        this.#badSum++;
      } else {
        (this.#good[this.#slot] as number)++;
        this.#goodSum++;
      }
    }
    if (!failed) return undefined;
    if (this.consecutive >= this.#policy.consecutiveFailures) return 'consecutive-failures';
    const all = this.#goodSum + this.#badSum;
    if (rate && all >= rate.minRequests && this.#goodSum / all < rate.threshold) {
      return 'success-rate';
    }
    return undefined;
  }

  /** After a trip or a good probe, what was before counts no more. */
  reset(): void {
    this.consecutive = 0;
    this.#goodSum = 0;
    this.#badSum = 0;
    this.#good.fill(0);
    this.#bad.fill(0);
  }

  #expire(nowMs: number): void {
    if (nowMs < this.#slotEndMs) return;
    const passed = Math.floor((nowMs - this.#slotEndMs) / this.#slotMs) + 1;
    for (let i = 0; i < Math.min(passed, slots); i++) {
      this.#slot = (this.#slot + 1) % slots;
      this.#goodSum -= this.#good[this.#slot] as number;
      this.#badSum -= this.#bad[this.#slot] as number;
      this.#good[this.#slot] = 0;
      this.#bad[this.#slot] = 0;
    }
    this.#slotEndMs += passed * this.#slotMs;
  }
}

/** How long the n-th trip in a row (from 1) stays open: exponential, up to `jitter` longer, at most the maximum. */
export function openMs(
  { minOpenMs, maxOpenMs, jitter }: Pick<BreakerPolicy, 'minOpenMs' | 'maxOpenMs' | 'jitter'>,
  trips: number,
  random: Random,
): number {
  const baseMs = Math.min(maxOpenMs, minOpenMs * 2 ** Math.min(trips - 1, 30));
  return Math.min(maxOpenMs, baseMs * (1 + jitter * random.next()));
}
