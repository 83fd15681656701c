/**
 * A drill's faults on the shop from outside its processes: each is a lease, and is rolled back when the lease lapses.
 * Those that only the shop has are here; the others are those of every system of processes.
 */
import * as z from 'zod';
import type { Clock } from '../../base/clock.js';
import { UserError } from '../../base/errors.js';
import { packageVersion } from '../../base/paths.js';
import { Leases, type LeaseState } from '../../chaos/faults/leases.js';
import { type ProcessFault, ProcessFaults } from '../../chaos/system/processes/process-faults.js';
import {
  type RegistrySettings,
  registrySettings,
} from '../../chaos/system/processes/registry-fault.js';
import { authorityParts, ShortLived } from './pki-drill.js';
import type { Shop } from './shop.js';

/** The shop's own faults, and those of all systems of processes that it takes beside resource limits. */
export const shopFaults = ['kill', 'pause', 'version', 'authority', 'registry'] as const;

const own = z.discriminatedUnion('kind', [
  /** The process is another version of the package until the lease ends. */
  z.object({
    kind: z.literal('version'),
    target: z.string(),
    version: z.string().regex(/^\d+\.\d+\.\d+$/, { error: 'expected such as 99.0.0' }),
  }),
  /** A part of the authority has this lifetime; the previous files return when the lease ends. */
  z.object({
    kind: z.literal('authority'),
    part: z.enum(authorityParts),
    lifetimeMs: z.number().min(10_000),
  }),
]);

type OwnFault = z.output<typeof own>;
export type ShopFaultState = LeaseState<OwnFault> | LeaseState<ProcessFault>;

/** The shop's registry has no place for the others. */
const shopSettings = registrySettings.omit({ retriesOf: true, unsafeMethods: true });

export class ShopFaults {
  readonly #shop: Shop;
  readonly #own: Leases<OwnFault>;
  readonly #ofProcesses: ProcessFaults;
  readonly #authority: ShortLived;

  constructor(shop: Shop, clock: Clock) {
    this.#shop = shop;
    // The controller spreads renewals over a tenth of a certificate's life.
    const rolloverMs = shop.certificateLifetimeMs / 10 + 2000;
    this.#authority = new ShortLived(shop.path('pki'), clock, rolloverMs);
    this.#own = new Leases<OwnFault>(clock, {
      begin: (fault, id) => this.#begin(fault, id),
      end: (fault, id) => this.#end(fault, id),
    });
    this.#ofProcesses = new ProcessFaults(shop.processes, clock, {
      writeRegistry: (set) => this.#writeRegistry(set),
    });
  }

  /** Ends the resource limits, which would outlive the processes. */
  close(): void {
    this.#ofProcesses.close();
  }

  list(): ShopFaultState[] {
    return [...this.#own.list(), ...this.#ofProcesses.list()];
  }

  /** Puts a lease and injects its fault, or renews the lease. Throws a UserError on a bad lease. */
  async put(value: unknown): Promise<ShopFaultState> {
    const lease = (typeof value === 'object' && value !== null ? value : {}) as Record<
      string,
      unknown
    >;
    const { kind, set } = lease;
    if (kind === 'registry') checked(shopSettings, set ?? {});
    if (kind !== 'version' && kind !== 'authority') return this.#ofProcesses.put(value);
    const fault = checked(own, lease);
    const { names } = this.#shop.processes;
    if (fault.kind === 'version' && !names.includes(fault.target)) {
      throw new UserError({ message: `no process '${fault.target}'`, expected: names.join(', ') });
    }
    return this.#own.put(lease, fault);
  }

  /** Rolls the fault back; resolves when the rollback is done, and rejects if it failed: the lease stays then. */
  async remove(id: string): Promise<boolean> {
    return (await this.#own.remove(id)) || this.#ofProcesses.leases.remove(id);
  }

  async #begin(fault: OwnFault, id: string): Promise<number> {
    if (fault.kind === 'authority') {
      await this.#authority.begin(id, fault);
      return 1;
    }
    if (fault.version === packageVersion()) return 0;
    await this.#shop.restartAs(fault.target, fault.version);
    return 1;
  }

  async #end(fault: OwnFault, id: string): Promise<void> {
    if (fault.kind === 'authority') {
      const hasRunOut = await this.#authority.end(id);
      // Nobody can tell a sidecar of another anchor that trusts nobody any more: it reads the file when it starts.
      if (hasRunOut) await this.#shop.renewCertificates();
      return;
    }
    await this.#shop.restartAs(fault.target, undefined);
  }

  /** Writes the registry with the settings of all leases together; returns whether it differs from before. */
  #writeRegistry(set: RegistrySettings): boolean {
    const { registryOptions } = this.#shop;
    const { revision } = registryOptions;
    for (const key of Object.keys(registryOptions)) {
      delete (registryOptions as unknown as Record<string, unknown>)[key];
    }
    Object.assign(registryOptions, { retries: 'budget', revision }, set);
    return this.#shop.writeRegistry();
  }
}

function checked<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new UserError(`bad ${issue?.path.join('.') || 'fault'}: ${issue?.message ?? ''}`);
}
