/** `firedrill alerts backtest`: when alerts would have fired over recorded history or over a story of incidents. */
import type { Command } from 'commander';
import { exitCode } from '../../../base/errors.js';
import type { BacktestFlags } from './flags.js';
import { formatOption } from '../../../base/format-option.js';
import { eachOf } from '../../../base/choice-option.js';

export function registerBacktest(alerts: Command): void {
  alerts
    .command('backtest')
    .description('Backtest alerts over incident stories, files, or a Prometheus')
    .option('-i, --input <path...>', 'SLOs: files, folders, or -')
    .option(
      '--rules <path...>',
      'rules (files or folders) instead of SLOs; over measured data only',
    )
    .option('--slo <id...>', 'only these SLOs', eachOf)
    .option(
      '--incidents <file>',
      'a story of incidents; with measured data, only their labels are used',
    )
    .option('--prometheus <url>', 'read the history of a Prometheus by its API')
    .option('--from <time>', 'start of the history: a time, or a duration before the end', '30d')
    .option('--to <time>', 'end of the history; default now, or the end of the files')
    .option(
      '--cache <folder>',
      'folder for downloaded chunks, so that an interrupted download continues',
    )
    .option('--openmetrics <file...>', 'series with timestamps, in OpenMetrics or text format')
    .option('--csv <file...>', 'a column of times, and a column for each series')
    .option(
      '--remote-write <path...>',
      'captured bodies of remote write requests, or folders of them',
    )
    .option('--step <duration>', 'resolution', '1m')
    .option('--threads <count>', 'number of threads (default: one for each core)')
    .option('--tune', 'try windows, factors and for of the page, and recommend the best')
    .option('--write-back', 'write the recommended windows into the SLO files')
    .option('--fail', 'exit with 1 if an expected alert was missed or a page was false')
    .option('--list', 'list every firing, not only false ones')
    .option('--html <file>', 'write one page with plots')
    .addOption(formatOption('text', 'json'))
    .option(
      '--every-group-each-step',
      'evaluate every group at each step, as promtool test rules does',
    )
    .addHelpText(
      'after',
      '\nExamples:' +
        '\n  firedrill alerts backtest -i examples/slo/retail.yaml' +
        '\n  firedrill alerts backtest -i slo.yaml --incidents story.yaml --html backtest.html' +
        '\n  firedrill alerts backtest -i slo.yaml --prometheus http://localhost:9090 --from 30d' +
        '\n  firedrill alerts backtest -i slo.yaml --csv history.csv --incidents labels.yaml --fail' +
        '\n  firedrill alerts backtest --rules rules.yaml --openmetrics history.om --incidents labels.yaml' +
        '\n  firedrill alerts backtest -i slo.yaml --tune --write-back' +
        '\n\nWithout a source it runs a month of ready-made incidents.',
    )
    .action(async (flags: BacktestFlags) => {
      const { backtest } = await import('./backtest.js');
      const passed = await backtest(flags);
      if (!passed) process.exitCode = exitCode.failed;
    });
}
