/**
 * Gives a process less of the processor by a control group's quota. Counts periods in which the process was throttled.
 */
import * as z from 'zod';
import { ControlGroup, groupRoot } from './control-group.js';
import type { ProcessLimit, StruckProcess } from './process-fault.js';

export interface Cpu {
  kind: 'cpu';
  target: string;
  /** 0.1: a tenth of one processor. */
  cores: number;
}

const periodMicros = 100_000;
/** The kernel accepts no quota below a millisecond. */
const leastMicros = 1000;

export const cpuLimit = {
  settings: z.strictObject({ cores: z.number().min(0.01).max(1024) }),

  whyNot(): string | undefined {
    const root = groupRoot('cpu');
    return 'why' in root ? root.why : undefined;
  },

  put({ cores }: Cpu, { id, pids }: StruckProcess): ProcessLimit & { change(fault: Cpu): void } {
    const root = groupRoot('cpu');
    if ('why' in root) throw new Error(root.why);
    const group = new ControlGroup(root, id);
    const limit = (to: number): void => {
      const quota = Math.max(leastMicros, Math.round(to * periodMicros));
      if (group.version === 2) return group.set('cpu.max', `${quota} ${periodMicros}`);
      group.set('cpu.cfs_period_us', periodMicros);
      group.set('cpu.cfs_quota_us', quota);
    };
    let seen = 0;
    try {
      limit(cores);
      group.take(pids());
    } catch (error) {
      group.end();
      throw error;
    }
    return {
      change: (fault) => limit(fault.cores),
      look() {
        group.take(pids());
        const now = group.count('cpu.stat', 'nr_throttled');
        const more = now - seen;
        seen = now;
        return more;
      },
      lost: () => group.lost(),
      end: () => group.end(),
    };
  },
};
