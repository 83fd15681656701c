/** Folders are made one by one: a place where none can be made is an error with a sentence, and nothing hangs. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { makeFolder } from '../../base/make-folder.js';
import { asset } from '../../base/paths.js';

const folder = mkdtempSync(join(tmpdir(), 'firedrill-folders-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const slos = asset('examples/slo/retail.yaml');

test('missing ones are made with the mode, those above too; again changes nothing', () => {
  const path = join(folder, 'a', 'b');
  makeFolder(path, 0o700);
  makeFolder(path, 0o755);
  expect([path, join(folder, 'a')].map((p) => statSync(p).mode & 0o777)).toEqual([0o700, 0o700]);
});

test.each<[string, (path: string) => string, string]>([
  ['below a file', (path) => (writeFileSync(path, ''), join(path, 'x')), 'ENOTDIR'],
  ['a file', (path) => (writeFileSync(path, ''), path), 'it is not a folder'],
  ['a link to nothing', (path) => (symlinkSync('/nowhere', path), path), 'ENOENT'],
  ['a name that is too long', (path) => join(path, 'new', 'x'.repeat(300)), 'ENAMETOOLONG'],
  ['below /proc', () => '/proc/nope/deep', 'ENOENT'],
])('%s is refused, and nothing is left', (name, makePath, why) => {
  const path = makePath(join(folder, name.replaceAll(' ', '-').replaceAll('/', '')));
  expect(() => makeFolder(path)).toThrow(`the folder ${path} cannot be made: ${why}`);
  expect(existsSync(join(folder, 'a-name-that-is-too-long'))).toBe(false);
});

test.each([
  ['gameday', 'hint', '--state', '/proc/nope'],
  ['gameday', 'ack', '--state', '/proc/nope'],
  ['gameday', 'stop', '--state', '/proc/nope'],
  ['slo', 'generate', '-i', slos, '-o', '/proc/nope/rules.yaml'],
  ['dashboards', 'generate', '-i', slos, '-o', '/proc/nope'],
  ['postmortem', 'new', '-o', '/proc/nope/p.md'],
  ['install', '--output-helm', '/proc/nope'],
  ['install', '--output-prometheus', '/proc/nope'],
  ['identity', 'init', '--trust-domain', 'a', '--folder', '/proc/nope'],
])('%s %s says that it cannot write below /proc', (...args) => {
  const cli = [asset('dist/cli.js'), ...args];
  const { status, stdout, stderr } = spawnSync(process.execPath, cli, {
    cwd: folder,
    encoding: 'utf8',
    timeout: 20_000,
  });
  expect(stderr).toMatch(/\/proc\/nope\S* cannot be (made|written)/);
  expect([status, stdout]).toEqual([5, '']);
});
