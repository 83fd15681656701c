/** A temporary folder named after its process, so that what a killed run left behind is found and removed. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const prefix = 'firedrill-watch-';

/** A new folder; those whose process is gone are removed first. */
export function runFolder(): string {
  removeDeadRunFolders();
  return mkdtempSync(join(tmpdir(), `${prefix}${process.pid}-`));
}

/** Those whose process is gone. */
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
