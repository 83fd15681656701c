/** Faults as leases: each lapses unless it is renewed, and counts its effect. Time is a parameter. */
import { randomUUID } from 'node:crypto';
import type { Clock, Timer } from '../../base/clock.js';
import { UserError } from '../../base/errors.js';

export interface LeaseFields {
  id: string;
  ttlMs: number;
}

export type LeaseState<F> = F &
  LeaseFields & {
    effect: number;
    /** Why the fault has no effect, or none any more, though its lease goes on. */
    trouble?: string;
  };

interface Entry<F> {
  fault: F;
  dueMs: number;
  effect: number;
  timer: Timer;
  /** The start of the fault: the fault is not undone before its start has ended. */
  begun: Promise<void>;
  undone?: Promise<void>;
}

export interface Doing<F> {
  /** Resolves to the number of targets struck at once. */
  begin?(fault: F, id: string): Promise<number> | number;
  /** Called when the lease is renewed with other settings: a ramp. Absent: the settings never change. */
  change?(fault: F, id: string): Promise<void> | void;
  /** Undoes the fault; called again if it failed. */
  end(fault: F, id: string): Promise<void> | void;
}

const maxTtlMs = 600_000;
const maxLeases = 1000;
/** After a failed undo: whoever set the fault may be gone, so that nobody else would undo it. */
const undoAgainMs = 5000;

export class Leases<F> {
  readonly #clock: Clock;
  readonly #doing: Doing<F>;
  readonly #entries = new Map<string, Entry<F>>();
  /** By lease, also one that has ended; the oldest are dropped. */
  readonly #troubles = new Map<string, string>();
  /** The sum over all leases so far. */
  effects = 0;

  constructor(clock: Clock, doing: Doing<F>) {
    this.#clock = clock;
    this.#doing = doing;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The active leases. */
  *active(): Iterable<[string, F]> {
    const nowMs = this.#clock.monotonicMs();
    for (const [id, { fault, dueMs, undone }] of this.#entries) {
      if (nowMs < dueMs && !undone) yield [id, fault];
    }
  }

  /** Records that the fault had an effect `count` more times. */
  strike(id: string, count = 1): void {
    const entry = this.#entries.get(id);
    if (!entry) return;
    entry.effect += count;
    this.effects += count;
  }

  /** Records why the fault has no effect, or none any more; the first reason is kept. */
  report(id: string, trouble: string): void {
    if (this.#troubles.has(id)) return;
    if (this.#troubles.size >= maxLeases) {
      this.#troubles.delete(this.#troubles.keys().next().value as string);
    }
    this.#troubles.set(id, trouble);
  }

  /** The reason that was reported, also of a lease that has ended. */
  troubleOf(id: string): string | undefined {
    return this.#troubles.get(id);
  }

  /** Sets a fault and begins it, or renews it. Throws a UserError on a bad lease. */
  async put(lease: Partial<LeaseFields>, fault: F): Promise<LeaseState<F>> {
    const { ttlMs } = lease;
    if (typeof ttlMs !== 'number' || !(ttlMs > 0 && ttlMs <= maxTtlMs)) {
      throw new UserError({ message: 'bad ttlMs', expected: `milliseconds, at most ${maxTtlMs}` });
    }
    const id =
      typeof lease.id === 'string' && lease.id !== '' ? lease.id.slice(0, 100) : randomUUID();
    const before = this.#entries.get(id);
    if (!before && this.#entries.size >= maxLeases) {
      throw new UserError({ message: 'too many faults', expected: `at most ${maxLeases}` });
    }
    if (before?.undone) throw new UserError(`${id} is being undone`);
    before?.timer.cancel();
    const timer = this.#undoAfter(ttlMs, id);
    const dueMs = this.#clock.monotonicMs() + ttlMs;
    const entry: Entry<F> = before ?? { fault, dueMs, timer, effect: 0, begun: Promise.resolve() };
    Object.assign(entry, { dueMs, timer });
    if (before && this.#doing.change && JSON.stringify(before.fault) !== JSON.stringify(fault)) {
      const was = entry.fault;
      entry.fault = fault;
      try {
        await this.#doing.change(fault, id);
      } catch (error) {
        // The next renewal tries again.
        entry.fault = was;
        throw error;
      }
    }
    if (!before) {
      this.#entries.set(id, entry);
      entry.begun = (async () => {
        this.strike(id, (await this.#doing.begin?.(fault, id)) ?? 0);
      })();
    }
    await entry.begun;
    return this.#stateOf(id, entry, ttlMs);
  }

  /** Resolves when the fault is undone, to whether the lease existed. If the undo fails, the lease stays. */
  async remove(id: string): Promise<boolean> {
    const entry = this.#entries.get(id);
    if (!entry) return false;
    entry.timer.cancel();
    entry.undone ??= (async () => {
      await entry.begun.catch(() => undefined);
      await this.#doing.end(entry.fault, id);
    })();
    try {
      await entry.undone;
    } catch (error) {
      entry.timer.cancel();
      entry.timer = this.#undoAfter(undoAgainMs, id);
      delete entry.undone;
      throw error;
    }
    this.#entries.delete(id);
    return true;
  }

  #undoAfter(delayMs: number, id: string): Timer {
    return this.#clock.after(delayMs, () => void this.remove(id).catch(() => undefined));
  }

  list(): LeaseState<F>[] {
    const nowMs = this.#clock.monotonicMs();
    return [...this.#entries].map(([id, entry]) =>
      this.#stateOf(id, entry, Math.max(0, entry.dueMs - nowMs)),
    );
  }

  #stateOf(id: string, { fault, effect }: Entry<F>, ttlMs: number): LeaseState<F> {
    const trouble = this.#troubles.get(id);
    return { ...fault, id, ttlMs, effect, ...(trouble !== undefined && { trouble }) };
  }

  async clear(): Promise<void> {
    await Promise.allSettled([...this.#entries.keys()].map((id) => this.remove(id)));
  }
}
