/** A drill's faults on processes from outside: killed, paused or short of a resource, until the lease ends. */
import type * as z from 'zod';
import type { Clock, Timer } from '../../../base/clock.js';
import { messageOf, UserError } from '../../../base/errors.js';
import { wordsOf } from '../../../base/yaml.js';
import {
  type DiskFull,
  diskSeenBy,
  diskSettings,
  emptyDisk,
  fillDisk,
  isFilled,
} from '../../faults/disk.js';
import { type DnsFault, dnsSettings, isDnsKind } from '../../faults/dns.js';
import { type Leak, leaking, leakSettings } from '../../faults/leak.js';
import { Leases, type LeaseState } from '../../faults/leases.js';
import {
  isProcessLimit,
  type ProcessLimit,
  type ProcessLimitFault,
  type ProcessLimitKind,
  processLimits,
  putLimit,
  whyNoLimit,
} from '../../faults/process-fault.js';
import type { Processes } from './processes.js';
import type { Resolver } from './resolver.js';
import {
  merged,
  type RegistryFault,
  type RegistrySettings,
  registrySettings,
} from './registry-fault.js';

export type ProcessFault =
  | { kind: 'kill'; target: string }
  | { kind: 'pause'; target: string }
  | Leak
  | RegistryFault
  | ProcessLimitFault
  | DiskFull
  | DnsFault;

const limitKinds = Object.keys(processLimits) as ProcessLimitKind[];

/** The resource limits for processes that this machine supports. */
export const processLimitsHere = (): ProcessLimitKind[] =>
  limitKinds.filter((kind) => whyNoLimit(kind) === undefined);

/** The kinds of faults on processes that this machine supports; those of disks and the registry depend on the drill. */
export const processFaults = (): ProcessFault['kind'][] => [
  'kill',
  'pause',
  'leak',
  ...processLimitsHere(),
];

export interface ProcessFaultOptions {
  /** The folder of each process with its own disk. */
  disks?: ReadonlyMap<string, string>;
  /** By process with its own network. */
  resolvers?: ReadonlyMap<string, Resolver>;
  /** Returns whether the registry differs from before. Absent: there is no registry to rewrite. */
  writeRegistry?(set: RegistrySettings): boolean;
}

const lookEveryMs = 200;
/** A dead service's port is asked at every fifth look. */
const looksPerProbe = 5;

export class ProcessFaults {
  readonly #processes: Processes;
  readonly #disks: ReadonlyMap<string, string>;
  readonly #resolvers: ReadonlyMap<string, Resolver>;
  readonly #writeRegistry: ((set: RegistrySettings) => boolean) | undefined;
  /** By lease: the process id of the leaking process. */
  readonly #leaky = new Map<string, number | undefined>();
  readonly #limits = new Map<string, ProcessLimit>();
  /** By lease: the reason at the last look why its fault was over; a second one in a row is no accident. */
  readonly #doubts = new Map<string, string>();
  #looks = 0;
  readonly leases: Leases<ProcessFault>;
  readonly #looking: Timer;

  constructor(
    processes: Processes,
    clock: Clock,
    { disks = new Map(), resolvers = new Map(), writeRegistry }: ProcessFaultOptions = {},
  ) {
    this.#processes = processes;
    this.#disks = disks;
    this.#resolvers = resolvers;
    this.#writeRegistry = writeRegistry;
    this.leases = new Leases<ProcessFault>(clock, {
      begin: (fault, id) => this.#begin(fault, id),
      change: (fault, id) => this.#change(fault, id),
      end: (fault, id) => this.#end(fault, id),
    });
    this.#looking = clock.every(lookEveryMs, () => this.#look());
  }

  list(): LeaseState<ProcessFault>[] {
    return this.leases.list();
  }

