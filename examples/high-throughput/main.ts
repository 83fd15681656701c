#!/usr/bin/env node
/** The A/B test of README.md: the costs of two settings of the mesh at the same load, and whether both met the SLO. */
import { Command } from 'commander';
import { exitCode, UserError } from '../../base/errors.js';
import { asset } from '../../base/paths.js';
import { formatTable } from '../../base/terminal.js';
import { type Cost, costOf } from '../../slo/cost/cost.js';
import { readPrices } from '../../slo/cost/prices.js';
import { type ArmResult, runArm, settings } from './arm.js';
import { formatOption } from '../../base/format-option.js';

const slo = { errorRatio: 0.001, p95Ms: 50 };
const wantedSaving = 0.2;

interface Flags {
  rate: string;
  seconds: string;
  rounds: string;
  prices: string;
  format: string;
}

interface Summary extends Cost {
  requests: number;
  errors: number;
  p95Ms: number;
  logBytes: number;
}

function positive(option: string, text: string): number {
  const value = Number(text);
  if (value > 0 && Number.isFinite(value)) return value;
  throw new UserError({ message: `${option} ${text}`, expected: 'a number above 0' });
}

const mean = (values: readonly number[]): number =>
  values.reduce((a, b) => a + b, 0) / values.length;

/** Merges the rounds of one setting: averaged usage, added requests, the worst p95. */
function summary(results: readonly ArmResult[], prices: Parameters<typeof costOf>[1]): Summary {
  const average = (pick: (r: ArmResult) => number): number => mean(results.map(pick));
  const usage = {
    ...(results[0] as ArmResult).usage,
    requestsPerSecond: average((r) => r.usage.requestsPerSecond),
    cores: average((r) => r.usage.cores),
    memoryGb: average((r) => r.usage.memoryGb),
    spansPerSecond: average((r) => r.usage.spansPerSecond),
  };
  return {
    ...costOf(usage, prices),
    requests: results.reduce((n, r) => n + r.requests, 0),
    errors: results.reduce((n, r) => n + r.errors, 0),
    p95Ms: Math.max(...results.map((r) => r.p95Ms)),
    logBytes: average((r) => r.logBytes),
  };
}

async function run(flags: Flags): Promise<number> {
  const rate = positive('--rate', flags.rate);
  const seconds = positive('--seconds', flags.seconds);
  const rounds = positive('--rounds', flags.rounds);
  const prices = readPrices(flags.prices);
  const results = new Map<string, ArmResult[]>(settings.map((s) => [s.name, []]));
  // The settings run in turn, so that a machine that slows down slows both.
  for (let round = 0; round < rounds; round++) {
    for (const setting of settings) {
      process.stderr.write(`round ${round + 1} of ${rounds}: ${setting.name}\n`);
      results.get(setting.name)?.push(await runArm(setting, rate, seconds));
    }
  }
  const [observed, lean] = settings.map((s) => summary(results.get(s.name) ?? [], prices));
  if (!observed || !lean) throw new Error('two settings are compared');
  // Costs are per request, so that a setting that serves fewer requests does not look cheaper.
  const saving = 1 - (lean.perQps ?? NaN) / (observed.perQps ?? NaN);
  const cpuSaving = 1 - cpuOf(lean) / cpuOf(observed);
  const kept = [observed, lean].every(
    (s) => s.requests > 0 && s.errors / s.requests <= slo.errorRatio && s.p95Ms <= slo.p95Ms,
  );
  if (flags.format === 'json') {
    const answer = { observed, lean, saving, cpuSaving, sloKept: kept };
    process.stdout.write(`${JSON.stringify(answer, undefined, 2)}\n`);
  } else {
    process.stdout.write(`${table([observed, lean], prices.currency)}\n\n`);
    process.stdout.write(
      `lean costs ${percent(saving)} less a request (CPU alone: ${percent(cpuSaving)} less); ` +
        `the SLO was ${kept ? 'kept by both' : 'not kept'}\n`,
    );
  }
  return kept && saving >= wantedSaving ? exitCode.ok : exitCode.failed;
}

const cpuOf = (s: Summary): number => s.cores / s.requestsPerSecond;
const percent = (ratio: number): string => `${(100 * ratio).toFixed(1)}%`;

function table(rows: readonly Summary[], currency: string): string {
  return formatTable(
    [
      'SETTING',
      'REQUESTS',
      'ERRORS',
      'P95',
      'CPU A REQUEST',
      'MEMORY',
      'SPANS/S',
      'LOG',
      `${currency} A MONTH`,
    ],
    rows.map((r) => [
      r.service,
      String(r.requests),
      String(r.errors),
      `${r.p95Ms.toFixed(1)} ms`,
      `${(1e6 * cpuOf(r)).toFixed(0)} µs`,
      `${(1000 * r.memoryGb).toFixed(0)} MB`,
      r.spansPerSecond.toFixed(1),
      `${(r.logBytes / 1e6).toFixed(1)} MB`,
      r.perMonth.toFixed(2),
    ]),
  );
}

const program = new Command('high-throughput')
  .description('what two settings of the mesh cost at the same load and SLO')
  .option('--rate <n>', 'requests a second', '300')
  .option('--seconds <n>', 'of each round', '12')
  .option('--rounds <n>', 'of each setting', '2')
  .option('--prices <file>', 'prices', asset('slo/cost/prices.yaml'))
  .addOption(formatOption('text', 'json'))
  .action(async (flags: Flags) => {
    process.exitCode = await run(flags);
  });

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof UserError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = error.exitCode;
}
