/** `firedrill slo budget`, `gate` and `report`. */
import type { Command } from 'commander';
import { exitCode, UserError } from '../../base/errors.js';
import { sayRefused } from '../spec/refused.js';
import type { BudgetState, BudgetStates } from './state.js';
import { formatOption } from '../../base/format-option.js';
import { choiceOption, eachOf } from '../../base/choice-option.js';
import { readTimeMs } from '../../base/time-text.js';

interface Flags {
  input: string[];
  prometheus: string;
  slo?: string[];
  at?: string;
  timeScale: string;
  corrections?: string;
  format: string;
}

interface GateFlags extends Flags {
  minRemaining: string;
  maxBurn: string;
}

const withInput = (command: Command): Command =>
  command
    .requiredOption('-i, --input <path...>', 'SLO files, folders, or -')
    .option('--prometheus <url>', 'Prometheus that evaluates the rules', 'http://localhost:9090')
    .option('--slo <id...>', 'only these SLOs', eachOf)
    .option('--corrections <file>', 'times whose events do not count, and drills')
    .option('--at <time>', 'an instant such as 2026-05-01T12:00:00Z; default now')
    .option('--time-scale <ratio>', 'time scale of the generated rules', '1');

const withPolicy = (command: Command): Command =>
  withInput(command)
    .option('--min-remaining <percent>', 'releases stop if less of the budget remains', '10%')
    .option(
      '--max-burn <factor>',
      'releases stop if the burn rate of the last hour is higher',
      '3',
    );

export function registerBudget(slo: Command): void {
  withInput(slo.command('budget'))
    .description('Show the remaining error budget, what consumed it, and when it runs out')
    .addOption(formatOption('text', 'json'))
    .addHelpText(
      'after',
      '\nExample:\n  firedrill slo budget -i examples/slo --slo payment-availability',
    )
    .action(async (flags: Flags) => {
      const { states, missing } = await statesOf(flags);
      const { budgetText } = await import('./text.js');
      if (flags.format === 'json') json(states.map(plain));
      else process.stdout.write(states.map(budgetText).join('\n'));
      sayMissing(missing);
    });

  withPolicy(slo.command('gate'))
    .description('Gate a release: exit 0 if budgets allow it, 1 with the reason if not')
    .addOption(formatOption('text', 'json'))
    .addHelpText(
      'after',
      '\nExit codes: 0 open, 1 closed, 2 wrong input, 3 no data, 5 Prometheus cannot be reached' +
        '\n\nExample:\n  firedrill slo gate -i slo.yaml --min-remaining 20% && deploy',
    )
    .action(async (flags: GateFlags) => {
      const { gateOf } = await import('./gate.js');
      const { states, missing } = await statesOf(flags);
      const decision = gateOf(states, policyOf(flags));
      if (flags.format === 'json') json({ ...decision, slos: states.map(plain) });
      else if (decision.open && missing.length > 0) {
        process.stdout.write('not known: the budgets that could be read allow a release\n');
      } else if (decision.open) process.stdout.write('open: every budget allows a release\n');
      else process.stdout.write(`closed:\n${decision.reasons.map((r) => `  ${r}\n`).join('')}`);
      sayMissing(missing);
      // An exhausted budget closes the gate even if other budgets are unknown.
      if (!decision.open) process.exitCode = exitCode.failed;
    });

  withPolicy(slo.command('report'))
    .description('Write the error budget report for a weekly, monthly or quarterly review')
    .addOption(
      choiceOption('--routine <name>', 'the review that it is for', [
        'weekly',
        'monthly',
        'quarterly',
      ]).default('weekly'),
    )
    .option('-o, --out <file>', 'a .md or .html file, or - for Markdown on standard output', '-')
    .addHelpText(
      'after',
      '\nExample:\n  firedrill slo report -i slo.yaml --routine monthly -o budgets.html',
    )
    .action(async (flags: GateFlags & { routine: string; out: string }) => {
      const { reportHtml, reportMarkdown } = await import('./report.js');
      const { writeAll } = await import('../rules/write-files.js');
      const { routine } = flags;
      if (routine !== 'weekly' && routine !== 'monthly' && routine !== 'quarterly') {
        throw new UserError({
          message: `--routine ${routine}`,
          expected: 'weekly, monthly or quarterly',
        });
      }
      const { states, missing } = await statesOf(flags);
      const make = flags.out.endsWith('.html') ? reportHtml : reportMarkdown;
      writeAll(flags.out, true, new Map([['report', make(states, routine, policyOf(flags))]]));
      sayMissing(missing);
    });
}

/** Reports SLOs without data, without hiding the others; the command then ends with the exit code for missing data. */
function sayMissing(missing: readonly UserError[]): void {
  for (const error of missing) process.stderr.write(`no data: ${error.message}\n`);
  if (missing.length > 0) process.exitCode = exitCode.inconclusive;
}

async function statesOf(flags: Flags): Promise<BudgetStates> {
  const { readSlos } = await import('../spec/read.js');
  const { readCorrections } = await import('./corrections.js');
  const { budgetStates } = await import('./state.js');
  const { PrometheusClient } = await import('./prometheus.js');
  const { parseTimeScale } = await import('../rules/generate.js');
  const { realClock } = await import('../../base/clock.js');
  const all = readSlos(flags.input, { refused: sayRefused, windows: 'any' });
  const chosen = flags.slo ? all.filter((s) => flags.slo?.includes(s.id)) : all;
  const unknown = flags.slo?.find((id) => !all.some((s) => s.id === id));
  if (unknown !== undefined) {
    throw new UserError({
      message: `no SLO has the id '${unknown}'`,
      expected: all.map((s) => s.id).join(', '),
    });
  }
  const atMs = flags.at === undefined ? realClock.nowMs() : readTimeMs(flags.at);
  if (Number.isNaN(atMs)) {
    throw new UserError({ message: `--at ${flags.at}`, expected: 'such as 2026-05-01T12:00:00Z' });
  }
  const timeScale = parseTimeScale(flags.timeScale);
  const prometheus = new PrometheusClient(flags.prometheus);
  const ids = all.map((slo) => slo.id);
  const corrections = flags.corrections ? readCorrections(flags.corrections, ids) : undefined;
  const found = await budgetStates(chosen, prometheus, (slo) => {
    return { atMs, timeScale, corrections: corrections?.get(slo.id) ?? [] };
  });
  if (found.states.length === 0 && found.missing[0]) throw found.missing[0];
  return found;
}

function policyOf(flags: GateFlags) {
  const remaining = /^(-?\d+(?:\.\d+)?)%$/.exec(flags.minRemaining);
  const maxBurn = Number(flags.maxBurn);
  if (!remaining) {
    throw new UserError({
      message: `--min-remaining ${flags.minRemaining}`,
      expected: 'such as 10%',
    });
  }
  if (!(maxBurn > 0)) {
    throw new UserError({ message: `--max-burn ${flags.maxBurn}`, expected: 'a number above 0' });
  }
  return { minRemaining: Number(remaining[1]) / 100, maxBurn };
}

/** The state for programs: the SLO is shortened to its id, and buckets are left out. */
function plain(state: BudgetState): Record<string, unknown> {
  const { slo, buckets: _, ...rest } = state;
  return { slo: slo.id, objective: slo.objective, ...rest };
}

const json = (value: unknown): void => {
  process.stdout.write(`${JSON.stringify(value, undefined, 2)}\n`);
};
