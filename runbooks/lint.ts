/**
 * Checks whether runbooks can be followed: a page for each alert, its sections, commands that exist, queries that
 * parse.
 */
import type { Command } from 'commander';
import { alertNames } from '../alerts/library/names.js';
import type { Problem } from '../base/errors.js';
import { entries } from '../mesh/kubernetes/diagnostics/entries.js';
import { findQueryProblem } from '../slo/spec/query.js';
import { findCommandProblem } from './command-line.js';
import { factNames } from './render.js';
import type { Page } from './pages.js';

export const sectionsOf: Record<Page['kind'], readonly string[]> = (() => {
  const runbook = ['Meaning', 'Impact', 'Diagnosis', 'Mitigation', 'Verify', 'Escalate'];
  const playbook = [
    'Roles',
    'First 15 minutes',
    'Go or no-go',
    'Communication',
    'Timeline',
    'Close',
  ];
  return { alert: runbook, slo: runbook, failure: runbook, playbook };
})();

/** The source text of a page or of a part. */
export interface Source {
  file: string;
  text: string;
  linesBefore: number;
}

export function lintPages(
  pages: ReadonlyMap<string, Page>,
  parts: readonly Source[],
  program: Command,
): Problem[] {
  const problems: Problem[] = [];
  for (const name of Object.keys(alertNames)) {
    if (pages.get(name)?.kind === 'alert') continue;
    problems.push({
      message: `the alert ${name} has no page`,
      expected: `runbooks/templates/${name}.md`,
    });
  }
  for (const page of pages.values()) {
    const source = { file: page.file, text: page.template, linesBefore: page.linesBefore };
    problems.push(...nameProblems(page), ...sectionProblems(page, source));
    problems.push(...textProblems(source, pages, parts, program));
  }
  for (const part of parts) problems.push(...textProblems(part, pages, parts, program));
  return problems;
}

function nameProblems(page: Page): Problem[] {
  if (page.kind !== 'alert' || page.name in alertNames) return [];
  return [
    {
      place: { file: page.file, line: 1, column: 1 },
      message: `no alert of the library is called ${page.name}`,
      expected: 'the file named after its alert',
    },
  ];
}

function sectionProblems(page: Page, source: Source): Problem[] {
  const lines = source.text.split('\n');
  const at = (line: number) => ({ file: page.file, line: line + 1 + page.linesBefore, column: 1 });
  const found = lines.flatMap((l, i) => {
    const title = /^## (.*)$/.exec(l)?.[1];
    return title === undefined ? [] : [{ title, line: i }];
  });
  const wanted = sectionsOf[page.kind];
  const titles = found.map((f) => f.title);
  if (titles.join() !== wanted.join()) {
    return [
      {
        place: at(found[0]?.line ?? 0),
        message: `the sections are ${titles.join(', ')}`,
        expected: wanted.join(', '),
      },
    ];
  }
  return found
    .filter(({ line }, i) => {
      const end = found[i + 1]?.line ?? lines.length;
      return lines.slice(line + 1, end).every((l) => l.trim() === '');
    })
    .map(({ title, line }) => ({ place: at(line), message: `the section '${title}' is empty` }));
}

/** Pieces of a text in one language, with the line of each start. */
export interface Piece {
  language: 'sh' | 'promql' | 'code' | 'prose';
  text: string;
  /** Counted from 1 within the file. */
  line: number;
  column: number;
}

export function piecesOf({ text, linesBefore }: Source): Piece[] {
  const pieces: Piece[] = [];
  let fence: Piece | undefined;
  for (const [i, line] of text.split('\n').entries()) {
    const number = i + 1 + linesBefore;
    const mark = /^```(\w*)/.exec(line);
    if (mark && fence) {
      pieces.push(fence);
      fence = undefined;
    } else if (mark) {
      const language = mark[1] === 'promql' ? 'promql' : mark[1] === 'sh' ? 'sh' : 'prose';
      fence = { language, text: '', line: number + 1, column: 1 };
    } else if (fence) {
      fence.text += `${fence.text === '' ? '' : '\n'}${line}`;
    } else {
      pieces.push({ language: 'prose', text: line, line: number, column: 1 });
      for (const code of line.matchAll(/`([^`]+)`/g)) {
        const column = code.index + 2;
        pieces.push({ language: 'code', text: code[1] as string, line: number, column });
      }
    }
  }
  return pieces;
}