  /** Puts or renews a lease. Throws a UserError on a bad fault. */
  put(value: unknown): Promise<LeaseState<ProcessFault>> {
    const lease = (typeof value === 'object' && value !== null ? value : {}) as Record<
      string,
      unknown
    >;
    return this.leases.put(lease, this.#checked(lease));
  }

  /** Ends the resource limits, without starting any process. */
  close(): void {
    this.#looking.cancel();
    for (const limit of this.#limits.values()) limit.end();
  }

  #checked(lease: Record<string, unknown>): ProcessFault {
    const { kind, target: named } = lease;
    const own = ['id', 'ttlMs', 'kind', 'target'];
    const settings = Object.fromEntries(
      Object.entries(lease).filter(([name]) => !own.includes(name)),
    );
    if (kind === 'registry') {
      if (this.#writeRegistry) return { kind, set: parsed(registrySettings, settings.set ?? {}) };
      throw new UserError({ message: 'there is no registry', expected: 'mesh: mtls' });
    }
    const target = this.#processes.names.find((name) => name === named);
    if (target === undefined) {
      const expected = this.#processes.names.join(', ');
      throw new UserError({ message: `no process '${String(named)}'`, expected });
    }
    if (kind === 'kill' || kind === 'pause') return { kind, target };
    if (isProcessLimit(kind)) {
      const why = whyNoLimit(kind);
      if (why !== undefined) throw new UserError(why);
      return { kind, target, ...parsed(processLimits[kind].settings, settings) } as ProcessFault;
    }
    if (kind === 'leak') {
      if (this.leaking.includes(target)) return { kind, target, ...parsed(leakSettings, settings) };
      const expected = this.leaking.join(', ');
      throw new UserError({ message: `${target} cannot be made to leak`, expected });
    }
    if (kind === 'disk-full') {
      if (this.#disks.has(target)) return { kind, target, ...parsed(diskSettings, settings) };
      const expected = [...this.#disks.keys()].join(', ') || 'a service with disk: SIZE';
      throw new UserError({ message: `${target} has no disk of its own`, expected });
    }
    if (isDnsKind(kind)) {
      if (this.#resolvers.has(target))
        return { kind, target, ...parsed(dnsSettings[kind], settings) } as DnsFault;
      const expected = [...this.#resolvers.keys()].join(', ') || 'a service with network: own';
      throw new UserError({ message: `${target} has no resolver of its own`, expected });
    }
    throw new UserError({ message: 'unknown kind', expected: processFaults().join(', ') });
  }

  /** The processes that can leak: our own programs, which run in V8. */
  get leaking(): string[] {
    return this.#processes.names.filter((name) => {
      const own = this.#processes.descriptionOf(name);
      return own !== undefined && !('command' in own.program);
    });
  }

  async #begin(fault: ProcessFault, id: string): Promise<number> {
    if (fault.kind === 'registry') {
      const changed = this.#rewrite();
      if (changed === 0) this.leases.report(id, 'the registry is as it was before');
      return changed;
    }
    const { target } = fault;
    if (fault.kind === 'leak') return this.#leak(fault, id);
    if (isDns(fault)) {
      this.#putDns(fault, id);
      return 0;
    }
    if (this.#processes.pidOf(target) === undefined) {
      this.leases.report(id, `${target} does not run`);
    }
    if (fault.kind === 'kill') return this.#kill(target, id);
    if (fault.kind === 'pause') return this.#processes.pause(target) ? 1 : 0;
    if (fault.kind === 'disk-full') {
      const folder = this.#diskOf(target);
      return folder !== undefined && fillDisk(folder, fault.leftBytes) ? 1 : 0;
    }
    const pids = (): number[] => this.#processes.pidsOf(target);
    this.#limits.set(id, putLimit(fault, { id, pids }));
    return 0;
  }

  async #kill(target: string, id: string): Promise<number> {
    const killed = await this.#processes.kill(target);
    await this.#probe(target, id);
    return killed ? 1 : 0;
  }

  /** Reports a killed service whose port answers: a child of it that left its group, or another program. */
  async #probe(target: string, id: string): Promise<void> {
    const address = await this.#processes.answeredAt(target);
    const [, held] = [...this.leases.active()].find(([own]) => own === id) ?? [];
    if (address === undefined || !held) return;
    this.leases.report(id, `its callers are still answered: another process listens at ${address}`);
  }

  #putDns(fault: DnsFault, id: string): void {
    this.#resolvers.get(fault.target)?.put(id, fault, () => this.leases.strike(id));
  }

  #change(fault: ProcessFault, id: string): void {
    if (isDns(fault)) this.#putDns(fault, id);
    if (fault.kind !== 'cpu') return;
    (this.#limits.get(id) as ReturnType<typeof processLimits.cpu.put> | undefined)?.change(fault);
  }

