import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { installTool, unpackChecked } from '../../base/install-tool.js';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'install-tool-'));
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

/** A program on the PATH of the test that notes its arguments and then runs the lines. */
function program(name: string, ...lines: string[]): void {
  const said = `echo "${name} $*" >> '${join(folder, 'said')}'`;
  writeFileSync(join(folder, 'bin', name), ['#!/bin/sh', said, ...lines, ''].join('\n'), {
    mode: 0o755,
  });
}

/** Without root, with no other program than the test's and a few of the system's. */
function withoutRoot(): void {
  mkdirSync(join(folder, 'bin'));
  vi.spyOn(process, 'getuid').mockReturnValue(1000);
  for (const name of ['mkdir', 'tar', 'gzip', 'touch', 'dirname']) {
    const path = execFileSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).trim();
    execFileSync('ln', ['-s', path, join(folder, 'bin', name)]);
  }
  vi.stubEnv('PATH', join(folder, 'bin'));
  vi.stubEnv('XDG_CACHE_HOME', join(folder, 'cache'));
}

const said = (): string => readFileSync(join(folder, 'said'), 'utf8');

test('without root a package is unpacked, after its release was tried', async () => {
  withoutRoot();
  program('curl', 'echo "curl: (6) Could not resolve host" >&2', 'exit 6');
  program('apt-get', 'touch alertmanager_1_amd64.deb');
  program(
    'dpkg-deb',
    'mkdir -p "$3/usr/bin"',
    'echo program > "$3/usr/bin/prometheus-alertmanager"',
  );
  const path = await installTool('alertmanager', () => undefined);
  expect(path).toBe(join(folder, 'cache', 'firedrill', 'bin', 'alertmanager'));
  expect(readFileSync(path, 'utf8')).toBe('program\n');
  expect(said()).toMatch(
    /^curl .*--proto =https .*\/v0\.28\.1\/.*\napt-get download -qq prometheus-alertmanager\ndpkg-deb -x .*\n$/,
  );
});

test('without root a program that needs its whole package says so', async () => {
  withoutRoot();
  program('apt-get');
  await expect(installTool('wrk', () => undefined)).rejects.toThrow(
    'wrk could not be installed: debian: takes root (sudo apt-get install wrk)',
  );
  expect(existsSync(join(folder, 'said'))).toBe(false);
});

test('an archive is unpacked only if it is the pinned one', async () => {
  mkdirSync(join(folder, 'in'));
  writeFileSync(join(folder, 'in', 'prometheus'), 'program');
  const archive = join(folder, 'some.tar.gz');
  execFileSync('tar', ['-czf', archive, '-C', join(folder, 'in'), '.']);
  const digest = createHash('sha256').update(readFileSync(archive)).digest('hex');
  const out = join(folder, 'out');
  mkdirSync(out);
  await expect(unpackChecked(archive, '0'.repeat(64), out)).rejects.toThrow(
    `the archive's SHA-256 is ${digest}, not 0000`,
  );
  expect(existsSync(join(out, 'prometheus'))).toBe(false);
  await unpackChecked(archive, digest, out);
  expect(readFileSync(join(out, 'prometheus'), 'utf8')).toBe('program');
});
