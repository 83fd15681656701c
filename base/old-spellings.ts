/** Commands and options in the spelling of version 0.1: they still work, and print the new spelling. */
import type { EventEmitter } from 'node:events';
import { type Command, Option } from 'commander';
import { UserError } from './errors.js';

/** Names in version 0.1 of the format for people, which is now `text`. */
const textWords: ReadonlySet<string> = new Set(['table', 'lines']);

/** Values of `-o` in kubectl, helm and linkerd. */
const formatWords: ReadonlySet<string> = new Set(
  'json yaml yml text table wide short name csv xml html markdown md'.split(' '),
);

/** By command: pairs of an option in version 0.1 and its new long name. */
const renamed: Readonly<Record<string, readonly (readonly [string, string])[]>> = {
  'gameday run': [['--slo <file>', 'input']],
  'gameday plan': [['--slo <file>', 'input']],
  'gameday check': [['--slo <file>', 'input']],
  'load run': [['--slo <file>', 'input']],
  'promql query': [
    ['-f, --file <file...>', 'input'],
    ['--time <time>', 'at'],
    ['--start <time>', 'from'],
    ['--end <time>', 'to'],
  ],
  'promql check': [['-f, --file <file>', 'input']],
  'promql fmt': [['-f, --file <file>', 'input']],
  'promql explain': [['-f, --file <file>', 'input']],
  'alerts lint': [['--rules', 'list-rules']],
  'alerts backtest': [['--check', 'fail']],
  'alerts diff': [['--check', 'fail']],
  'alerts routes generate': [['--check', 'validate']],
  'alerts silence create': [['--start <time>', 'from']],
  'alerts silence plan': [['--horizon <duration>', 'window']],
  'slo cost': [['--range <duration>', 'window']],
  'dashboards preview': [
    ['--record <file>', 'save'],
    ['--since <duration>', 'window'],
  ],
  why: [['--record <duration>', 'for']],
  profile: [['--learn <duration>', 'for']],
  diagnostics: [['--files <file>', 'input']],
  readiness: [['--files <file>', 'input']],
};

/**
 * The words after the program's name in their new spelling: `chaos` is part of `gameday`, and `chaos load` is `load
 * run`. Calls `told` with a line for each old spelling.
 */
export function inNewWords(words: readonly string[], told: (line: string) => void): string[] {
  const [first, second, ...rest] = words;
  if (first !== 'chaos') return [...words];
  const now = second === 'load' ? ['load', 'run'] : ['gameday', ...(second ? [second] : [])];
  told(`chaos${second === undefined ? '' : ` ${second}`} is called ${now.join(' ')} now`);
  return [...now, ...rest];
}

/** Adds hidden old spellings of options to `program` and to all commands below it. */
export function withOldSpellings(program: Command, path = ''): void {
  for (const command of program.commands) {
    const name = `${path} ${command.name()}`.trimStart();
    withOldSpellings(command, name);
    withOldOutput(command);
    withPathsAlone(command);
    for (const [flags, now] of renamed[name] ?? []) withOldName(command, flags, now);
  }
}

function withOldName(command: Command, flags: string, now: string): void {
  const old = new Option(flags).hideHelp();
  command.addOption(old);
  command.on(`option:${old.name()}`, (value: string | undefined) => {
    process.stderr.write(`${old.long} is called --${now} now\n`);
    // A Commander command is an emitter, which its types do not fully declare.
    (command as unknown as EventEmitter).emit(`option:${now}`, value);
  });
}

/**
 * Refuses a format, such as `-o json` of other programs, where `-o` is a path, and a file's name where it is a folder.
 */
function withPathsAlone(command: Command): void {
  const out = command.options.find((o) => o.long === '--out');
  command.on('option:out', (value: string) => {
    const message = `-o ${value}`;
    if (formatWords.has(value)) {
      const formats = command.options.find((o) => o.long === '--format')?.argChoices ?? [];
      const near = formats.includes(value) ? `--format ${value}` : `a path, such as out.${value}`;
      throw new UserError({ message, expected: `${near} (or ./${value} for that name)` });
    }
    if (out?.flags.includes('<folder>') && /\.(html|json|md|xml|ya?ml)$/.test(value)) {
      throw new UserError({ message, expected: 'a folder, in which several files are written' });
    }
  });
}

/** Adds `--output` to a command with choices for `--format`, and `-o` if it does not mean a file there. */
function withOldOutput(command: Command): void {
  const format = command.options.find((o) => o.long === '--format');
  const taken = command.options.some((o) => o.long === '--output');
  if (format?.argChoices === undefined || taken) return;
  const file = command.options.some((o) => o.short === '-o');
  command.addOption(new Option(`${file ? '' : '-o, '}--output <format>`).hideHelp());
  command.on('option:output', (value: string) => {
    const word = textWords.has(value) ? (format.argChoices?.[0] as string) : value;
    process.stderr.write(`--output is called --format now: --format ${word}\n`);
    command.setOptionValue('format', format.parseArg?.(word, undefined));
  });
}
