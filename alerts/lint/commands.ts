/** `firedrill alerts lint`. */
import type { Command } from 'commander';
import type { LintFlags } from './run.js';
import { eachOf } from '../../base/choice-option.js';
import { formatOption } from '../../base/format-option.js';

const example = `
A rule is excepted by a comment with a reason, above it or within it:
  # lint-ignore promql/short-window: this job is scraped every 5 s

Examples:
  firedrill alerts lint rules/
  firedrill alerts lint rules/ --metrics mesh --metrics metrics.txt
  firedrill alerts lint rules/ --prometheus http://localhost:9090
  firedrill alerts lint rules/ --format sarif > lint.sarif
  firedrill alerts lint rules/ --fix --runbook-base https://runbooks.example`;

export function registerLint(alerts: Command): void {
  alerts
    .command('lint')
    .description('Lint rule files: find rules that load and never fire')
    .argument('[path...]', 'files, folders, or - for standard input')
    .option(
      '--metrics <list>',
      'existing metrics: a file, or mesh for the metrics of the mesh; may be repeated',
      eachOf,
      [],
    )
    .option('--prometheus <url>', 'check metrics and labels against a running Prometheus')
    .option('--scrape-interval <duration>', "scrape interval (default: 15s, or Prometheus's own)")
    .option(
      '--severities <list>',
      'severities that routes match',
      'page,ticket,critical,warning,info,none',
    )
    .option(
      '--owner-labels <list>',
      "labels that name an alert's owner; one is enough",
      'owner,team',
    )
    .option('--runbook-base <url>', 'base URL for a missing runbook_url that --fix adds')
    .option('--runbooks <folder>', 'folder of pages (NAME.md) to check links against')
    .option(
      '--enable-feature <name>',
      'a feature of the Prometheus that will load the rules; may be repeated',
      eachOf,
    )
    .addOption(formatOption('text', 'json', 'sarif'))
    .option('--fix', 'make all safe corrections', false)
    .option(
      '--off <rule>',
      'a rule of lint to switch off, such as alert/missing-owner; may be repeated',
      eachOf,
    )
    .option('--strict', 'warnings count as errors', false)
    .option('--list-rules', 'list the rules of lint', false)
    .addHelpText('after', example)
    .action(async (paths: string[], flags: LintFlags) => {
      const { runLint } = await import('./run.js');
      await runLint(paths, flags);
    });
}
