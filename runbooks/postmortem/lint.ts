/** Finds the obstacles to a finished postmortem: empty sections, actions without an owner, blame instead of causes. */
import type { Place, Problem } from '../../base/errors.js';
import { toFill } from './draft.js';

/** The required sections, in their order. */
export const requiredSections: readonly string[] = [
  'Summary',
  'Impact',
  'Root causes',
  'Trigger',
  'Detection',
  'Resolution',
  'Timeline',
  'What went well',
  'What went wrong',
  'Where we were lucky',
  'Actions',
];

interface Line {
  text: string;
  number: number;
}

interface Section {
  name: string;
  line: number;
  lines: Line[];
}

export function lintPostmortem(file: string, text: string): Problem[] {
  const lines = text.split('\n').map((line, i) => ({ text: line, number: i + 1 }));
  const sections = sectionsOf(prose(lines));
  const at = (line: number, column = 1): Place => ({ file, line, column });
  const problems: Problem[] = [];
  for (const name of requiredSections) {
    const found = sections.find((s) => s.name.toLowerCase() === name.toLowerCase());
    if (!found) {
      problems.push({ place: at(lines.length), message: `the section '${name}' is missing` });
    } else if (found.lines.every((l) => l.text.trim() === '')) {
      problems.push({ place: at(found.line), message: `the section '${name}' is empty` });
    }
  }
  for (const { text: line, number } of lines) {
    const column = line.indexOf(toFill);
    if (column < 0 || line.startsWith('|')) continue;
    problems.push({
      place: at(number, column + 1),
      message: `the placeholder '${toFill}' is not replaced`,
      expected: 'the facts, or a sentence that nothing happened',
    });
  }
  const status = lines.find((l) => /^- Status: *draft\b/i.test(l.text));
  if (status) {
    problems.push({
      place: at(status.number, 3),
      message: 'it is still a draft',
      expected: 'Status: reviewed',
    });
  }
  problems.push(
    ...blame(prose(lines), at),
    ...actionProblems(sections, at),
    ...order(sections, at),
  );
  return problems.sort(
    (a, b) =>
      (a.place?.line ?? 0) - (b.place?.line ?? 0) ||
      (a.place?.column ?? 0) - (b.place?.column ?? 0),
  );
}

/** The lines without fenced code, because code is not checked for wording. */
function prose(lines: readonly Line[]): Line[] {
  let fenced = false;
  return lines.filter((l) => {
    const fence = l.text.startsWith('```');
    if (fence) fenced = !fenced;
    return !fenced && !fence;
  });
}

function sectionsOf(lines: readonly Line[]): Section[] {
  const sections: Section[] = [];
  for (const line of lines) {
    const title = /^## (.+?)\s*$/.exec(line.text);
    if (title) sections.push({ name: title[1] as string, line: line.number, lines: [] });
    else sections.at(-1)?.lines.push(line);
  }
  return sections;
}

type At = (line: number, column?: number) => Place;

