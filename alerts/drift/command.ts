/** `firedrill drift`: compares once by asking a Prometheus, or prints rules that compare all the time. */
import type { Command } from 'commander';
import { realClock } from '../../base/clock.js';
import { formatDurationMs } from '../../base/duration.js';
import { exitCode, UserError } from '../../base/errors.js';
import { formatTable } from '../../base/terminal.js';
import type { PairResult } from './model.js';
import { formatOption } from '../../base/format-option.js';

interface DriftOptions {
  prometheus: string;
  format: string;
  rules?: boolean;
}

export function registerDrift(program: Command): void {
  program
    .command('drift')
    .description("Compare a service's own metrics with those of its callers, route by route")
    .argument('[file]', 'file that pairs the counters', 'drift.yaml')
    .option('--prometheus <url>', 'Prometheus that scrapes both', 'http://localhost:9090')
    .option('--rules', 'print recording and alerting rules instead of asking')
    .addOption(formatOption('text', 'json'))
    .addHelpText(
      'after',
      '\nExit codes: 1 if a pair differs by more than is allowed, 3 if one side counts nothing.' +
        '\n\nExample:\n  firedrill drift drift.yaml --rules > rules/drift.yaml',
    )
    .action(async (file: string, options: DriftOptions) => {
      process.exitCode = await driftCommand(file, options);
    });
}

async function driftCommand(path: string, options: DriftOptions): Promise<number> {
  if (options.format !== 'text' && options.format !== 'json') {
    throw new UserError({ message: `bad --format '${options.format}'`, expected: 'text or json' });
  }
  const { readDrift } = await import('./read.js');
  const { driftRules, judgePair, ratioExpr } = await import('./model.js');
  const file = readDrift(path);
  if (options.rules === true) {
    const { ruleFileText } = await import('../../slo/index.js');
    process.stdout.write(ruleFileText([driftRules(file)]));
    return exitCode.ok;
  }
  const { PrometheusClient } = await import('../../slo/budget/prometheus.js');
  const client = new PrometheusClient(options.prometheus);
  const nowMs = realClock.nowMs();
  const range = formatDurationMs(file.windowMs);
  const results: PairResult[] = [];
  for (const pair of file.pairs) {
    const ask = (expr: string): Promise<number | undefined> => client.scalar(expr, nowMs);
    const says = await ask(ratioExpr(pair.says, range));
    const seen = await ask(ratioExpr(pair.seen, range));
    const saysRate = await ask(`sum(rate(${pair.says.total}[${range}]))`);
    const seenRate = await ask(`sum(rate(${pair.seen.total}[${range}]))`);
    results.push(
      judgePair(pair, {
        ...(says !== undefined && { says }),
        ...(seen !== undefined && { seen }),
        ...(saysRate !== undefined && { saysRate }),
        ...(seenRate !== undefined && { seenRate }),
      }),
    );
  }
  process.stdout.write(
    options.format === 'json'
      ? `${JSON.stringify(results.map(plain), undefined, 2)}\n`
      : textOf(results, range),
  );
  if (results.some((r) => r.verdict === 'drift')) return exitCode.failed;
  return results.every((r) => r.verdict === 'agree') ? exitCode.ok : exitCode.inconclusive;
}

const plain = ({ pair, ...rest }: PairResult): object => ({
  route: pair.route,
  service: pair.service,
  ...rest,
  ...(rest.says !== undefined && rest.seen !== undefined && { drift: rest.seen - rest.says }),
});

const percent = (ratio: number | undefined): string =>
  ratio === undefined ? '-' : `${Number((100 * ratio).toPrecision(3))}%`;

const words: Record<PairResult['verdict'], string> = {
  agree: 'agree',
  drift: 'DRIFT',
  blind: 'BLIND: the service counts nothing',
  'no-callers': 'no caller was measured',
};

function textOf(results: readonly PairResult[], range: string): string {
  const rows = results.map(({ pair, says, seen, uncounted, verdict }) => {
    const drift = says === undefined || seen === undefined ? undefined : seen - says;
    const cells = [percent(says), percent(seen), percent(drift), percent(uncounted)];
    return [pair.service, pair.route, ...cells, words[verdict]];
  });
  const head = ['SERVICE', 'ROUTE', 'SAYS', 'CALLERS SAW', 'DRIFT', 'NOT COUNTED', ''];
  return `failures over the last ${range}\n${formatTable(head, rows)}\n`;
}
