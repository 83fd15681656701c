/** A process of another version of the package: the same files under a package.json that says so. */
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { packageRoot } from '../../base/paths.js';
import type { ProcessDescription } from './processes.js';

export function asVersion(
  process: ProcessDescription,
  version: string,
  folder: string,
): ProcessDescription {
  mkdirSync(folder, { recursive: true });
  const there = new Set(readdirSync(folder));
  for (const name of readdirSync(packageRoot)) {
    if (name === 'package.json' || there.has(name)) continue;
    symlinkSync(join(packageRoot, name), join(folder, name));
  }
  const manifest = { name: 'firedrill', version, type: 'module' };
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest));
  return {
    ...process,
    script: join(folder, relative(packageRoot, process.script)),
    // Else Node follows the links, and finds the version that it came from.
    nodeFlags: [...(process.nodeFlags ?? []), '--preserve-symlinks', '--preserve-symlinks-main'],
  };
}
