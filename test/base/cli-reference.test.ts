/** docs/cli/ contains the `--help` of every command; `npm run update` generates it. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command, Option } from 'commander';
import { beforeAll, expect, test } from 'vitest';
import { packageRoot } from '../../base/paths.js';
import { commandLine } from '../../command-line.js';

const folder = join(packageRoot, 'docs', 'cli');
const pages = new Map<string, string>();
const leaves: { name: string; command: Command }[] = [];

/** The same commands exist at the top level under their short names. */
const isTwin = (name: string): boolean => /^mesh (?!simulate)/.test(name);

const cell = (text: string): string =>
  text
    .replaceAll('|', '\\|')
    .replaceAll('<', '&lt;')
    .replaceAll('{{', '{&#123;')
    .replaceAll('\n', ' ');

function argumentsOf(command: Command): string {
  return command.registeredArguments
    .map((a) => {
      const name = `${a.name()}${a.variadic ? '...' : ''}`;
      return a.required ? ` <${name}>` : ` [${name}]`;
    })
    .join('');
}

function optionRow(option: Option): string {
  const { defaultValue, defaultValueDescription, argChoices, mandatory } = option;
  const shown =
    defaultValueDescription === undefined &&
    (defaultValue === undefined || defaultValue === false || String(defaultValue) === '')
      ? ''
      : ` (default: ${defaultValueDescription ?? String(defaultValue)})`;
  const choices = argChoices === undefined ? '' : `: ${argChoices.join(', ')}`;
  const must = mandatory ? ' (required)' : '';
  return `| \`${option.flags.replaceAll('|', '\\|')}\` | ${cell(option.description + choices + shown + must)} |`;
}

/** The text after the options: exit codes and examples. */
function notes(command: Command): string {
  let text = '';
  const help = command.createHelp();
  command.configureOutput({ writeOut: (piece) => (text += piece) });
  command.outputHelp();
  const own = help.formatHelp(command, help).trim();
  return text.slice(text.indexOf(own.slice(-40)) + 40).trim();
}

function section(name: string, command: Command): string {
  const all = command.options.filter((o) => !o.hidden);
  const after = notes(command);
  return [
    `## firedrill ${name}`,
    `${command.description().replaceAll('<', '&lt;')}.`,
    `    firedrill ${name}${argumentsOf(command)}${all.length > 0 ? ' [options]' : ''}`,
    ...(all.length > 0
      ? [['| option | meaning |', '| --- | --- |', ...all.map(optionRow)].join('\n')]
      : []),
    ...(after === '' ? [] : ['```text\n' + after + '\n```']),
  ].join('\n\n');
}

function collect(command: Command, name: string): void {
  for (const below of command.createHelp().visibleCommands(command)) {
    const path = `${name} ${below.name()}`.trim();
    if (below.name() === 'help' || isTwin(path)) continue;
    const own = below.commands.length === 0 || below.registeredArguments.length > 0;
    if (own || below.options.some((o) => !o.hidden)) leaves.push({ name: path, command: below });
    collect(below, path);
  }
}

beforeAll(async () => {
  process.env.COLUMNS = '100';
  const program = await commandLine([]);
  collect(program, '');
  const rows: string[] = [];
  for (const top of program.createHelp().visibleCommands(program)) {
    if (top.name() === 'help') continue;
    const own = leaves.filter(({ name }) => name.split(' ')[0] === top.name());
    const sections = own.map(({ name, command }) => section(name, command));
    const head = `# firedrill ${top.name()}\n\n<!-- Generated from the commands: npm run update. -->`;
    pages.set(`${top.name()}.md`, `${[head, ...sections].join('\n\n')}\n`);
    rows.push(`| [${top.name()}](${top.name()}.md) | ${cell(top.description())} |`);
  }
  pages.set(
    'index.md',
    '# Command line\n\n<!-- Generated from the commands: npm run update. -->\n\n' +
      'Every command has `--help` with the same text. Exit codes: 0 success, 1 a check failed, 2 wrong usage, ' +
      '3 no data,\n4 aborted, 5 the environment failed, 130 interrupted. ' +
      '[JSON](../json.md) lists the fields of `--format json`.\n\n' +
      `| command | purpose |\n| --- | --- |\n${rows.join('\n')}\n`,
  );
  if (process.env.UPDATE === '1') {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    for (const [file, text] of pages) writeFileSync(join(folder, file), text);
  }
});

test('docs/cli is what the commands say (npm run update writes it)', () => {
  const there = existsSync(folder) ? readdirSync(folder) : [];
  expect(there.toSorted()).toEqual([...pages.keys()].toSorted());
  for (const [file, text] of pages) expect(readFileSync(join(folder, file), 'utf8')).toBe(text);
});

test('a description is an order: a capital, a verb, and no riddle', () => {
  const wrong = leaves
    .map(({ name, command }) => `${name}: ${command.description()}`)
    .filter(
      (line) =>
        !/^[a-z -]+: [A-Z][a-z]+ /.test(line) || /: (What|Who|The|A|Each|Every) /.test(line),
    );
  expect(wrong).toEqual([]);
});

test('every command shows an example, and refuses a wrong format', () => {
  const without = leaves
    .filter(({ command }) => !/Examples?:\n/.test(notes(command)))
    .map(({ name }) => name);
  expect(without).toEqual([]);
  const loose = leaves
    .filter(({ command }) =>
      command.options.some((o) => o.long === '--format' && o.argChoices === undefined),
    )
    .map(({ name }) => name);
  expect(loose).toEqual([]);
});

test('one flag has one meaning in every command', () => {
  const meanings: Readonly<Record<string, RegExp>> = {
    '-o': /^-o, --out </,
    '-i': /^-i, --(input|slos) </,
    '-n': /^-n, --namespace </,
    '-f': /^-f, --file </,
    '-m': /^-m, --match </,
    '-d': /^-d, --duration </,
    '-c': /^-c, --comment </,
  };
  const strange = leaves.flatMap(({ name, command }) =>
    command.options
      .filter((o) => !o.hidden && o.short !== undefined && !meanings[o.short]?.test(o.flags))
      .map((o) => `${name} ${o.flags}`),
  );
  const long = leaves.flatMap(({ name, command }) =>
    command.options
      .filter((o) => !o.hidden && o.short === undefined)
      .filter((o) =>
        /^--(out|namespace|input|output|start|end|since|time|range)$/.test(o.long ?? ''),
      )
      .map((o) => `${name} ${o.flags}`),
  );
  expect([...strange, ...long]).toEqual([]);
});
