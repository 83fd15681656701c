/** Finds a program in folders such as those of PATH. */
import { accessSync, constants, statSync } from 'node:fs';
import { join } from 'node:path';

/** Whether this user may run the file. */
export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** The first folder's program of one of these names; undefined if no folder has one. Empty folder names are skipped. */
export function findExecutable(
  names: readonly string[],
  folders: readonly string[],
): string | undefined {
  for (const folder of folders.filter((f) => f !== '')) {
    const found = names.map((name) => join(folder, name)).find(isExecutable);
    if (found !== undefined) return found;
  }
  return undefined;
}
