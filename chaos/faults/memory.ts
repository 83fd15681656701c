/**
 * Limits a process's additional memory; the kernel kills the process if it takes more. The limit is that of a control
 * group, to which earlier memory pages are not charged. Counts processes that the kernel killed.
 */
import { spawn } from 'node:child_process';
import * as z from 'zod';
import { ControlGroup, groupRoot } from './control-group.js';
import type { ProcessLimit, StruckProcess } from './process-fault.js';

export interface Memory {
  kind: 'memory';
  target: string;
  /** Bytes in addition to the memory used when the fault begins. */
  moreBytes: number;
  /** A second process takes all of it at once, so that the kernel kills the target whether the target grows or not. */
  fill: boolean;
}

const overBytes = 4 * 1024 * 1024;

/**
 * Allocates a buffer larger than the limit, in a process that the kernel must not kill, so that the kernel picks the
 * target.
 */
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
  // The process begins once it is in the group.
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
        // Limits memory and swap together, so that nothing is swapped instead.
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
      // The replacement process is not limited, because it could not even start.
      look() {
        const now = killed();
        const more = now - seen;
        seen = now;
        return more;
      },
      // Once it has killed, it has done its work.
      lost: () => (seen > 0 ? undefined : group.lost()),
      end: () => group.end(),
    };
  },
};
