/** Checkouts of public suites at a commit, in the cache folder; git makes a missing one if it has access. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder } from '../../base/paths.js';

const folder = join(cacheFolder(), 'suites');

function run(command: string, args: readonly string[], cwd?: string): void {
  const { status, stderr, error } = spawnSync(command, args, { cwd, encoding: 'utf8' });
  if (status === 0) return;
  throw new Error(`${command} ${args.join(' ')}: ${error?.message ?? stderr.trim()}`);
}

/** Returns the folder of the suite at that commit. */
export function checkout(repository: string, commit: string): string {
  const own = join(folder, repository.slice(repository.indexOf('/') + 1));
  if (!existsSync(own)) {
    mkdirSync(folder, { recursive: true });
    run('git', ['clone', '--quiet', `https://github.com/${repository}`, own]);
  }
  run('git', ['checkout', '--quiet', '--force', commit], own);
  return own;
}

/** Returns a Python with these packages of PyPI. */
export function pythonWith(...packages: string[]): string {
  const venv = join(folder, 'venv');
  const python = join(venv, 'bin/python');
  if (!existsSync(python)) {
    mkdirSync(folder, { recursive: true });
    run('python3', ['-m', 'venv', venv]);
  }
  run(python, ['-m', 'pip', 'install', '--quiet', ...packages]);
  return python;
}
