/** Outputs replace files whole, and never what is no file: a device, a pipe, a link. */
import { spawnSync } from 'node:child_process';
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { asset, program } from '../../base/paths.js';
import { isDevice, writeFileWhole, writePiecesWhole } from '../../base/write-file.js';

const folder = mkdtempSync(join(tmpdir(), 'firedrill-written-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const slos = asset('examples/slo/retail.yaml');
const mkfifo = (name: string): string => {
  const path = join(folder, name);
  expect(spawnSync('mkfifo', [path]).status).toBe(0);
  return path;
};
const shell = (words: string) =>
  spawnSync('sh', ['-c', `firedrill() { "$NODE" "$CLI" "$@"; }; ${words}`], {
    encoding: 'utf8',
    env: {
      ...process.env,
      NODE: process.execPath,
      CLI: program('cli'),
      SLOS: slos,
      FOLDER: folder,
    },
  });

test('a file and a folder are no device, /dev/stdout is one whatever it leads to', () => {
  writeFileWhole(join(folder, 'plain'), 'x');
  const are = [join(folder, 'plain'), folder, join(folder, 'none'), '/dev/stdout', '/dev/null'];
  expect(are.map(isDevice)).toEqual([false, false, false, true, true]);
});

test.each([
  ['slo generate -i "$SLOS"', /^groups:/m],
  ['slo export "$SLOS" --to sloth', /^version: prometheus/m],
  ['alerts generate --runbook-base https://r.example', /^groups:/m],
])('`firedrill %s -o` writes to a pipe, and leaves it a pipe', (words, expected) => {
  const pipe = mkfifo(`pipe-${words.slice(0, 8).replaceAll(' ', '-')}`);
  const { stdout } = shell(`cat "${pipe}" & firedrill ${words} -o "${pipe}" 2>&1; wait`);
  expect(stdout).toMatch(expected);
  expect(lstatSync(pipe).isFIFO()).toBe(true);
  expect(shell(`firedrill ${words} -o /dev/stdout | cat`).stdout).toMatch(expected);
  expect(readdirSync(folder).filter((f) => f.endsWith('.tmp'))).toEqual([]);
});

test('a link stays a link, and the file behind it is written', () => {
  writeFileWhole(join(folder, 'real.yaml'), 'old');
  symlinkSync('real.yaml', join(folder, 'link.yaml'));
  expect(shell('firedrill slo generate -i "$SLOS" -o "$FOLDER/link.yaml"').status).toBe(0);
  expect(lstatSync(join(folder, 'link.yaml')).isSymbolicLink()).toBe(true);
  expect(readFileSync(join(folder, 'real.yaml'), 'utf8')).toContain('groups:');
});

test('every output follows a link, but keys, which another user must not lead elsewhere', async () => {
  const real = join(folder, 'behind');
  const link = join(folder, 'leads');
  const read = () => [lstatSync(link).isSymbolicLink(), readFileSync(real, 'utf8')];
  writeFileWhole(real, 'old');
  symlinkSync('behind', link);
  writeFileWhole(link, 'new');
  expect(read()).toEqual([true, 'new']);
  await writePiecesWhole(
    link,
    (async function* () {
      yield await Promise.resolve('pieces');
    })(),
  );
  expect(read()).toEqual([true, 'pieces']);
  writeFileWhole(link, 'key', 0o600);
  expect(read()).toEqual([false, 'pieces']);
  expect(lstatSync(link).mode & 0o777).toBe(0o600);
});

test('a text whose first piece cannot be made leaves no file, however soon that is known', async () => {
  const empty = mkdtempSync(join(folder, 'pieces-'));
  const pieces = async function* (): AsyncGenerator<string> {
    if (empty !== '') throw new Error('no data');
    yield '';
  };
  for (let i = 0; i < 50; i++) {
    await expect(writePiecesWhole(join(empty, 'text'), pieces())).rejects.toThrow('no data');
  }
  expect(readdirSync(empty)).toEqual([]);
});

test('an error names the file that was asked for, and not the one beside it', async () => {
  const full = join(folder, 'a-folder');
  mkdirSync(full);
  const pieces = async function* (): AsyncGenerator<string> {
    yield '';
  };
  for (const [path, why] of [
    [full, 'illegal operation on a directory (EISDIR)'],
    [join(folder, 'none/x'), 'no such file or directory (ENOENT)'],
  ] as const) {
    const message = `cannot write ${path}: ${why}`;
    expect(() => writeFileWhole(path, 'x')).toThrow(message);
    await expect(writePiecesWhole(path, pieces())).rejects.toThrow(message);
  }
});