/** Words that judge a person; what to ask instead. */
const blaming: readonly [RegExp, string][] = [
  [/\bhuman error\b/i, 'what made the wrong action look right'],
  [
    /\b(careless(ly|ness)?|negligen(t|ce)|sloppy|incompetent|stupid(ly)?|lazy)\b/i,
    'what the system made easy or hard',
  ],
  [
    /\b(blame[ds]?|at fault|guilty|culprit|(his|her|their|your) (own )?fault)\b/i,
    'the conditions that led to it',
  ],
  [
    /\bshould (have|'ve) (known|noticed|seen|checked|remembered)\b/i,
    'what was visible at the time',
  ],
  [/\b(forgot|neglected|did not bother|didn't bother) to\b/i, 'what would have reminded anyone'],
  [/\bobvious(ly)?\b/i, 'what was known at the time, without hindsight'],
];

function blame(lines: readonly Line[], at: At): Problem[] {
  return lines.flatMap(({ text, number }) => {
    const words = text.replaceAll(/`[^`]*`/g, (code) => ' '.repeat(code.length));
    return blaming.flatMap(([pattern, expected]): Problem[] => {
      const found = pattern.exec(words);
      if (!found) return [];
      return [{ place: at(number, found.index + 1), message: `'${found[0]}' blames`, expected }];
    });
  });
}

const cellsOf = (line: string): string[] =>
  line
    .trim()
    .replace(/^\||\|$/g, '')
    .split(/(?<!\\)\|/)
    .map((c) => c.trim());

/** Each row needs a text, one owner and a valid date; `No action: why` is also accepted. */
function actionProblems(sections: readonly Section[], at: At): Problem[] {
  const section = sections.find((s) => s.name.toLowerCase() === 'actions');
  if (!section) return [];
  const rows = section.lines.filter((l) => l.text.startsWith('|'));
  const [head, , ...body] = rows;
  if (!head || body.length === 0) {
    if (section.lines.some((l) => /\bno action\b.*:/i.test(l.text))) return [];
    return [
      {
        place: at(section.line),
        message: 'no action',
        expected: "a table with the columns action, owner and due, or 'No action: why'",
      },
    ];
  }
  const names = cellsOf(head.text).map((c) => c.toLowerCase());
  const [action, owner, due] = ['action', 'owner', 'due'].map((n) => names.indexOf(n));
  if ([action, owner, due].some((i) => i === undefined || i < 0)) {
    return [
      {
        place: at(head.number),
        message: 'the table lacks a column',
        expected: 'action, owner and due',
      },
    ];
  }
  return body.flatMap((row) => rowProblems(row, { action, owner, due } as Columns, at));
}

interface Columns {
  action: number;
  owner: number;
  due: number;
}

function rowProblems(row: Line, columns: Columns, at: At): Problem[] {
  const cells = cellsOf(row.text);
  const cell = (i: number): string => (cells[i] === toFill ? '' : (cells[i] ?? ''));
  const problems: Problem[] = [];
  const say = (message: string, expected: string): void => {
    problems.push({ place: at(row.number), message, expected });
  };
  const what = cell(columns.action);
  const name = what === '' ? 'an action' : `'${what}'`;
  if (what === '') say('an action without text', 'what will be done');
  const owner = cell(columns.owner);
  if (owner === '' || /^(tbd|tba|\?+|-|n\/a|everyone|all|nobody)$/i.test(owner)) {
    say(`${name} has no owner`, 'one person or team');
  } else if (/,|&|\band\b/.test(owner)) {
    say(`${name} has several owners: ${owner}`, 'one, who may ask others');
  }
  const due = cell(columns.due);
  if (!isDate(due))
    say(due === '' ? `${name} has no date` : `${name}: '${due}' is no date`, 'YYYY-MM-DD');
  return problems;
}

function isDate(text: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return false;
  const date = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(text);
}

/** A timeline must go forward; a step back by hours is midnight. */
function order(sections: readonly Section[], at: At): Problem[] {
  const section = sections.find((s) => s.name.toLowerCase() === 'timeline');
  let last: { text: string; seconds: number } | undefined;
  const problems: Problem[] = [];
  for (const { text, number } of section?.lines ?? []) {
    const match =
      /^(?:\| *|[-*] +)(?:\d{4}-\d{2}-\d{2}[ T])?(\d{2}):(\d{2})(?::(\d{2}(?:\.\d+)?))?/.exec(text);
    if (!match) continue;
    const seconds = Number(match[1]) * 3600 + Number(match[2]) * 60 + Number(match[3] ?? 0);
    const shown = match[0].replace(/^\W+/, '');
    if (last && seconds < last.seconds && last.seconds - seconds < 43_200) {
      problems.push({
        place: at(number),
        message: `${shown} stands after ${last.text}`,
        expected: 'a timeline that goes forward',
      });
    }
    last = { text: shown, seconds };
  }
  return problems;
}
