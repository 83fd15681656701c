import { Command } from 'commander';
import { expect, test } from 'vitest';
import { completionsFor } from '../../base/completion-command.js';

const program = new Command('firedrill');
const slo = program.command('slo');
slo.command('generate').option('-i, --input <file>').option('--output <format>');
slo.command('gate');
program.command('stat');
program.command('__complete', { hidden: true });

test.each([
  [['s'], ['slo', 'stat']],
  [
    ['slo', 'g'],
    ['gate', 'generate'],
  ],
  [['slo', 'generate', '--i'], ['--input']],
  [['slo', 'generate', 'file'], []],
  [[''], ['slo', 'stat']],
])('%j completes to %j', (words, expected) => {
  expect(completionsFor(program, words)).toEqual(expected);
});
