/** Processes that carry a mark in their environment, whoever their parent is by now; Linux only. */
import { readdirSync, readFileSync } from 'node:fs';

/** Those that run: one that nobody has waited for yet is over. */
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

/** SIGKILL. What was killed before may have taken it along. */
export function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It went meanwhile.
  }
}
