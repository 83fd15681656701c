/** Ends processes that must not be there any more, told from later ones of the same number by their start. */
import { sleep } from '../../base/clock.js';
import { isAlive, type JournalLine, startTicksOf } from './journal.js';

export type Leftover = Omit<Extract<JournalLine, { kind: 'process' }>, 'kind' | 'atMs'>;

const pollMs = 50;
const killLimitMs = 3000;

/** Whether it, or anything of its process group, is there. */
export function isLeft({ pid, startTicks, group }: Leftover): boolean {
  if (isAlive(pid, startTicks)) return true;
  // Another process of that number: a group of that number would be that one's.
  if (group !== true || startTicksOf(pid) !== undefined) return false;
  try {
    process.kill(-pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** SIGTERM, after `graceMs` SIGKILL, all at once; resolves to those that were there and those that still are. */
export async function endLeftovers(
  processes: readonly Leftover[],
  graceMs: number,
): Promise<{ ended: Leftover[]; left: Leftover[] }> {
  const found = processes.filter(isLeft);
  let left = found;
  for (const [signal, limitMs] of [
    ['SIGTERM', graceMs],
    ['SIGKILL', killLimitMs],
  ] as const) {
    for (const leftover of left) send(leftover, signal);
    const end = performance.now() + limitMs;
    while (left.length > 0 && performance.now() < end) {
      await sleep(pollMs);
      left = left.filter(isLeft);
    }
  }
  return { ended: found.filter((p) => !left.includes(p)), left };
}

function send({ pid, group }: Leftover, signal: NodeJS.Signals): void {
  for (const to of group === true ? [-pid] : [pid]) {
    try {
      process.kill(to, signal);
      // One that is stopped hears nothing else.
      if (signal === 'SIGTERM') process.kill(to, 'SIGCONT');
    } catch {
      // It went meanwhile.
    }
  }
}
