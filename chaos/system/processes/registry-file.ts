/**
 * The registry's file in its own working copy: a change can be rolled back as in production, with `git revert`. Without
 * git it is a plain file.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolder } from '../../../base/make-folder.js';
import { writeFileWhole } from '../../../base/write-file.js';
import { onPath } from '../../../base/tools.js';

/** Relative to the folder of the system. */
export const registryPath = 'config/registry.yaml';

/** Returns whether the file differs from before. */
export function writeRegistryFile(folder: string, registry: object): boolean {
  const copy = join(folder, 'config');
  makeFolder(copy, 0o700);
  const file = join(folder, registryPath);
  // JSON is YAML; one value per line, so that diffs show the changed values.
  const text = `${JSON.stringify(registry, undefined, 2)}\n`;
  const differs = !existsSync(file) || readFileSync(file, 'utf8') !== text;
  writeFileWhole(file, text);
  if (onPath('git')) commit(copy);
  return differs;
}

function commit(copy: string): void {
  const git = (...args: string[]): void => {
    execFileSync('git', ['-C', copy, ...args], { stdio: 'ignore', timeout: 5000 });
  };
  try {
    if (!existsSync(join(copy, '.git'))) {
      git('init', '-q');
      git('config', 'user.name', 'firedrill');
      git('config', 'user.email', 'firedrill@localhost');
      git('config', 'commit.gpgsign', 'false');
      git('add', '.');
    }
    git('commit', '-q', '--no-verify', '-a', '-m', 'registry');
  } catch {
    // Nothing had changed, or there is no history to return to: only the file matters.
  }
}
