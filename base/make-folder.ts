/** Makes folders. The one place that does, because Node's recursive mkdir never ends below /proc. */
import { existsSync, mkdirSync, rmdirSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { exitCode, messageOf, UserError } from './errors.js';

/** Makes the folder and those above it that are missing. Throws a UserError (exit code 5) if it cannot. */
export function makeFolder(path: string, mode = 0o777): void {
  try {
    addFolders(path, mode);
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code ?? messageOf(error);
    throw new UserError(`the folder ${path} cannot be made: ${why}`, exitCode.environment);
  }
}

/** The same, but throws the system's error, and leaves no folder then. Returns the folders made, outermost first. */
export function addFolders(path: string, mode: number): string[] {
  const made: string[] = [];
  try {
    for (const missing of missingIn(resolve(path))) if (makeOne(missing, mode)) made.push(missing);
    if (!statSync(path).isDirectory()) throw new Error('it is not a folder');
    return made;
  } catch (error) {
    for (const folder of made.toReversed()) rmdirSync(folder);
    throw error;
  }
}

/** Returns false if another process has made it meanwhile. */
function makeOne(path: string, mode: number): boolean {
  try {
    mkdirSync(path, { mode });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** The folders that do not exist yet, outermost first. */
function missingIn(path: string): string[] {
  const missing: string[] = [];
  for (let at = path; !existsSync(at) && dirname(at) !== at; at = dirname(at)) missing.unshift(at);
  return missing;
}
