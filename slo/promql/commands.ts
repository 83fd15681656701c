/** `firedrill promql ...`: run, check, format, explain and test queries. */
import type { Command } from 'commander';
import { exitCode, UserError } from '../../base/errors.js';
import type { QueryFlags } from './query-command.js';
import { eachOf } from '../../base/choice-option.js';
import { formatOption } from '../../base/format-option.js';

export function registerPromql(program: Command): void {
  const promql = program
    .command('promql')
    .description('Query, check, format, explain and test PromQL, with Prometheus 3 semantics');
  registerQuery(promql);
  registerCheck(promql);
  registerText(promql, 'fmt', 'Format a query; comments move above it');
  registerText(promql, 'explain', 'Explain a query in words');
  registerTest(promql);
}

function registerQuery(promql: Command): void {
  promql
    .command('query')
    .description('Evaluate a query over sample files or a Prometheus')
    .argument('<query>')
    .option(
      '-i, --input <path...>',
      'OpenMetrics or Prometheus text with times, or .csv; - for standard input',
    )
    .option('--prometheus <url>', 'ask this Prometheus instead')
    .option('--at <time>', 'time of an instant query (default: the last sample, or now)')
    .option('--from <time>', 'start of a range query (default: the first sample)')
    .option('--to <time>', 'end of a range query (default: the last sample)')
    .option('--step <duration>', 'step of a range query')
    .option('--lookback <duration>', 'how far back a sample counts as current', '5m')
    .addOption(formatOption('text', 'json', 'csv'))
    .addHelpText(
      'after',
      `
Examples:
  firedrill promql query 'sum by (code) (rate(requests_total[5m]))' -i dump.txt
  firedrill promql query 'up == 0' --prometheus http://localhost:9090
  firedrill promql query 'max_over_time(load[1h])' -i load.csv --step 5m --format csv`,
    )
    .action(async (query: string, flags: QueryFlags) => {
      const { runQuery } = await import('./query-command.js');
      await runQuery(query, flags);
    });
}

/** The text of a query from an argument, a file or standard input. */
async function queryText(
  query: string | undefined,
  flags: { input?: string },
): Promise<{ text: string; file: string | undefined }> {
  if ((query === undefined) === (flags.input === undefined)) {
    throw new UserError({ message: 'no query', expected: 'either a query or --input' });
  }
  if (query !== undefined) return { text: query, file: undefined };
  const { inputName, readInput } = await import('../../base/input.js');
  const file = flags.input as string;
  return { text: readInput(file), file: inputName(file) };
}

interface CheckFlags {
  input?: string;
  format: string;
  enableFeature?: string[];
}

function registerCheck(promql: Command): void {
  promql
    .command('check')
    .description('Check a query: exit 1 with the place and a suggestion if it is wrong')
    .argument('[query]')
    .option('-i, --input <path>', 'read the query from a file; - for standard input')
    .addOption(formatOption('text', 'json'))
    .option(
      '--enable-feature <name>',
      "a feature of the query's Prometheus, such as promql-experimental-functions; may be repeated",
      eachOf,
    )
    .addHelpText('after', "\nExample:\n  firedrill promql check 'rat(requests_total[5m])'")
    .action(async (query: string | undefined, flags: CheckFlags) => {
      const { checkQuery } = await import('./check-command.js');
      const { text, file } = await queryText(query, flags);
      const { ok, shown } = checkQuery(text, file, flags.format, flags.enableFeature);
      (ok || flags.format === 'json' ? process.stdout : process.stderr).write(shown);
      if (!ok) process.exitCode = exitCode.failed;
    });
}

function registerText(promql: Command, verb: 'fmt' | 'explain', description: string): void {
  const example =
    verb === 'fmt'
      ? `firedrill promql fmt 'sum(rate(a[5m]))/sum(rate(b[5m]))'`
      : `firedrill promql explain 'sum by (pod) (rate(requests_total[5m])) > 10'`;
  promql
    .command(verb)
    .description(description)
    .argument('[query]')
    .option('-i, --input <path>', 'read the query from a file; - for standard input')
    .addHelpText('after', `\nExample:\n  ${example}`)
    .action(async (query: string | undefined, flags: { input?: string }) => {
      const { text, file } = await queryText(query, flags);
      const { asUserError } = await import('./syntax/error.js');
      try {
        const shown =
          verb === 'fmt'
            ? (await import('./syntax/format.js')).formatText(text)
            : (await import('./syntax/explain.js')).explain(
                (await import('./syntax/parse.js')).parse(text),
              );
        process.stdout.write(shown);
      } catch (error) {
        throw asUserError(text, error, file);
      }
    });
}

function registerTest(promql: Command): void {
  promql
    .command('test')
    .description('Run test scripts in the language of Prometheus (load, clear, eval)')
    .argument('<file...>', 'scripts')
    .addOption(formatOption('text', 'json'))
    .addHelpText(
      'after',
      `
Exit codes: 0 all passed, 1 a test failed or is not supported, 2 wrong input

Example:
  firedrill promql test tests/*.test --format json`,
    )
    .action(async (files: string[], flags: { format: string }) => {
      const { inputName, readInput } = await import('../../base/input.js');
      const { runScript } = await import('./testing/run.js');
      const { fileResult, resultsJson, resultsText, totalsOf } =
        await import('./testing/report.js');
      const results = files.map((file) => fileResult(inputName(file), runScript(readInput(file))));
      const { failed, unsupported, passed } = totalsOf(results);
      if (passed + failed + unsupported === 0) {
        throw new UserError(
          `${files.map(inputName).join(', ')}: no eval statement, so nothing was tested`,
        );
      }
      process.stdout.write(
        flags.format === 'json'
          ? `${JSON.stringify(resultsJson(results), undefined, 2)}\n`
          : resultsText(results),
      );
      if (failed + unsupported > 0) process.exitCode = exitCode.failed;
    });
}
