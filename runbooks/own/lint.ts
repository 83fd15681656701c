/**
 * Checks whether users' own runbooks can still be followed: commands that exist, queries for existing series, links to
 * existing pages, alerts of existing rules. Reports each stale step with its file, line and column.
 */
import type { Command } from 'commander';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { Problem } from '../../base/errors.js';
import { findQueryProblem, metricsOf } from '../../slo/spec/query.js';
import { findCommandProblem } from '../command-line.js';
import { type Piece, plainQuery } from '../lint.js';
import { commandsIn, isShell } from './commands.js';
import { anchorsOf, type OwnRunbook } from './pages.js';
import { endOf, type RuleWords } from './rules.js';

export interface OwnWorld {
  program: Command;
  /** Whether a program of that name can be run here. */
  isProgram(name: string): boolean;
  /** Undefined if no rule files were given: alerts are then not checked. */
  rules?: RuleWords;
  /** Series of rules and targets; undefined if no Prometheus was asked: series are then not checked. */
  series?: ReadonlySet<string>;
  /** Built-in pages, which a link or an address may lead to. */
  ours: ReadonlySet<string>;
}

export interface Link {
  url: string;
  place: { file: string; line: number; column: number };
}

type Say = (offset: number, message: string, expected?: string) => void;

export function lintOwn(
  pages: readonly OwnRunbook[],
  world: OwnWorld,
): { problems: Problem[]; links: Link[] } {
  const problems: Problem[] = [];
  const links: Link[] = [];
  for (const page of pages) {
    problems.push(...nameProblems(page, world));
    if (page.text.trim() === '') {
      const place = { file: page.file, line: 1, column: 1 };
      problems.push({ place, message: 'the page is empty', expected: 'steps for the reader' });
    }
    for (const piece of piecesIn(page)) {
      const say: Say = (offset, message, expected) => {
        const place = placeIn(page.file, piece, offset);
        problems.push({ place, message, ...(expected !== undefined && { expected }) });
      };
      if (piece.language !== 'prose') alertProblems(piece.text, world, say);
      if (piece.language === 'promql') queryProblems(piece.text, world, say);
      if (piece.language === 'sh') commandProblems(piece.text, page, world, say);
      if (piece.language !== 'prose') continue;
      codeProblems(piece.text, world, say);
      alertProblems(piece.text, world, say);
      for (const { url, offset } of linksIn(piece.text)) {
        if (/^https?:/i.test(url)) links.push({ url, place: placeIn(page.file, piece, offset) });
        else linkProblem(url, offset, page, world, say);
      }
    }
  }
  problems.push(...addressProblems(pages, world));
  return { problems, links };
}

function placeIn(file: string, piece: Piece, offset: number): Link['place'] {
  const before = piece.text.slice(0, offset).split('\n');
  const first = before.length === 1;
  const column = (before.at(-1) as string).length + (first ? piece.column : 1);
  return { file, line: piece.line + before.length - 1, column };
}

