/** `firedrill slo generate` and `validate`. */
import type { Command } from 'commander';
import { exitCode, formatProblem, type Problem, UserError } from '../../base/errors.js';
import { counted } from '../../base/terminal.js';
import type { Period } from '../spec/model.js';
import { parsePeriodText, periodsExpected } from '../spec/period.js';
import { formatOption } from '../../base/format-option.js';
import { readTimeMs } from '../../base/time-text.js';
import { reachNotes } from './reach.js';
import { sayRefused } from '../spec/refused.js';

interface GenerateFlags {
  input: string[];
  out: string;
  format: 'rules' | 'prometheusrule' | 'mimir' | 'kustomize';
  timeScale: string;
  step: string;
  windows?: string;
  period?: string;
  runbookUrl?: string;
  runbookBase?: string;
  dashboardUrl?: string;
  namespace: string;
  label?: string[];
  queryOffset?: string;
  split: boolean;
}

const example = `
Examples:
  firedrill slo generate -i examples/slo -o out/
  firedrill slo generate -i slo.yaml -o rules/ --runbook-base https://ops.example/runbooks
  firedrill slo generate -i slo.yaml -o - | promtool check rules /dev/stdin
  firedrill slo generate -i slo.yaml -o k8s/ --format kustomize --namespace monitoring
  firedrill slo generate -i slo.yaml -o eu.yaml --format mimir --label cluster=eu --query-offset 1m
  firedrill slo generate -i slo.yaml -o drill.yaml --time-scale 1/120`;

export function registerGenerate(slo: Command): void {
  slo
    .command('generate')
    .description('Compile SLOs to recording rules and alerts')
    .requiredOption('-i, --input <path...>', 'files, folders, or - for standard input')
    .requiredOption('-o, --out <path>', 'a .yaml file, a folder (one file a service), or -')
    .addOption(formatOption('rules', 'prometheusrule', 'mimir', 'kustomize'))
    .option('--time-scale <ratio>', 'multiply every window and interval, for drills', '1')
    .option('--step <duration>', 'base resolution, at least the scrape interval', '30s')
    .option('--windows <file>', "alert windows of your own, in our format or Sloth's")
    .option('--period <period>', 'period if the format has none: 28d, 12w, month')
    .option('--runbook-base <url>', 'where the pages of runbook publish are served')
    .option('--runbook-url <template>', 'instead, such as https://runbooks.example/{{alert}}')
    .option('--dashboard-url <template>', 'such as https://grafana.example/d/{{slo}}')
    .option('-n, --namespace <name>', 'namespace of the Kubernetes objects', 'monitoring')
    .option('--label <name=value...>', 'on every rule, such as cluster=eu-1')
    .option('--query-offset <duration>', 'evaluate as of so long ago, where samples come late')
    .addHelpText('after', example)
    .action(async (flags: GenerateFlags) => {
      const { generate, parseLabels, parseQueryOffset } = await import('./generate.js');
      const written = generate({
        inputs: flags.input,
        out: flags.out,
        format: flags.format,
        compile: await compileFlags(flags),
        ...(flags.period === undefined ? {} : { period: parsePeriod(flags.period) }),
        namespace: flags.namespace,
        labels: parseLabels(flags.label ?? []),
        ...(flags.queryOffset === undefined
          ? {}
          : { queryOffsetMs: parseQueryOffset(flags.queryOffset) }),
      });
      sayRefused(written.refused);
      if (flags.out !== '-') {
        const { slos, rules, files } = written;
        process.stderr.write(
          `${counted(slos, 'SLO')}, ${counted(rules, 'rule')}, ${counted(files.length, 'file')} in ${flags.out}\n`,
        );
      }
    });

  slo
    .command('validate')
    .description('Check that SLO files are well-formed, and list every mistake')
    .argument('<path...>', 'files, folders, or - for standard input')
    .option('--windows <file>', 'alert windows of your own, as in generate')
    .addOption(formatOption('text', 'json'))
    .addHelpText('after', '\nExample:\n  firedrill slo validate examples/slo')
    .action(validate);
}

