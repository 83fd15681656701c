/** `firedrill slo cost`. */
import type { Command } from 'commander';
import { parseDurationMs } from '../../base/duration.js';
import { exitCode, UserError } from '../../base/errors.js';
import { asset } from '../../base/paths.js';
import { formatOption } from '../../base/format-option.js';
import { readTimeMs } from '../../base/time-text.js';

interface Flags {
  prices?: string;
  prometheus: string;
  at?: string;
  before?: string;
  window: string;
  by: string;
  sampling?: string;
  perNode?: string;
  series?: string;
  keep?: string[];
  format: string;
}

export function registerCost(slo: Command): void {
  slo
    .command('cost')
    .description('Estimate the cost of the mesh by service and request, and savings of a change')
    .option('--prices <file>', 'prices of CPU, memory and telemetry; default: slo/cost/prices.yaml')
    .option('--prometheus <url>', 'Prometheus that scrapes the proxies', 'http://localhost:9090')
    .option('--at <time>', 'the end of the range; default now')
    .option('--before <time>', 'compare with the range that ended then, such as before a change')
    .option('--keep <path...>', 'SLO files; exit with 1 if one of their budgets is overspent')
    .option('--window <duration>', 'length of the range', '1h')
    .option('--by <label>', 'label that names the service', 'job')
    .option('--sampling <ratio>', 'show the savings of sending only this share of the spans')
    .option('--per-node <count>', 'show the savings of one proxy on each of so many nodes')
    .option('--series <ratio>', 'show the savings of keeping only this share of the series')
    .addOption(formatOption('text', 'json'))
    .addHelpText(
      'after',
      '\nExample:\n  firedrill slo cost --prices prices.yaml --sampling 0.1 --per-node 3',
    )
    .action(cost);
}

async function cost(flags: Flags): Promise<void> {
  const { readPrices } = await import('./prices.js');
  const { compareCosts, costOf, savingsOf, usageOf } = await import('./cost.js');
  const { PrometheusClient } = await import('../budget/prometheus.js');
  const { realClock } = await import('../../base/clock.js');
  const prices = readPrices(flags.prices ?? asset('slo/cost/prices.yaml'));
  const rangeMs = parseDurationMs(flags.window);
  if (!rangeMs)
    throw new UserError({ message: `--window ${flags.window}`, expected: 'such as 1h' });
  const prometheus = new PrometheusClient(flags.prometheus);
  const atMs = flags.at === undefined ? realClock.nowMs() : timeOf('--at', flags.at);
  const measure = async (timeMs: number) =>
    (await usageOf(prometheus, timeMs, rangeMs, flags.by)).map((u) => costOf(u, prices));
  const costs = await measure(atMs);
  const compared =
    flags.before === undefined
      ? []
      : compareCosts(await measure(timeOf('--before', flags.before)), costs);
  const savings = savingsOf(costs, prices, {
    ...(flags.sampling === undefined ? {} : { sampling: ratioOf('--sampling', flags.sampling) }),
    ...(flags.perNode === undefined ? {} : { perNode: countOf('--per-node', flags.perNode) }),
    ...(flags.series === undefined ? {} : { series: ratioOf('--series', flags.series) }),
  });
  const broken = await brokenBudgets(flags, prometheus, atMs);
  if (broken.length > 0) process.exitCode = exitCode.failed;
  if (flags.format === 'json') {
    const result = { currency: prices.currency, costs, savings, compared, broken };
    process.stdout.write(`${JSON.stringify(result, undefined, 2)}\n`);
    return;
  }
  const { formatTable } = await import('../../base/terminal.js');
  const money = (x: number | undefined): string =>
    x === undefined ? '-' : `${x.toFixed(2)} ${prices.currency}`;
  const rows = costs.map((c) => [
    c.service,
    String(c.proxies),
    c.requestsPerSecond.toFixed(1),
    c.cores.toFixed(3),
    `${(c.memoryGb * 1000).toFixed(0)} MB`,
    String(c.series),
    money(c.perMonth),
    money(c.perQps),
  ]);
  const head = [
    'SERVICE',
    'PROXIES',
    'QPS',
    'CORES',
    'MEMORY',
    'SERIES',
    'A MONTH',
    'A MONTH AND QPS',
  ];
  const lines = [
    formatTable(head, rows),
    ...savings.map(
      (s) => `${s.what}: saves ${money(s.perMonth)} a month, ${(s.share * 100).toFixed(1)}%`,
    ),
    ...compared,
    ...broken.map((id) => `${id}: its budget is not kept`),
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}

/** Error budgets that are overspent; a saving that breaks an SLO does not count as one. */
async function brokenBudgets(
  flags: Flags,
  prometheus: InstanceType<typeof import('../budget/prometheus.js').PrometheusClient>,
  atMs: number,
): Promise<string[]> {
  if (!flags.keep) return [];
  const { readSlos } = await import('../spec/read.js');
  const { budgetState } = await import('../budget/state.js');
  const { emptyText } = await import('../budget/gate.js');
  const broken: string[] = [];
  for (const slo of readSlos(flags.keep, { windows: 'any' })) {
    const state = await budgetState(slo, prometheus, { atMs });
    const left = Math.min(state.rolling.remaining, state.worst?.remaining ?? Infinity);
    if (left < 0 || emptyText(state) !== undefined) broken.push(slo.id);
  }
  return broken;
}

function timeOf(option: string, text: string): number {
  const ms = readTimeMs(text);
  if (!Number.isNaN(ms)) return ms;
  throw new UserError({ message: `${option} ${text}`, expected: 'such as 2026-05-01T12:00:00Z' });
}

function ratioOf(option: string, text: string): number {
  const value = Number(text);
  if (value >= 0 && value <= 1 && text !== '') return value;
  throw new UserError({ message: `${option} ${text}`, expected: 'a share from 0 to 1' });
}

function countOf(option: string, text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  throw new UserError({ message: `${option} ${text}`, expected: 'a whole number above 0' });
}
