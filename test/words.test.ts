/** Texts for users are in plain English: each entry of the word list has the word to use instead. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { packageRoot } from '../base/paths.js';

const list: readonly (readonly [RegExp, string])[] = [
  [/\b(names?|files?|pages?|rules?) of ours\b|\binstead of ours\b/i, 'built-in'],
  [/\b(is|are|be|was|were|been) told (of|after|to)\b|\bwho is told\b/i, 'notified'],
  [/\b(take|takes|taken|took) (it |them )?back\b/i, 'roll back'],
  [/\bnobody (minds|feels)\b/i, 'say what holds instead'],
  [
    /^(What|Who) (?!is |are |was |to |if |it |happened)[^?.]*\b(is|are|does|has|comes|goes)\b[^?]*\.$/im,
    'a noun as the subject',
  ],
  [/ — .* — .* — /, 'commas or two sentences'],
  [/\b(utilize|leverage|in order to|please note)\b/i, 'use, use, to, (nothing)'],
  [/\bpages? (fires|fired)\b/i, 'alert'],
];

const visible =
  /^(docs\/.*\.md|README\.md|CONTRIBUTING\.md|runbooks\/templates\/.*|examples\/library\/README\.md)$/;
const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], {
  cwd: packageRoot,
  encoding: 'utf8',
}).split('\n');

/** The texts of commands: descriptions, options and arguments. */
const spoken = /\.(?:description|option|requiredOption|argument)\(\s*((?:'[^']*'|"[^"]*")[^)]*)/g;

function findings(file: string, text: string): string[] {
  return list.flatMap(([wrong, instead]) => {
    const found = wrong.exec(text);
    return found === null ? [] : [`${file}: "${found[0]}" → ${instead}`];
  });
}

const textOf = (file: string): string => readFileSync(join(packageRoot, file), 'utf8');

/** Folders whose comments name their subject first; a new folder is added once its comments do. */
const plainParts = 'alerts|slo|base|console|bench|examples|runbooks|chaos|mesh|test/[^/]+';
const plainFolders = new RegExp(`^((${plainParts})/.*|[^/]+)\\.tsx?$`);

/** Each comment of a source text on one line; consecutive `//` lines are one comment. */
function commentsIn(text: string): string[] {
  const comments: string[] = [];
  let open = false;
  for (const line of text.split('\n')) {
    const found = /^\s*(\/\*\*?|\*(?!\/)|\/\/)(?:\s+(.*?))?\s*(?:\*\/)?$/.exec(line);
    const words = found ? (found[2] ?? '') : / \/\/ (.*)$/.exec(line)?.[1];
    if (found && open && found[1] !== '/**') comments.push(`${comments.pop()} ${words}`);
    else if (words !== undefined) comments.push(words);
    open = found !== null && !line.trimEnd().endsWith('*/');
  }
  return comments;
}

/** Sentences of comments whose subject is a clause with "what" or "who"; questions do not count. */
const clausesFirst = (text: string): string[] =>
  commentsIn(text)
    .flatMap((comment) => comment.split(/(?<=[.:;!?])\s+/))
    .filter((sentence) => /^(What|Who)(ever)?\s/.test(sentence) && !sentence.endsWith('?'));

test('a comment that begins with a clause is found, wherever its sentence stands', () => {
  const found = [
    '/** What the pager says. */',
    'const a = 1;\n  // Fine. Who is told hears of it.\nconst b = 2;',
    '/**\n * Reads a file. What was put right\n * is gone.\n */',
    '/**\n * One.\n *\n * What it\n * laid bare is new.\n */',
    'const a = 1; // Whoever calls must know.',
  ];
  for (const text of found) expect(clausesFirst(text)).toHaveLength(1);
  const plain = [
    '/** What fired? */',
    '// The answer to what is asked.',
    'const text = "What the pager says.";',
    '/** A finding that was fixed disappears. */\nconst what = 1;',
  ];
  for (const text of plain) expect(clausesFirst(text)).toEqual([]);
});

test('comments name their subject first', () => {
  const sources = files.filter((f) => plainFolders.test(f));
  expect(sources.length).toBeGreaterThan(1350);
  const found = sources.flatMap((f) => clausesFirst(textOf(f)).map((s) => `${f}: ${s}`));
  expect(found).toEqual([]);
});

test('the word list finds each of its words', () => {
  const samples = [
    'a file or names of ours',
    'platform is told of it',
    'the fault is taken back',
    'Nobody minds.',
    'What the pager says is written down here.',
    'a — b — c — d',
    'in order to run',
    'the page fired',
  ];
  for (const [i, [wrong]] of list.entries()) expect(samples[i]).toMatch(wrong);
});

test('pages, runbooks and the texts of commands use plain words', () => {
  const pages = files.filter((f) => visible.test(f)).flatMap((f) => findings(f, textOf(f)));
  const commands = files
    .filter((f) => /^(base|mesh|slo|alerts|runbooks|chaos|console)\/.*command.*\.ts$/.test(f))
    .flatMap((f) => [...textOf(f).matchAll(spoken)].flatMap((m) => findings(f, m[1] ?? '')));
  expect([...pages, ...commands]).toEqual([]);
});
