/** Commands for users' own runbooks: `runbook lint --pages`, `runbook for`, `runbook serve`. */
import { createInterface } from 'node:readline';
import type { Command } from 'commander';
import { exitCode, formatProblem, type Problem, UserError } from '../../base/errors.js';
import { counted } from '../../base/terminal.js';
import { elsewhere } from './commands.js';
import { onPath } from '../../base/tools.js';
import { lintOwn } from './lint.js';
import { deadLinks } from './links.js';
import { type OwnRunbook, ownRunbooks } from './pages.js';
import { endOf, type RuleWords, wordsOfRules } from './rules.js';
import { pageFor, readPages } from '../pages.js';
import { runStep, stepsOf, walk } from './walk.js';

export interface OwnLintFlags {
  pages: string[];
  rules?: string[];
  prometheus?: string;
  command: string[];
  links?: boolean;
  format: string;
}

export async function lintOwnCommand(program: Command, flags: OwnLintFlags): Promise<void> {
  const pages = ownRunbooks(flags.pages);
  const rules = flags.rules && wordsOfRules(flags.rules);
  const series = await seriesOf(flags, rules);
  const may = new Set([...elsewhere, ...flags.command]);
  const { problems, links } = lintOwn(pages, {
    program,
    isProgram: (name) => may.has(name) || onPath(name),
    ours: new Set(readPages().keys()),
    ...(rules && { rules }),
    ...(series && { series }),
  });
  const all = inOrder([...problems, ...(flags.links ? await deadLinks(links) : [])]);
  if (flags.format === 'json') {
    process.stdout.write(`${JSON.stringify({ problems: all }, undefined, 2)}\n`);
  } else {
    for (const p of all) process.stdout.write(`${formatProblem(p)}\n`);
    const not = [
      ...(rules ? [] : ['alerts (--rules)']),
      ...(series ? [] : ['series (--rules, --prometheus)']),
      ...(flags.links || links.length === 0
        ? []
        : [`${counted(links.length, 'link')} to the web (--links)`]),
    ];
    const rest = not.length === 0 ? '' : `; not judged: ${not.join(', ')}`;
    process.stdout.write(
      `${counted(pages.length, 'page')}, ${counted(all.length, 'problem')}${rest}\n`,
    );
  }
  if (all.length > 0) process.exitCode = exitCode.failed;
}

const inOrder = (problems: Problem[]): Problem[] =>
  problems.sort(
    ({ place: a }, { place: b }) =>
      (a?.file ?? '').localeCompare(b?.file ?? '') ||
      (a?.line ?? 0) - (b?.line ?? 0) ||
      (a?.column ?? 0) - (b?.column ?? 0),
  );

/** The series of a Prometheus's targets, and those that rules record and read. */
async function seriesOf(
  { prometheus }: OwnLintFlags,
  rules: RuleWords | undefined,
): Promise<ReadonlySet<string> | undefined> {
  if (prometheus === undefined) return rules?.series;
  const { PrometheusClient } = await import('../../slo/budget/prometheus.js');
  const names = await new PrometheusClient(prometheus).labelValues('__name__', '{__name__!=""}');
  return new Set([...names, ...(rules?.series ?? [])]);
}

export interface ForFlags {
  pages?: string[];
  rules?: string[];
}

/** The page of an alert: first the page of its runbook_url, then the page with its name, then ours. */
export async function runbookFor(alert: string, flags: ForFlags): Promise<string> {
  const own = flags.pages ? ownRunbooks(flags.pages) : [];
  const page = ownPageFor(alert, own, flags.rules ? wordsOfRules(flags.rules) : undefined);
  if (page) return page.text;
  const { renderPage } = await import('../render.js');
  const ours = pageFor(readPages(), alert, false);
  if (ours) return renderPage(ours, { alert });
  const known = [...own.map((p) => p.name), ...readPages().keys()];
  const { suggest } = await import('../../base/suggest.js');
  const near = suggest(alert, known);
  throw new UserError({
    message: `no page is of the alert ${alert}${near === undefined ? '' : `: did you mean ${near}?`}`,
    expected:
      '--pages FOLDER of your own, with --rules for their runbook_url; or one of firedrill runbook list',
  });
}

/** Walks through the page's steps; returns the exit code: 1 if a step failed, or the user stopped. */
export async function walkCommand(alert: string, flags: ForFlags): Promise<number> {
  const steps = stepsOf(await runbookFor(alert, flags));
  if (steps.length === 0) {
    throw new UserError({
      message: `the page of ${alert} has no step for a program`,
      expected: '```sh',
    });
  }
  const input = createInterface({ input: process.stdin, output: process.stdout });
  const lines = input[Symbol.asyncIterator]();
  const end = await walk(steps, {
    say: (text) => void process.stdout.write(text),
    run: runStep,
    async ask(question) {
      process.stdout.write(question);
      const next = await lines.next();
      return next.done ? undefined : next.value;
    },
  });
  input.close();
  const { run, skipped, failed, stopped } = end;
  process.stdout.write(
    `\n${counted(run, 'step')} run, ${skipped} skipped, ${failed} failed${stopped ? '; stopped' : ''}\n`,
  );
  return failed > 0 || stopped ? exitCode.failed : exitCode.ok;
}

export function ownPageFor(
  alert: string,
  own: readonly OwnRunbook[],
  rules: RuleWords | undefined,
): OwnRunbook | undefined {
  const url = rules?.alerts.find((a) => a.name === alert && a.runbook !== undefined)?.runbook;
  const led = url === undefined ? undefined : endOf(url).name;
  return own.find((p) => p.name === led) ?? own.find((p) => p.name === alert);
}
