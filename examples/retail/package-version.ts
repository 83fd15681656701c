/** A process of another version of the package: the same files under a package.json with that version. */
import { readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { makeFolder } from '../../base/make-folder.js';
import { packageRoot } from '../../base/paths.js';
import type { OwnProgram } from '../../chaos/system/processes/processes.js';

export function asVersion(own: OwnProgram, version: string, folder: string): OwnProgram {
  makeFolder(folder);
  const there = new Set(readdirSync(folder));
  for (const name of readdirSync(packageRoot)) {
    if (name === 'package.json' || there.has(name)) continue;
    symlinkSync(join(packageRoot, name), join(folder, name));
  }
  const manifest = { name: 'firedrill', version, type: 'module' };
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest));
  return {
    ...own,
    script: join(folder, relative(packageRoot, own.script)),
    // Without the flags Node follows the links, and finds the version of the original package.
    nodeFlags: [...(own.nodeFlags ?? []), '--preserve-symlinks', '--preserve-symlinks-main'],
  };
}
