/** The performance of a service's work: slots, time and failures, degraded in a drill by leases that lapse. */
import { randomUUID } from 'node:crypto';
import type { Clock, Timer } from '../../base/clock.js';
import { UserError } from '../../base/errors.js';
import type { Random } from '../../base/random.js';

/** The effects that a drill may have on a service; each lease adds to the others. */
export interface BehaviourFault {
  id: string;
  /** Added to the duration of each piece of work. */
  latencyMs?: number;
  /** The share of requests answered 503 after their work, 0 to 1. */
  failureRatio?: number;
  /** The bytes held in memory while the lease lasts. */
  ballastBytes?: number;
  ttlMs: number;
}

export interface BehaviourFaultState extends BehaviourFault {
  /** The number of requests slowed or failed (or 1 once the ballast is held). */
  effect: number;
}

interface Lease {
  fault: BehaviourFault;
  dueMs: number;
  effect: number;
  timer: Timer;
  ballast: Buffer | undefined;
}

export const maxTtlMs = 600_000;
const maxBallastBytes = 512 * 1024 * 1024;

export class Behaviour {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #leases = new Map<string, Lease>();
  readonly #waiting: (() => void)[] = [];
  readonly #slots: number;
  readonly #workMs: number;
  readonly #maxWaiting: number;
  #busy = 0;

  /**
   * `slots` pieces of work at once, `workMs` each; a request that finds `maxWaiting` others in the queue is refused.
   */
  constructor(
    clock: Clock,
    random: Random,
    options: { slots: number; workMs: number; maxWaiting: number },
  ) {
    this.#clock = clock;
    this.#random = random;
    this.#slots = options.slots;
    this.#workMs = options.workMs;
    this.#maxWaiting = options.maxWaiting;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /**
   * Waits for a slot and does the work. Resolves to false if the request must fail. The service does not check whether
   * the caller is still connected: work for callers that gave up keeps it busy, and so a retry storm lasts.
   */
  async work(): Promise<boolean> {
    if (this.#busy < this.#slots) this.#busy++;
    else if (this.#waiting.length >= this.#maxWaiting) return false;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    const { latencyMs, fails } = this.#strike();
    await new Promise<void>((resolve) => setTimeout(resolve, this.#workMs + latencyMs));
    const next = this.#waiting.shift();
    if (next) next();
    else this.#busy--;
    return !fails;
  }

  #strike(): { latencyMs: number; fails: boolean } {
    let latencyMs = 0;
    let fails = false;
    for (const lease of this.#leases.values()) {
      const { fault } = lease;
      const failsHere =
        fault.failureRatio !== undefined && this.#random.next() < fault.failureRatio;
      if (fault.latencyMs || failsHere) lease.effect++;
      latencyMs += fault.latencyMs ?? 0;
      fails ||= failsHere;
    }
    return { latencyMs, fails };
  }

  /** Puts or renews a lease. Throws a UserError on a bad lease. */
  put(value: unknown): BehaviourFaultState {
    const fault = checked(value);
    const before = this.#leases.get(fault.id);
    before?.timer.cancel();
    const bytes = fault.ballastBytes ?? 0;
    const ballast = bytes > 0 ? (before?.ballast ?? Buffer.alloc(bytes, 1)) : undefined;
    this.#leases.set(fault.id, {
      fault,
      dueMs: this.#clock.nowMs() + fault.ttlMs,
      effect: before?.effect ?? (ballast ? 1 : 0),
      ballast,
      timer: this.#clock.after(fault.ttlMs, () => this.remove(fault.id)),
    });
    return this.faults().find((f) => f.id === fault.id) as BehaviourFaultState;
  }

  remove(id: string): boolean {
    const lease = this.#leases.get(id);
    lease?.timer.cancel();
    return this.#leases.delete(id);
  }

  faults(): BehaviourFaultState[] {
    const nowMs = this.#clock.nowMs();
    return [...this.#leases.values()].map(({ fault, dueMs, effect }) => ({
      ...fault,
      ttlMs: Math.max(0, dueMs - nowMs),
      effect,
    }));
  }
}

function checked(value: unknown): BehaviourFault {
  const v = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>;
  const fault: BehaviourFault = {
    id: typeof v.id === 'string' && v.id !== '' ? v.id.slice(0, 100) : randomUUID(),
    ttlMs: number(v.ttlMs, 'ttlMs', maxTtlMs),
  };
  if (v.latencyMs !== undefined) fault.latencyMs = number(v.latencyMs, 'latencyMs', 600_000);
  if (v.failureRatio !== undefined) fault.failureRatio = number(v.failureRatio, 'failureRatio', 1);
  if (v.ballastBytes !== undefined) {
    fault.ballastBytes = number(v.ballastBytes, 'ballastBytes', maxBallastBytes);
  }
  return fault;
}

function number(value: unknown, name: string, max: number): number {
  if (typeof value === 'number' && value >= 0 && value <= max) return value;
  throw new UserError({ message: `bad ${name}`, expected: `a number from 0 to ${max}` });
}
