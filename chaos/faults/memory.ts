/**
 * A process may take so much more memory, and is killed by the kernel when it takes more: a limit of a control group,
 * to which pages from before are not charged. Counted: processes that the kernel killed.
 */
import { z } from 'zod';
import { ControlGroup, groupRoot } from './control-group.js';
import type { ProcessLimit, StruckProcess } from './process-fault.js';

export interface Memory {
  kind: 'memory';
  target: string;
  /** From when the fault is put. */
  moreBytes: number;
}

export const memoryLimit = {
  settings: z.strictObject({ moreBytes: z.int().min(65_536).max(1e12) }),

  whyNot(): string | undefined {
    const root = groupRoot('memory');
    return 'why' in root ? root.why : undefined;
  },

  put({ moreBytes }: Memory, { id, pids }: StruckProcess): ProcessLimit {
    const root = groupRoot('memory');
    if ('why' in root) throw new Error(root.why);
    const group = new ControlGroup(root, id);
    try {
      if (group.version === 2) {
        group.set('memory.max', moreBytes);
        if (group.has('memory.swap.max')) group.set('memory.swap.max', 0);
        group.set('memory.oom.group', 1);
      } else {
        group.set('memory.limit_in_bytes', moreBytes);
        // Memory and swap together: nothing goes to swap instead.
        if (group.has('memory.memsw.limit_in_bytes')) {
          group.set('memory.memsw.limit_in_bytes', moreBytes);
        }
      }
      group.take(pids());
    } catch (error) {
      group.end();
      throw error;
    }
    let seen = 0;
    const killed = (): number =>
      group.version === 2
        ? group.count('memory.events', 'oom_kill')
        : group.count('memory.oom_control', 'oom_kill');
    return {
      // What comes in its place is not limited: it could not even start.
      look() {
        const now = killed();
        const more = now - seen;
        seen = now;
        return more;
      },
      end: () => group.end(),
    };
  },
};
