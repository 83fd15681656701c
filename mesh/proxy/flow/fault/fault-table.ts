/** The active faults: leases that lapse unless renewed, each with a count of its effects. */
import type { Clock, Timer } from '../../../../base/clock.js';
import { UserError } from '../../../../base/errors.js';
import type { Random } from '../../../../base/random.js';
import type { FaultLease } from '../../../model.js';
import { checkedLease } from './lease.js';

/**
 * The form of a fault in GET /faults; `ttlMs` is the time left, `effect` the number of requests or connections
 * affected.
 */
export interface FaultState extends FaultLease {
  effect: number;
}

/** The target of a fault, as far as it is known: a connection has neither route nor method nor path. */
export interface FaultTarget {
  readonly destination: string;
  readonly route: string | undefined;
  readonly method: string | undefined;
  readonly path: string | undefined;
  readonly identity: string | undefined;
}

/** A request or connection that leases keep waiting: it is released when the first of them ends. */
export class Hold {
  /** Set by the waiting request or connection. */
  release: (() => void) | undefined;
  readonly #leases: Set<Hold>[] = [];

  heldBy(lease: Set<Hold>): void {
    lease.add(this);
    this.#leases.push(lease);
  }

  /** The request or connection waits no longer. */
  end(): void {
    this.release = undefined;
    for (const lease of this.#leases) lease.delete(this);
  }
}

/** The combined effect of all leases that struck together. */
export interface Strike {
  delayMs: number;
  abortStatus: number;
  reset: boolean;
  blackhole: boolean;
  bytesPerSecond: number;
  /** Counts the effect of the limit, once for however many calls. */
  slowed: (() => void) | undefined;
  /** Set when the strike delays or swallows. */
  hold: Hold | undefined;
}

export const maxLeases = 1000;

interface Entry {
  lease: FaultLease;
  dueMs: number;
  effect: number;
  timer: Timer;
  held: Set<Hold>;
}

export class FaultTable {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #entries = new Map<string, Entry>();
  /** Read before strike() on the hot path: normally 0. */
  inbound = 0;
  outbound = 0;
  /** Includes leases that have ended: counters never fall. */
  inboundEffects = 0;
  outboundEffects = 0;

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  /** Adds a lease, or renews or replaces the one of the same id. Throws a UserError on a bad lease. */
  put(value: unknown): FaultState {
    const lease = checkedLease(value);
    const before = this.#entries.get(lease.id);
    if (!before && this.#entries.size >= maxLeases) {
      throw new UserError({ message: 'too many faults', expected: `at most ${maxLeases}` });
    }
    before?.timer.cancel();
    const entry: Entry = {
      lease,
      dueMs: this.#clock.monotonicMs() + lease.ttlMs,
      effect: before?.effect ?? 0,
      held: before?.held ?? new Set(),
      timer: this.#clock.after(lease.ttlMs, () => this.remove(lease.id)),
    };
    this.#entries.set(lease.id, entry);
    this.#count();
    return this.#stateOf(entry);
  }

  /** Returns whether there was such a lease. */
  remove(id: string): boolean {
    const entry = this.#entries.get(id);
    if (!entry) return false;
    entry.timer.cancel();
    this.#entries.delete(id);
    this.#count();
    for (const hold of entry.held) hold.release?.();
    return true;
  }

  list(): FaultState[] {
    return [...this.#entries.values()].map((entry) => this.#stateOf(entry));
  }

  /** Decides at random for each matching lease whether it strikes; undefined when none does. */
  strike(side: FaultLease['side'], target: FaultTarget): Strike | undefined {
    let strike: Strike | undefined;
    const nowMs = this.#clock.monotonicMs();
    for (const entry of this.#entries.values()) {
      const { lease } = entry;
      // A late timer must not lengthen a lease.
      if (lease.side !== side || nowMs >= entry.dueMs || !matches(lease, target)) continue;
      if (lease.ratio < 1 && this.#random.next() >= lease.ratio) continue;
      strike ??= {
        delayMs: 0,
        abortStatus: 0,
        reset: false,
        blackhole: false,
        bytesPerSecond: 0,
        slowed: undefined,
        hold: undefined,
      };
      if (lease.delayMs || lease.delayJitterMs || lease.blackhole) {
        (strike.hold ??= new Hold()).heldBy(entry.held);
      }
      strike.delayMs += lease.delayMs ?? 0;
      if (lease.delayJitterMs) strike.delayMs += this.#random.next() * lease.delayJitterMs;
      strike.abortStatus ||= lease.abortStatus ?? 0;
      strike.reset ||= lease.reset ?? false;
      strike.blackhole ||= lease.blackhole ?? false;
      if (lease.bytesPerSecond) {
        const slower = Math.min(strike.bytesPerSecond || Infinity, lease.bytesPerSecond);
        strike.bytesPerSecond = slower;
      }
      // A limit that nothing reaches makes no difference.
      if (isOnlyLimit(lease)) this.#countOnceSlowed(strike, entry);
      else this.#struck(entry);
    }
    return strike;
  }

  #countOnceSlowed(strike: Strike, entry: Entry): void {
    const { slowed } = strike;
    let isCounted = false;
    strike.slowed = () => {
      slowed?.();
      if (!isCounted) this.#struck(entry);
      isCounted = true;
    };
  }

  #struck(entry: Entry): void {
    entry.effect++;
    if (entry.lease.side === 'inbound') this.inboundEffects++;
    else this.outboundEffects++;
  }

  /** Ends all leases; a draining proxy calls this. */
  clear(): void {
    for (const id of this.#entries.keys()) this.remove(id);
  }

  #count(): void {
    this.inbound = 0;
    this.outbound = 0;
    for (const { lease } of this.#entries.values()) this[lease.side]++;
  }

  #stateOf({ lease, dueMs, effect }: Entry): FaultState {
    return { ...lease, ttlMs: Math.max(0, dueMs - this.#clock.monotonicMs()), effect };
  }
}

const isOnlyLimit = (lease: FaultLease): boolean =>
  !lease.delayMs && !lease.delayJitterMs && !lease.abortStatus && !lease.reset && !lease.blackhole;

function matches({ match }: FaultLease, target: FaultTarget): boolean {
  if (!match) return true;
  const { destination, route, method, pathPrefix, identity } = match;
  return (
    (destination === undefined || destination === target.destination) &&
    (route === undefined || route === target.route) &&
    (method === undefined || method === target.method) &&
    (pathPrefix === undefined || (target.path?.startsWith(pathPrefix) ?? false)) &&
    (identity === undefined || identity === target.identity)
  );
}
