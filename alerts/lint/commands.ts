/** `firedrill alerts lint`. */
import type { Command } from 'commander';
import type { LintFlags } from './run.js';
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
    .option('--metrics <list...>', 'metrics that exist: a file, or mesh for those of the mesh', [])
    .option('--prometheus <url>', 'hold metrics and labels against a running Prometheus')
    .option('--scrape-interval <duration>', 'of what is scraped (default: 15s, or Prometheus says)')
    .option(
      '--severities <list>',
      'those that routes know',
      'page,ticket,critical,warning,info,none',
    )
    .option('--owner-labels <list>', 'any of them says whose an alert is', 'owner,team')
    .option('--runbook-base <url>', 'with --fix: add missing runbook_url')
    .option('--runbooks <folder>', 'hold links against the pages in it (NAME.md)')
    .option('--enable-feature <name...>', 'features that the Prometheus has that will load them')
    .addOption(formatOption('text', 'json', 'sarif'))
    .option('--fix', 'make the changes that are safe', false)
    .option('--off <rule...>', 'rules of lint not to ask, such as alert/missing-owner')
    .option('--strict', 'warnings count as errors', false)
    .option('--list-rules', 'list the rules of lint', false)
    .addHelpText('after', example)
    .action(async (paths: string[], flags: LintFlags) => {
      const { runLint } = await import('./run.js');
      await runLint(paths, flags);
    });
}
