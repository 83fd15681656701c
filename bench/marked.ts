/** Finds processes that carry a mark in their environment, whatever their parent is by now; Linux only. */
import { readdirSync, readFileSync } from 'node:fs';

/** The running processes; a zombie does not count. */
export const marked = (mark: string): number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
        const isZombie = stat.slice(stat.lastIndexOf(')') + 2)[0] === 'Z';
        return !isZombie && readFileSync(`/proc/${name}/environ`, 'utf8').includes(mark);
      } catch {
        return false;
      }
    })
    .map(Number);

/** Sends SIGKILL; the process may already have ended. */
export function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // The process ended before.
  }
}
