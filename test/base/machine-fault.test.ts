/** A machine that cannot do what a command needs: the answer names the machine's fault, not one of the program. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { machineFault } from '../../base/machine-fault.js';
import { program } from '../../base/paths.js';

const folder = mkdtempSync(join(tmpdir(), 'machine-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

function answer(script: string, env: Record<string, string> = {}) {
  const argv = ['-c', script, 'sh', process.execPath, program('cli')];
  const options = { cwd: folder, env: { ...process.env, ...env }, encoding: 'utf8' as const };
  const { status, stderr } = spawnSync('sh', argv, options);
  return [status, stderr];
}

test('a working folder that was removed is named', () => {
  mkdirSync(join(folder, 'gone'));
  const script = 'cd gone && rmdir ../gone && exec "$1" "$2" init --service a=b';
  expect(answer(script)).toEqual([5, 'the working folder was removed; expected one that exists\n']);
});

test('a temporary folder that is not there is named, with the variable that sets it', () => {
  const env = { TMPDIR: join(folder, 'none') };
  const [status, stderr] = answer('exec "$1" "$2" gameday run killed-pod', env);
  expect(status).toBe(5);
  expect(stderr).toContain(
    `the temporary folder ${env.TMPDIR} cannot be written: ENOENT; expected another one in TMPDIR\n`,
  );
}, 60_000);

test('a full disk and open files are the machine’s fault, and a missing file is not', () => {
  const error = (code: string, syscall: string): Error =>
    Object.assign(new Error(`${code}: x, ${syscall}`), { code, syscall });
  expect(machineFault(error('ENOSPC', 'write'))).toMatch(/^no space is left on the disk: /);
  expect(machineFault(error('EMFILE', 'open'))).toMatch(/^too many files are open \(ulimit -n\)/);
  expect(machineFault(error('ENOENT', 'open'))).toBeUndefined();
  expect(machineFault(new TypeError('x is undefined'))).toBeUndefined();
});
