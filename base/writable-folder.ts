/** Whether a folder can be written to, found out before hours of work depend on it. */
import {
  existsSync,
  mkdirSync,
  rmdirSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { exitCode, messageOf, UserError } from './errors.js';

const leastBytes = 2 * 1024 * 1024;

/**
 * Throws a UserError (exit code 5) where a file could not be written to the folder, or where less than 2 MiB are left.
 * What has to be made for it is removed again. `what` begins the sentence: `the state folder`.
 */
export function tryFolder(path: string, what: string): void {
  const refuse = (why: string): UserError =>
    new UserError(`${what} ${path} cannot be written: ${why}`, exitCode.environment);
  const made: string[] = [];
  try {
    for (const missing of missingIn(resolve(path))) {
      // One by one: below /proc, Node's own recursion goes round for ever.
      mkdirSync(missing, { mode: 0o700 });
      made.push(missing);
    }
    if (!statSync(path).isDirectory()) throw refuse('it is not a folder');
    const probe = join(path, `.firedrill-probe-${process.pid}`);
    writeFileSync(probe, 'x', { flag: 'wx' });
    rmSync(probe);
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

/** The folders that are not there yet, the outermost first. */
function missingIn(path: string): string[] {
  const missing: string[] = [];
  for (let at = path; !existsSync(at) && dirname(at) !== at; at = dirname(at)) missing.unshift(at);
  return missing;
}
