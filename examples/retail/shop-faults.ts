/**
 * A drill's faults on the shop from outside its processes: each is a lease, and is rolled back when the lease lapses.
 */
import { randomUUID } from 'node:crypto';
import type { Clock, Timer } from '../../base/clock.js';
import { messageOf, UserError } from '../../base/errors.js';
import type { LeaseState } from '../../chaos/faults/leases.js';
import { isProcessLimit } from '../../chaos/faults/process-fault.js';
import { type ProcessFault, ProcessFaults } from '../../chaos/system/processes/process-faults.js';
import { type AuthorityPart, shortLived } from './pki-drill.js';
import type { RegistryOptions } from './registry.js';
import type { Shop } from './shop.js';

/** The shop's own faults; faults on a process's resources are common to all systems of processes. */
export const shopFaults = ['kill', 'pause', 'version', 'authority', 'registry'] as const;

export type ShopFault =
  /** The process is killed (SIGKILL) and stays away until the lease ends. */
  | { id: string; kind: 'kill'; target: string; ttlMs: number }
  /** The process is stopped (SIGSTOP), and continues when the lease ends. */
  | { id: string; kind: 'pause'; target: string; ttlMs: number }
  /** The process is another version of the package until the lease ends. */
  | { id: string; kind: 'version'; target: string; version: string; ttlMs: number }
  /** The issuer, or one more anchor, has this lifetime; the previous files return when the lease ends. */
  | { id: string; kind: 'authority'; part: AuthorityPart; lifetimeMs: number; ttlMs: number }
  /** The registry has other settings until the lease ends. */
  | {
      id: string;
      kind: 'registry';
      set: Partial<Omit<RegistryOptions, 'revision'>>;
      ttlMs: number;
    };

export type ShopFaultState = ShopFault & {
  /** The number of processes killed or replaced, or of registries written. */
  effect: number;
};

interface Lease {
  fault: ShopFault;
  dueMs: number;
  effect: number;
  timer: Timer;
  /** The injection, which must have ended before the rollback begins. */
  begun?: Promise<number>;
  /** True once the rollback is due or done: the lease no longer counts. */
  ending: boolean;
  /** The rollback, once it has begun. */
  undone?: Promise<void>;
}

const maxTtlMs = 600_000;

export class ShopFaults {
  readonly #shop: Shop;
  readonly #clock: Clock;
  readonly #say: (line: string) => void;
  readonly #leases = new Map<string, Lease>();
  readonly #restore = new Map<string, () => void>();
  readonly #resources: ProcessFaults;

  constructor(shop: Shop, clock: Clock, say: (line: string) => void) {
    this.#shop = shop;
    this.#clock = clock;
    this.#say = say;
    this.#resources = new ProcessFaults(shop.processes, clock);
  }

  /** Ends the resource limits, which would outlive the processes. */
  close(): void {
    this.#resources.close();
  }

