/** Ends leftover processes; the start time distinguishes them from later processes with the same id. */
import { sleep } from '../../base/clock.js';
import { isAlive, type JournalLine, startTicksOf } from './journal.js';

export type Leftover = Omit<Extract<JournalLine, { kind: 'process' }>, 'kind' | 'atMs'>;

const pollMs = 50;
const killLimitMs = 3000;

/** Whether the process, or any of its process group, still runs. */
export function isLeft({ pid, startTicks, group }: Leftover): boolean {
  if (isAlive(pid, startTicks)) return true;
  // Another process has that id now, so a group with that id belongs to the other process.
  if (group !== true || startTicksOf(pid) !== undefined) return false;
  try {
    process.kill(-pid, 0);
    return true;
  } catch {
    return false;
  }
}

/**
 * Sends SIGTERM to all, and SIGKILL after `graceMs`; resolves to the processes that ran at the start and those that
 * still run.
 */
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
      // A stopped process handles no other signal.
      if (signal === 'SIGTERM') process.kill(to, 'SIGCONT');
    } catch {
      // The process ended meanwhile.
    }
  }
}
