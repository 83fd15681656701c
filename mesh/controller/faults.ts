/** Faults that the controller injects into itself for drills: leases that lapse unless renewed, with their effect. */
import { randomUUID } from 'node:crypto';
import { type Clock, type Timer } from '../../base/clock.js';
import { UserError } from '../../base/errors.js';

const controllerFaults = [
  'identity-freeze',
  'identity-skew',
  'identity-lifetime',
  'stream-stall',
  'stream-refuse',
  'discovery-freeze',
] as const;
export type ControllerFault = (typeof controllerFaults)[number];

export const maxTtlMs = 600_000;

export interface ControllerFaultLease {
  id: string;
  kind: ControllerFault;
  /** Milliseconds from now. */
  ttlMs: number;
  /** For identity-skew. */
  skewMs?: number;
  /** For identity-lifetime. */
  lifetimeMs?: number;
}

export interface ControllerFaultState extends ControllerFaultLease {
  /** How often the fault made a difference. 0: no effect yet. */
  effect: number;
}

interface Lease {
  kind: ControllerFault;
  skewMs: number;
  lifetimeMs: number | undefined;
  dueMs: number;
  effect: number;
  timer: Timer;
}

export class ControllerFaults {
  readonly #clock: Clock;
  readonly #leases = new Map<string, Lease>();
  /** Includes the effects of ended leases: a counter never falls. */
  readonly effects = new Map<ControllerFault, number>();
  /** Called when the first lease of a kind begins and when its last one ends. */
  onToggle: (kind: ControllerFault, on: boolean) => void = () => undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Adds or renews a lease. Throws a UserError on a bad lease. */
  put(value: unknown): ControllerFaultState {
    const lease = checkedLease(value);
    const before = this.#leases.get(lease.id);
    before?.timer.cancel();
    const wasOn = this.active(lease.kind);
    const timer = this.#clock.after(lease.ttlMs, () => this.remove(lease.id));
    this.#leases.set(lease.id, {
      kind: lease.kind,
      skewMs: lease.skewMs ?? 0,
      lifetimeMs: lease.lifetimeMs,
      dueMs: this.#clock.nowMs() + lease.ttlMs,
      effect: before?.effect ?? 0,
      timer,
    });
    if (!wasOn) this.onToggle(lease.kind, true);
    return this.list().find((l) => l.id === lease.id) as ControllerFaultState;
  }

  remove(id: string): boolean {
    const lease = this.#leases.get(id);
    if (!lease) return false;
    lease.timer.cancel();
    this.#leases.delete(id);
    if (!this.active(lease.kind)) this.onToggle(lease.kind, false);
    return true;
  }

  list(): ControllerFaultState[] {
    const nowMs = this.#clock.nowMs();
    return [...this.#leases].map(([id, l]) => ({
      id,
      kind: l.kind,
      ttlMs: Math.max(0, l.dueMs - nowMs),
      ...(l.kind === 'identity-skew' && { skewMs: l.skewMs }),
      ...(l.lifetimeMs !== undefined && { lifetimeMs: l.lifetimeMs }),
      effect: l.effect,
    }));
  }

  active(kind: ControllerFault): boolean {
    for (const lease of this.#leases.values()) if (lease.kind === kind) return true;
    return false;
  }

  /** Whether the fault is active; counts an effect, so it is called only where the fault makes a difference. */
  strikes(kind: ControllerFault, times = 1): boolean {
    let on = false;
    for (const lease of this.#leases.values()) {
      if (lease.kind !== kind) continue;
      lease.effect += times;
      on = true;
    }
    if (on) this.effects.set(kind, (this.effects.get(kind) ?? 0) + times);
    return on;
  }

  /** The offset of certificates' dates, in milliseconds; counted as an effect unless it is 0. */
  skewMs(): number {
    const lease = [...this.#leases.values()].find((l) => l.kind === 'identity-skew');
    if (lease && lease.skewMs !== 0) this.strikes('identity-skew');
    return lease?.skewMs ?? 0;
  }

  /** The lifetime of certificates, in milliseconds; counted as an effect if it is not the configured one. */
  lifetimeMs(configuredMs: number): number {
    const lease = [...this.#leases.values()].find((l) => l.kind === 'identity-lifetime');
    const injectedMs = lease?.lifetimeMs ?? configuredMs;
    if (injectedMs !== configuredMs) this.strikes('identity-lifetime');
    return injectedMs;
  }
}

function checkedLease(value: unknown): ControllerFaultLease {
  const lease = (typeof value === 'object' && value !== null ? value : {}) as Record<
    string,
    unknown
  >;
  const { kind, ttlMs, skewMs, lifetimeMs, id } = lease;
  if (!(controllerFaults as readonly unknown[]).includes(kind)) {
    throw new UserError({ message: 'unknown kind', expected: controllerFaults.join(', ') });
  }
  if (typeof ttlMs !== 'number' || !(ttlMs > 0 && ttlMs <= maxTtlMs)) {
    throw new UserError({ message: 'bad ttlMs', expected: `milliseconds, at most ${maxTtlMs}` });
  }
  if (kind === 'identity-skew' && !Number.isFinite(skewMs)) {
    throw new UserError({ message: 'identity-skew needs skewMs', expected: 'milliseconds' });
  }
  if (kind === 'identity-lifetime' && !(typeof lifetimeMs === 'number' && lifetimeMs >= 1000)) {
    const expected = 'milliseconds, at least 1000';
    throw new UserError({ message: 'identity-lifetime needs lifetimeMs', expected });
  }
  return {
    id: typeof id === 'string' && id !== '' ? id.slice(0, 100) : randomUUID(),
    kind: kind as ControllerFault,
    ttlMs,
    ...(typeof skewMs === 'number' && { skewMs }),
    ...(kind === 'identity-lifetime' && { lifetimeMs: lifetimeMs as number }),
  };
}
