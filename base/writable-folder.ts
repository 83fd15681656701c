/** Checks early that a folder is writable, before hours of work depend on it. */
import { rmdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { exitCode, messageOf, UserError } from './errors.js';
import { addFolders } from './make-folder.js';

const leastBytes = 2 * 1024 * 1024;

/**
 * Throws a UserError (exit code 5) if no file can be written to the folder or less than 2 MiB are free. Files and
 * folders made for the check are removed. `what` begins the message: `the state folder`; `expected` ends it.
 */
export function tryFolder(path: string, what: string, expected?: string): void {
  const refuse = (why: string): UserError => {
    const message = `${what} ${path} cannot be written: ${why}`;
    return new UserError(expected ? { message, expected } : message, exitCode.environment);
  };
  let made: string[] = [];
  try {
    made = addFolders(path, 0o700);
    const probe = join(path, `.firedrill-probe-${process.pid}`);
    try {
      writeFileSync(probe, 'x', { flag: 'wx' });
    } finally {
      // A full disk makes the file, and cannot write into it.
      rmSync(probe, { force: true });
    }
    const { bavail, bsize } = statfsSync(path);
    if (bavail * bsize < leastBytes) {
      throw refuse(`only ${Math.round((bavail * bsize) / 1024)} KiB are left there`);
    }
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw refuse((error as NodeJS.ErrnoException).code ?? messageOf(error));
  } finally {
    for (const folder of made.toReversed()) rmdirSync(folder);
  }
}
