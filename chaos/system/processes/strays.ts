/**
 * Processes that left their process group (setsid, a daemon): known by an environment variable, which child processes
 * inherit. Without /proc, none is found.
 */
import { readdirSync, readFileSync } from 'node:fs';

export const strayVariable = 'FIREDRILL_PROCESS';

/** `folder` is the run's own. */
export const strayMark = (folder: string, process: string): string => `${folder}#${process}`;

/** Processes of one program by its mark, or of a whole run by its folder. */
export function straysOf(markOrFolder: string): number[] {
  const wanted = Buffer.from(`${strayVariable}=${markOrFolder}`);
  return numbersIn('/proc').filter((pid) => {
    try {
      const environment = readFileSync(`/proc/${pid}/environ`);
      const at = environment.indexOf(wanted);
      const after = environment[at + wanted.length];
      return at >= 0 && (after === undefined || after === 0 || after === '#'.charCodeAt(0));
    } catch {
      return false;
    }
  });
}

/** Returns whether there was a process. */
export function signalStrays(markOrFolder: string, signal: NodeJS.Signals): boolean {
  const strays = straysOf(markOrFolder);
  for (const pid of strays) {
    try {
      process.kill(pid, signal);
    } catch {
      // The process ended meanwhile.
    }
  }
  return strays.length > 0;
}

function numbersIn(folder: string): number[] {
  try {
    return readdirSync(folder)
      .filter((name) => /^\d+$/.test(name))
      .map(Number);
  } catch {
    return [];
  }
}
