/**
 * A breaker's counts for one endpoint: failures in a row, and the success rate over a sliding window, kept apart by
 * scope. One path that always fails says nothing about the other paths.
 */
import type { Random } from '../../../../base/random.js';
import type { BreakerPolicy } from '../../../model.js';

export type TripReason = 'consecutive-failures' | 'success-rate';

/** A request's scope, by which breakers keep their counts apart: its route and the first segment of its path. */
export interface Asked {
  readonly scope: string;
}

/** The scope of connections and of anything else without a path. */
export const anything: Asked = { scope: '' };

const slots = 10;
/** Scopes of one endpoint with counts of their own; beyond that the scope that began to fail first is forgotten. */
const maxScopes = 16;
/** A run of failures over this many scopes, without a success in between, is blamed on the endpoint itself. */
const everywhere = 3;

class FailureAccrual {
  readonly #policy: BreakerPolicy;
  readonly #slotMs: number;
  readonly #good: Float64Array;
  readonly #bad: Float64Array;
  #goodSum = 0;
  #badSum = 0;
  #slot = 0;
  #slotEndMs = 0;
  consecutive = 0;

  /** `like` has the same policy: this accrual starts with a copy of its window. */
  constructor(policy: BreakerPolicy, like?: FailureAccrual) {
    this.#policy = policy;
    this.#slotMs = Math.max(1, ((policy.successRate?.windowSeconds ?? 1) * 1000) / slots);
    const size = policy.successRate ? slots : 0;
    this.#good = like ? like.#good.slice() : new Float64Array(size);
    this.#bad = new Float64Array(size);
    if (!like) return;
    this.#goodSum = like.#goodSum;
    this.#slot = like.#slot;
    this.#slotEndMs = like.#slotEndMs;
  }

  /** The reason to trip now, or undefined. */
  record(failed: boolean, nowMs: number): TripReason | undefined {
    this.consecutive = failed ? this.consecutive + 1 : 0;
    const rate = this.#policy.successRate;
    if (rate) {
      this.#expire(nowMs);
      if (failed) {
        (this.#bad[this.#slot] as number) += 1;
        this.#badSum++;
      } else {
        (this.#good[this.#slot] as number) += 1;
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

  /** No failure is remembered. */
  get isClean(): boolean {
    return this.consecutive === 0 && this.#badSum === 0;
  }

  /** Called after a trip or a good probe: earlier results no longer count. */
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

/** All scopes of one endpoint. A scope that never failed has no counts, so a healthy endpoint costs nothing. */
export class ScopedAccrual {
  readonly #policy: BreakerPolicy;
  readonly #all: FailureAccrual;
  readonly #scopes = new Map<string, FailureAccrual>();
  /** Scopes of the failures since the last success of any scope. */
  readonly #run = new Set<string>();

  constructor(policy: BreakerPolicy) {
    this.#policy = policy;
    this.#all = new FailureAccrual(policy);
  }

  /** The reason to trip now and the scope to trip (undefined: all scopes), or undefined. */
  record(
    failed: boolean,
    asked: Asked,
    nowMs: number,
  ): { reason: TripReason; scope: string | undefined } | undefined {
    if (!failed) {
      this.#all.record(false, nowMs);
      if (this.#run.size > 0) this.#run.clear();
      if (this.#scopes.size > 0) this.#succeeded(asked.scope, nowMs);
      return undefined;
    }
    const { scope } = asked;
    let own = this.#scopes.get(scope);
    if (!own) {
      if (this.#scopes.size >= maxScopes) this.#forgetOldest();
      own = new FailureAccrual(this.#policy, this.#all);
      this.#scopes.set(scope, own);
    }
    this.#all.record(true, nowMs);
    if (this.#run.size < everywhere) this.#run.add(scope);
    const isRun = this.#all.consecutive >= this.#policy.consecutiveFailures;
    if (isRun && this.#run.size >= everywhere) {
      return { reason: 'consecutive-failures', scope: undefined };
    }
    const reason = own.record(true, nowMs);
    return reason && { reason, scope };
  }

  #forgetOldest(): void {
    const oldest = this.#scopes.keys().next();
    if (!oldest.done) this.#scopes.delete(oldest.value);
  }

  #succeeded(scope: string, nowMs: number): void {
    const own = this.#scopes.get(scope);
    if (!own) return;
    own.record(false, nowMs);
    if (own.isClean) this.#scopes.delete(scope);
  }

  /** Called after a trip of one scope, or of all scopes when `scope` is undefined. */
  reset(scope?: string): void {
    this.#run.clear();
    this.#all.consecutive = 0;
    if (scope !== undefined) return void this.#scopes.get(scope)?.reset();
    this.#all.reset();
    this.#scopes.clear();
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