/** The query as in a page without facts, of the same length up to the first fact. */
export const plainQuery = (text: string): string =>
  text
    .replaceAll('{{query}}', 'up')
    .replaceAll('{{window}}', '5m')
    .replaceAll(/\{\{\w+\}\}/g, '.+');

function textProblems(
  source: Source,
  pages: ReadonlyMap<string, Page>,
  parts: readonly Source[],
  program: Command,
): Problem[] {
  const problems: Problem[] = [];
  for (const piece of piecesOf(source)) {
    const say = (offset: number, message: string, expected?: string): void => {
      const before = piece.text.slice(0, offset).split('\n');
      const line = piece.line + before.length - 1;
      const column = (before.at(-1) as string).length + (before.length > 1 ? 1 : piece.column);
      const place = { file: source.file, line, column };
      problems.push({ place, message, ...(expected === undefined ? {} : { expected }) });
    };
    if (piece.language === 'promql') queryProblem(piece.text, say);
    if (piece.language === 'sh') {
      let offset = 0;
      for (const line of piece.text.split('\n')) {
        commandProblem(line, offset, program, say);
        offset += line.length + 1;
      }
    }
    if (piece.language === 'code' && piece.text.startsWith('firedrill ')) {
      commandProblem(piece.text, 0, program, say);
    }
    if (piece.language === 'prose') proseProblems(piece.text, pages, parts, say);
  }
  return problems;
}

type Say = (offset: number, message: string, expected?: string) => void;

function queryProblem(text: string, say: Say): void {
  const problem = findQueryProblem(plainQuery(text));
  if (problem) say(problem.offset, problem.message, problem.expected);
}

/** Programs of other projects that a page may name. */
const others = new Set([
  'kubectl',
  'git',
  'chronyc',
  'jq',
  'curl',
  'amtool',
  'promtool',
  'openssl',
]);

function commandProblem(line: string, offset: number, program: Command, say: Say): void {
  const words = wordsOf(line);
  const [first] = words;
  if (first === undefined) return;
  if (first !== 'firedrill') {
    if (!others.has(first)) say(offset, `the command '${first}' is not known here`);
    return;
  }
  const problem = findCommandProblem(program, words.slice(1));
  if (problem) say(offset, problem.message, problem.expected);
  const at = words.indexOf('diagnostics');
  if (at !== 1) return;
  for (const id of words.slice(2)) {
    if (id.startsWith('-')) break;
    if (!entries.some((e) => e.id === id)) {
      say(offset + line.indexOf(id), `no entry '${id}'`, 'one of firedrill diagnostics --list');
    }
  }
}

/** Each fact counts as one word; text after a `#` is for people. */
function wordsOf(line: string): string[] {
  const text = line
    .replace(/(^|\s)#.*$/, '')
    .replaceAll(/\{\{\w+\}\}/g, 'FACT')
    .split(/\s[|>]|&&/)[0] as string;
  return text.trim() === '' ? [] : text.trim().split(/\s+/);
}

function proseProblems(
  text: string,
  pages: ReadonlyMap<string, Page>,
  parts: readonly Source[],
  say: Say,
): void {
  for (const link of text.matchAll(/\]\(([\w-]+)\.md\)/g)) {
    if (!pages.has(link[1] as string)) say(link.index, `no page '${link[1]}'`);
  }
  for (const name of text.matchAll(/\bMesh[A-Z][A-Za-z]+\b/g)) {
    if (!pages.has(name[0])) say(name.index, `no page '${name[0]}'`, "an alert's name");
  }
  for (const part of text.matchAll(/\{\{> ([\w-]+)\}\}/g)) {
    if (!parts.some((p) => p.file.endsWith(`/${part[1]}.md`)))
      say(part.index, `no part '${part[1]}'`);
  }
  for (const fact of text.matchAll(/\{\{(\w+)\}\}/g)) {
    const name = fact[1] as string;
    const inList = /^(name|command|identity|notAfter|title|url|query|else)$/.test(name);
    if (!inList && !factNames.includes(name))
      say(fact.index, `no fact '${name}'`, factNames.join(', '));
  }
}
