import { spawnSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { expect, test } from 'vitest';
import { completionsFor } from '../../base/completion-command.js';
import { formatOption } from '../../base/format-option.js';
import { program as fileOf } from '../../base/paths.js';

const program = new Command('firedrill');
const slo = program.command('slo');
slo
  .command('generate')
  .option('-i, --input <file>')
  .addOption(formatOption('text', 'json'))
  .addOption(new Option('--output <format>').hideHelp());
slo.command('gate');
program.command('stat');
program.command('__complete', { hidden: true });

const known = {
  'gameday check': async () => [
    { word: 'killed-pod', description: 'A pod is killed' },
    { word: 'retry-storm', description: 'Retries' },
  ],
};
program.command('gameday').command('check').argument('<scenario...>');

test.each([
  [['s'], ['slo', 'stat']],
  [
    ['slo', 'g'],
    ['gate', 'generate'],
  ],
  [['slo', 'generate', '--i'], ['--input']],
  [['slo', 'generate', 'file'], []],
  [[''], ['gameday', 'slo', 'stat']],
  [
    ['slo', 'generate', '--format', ''],
    ['json', 'text'],
  ],
  [['slo', 'generate', '--o'], []],
  [
    ['gameday', 'check', ''],
    ['killed-pod', 'retry-storm'],
  ],
  [['gameday', 'check', 'killed-pod,r'], ['killed-pod,retry-storm']],
])('%j completes to %j', async (words, expected) => {
  const found = await completionsFor(program, words, known);
  expect(found.map(({ word }) => word)).toEqual(expected);
});

const noZsh = spawnSync('zsh', ['--version']).error ? 'zsh is not here' : '';
test.skipIf(noZsh !== '')(`zsh completes at the first key, which loads the script ${noZsh}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'firedrill-zsh-'));
  const script = spawnSync(process.execPath, [fileOf('cli'), 'completion', 'zsh']).stdout;
  writeFileSync(join(folder, '_firedrill'), script);
  const key = `compdef() { : }
_describe() { print -l -- "\${(@P)2}" }
firedrill() { print "generate\\tCompile SLOs" }
fpath=(${folder} $fpath)
autoload -U _firedrill
words=(firedrill slo gen) CURRENT=3
_firedrill`;
  const { stdout, stderr } = spawnSync('zsh', ['-f', '-c', key], { encoding: 'utf8' });
  expect([stdout, stderr]).toEqual(['generate:Compile SLOs\n', '']);
});