  /** Writes the registry with the changes of all active leases. */
  #rewrite(): number {
    const on = [...this.leases.active()].map(([, fault]) => fault);
    const differs = this.#writeRegistry?.(merged(on.filter((fault) => fault.kind === 'registry')));
    return differs ? 1 : 0;
  }

  async #leak(fault: Leak, id: string): Promise<number> {
    const own = this.#processes.descriptionOf(fault.target);
    if (!own || 'command' in own.program) return 0;
    await this.#processes.stop(own.name);
    // After its death by the leak the process restarts without the leak, as with a kubelet.
    await this.#processes.start({
      ...own,
      program: leaking(own.program, fault),
      restartAfterMs: 0,
    });
    this.#leaky.set(id, this.#processes.pidOf(own.name));
    return 1;
  }

  /** Restarts the process unless it has restarted already. If that fails, the lease stays, and it is tried again. */
  async #mend(target: string, id: string): Promise<void> {
    const pid = this.#processes.pidOf(target);
    if (pid !== undefined && pid === this.#leaky.get(id)) await this.#processes.stop(target);
    await this.#processes.startAgain(target);
    this.#leaky.delete(id);
  }

  async #end(fault: ProcessFault, id: string): Promise<void> {
    if (fault.kind === 'registry') {
      this.#rewrite();
      return;
    }
    const { kind, target } = fault;
    if (kind === 'leak') return this.#mend(target, id);
    if (kind === 'kill') return this.#processes.startAgain(target);
    if (kind === 'pause') {
      if (!this.#isPausedBesides(target)) this.#processes.resume(target);
      return;
    }
    if (kind === 'disk-full') {
      const folder = this.#diskOf(target);
      if (folder !== undefined) emptyDisk(folder);
      return;
    }
    if (isDns(fault)) {
      this.#resolvers.get(target)?.remove(id);
      return;
    }
    this.#look();
    this.#limits.get(id)?.end();
    this.#limits.delete(id);
    // The kernel may have killed the process.
    if (kind === 'memory') await this.#processes.startAgain(target);
  }

  #look(): void {
    for (const [id, limit] of this.#limits) {
      try {
        const more = limit.look();
        if (more > 0) this.leases.strike(id, more);
      } catch (error) {
        process.stderr.write(`fault ${id}: ${messageOf(error)}\n`);
      }
    }
    const isProbe = this.#looks++ % looksPerProbe === 0;
    for (const [id, fault] of this.leases.active()) {
      if (isProbe && fault.kind === 'kill') void this.#probe(fault.target, id);
      const doubt = this.#overBy(fault, id);
      if (doubt === undefined) this.#doubts.delete(id);
      else if (this.#doubts.get(id) === doubt) this.leases.report(id, doubt);
      else this.#doubts.set(id, doubt);
    }
  }

  /** Why a fault is over although its lease goes on; undefined if it is not, or if nobody can tell. */
  #overBy(fault: ProcessFault, id: string): string | undefined {
    if (fault.kind === 'registry') return undefined;
    const { kind, target } = fault;
    const runs = this.#processes.pidOf(target) !== undefined;
    if (kind === 'kill') return runs ? `${target} runs again: somebody started it` : undefined;
    if (kind === 'pause' && this.#processes.isPaused(target) === false) {
      return `${target} goes on: somebody sent it SIGCONT`;
    }
    if (kind === 'disk-full') {
      const folder = this.#diskOf(target);
      if (folder === undefined || isFilled(folder)) return undefined;
      return `the disk of ${target} was emptied by somebody else, or is a new one`;
    }
    return this.#limits.get(id)?.lost?.();
  }

  /** Returns the disk's folder as a running process of the target sees it. */
  #diskOf(target: string): string | undefined {
    const folder = this.#disks.get(target);
    const [pid] = this.#processes.pidsOf(target);
    return folder === undefined || pid === undefined ? undefined : diskSeenBy(pid, folder);
  }

  #isPausedBesides(target: string): boolean {
    return [...this.leases.active()].some(([, f]) => f.kind === 'pause' && f.target === target);
  }
}

const isDns = (fault: ProcessFault): fault is DnsFault => isDnsKind(fault.kind);

function parsed<S extends z.ZodType>(schema: S, settings: unknown): z.output<S> {
  const result = schema.safeParse(settings);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new UserError(`bad ${issue?.path.join('.') || 'settings'}: ${issue ? wordsOf(issue) : ''}`);
}
