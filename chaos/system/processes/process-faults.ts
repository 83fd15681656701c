/** What a drill does to processes from outside: killed, or paused, until the lease ends. */
import type { Clock } from '../../../base/clock.js';
import { UserError } from '../../../base/errors.js';
import { Leases, type LeaseState } from '../../faults/leases.js';
import type { Processes } from './processes.js';

export const processFaults = ['kill', 'pause'] as const;

export interface ProcessFault {
  kind: (typeof processFaults)[number];
  target: string;
}

export class ProcessFaults {
  readonly #processes: Processes;
  readonly leases: Leases<ProcessFault>;

  constructor(processes: Processes, clock: Clock) {
    this.#processes = processes;
    this.leases = new Leases<ProcessFault>(clock, {
      begin: async ({ kind, target }) => {
        const struck = kind === 'kill' ? await processes.kill(target) : processes.pause(target);
        return struck ? 1 : 0;
      },
      end: async ({ kind, target }) => {
        if (kind === 'kill') await processes.startAgain(target);
        else if (!this.#isPausedBesides(target)) processes.resume(target);
      },
    });
  }

  /** Throws a UserError on a bad one. */
  put(value: unknown): Promise<LeaseState<ProcessFault>> {
    const lease = (typeof value === 'object' && value !== null ? value : {}) as Record<
      string,
      unknown
    >;
    const kind = processFaults.find((k) => k === lease.kind);
    if (kind === undefined) {
      throw new UserError({ message: 'unknown kind', expected: processFaults.join(', ') });
    }
    const target = this.#processes.names.find((name) => name === lease.target);
    if (target === undefined) {
      const expected = this.#processes.names.join(', ');
      throw new UserError({ message: `no process '${String(lease.target)}'`, expected });
    }
    return this.leases.put(lease, { kind, target });
  }

  #isPausedBesides(target: string): boolean {
    return [...this.leases.active()].some(([, f]) => f.kind === 'pause' && f.target === target);
  }
}