async function validate(
  paths: string[],
  flags: { format: string; windows?: string },
): Promise<void> {
  const { readSlos } = await import('../spec/read.js');
  const windows = await windowsOf(flags);
  try {
    const refused: Problem[] = [];
    const slos = readSlos(paths, {
      ...windows,
      refused: (problems) => refused.push(...problems),
    });
    const problems = refused.length > 0 ? { problems: refused } : {};
    const answer = { valid: refused.length === 0, slos: slos.map((s) => s.id), ...problems };
    process.stdout.write(
      flags.format === 'json'
        ? `${JSON.stringify(answer, undefined, 2)}\n`
        : `${counted(slos.length, 'valid SLO')}\n`,
    );
    if (flags.format === 'json' && refused.length > 0) process.exitCode = exitCode.usage;
    else sayRefused(refused);
    for (const note of reachNotes(slos)) process.stderr.write(`note: ${formatProblem(note)}\n`);
  } catch (error) {
    if (!(error instanceof UserError) || flags.format !== 'json') throw error;
    const result = { valid: false, problems: error.problems };
    process.stdout.write(`${JSON.stringify(result, undefined, 2)}\n`);
    process.exitCode = exitCode.usage;
  }
}

export function registerBackfill(slo: Command): void {
  slo
    .command('backfill')
    .description('Write the steps of the time before the rules ran, for promtool tsdb')
    .requiredOption('-i, --input <path...>', 'SLO files, folders, or -')
    .requiredOption('-o, --out <file>', 'an OpenMetrics file, or -')
    .requiredOption('--from <time>', 'start, such as 2026-05-01T00:00:00Z')
    .requiredOption('--to <time>', 'time at which the rules began')
    .option('--prometheus <url>', 'that has the raw series', 'http://localhost:9090')
    .addHelpText(
      'after',
      '\nExample:\n  firedrill slo backfill -i slo.yaml --from 2026-05-01 --to 2026-05-31 -o steps.om' +
        '\n  promtool tsdb create-blocks-from openmetrics steps.om data/',
    )
    .action(async (flags: Record<'out' | 'from' | 'to' | 'prometheus', string> & GenerateFlags) => {
      const { backfillLines } = await import('./backfill.js');
      const { readSlos } = await import('../spec/read.js');
      const { PrometheusClient } = await import('../budget/prometheus.js');
      const { writePiecesWhole } = await import('../../base/write-file.js');
      const { pipeline } = await import('node:stream/promises');
      const [from, to] = [flags.from, flags.to].map((text) => readTimeMs(text)) as [number, number];
      if (!(from < to && to <= Date.now())) {
        throw new UserError({
          message: `--from ${flags.from} --to ${flags.to}`,
          expected: 'two times such as 2026-05-01T00:00:00Z, in order and past',
        });
      }
      const slos = readSlos(flags.input, { refused: sayRefused, windows: 'any' });
      const prometheus = new PrometheusClient(flags.prometheus);
      const lines = backfillLines(slos, prometheus, from, to);
      if (flags.out === '-') await pipeline(lines, process.stdout, { end: false });
      else await writePiecesWhole(flags.out, lines);
    });
}

/** Reads the table of `--windows`; empty without one. */
export async function windowsOf(flags: { windows?: string }) {
  const { readWindowTable } = await import('./windows.js');
  return flags.windows === undefined ? {} : { windows: readWindowTable(flags.windows) };
}

/** Reads and checks the options that affect the rules. */
export async function compileFlags(
  flags: Pick<
    GenerateFlags,
    'timeScale' | 'step' | 'windows' | 'runbookUrl' | 'runbookBase' | 'dashboardUrl'
  >,
) {
  const { checkLinks, parseTimeScale, parseStep } = await import('./generate.js');
  checkLinks(flags);
  return {
    timeScale: parseTimeScale(flags.timeScale),
    stepMs: parseStep(flags.step),
    ...(await windowsOf(flags)),
    ...(flags.runbookUrl === undefined ? {} : { runbookUrl: flags.runbookUrl }),
    ...(flags.runbookBase === undefined ? {} : { runbookBase: flags.runbookBase }),
    ...(flags.dashboardUrl === undefined ? {} : { dashboardUrl: flags.dashboardUrl }),
  };
}

export function parsePeriod(text: string): Period {
  const period = parsePeriodText(text);
  if (period) return period;
  throw new UserError({ message: `--period ${text}`, expected: `month, or ${periodsExpected}` });
}