  list(): (ShopFaultState | LeaseState<ProcessFault>)[] {
    const nowMs = this.#clock.nowMs();
    const own = [...this.#leases.values()].map(({ fault, dueMs, effect }) => ({
      ...fault,
      ttlMs: Math.max(0, dueMs - nowMs),
      effect,
    }));
    return [...own, ...this.#resources.leases.list()];
  }

  /** Puts a lease and injects its fault, or renews the lease. Throws a UserError on a bad lease. */
  async put(value: unknown): Promise<ShopFaultState | LeaseState<ProcessFault>> {
    const kind = (value as { kind?: unknown } | null)?.kind;
    if (kind === 'leak' || isProcessLimit(kind)) return this.#resources.put(value);
    const fault = this.#checked(value);
    const before = this.#leases.get(fault.id);
    before?.timer.cancel();
    const lease: Lease = {
      fault: before?.fault ?? fault,
      dueMs: this.#clock.nowMs() + fault.ttlMs,
      effect: before?.effect ?? 0,
      ending: false,
      timer: this.#clock.after(fault.ttlMs, () => void this.remove(fault.id)),
    };
    if (before?.begun) lease.begun = before.begun;
    this.#leases.set(fault.id, lease);
    if (!before) {
      lease.begun = this.#begin(fault);
      lease.effect += await lease.begun;
      delete lease.begun;
    }
    return { ...lease.fault, ttlMs: fault.ttlMs, effect: lease.effect };
  }

  /** Rolls the fault back; resolves when the rollback is done. */
  async remove(id: string): Promise<boolean> {
    const lease = this.#leases.get(id);
    if (!lease) return this.#resources.leases.remove(id);
    lease.timer.cancel();
    lease.ending = true;
    lease.undone ??= this.#endOnceBegun(lease).catch((error: unknown) =>
      this.#say(`fault ${id} could not be undone: ${messageOf(error)}`),
    );
    await lease.undone;
    this.#leases.delete(id);
    return true;
  }

  async #begin(fault: ShopFault): Promise<number> {
    if (fault.kind === 'kill') return (await this.#shop.processes.kill(fault.target)) ? 1 : 0;
    if (fault.kind === 'pause') return this.#shop.processes.pause(fault.target) ? 1 : 0;
    if (fault.kind === 'authority') {
      const { part, lifetimeMs } = fault;
      this.#restore.set(fault.id, await shortLived(this.#shop.path('pki'), part, lifetimeMs));
      return 1;
    }
    if (fault.kind === 'version') {
      await this.#shop.restartAs(fault.target, fault.version);
      return 1;
    }
    this.#writeRegistry();
    return 1;
  }

  async #endOnceBegun(lease: Lease): Promise<void> {
    if (lease.begun) await lease.begun.catch(() => 0);
    await this.#end(lease.fault);
  }

  async #end(fault: ShopFault): Promise<void> {
    if (fault.kind === 'kill') return this.#shop.processes.startAgain(fault.target);
    if (fault.kind === 'pause') return this.#shop.processes.resume(fault.target);
    if (fault.kind === 'authority') {
      this.#restore.get(fault.id)?.();
      this.#restore.delete(fault.id);
      return;
    }
    if (fault.kind === 'version') return this.#shop.restartAs(fault.target, undefined);
    this.#writeRegistry();
  }

  /** Writes the registry with the settings of all leases together. */
  #writeRegistry(): void {
    const { revision } = this.#shop.registryOptions;
    const merged: RegistryOptions = { retries: 'budget', revision };
    for (const { fault, ending } of this.#leases.values()) {
      if (fault.kind === 'registry' && !ending) Object.assign(merged, fault.set);
    }
    for (const key of Object.keys(this.#shop.registryOptions)) {
      delete (this.#shop.registryOptions as unknown as Record<string, unknown>)[key];
    }
    Object.assign(this.#shop.registryOptions, merged);
    this.#shop.writeRegistry();
  }

  #checked(value: unknown): ShopFault {
    const v = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>;
    const { ttlMs } = v;
    if (typeof ttlMs !== 'number' || !(ttlMs > 0 && ttlMs <= maxTtlMs)) {
      throw new UserError({ message: 'bad ttlMs', expected: `milliseconds, at most ${maxTtlMs}` });
    }
    const id = typeof v.id === 'string' && v.id !== '' ? v.id.slice(0, 100) : randomUUID();
    if (v.kind === 'kill' || v.kind === 'pause' || v.kind === 'version') {
      const { names } = this.#shop.processes;
      if (typeof v.target !== 'string' || !names.includes(v.target)) {
        const expected = names.join(', ');
        throw new UserError({ message: `no process '${String(v.target)}'`, expected });
      }
      if (v.kind === 'kill' || v.kind === 'pause') {
        return { id, kind: v.kind, target: v.target, ttlMs };
      }
      if (typeof v.version !== 'string' || !/^\d+\.\d+\.\d+$/.test(v.version)) {
        throw new UserError({ message: 'bad version', expected: 'such as 99.0.0' });
      }
      return { id, kind: 'version', target: v.target, version: v.version, ttlMs };
    }
    if (v.kind === 'authority') {
      const { part, lifetimeMs } = v;
      if (part !== 'issuer' && part !== 'anchor') {
        throw new UserError({ message: 'bad part', expected: 'issuer or anchor' });
      }
      if (typeof lifetimeMs !== 'number' || !(lifetimeMs >= 60_000)) {
        throw new UserError({ message: 'bad lifetimeMs', expected: 'at least 60000' });
      }
      return { id, kind: 'authority', part, lifetimeMs, ttlMs };
    }
    if (v.kind === 'registry') return { id, kind: 'registry', set: checkedSet(v.set), ttlMs };
    throw new UserError({ message: 'unknown kind', expected: shopFaults.join(', ') });
  }
}

function checkedSet(value: unknown): Partial<Omit<RegistryOptions, 'revision'>> {
  const allowed = [
    'retries',
    'budgetSeconds',
    'lockedOut',
    'wrongProfile',
    'routePerUser',
    'misrouted',
  ];
  if (typeof value === 'object' && value !== null) {
    const strange = Object.keys(value).find((key) => !allowed.includes(key));
    if (strange === undefined) return value;
  }
  throw new UserError({ message: 'bad set', expected: `an object of ${allowed.join(', ')}` });
}
