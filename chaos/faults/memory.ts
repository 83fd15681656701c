/**
 * A process may take so much more memory, and is killed by the kernel when it takes more: a limit of a control group,
 * to which pages from before are not charged. Counted: processes that the kernel killed.
 */
import { spawn } from 'node:child_process';
import { z } from 'zod';
import { ControlGroup, groupRoot } from './control-group.js';
import type { ProcessLimit, StruckProcess } from './process-fault.js';

export interface Memory {
  kind: 'memory';
  target: string;
  /** From when the fault is put. */
  moreBytes: number;
  /** A neighbour takes all of it at once, so that the kernel kills the process whether it grows or not. */
  fill: boolean;
}

const overBytes = 4 * 1024 * 1024;

/** One buffer larger than the limit, by a process that the kernel is told not to kill: it picks the other. */
function takeAll(group: ControlGroup, limitBytes: number): void {
  const script =
    'echo -1000 > /proc/self/oom_score_adj; exec dd if=/dev/zero of=/dev/null bs="$1" count=1';
  const greedy = spawn(
    '/bin/sh',
    ['-c', `read -r _; ${script}`, 'sh', `${limitBytes + overBytes}`],
    {
      stdio: ['pipe', 'ignore', 'ignore'],
    },
  );
  greedy.on('error', () => undefined);
  greedy.stdin.on('error', () => undefined);
  if (greedy.pid !== undefined) group.take([greedy.pid]);
  // It begins once it is in.
  greedy.stdin.end('\n');
}

export const memoryLimit = {
  settings: z.strictObject({
    moreBytes: z.int().min(65_536).max(1e9),
    fill: z.boolean().default(false),
  }),

  whyNot(): string | undefined {
    const root = groupRoot('memory');
    return 'why' in root ? root.why : undefined;
  },

  put({ moreBytes, fill }: Memory, { id, pids }: StruckProcess): ProcessLimit {
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
      if (fill) takeAll(group, moreBytes);
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
