/** `firedrill routine`: the page of a weekly, monthly or quarterly review. */
import type { Command } from 'commander';
import { UserError } from '../../base/errors.js';
import { readTimeMs } from '../../base/time-text.js';
import type { Routine, RoutineFacts } from './model.js';

interface Flags {
  prometheus?: string;
  alertmanager?: string;
  gameDays?: string[];
  input?: string[];
  at?: string;
  out: string;
}

export function registerRoutine(program: Command): void {
  program
    .command('routine')
    .description(
      'Write the page of a review: alerts, silences, game days, error budgets, decisions',
    )
    .argument('<routine>', 'weekly, monthly or quarterly')
    .option('--prometheus <url>', 'which alerts fired, and the budgets')
    .option('--alertmanager <url>', 'Alertmanager whose silences are listed')
    .option('--game-days <path...>', "reports' folders, folders of them, or result.json files")
    .option('-i, --input <path...>', 'SLO files or folders, for the budgets')
    .option('--at <time>', 'the end of the period, such as 2026-05-01T12:00:00Z; default now')
    .option('-o, --out <file>', 'a .md or .html file, or - for Markdown on standard output', '-')
    .addHelpText(
      'after',
      `
Example:
  firedrill routine weekly --prometheus http://localhost:9090 --alertmanager http://localhost:9093 \\
    --game-days gameday-report -i slo/ -o weekly.html`,
    )
    .action(run);
}

async function run(name: string, flags: Flags): Promise<void> {
  const { routineDays } = await import('./model.js');
  if (!(name in routineDays)) {
    throw new UserError({
      message: `no routine '${name}'`,
      expected: Object.keys(routineDays).join(', '),
    });
  }
  const routine = name as Routine;
  const { realClock } = await import('../../base/clock.js');
  const atMs = flags.at === undefined ? realClock.nowMs() : readTimeMs(flags.at);
  if (Number.isNaN(atMs)) {
    throw new UserError({ message: `--at ${flags.at}`, expected: 'such as 2026-05-01T12:00:00Z' });
  }
  const { routineReport } = await import('./render.js');
  const { writeAll } = await import('../../slo/rules/write-files.js');
  const { markdownPage } = await import('../report/document.js');
  const startMs = atMs - routineDays[routine] * 86_400_000;
  const text = routineReport(await factsOf(routine, flags, startMs, atMs));
  const title = `${routine} review`;
  const page = flags.out.endsWith('.html') ? markdownPage(title, text) : text;
  writeAll(flags.out, true, new Map([['page', page]]));
}

async function factsOf(
  routine: Routine,
  flags: Flags,
  startMs: number,
  atMs: number,
): Promise<RoutineFacts> {
  const { alertHistory, daysSeen, gameDaysOf, silencesOf } = await import('./gather.js');
  const { PrometheusClient } = await import('../../slo/budget/prometheus.js');
  const { prometheus: url, alertmanager, gameDays, input } = flags;
  if (input !== undefined && url === undefined) {
    throw new UserError('budgets (-i) are read from a Prometheus: --prometheus is missing');
  }
  const prometheus = url === undefined ? undefined : new PrometheusClient(url);
  return {
    routine,
    atMs,
    ...(prometheus && {
      alerts: await alertHistory(prometheus, startMs, atMs),
      daysSeen: await daysSeen(prometheus, startMs, atMs),
    }),
    ...(alertmanager === undefined ? {} : { silences: await silencesOf(alertmanager, startMs) }),
    ...(gameDays === undefined ? {} : { gameDays: gameDaysOf(gameDays, startMs, atMs) }),
    ...(prometheus && input ? { budgets: await budgetsOf(routine, input, prometheus, atMs) } : {}),
  };
}

async function budgetsOf(
  routine: Routine,
  input: string[],
  prometheus: import('../../slo/budget/prometheus.js').PrometheusClient,
  atMs: number,
): Promise<string> {
  const { readSlos } = await import('../../slo/spec/read.js');
  const { budgetStates } = await import('../../slo/budget/state.js');
  const { defaultPolicy } = await import('../../slo/budget/gate.js');
  const { reportMarkdown } = await import('../../slo/budget/report.js');
  const { markdownText } = await import('../markdown.js');
  const { states, missing } = await budgetStates(
    readSlos(input, { windows: 'any' }),
    prometheus,
    () => ({ atMs }),
  );
  const lacking = missing.map(({ message }) => `No data: ${markdownText(message)}\n`);
  // The page has its own title already.
  const known =
    states.length === 0
      ? []
      : [reportMarkdown(states, routine, defaultPolicy).replace(/^# .*\n/, '')];
  return [...lacking, ...known].join('\n');
}
