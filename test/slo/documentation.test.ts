/** Runs every example in the documentation as it is written. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { asset, program } from '../../base/paths.js';
import { findTool } from '../../base/tools.js';
import { ownJsonSchema } from '../../slo/spec/own-schema.js';
import { readSlos, readSloText } from '../../slo/index.js';
import { testWith } from '../tools.js';

const readme = readFileSync(asset('slo/README.md'), 'utf8');
const blocks = (language: string): string[] =>
  [...readme.matchAll(new RegExp(`\`\`\`${language}\\n([^]*?)\`\`\``, 'g'))].map(
    (m) => m[1] as string,
  );

const folder = mkdtempSync(join(tmpdir(), 'firedrill-docs-'));
mkdirSync(join(folder, 'examples'));
cpSync(asset('examples/slo'), join(folder, 'examples/slo'), { recursive: true });
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const firedrill = (args: string[], cwd = folder) =>
  spawnSync(process.execPath, [program('cli'), ...args], { cwd, encoding: 'utf8' });

const commands = blocks('sh').flatMap((b) =>
  b
    .split('\n')
    .filter((l) => l.startsWith('firedrill '))
    .map((l) => l.replace(/ +# .*$/, '')),
);

test('the README has commands and definitions', () => {
  expect([commands.length, blocks('yaml').length].every((count) => count > 0)).toBe(true);
});

test.each(commands)('%s', (line) => {
  const run = firedrill(line.split(' ').slice(1));
  expect([run.status, run.stdout + run.stderr]).toEqual([
    0,
    expect.not.stringContaining('    at '),
  ]);
});

test.each(blocks('yaml'))('the YAML of the README is valid', (text) => {
  expect(readSloText('readme.yaml', text).length).toBeGreaterThan(0);
});

test('every example is valid, and the schema for editors is up to date', () => {
  expect(readSlos([asset('examples/slo')]).length).toBeGreaterThan(10);
  const text = `${JSON.stringify(ownJsonSchema(), undefined, 2)}\n`;
  if (process.env.UPDATE === '1') writeFileSync(asset('slo/spec/schema.json'), text);
  expect(readFileSync(asset('slo/spec/schema.json'), 'utf8')).toBe(text);
});

testWith('promtool')('promtool accepts the rules of every example', () => {
  const out = join(folder, 'rules.yaml');
  expect(firedrill(['slo', 'generate', '-i', 'examples/slo', '-o', out]).status).toBe(0);
  const check = spawnSync(findTool('promtool') as string, ['check', 'rules', out], {
    encoding: 'utf8',
  });
  expect(check.stdout + check.stderr).toContain('SUCCESS');
});

test.each([['slo'], ['dashboards']])('the verbs of %s say by example how they are used', (verb) => {
  const listed = firedrill([verb, '--help']).stdout.split('Commands:')[1] ?? '';
  const names = [...listed.matchAll(/^ {2}([a-z]+) /gm)].map((m) => m[1] as string);
  expect(names.length).toBeGreaterThan(1);
  for (const name of names.filter((n) => n !== 'help')) {
    expect(firedrill([verb, name, '--help']).stdout, name).toContain('Example');
  }
});