/** Fences by their language; in a fence without a language, only lines with a prompt are commands. */
function piecesIn({ text }: OwnRunbook): Piece[] {
  const pieces: Piece[] = [];
  let fence: { piece: Piece | undefined; mark: string } | undefined;
  text.split('\n').forEach((line, i) => {
    const mark = /^ {0,12}(`{3,}|~{3,})\s*([\w-]*)/.exec(line);
    if (fence) {
      if (mark && (mark[1] as string).startsWith(fence.mark) && mark[2] === '') {
        if (fence.piece) pieces.push(fence.piece);
        fence = undefined;
      } else if (fence.piece) {
        fence.piece.text += `${fence.piece.text === '' ? '' : '\n'}${line}`;
      }
    } else if (mark) {
      const name = (mark[2] ?? '').toLowerCase();
      const language = name === 'promql' ? 'promql' : isShell(name) ? 'sh' : undefined;
      const piece: Piece | undefined = language && { language, text: '', line: i + 2, column: 1 };
      fence = { piece, mark: mark[1] as string };
    } else {
      pieces.push({ language: 'prose', text: line, line: i + 1, column: 1 });
    }
  });
  return pieces;
}

const isAlertName = (word: string): boolean => /^[A-Z][a-z0-9]+(?:[A-Z][A-Za-z0-9]*)+$/.test(word);

const near = (name: string, known: Iterable<string>): string | undefined => {
  const parts = name.match(/[A-Z][a-z0-9]*|[a-z0-9]+/g) ?? [];
  const alike = [...known].map((k) => ({ k, n: parts.filter((p) => k.includes(p)).length }));
  const best = alike.sort((a, b) => b.n - a.n).slice(0, 3);
  const found = best.filter(({ n }) => n > 0).map(({ k }) => k);
  return found.length > 0 ? found.join(', ') : undefined;
};

const noAlert = (name: string, { rules, ours }: OwnWorld): [string, string?] | undefined => {
  if (!rules || ours.has(name) || rules.alerts.some((a) => a.name === name)) return undefined;
  const alike = near(name, new Set(rules.alerts.map((a) => a.name)));
  return [`no rule has the alert ${name}`, ...(alike === undefined ? [] : [alike])] as [string];
};

/** A page that is named as an alert is of one. */
function nameProblems({ name, file }: OwnRunbook, world: OwnWorld): Problem[] {
  const missing = isAlertName(name) ? noAlert(name, world) : undefined;
  if (!missing) return [];
  const [message, expected] = missing;
  const place = { file, line: 1, column: 1 };
  return [{ place, message, ...(expected !== undefined && { expected }) }];
}

/** A name in code counts where the words about it say that it is an alert's. */
function alertProblems(text: string, world: OwnWorld, say: Say): void {
  const patterns = [
    /\balert(?:s|ing)?\s+(?:called\s+|named\s+)?`([A-Z]\w+)`/gi,
    /`([A-Z]\w+)`\s+(?:alert|fires|fired|firing|pages|paged|resolves|resolved|page)\b/g,
    /\balertname="?([A-Z]\w+)/g,
    /^#{1,3} +`?([A-Z]\w+)`?\s*$/g,
  ];
  const said = new Set<number>();
  for (const pattern of patterns) {
    for (const match of text.matchAll(pattern)) {
      const name = match[1] as string;
      const missing = isAlertName(name) ? noAlert(name, world) : undefined;
      const at = match.index + match[0].indexOf(name);
      if (missing && !said.has(at)) say(at, ...missing);
      said.add(at);
    }
  }
}

function queryProblems(text: string, world: OwnWorld, say: Say): void {
  const query = plainQuery(text);
  const problem = findQueryProblem(query);
  if (problem) return say(problem.offset, problem.message, problem.expected);
  for (const metric of metricsOf(query)) seriesProblem(metric, text.indexOf(metric), world, say);
}

/** Of Prometheus itself. */
const always = new Set(['up', 'ALERTS', 'ALERTS_FOR_STATE', 'scrape_duration_seconds']);

function seriesProblem(metric: string, offset: number, { series }: OwnWorld, say: Say): void {
  // A histogram is spoken of by its own name, too.
  const names = [metric, `${metric}_bucket`, `${metric}_count`];
  if (!series || always.has(metric) || names.some((name) => series.has(name))) return;
  const base = metric.replace(/_(bucket|sum|count|total)$/, '');
  const alike = [...series].filter((s) => s.startsWith(base.slice(0, 12))).slice(0, 3);
  say(Math.max(0, offset), `no rule and no target has ${metric}`, alike.join(', ') || undefined);
}

const metricLike = /^[a-z_][a-z0-9_:]*_(total|seconds|bytes|ratio|bucket|sum|count|info|created)$/;

function codeProblems(text: string, world: OwnWorld, say: Say): void {
  for (const match of text.matchAll(/`([^`]+)`/g)) {
    const code = match[1] as string;
    const at = match.index + 1;
    if (metricLike.test(code)) seriesProblem(code, at, world, say);
    if (!code.startsWith('firedrill ')) continue;
    const words = commandsIn(code)[0]?.words ?? [];
    const problem = findCommandProblem(world.program, words.slice(1));
    if (problem) say(at, problem.message, problem.expected);
  }
}

function commandProblems(text: string, page: OwnRunbook, world: OwnWorld, say: Say): void {
  for (const { words, offset } of commandsIn(text)) {
    const [name = ''] = words;
    if (name === 'firedrill') {
      const problem = findCommandProblem(world.program, words.slice(1));
      if (problem) say(offset, problem.message, problem.expected);
    } else if (name.includes('/')) {
      const places = [resolve(name), join(dirname(page.file), name)];
      if (!places.some((path) => existsSync(path))) say(offset, `there is no ${name}`);
    } else if (!world.isProgram(name)) {
      say(offset, `there is no command '${name}'`, 'a program of this machine, or --command NAME');
    }
  }
}

function linksIn(text: string): { url: string; offset: number }[] {
  return [...text.matchAll(/\]\(<?([^)\s>]+)>?(?:\s+"[^"]*")?\)|<(https?:[^>\s]+)>/g)].map((m) => {
    const url = (m[1] ?? m[2]) as string;
    return { url, offset: m.index + m[0].indexOf(url) };
  });
}

function linkProblem(
  url: string,
  offset: number,
  page: OwnRunbook,
  { ours }: OwnWorld,
  say: Say,
): void {
  if (/^[a-z][a-z0-9+.-]*:/i.test(url)) return;
  const [path = '', anchor] = url.split('#').map(decoded);
  const file = path === '' ? page.file : join(dirname(page.file), path.replace(/\?.*$/, ''));
  if (!existsSync(file)) {
    if (!ours.has(endOf(path).name)) say(offset, `the link leads nowhere: no ${path}`);
    return;
  }
  if (anchor === undefined || anchor === '' || !/\.md$/i.test(file)) return;
  if (statSync(file).isDirectory()) return;
  const anchors = anchorsOf(path === '' ? page.text : readFileSync(file, 'utf8'));
  if (!anchors.has(anchor)) say(offset, `${path || 'this page'} has no heading #${anchor}`);
}

const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
};

/** Rules whose runbook_url leads to none of the pages. */
function addressProblems(pages: readonly OwnRunbook[], { rules, ours }: OwnWorld): Problem[] {
  const names = new Map(pages.map((p) => [p.name, p]));
  return (rules?.alerts ?? []).flatMap(({ name, runbook, place }) => {
    if (runbook === undefined) {
      if (names.has(name) || ours.has(name)) return [];
      return [{ place, message: `the alert ${name} has neither a runbook_url nor a page` }];
    }
    const { name: end, anchor } = endOf(runbook);
    // Prometheus fills in a template only when the alert fires.
    if (end.includes('{{') || ours.has(end)) return [];
    const page = names.get(end);
    if (!page)
      return [{ place, message: `the runbook_url of ${name} leads to '${end}', which is no page` }];
    if (anchor === undefined || anchorsOf(page.text).has(anchor)) return [];
    return [{ place, message: `the runbook_url of ${name}: ${end} has no heading #${anchor}` }];
  });
}
