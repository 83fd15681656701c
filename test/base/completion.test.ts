import { Command, Option } from 'commander';
import { expect, test } from 'vitest';
import { completionsFor } from '../../base/completion-command.js';
import { formatOption } from '../../base/format-option.js';

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
