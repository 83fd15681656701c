/** A temporary folder named after its process, so that leftovers of a killed run are found and removed. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const prefix = 'firedrill-watch-';

/** Makes a new folder, and removes those whose process has ended. */
export function runFolder(): string {
  removeDeadRunFolders();
  return mkdtempSync(join(tmpdir(), `${prefix}${process.pid}-`));
}

/** Removes folders whose process has ended. */
export function removeDeadRunFolders(): void {
  for (const name of readdirSync(tmpdir())) {
    const pid = new RegExp(`^${prefix}(\\d+)-`).exec(name)?.[1];
    if (pid !== undefined && !isAlive(Number(pid))) {
      rmSync(join(tmpdir(), name), { recursive: true, force: true });
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
