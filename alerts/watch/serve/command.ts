/** `firedrill watch serve`. */
import type { Command } from 'commander';
import { eachOf } from '../../../base/choice-option.js';

interface ServeFlags {
  listen: string;
  rules: string[];
  alertmanager: string[];
  scrape: string[];
  file: string[];
  scrapeInterval: string;
  evaluationInterval: string;
  resendDelay: string;
  externalLabel: string[];
  externalUrl?: string;
  retention?: string;
  maxSeries: string;
  maxSamples: string;
}

const example = `
The server asks for no password: anybody who can reach the address can write to it.

Examples:
  firedrill watch serve --rules rules/*.yaml --scrape app=http://localhost:8080/metrics
  firedrill watch serve --listen 127.0.0.1:9091 --rules rules.yaml --alertmanager http://localhost:9093
  firedrill watch serve --file incident.om & promtool query instant http://localhost:9090 up`;

export function registerWatch(program: Command): void {
  const watch = program
    .command('watch')
    .description('Serve the embedded evaluator behind the API of Prometheus');
  watch
    .command('serve')
    .description(
      'Take remote write or scrape, evaluate rules, answer queries, notify Alertmanagers',
    )
    .option('--listen <address>', 'host and port', '127.0.0.1:9090')
    .option('--rules <path...>', 'rule files or folders', [])
    .option('--alertmanager <url...>', 'Alertmanagers to notify', eachOf, [])
    .option('--scrape <job=url...>', 'targets to scrape', [])
    .option('--file <path...>', 'history to load at the start: OpenMetrics or CSV', [])
    .option('--scrape-interval <duration>', 'time between scrapes', '15s')
    .option('--evaluation-interval <duration>', 'interval of groups that set none', '1m')
    .option('--resend-delay <duration>', 'minimum time before a firing alert is sent again', '1m')
    .option('--external-label <name=value...>', 'label of every alert sent', [])
    .option(
      '--external-url <url>',
      'address in links to this server (default: the listening address)',
    )
    .option('--retention <duration>', 'drop older samples (default: 24h; with --file never)')
    .option(
      '--max-series <n>',
      'maximum number of series, with 600 characters of labels each on average; further ones are refused',
      '200000',
    )
    .option(
      '--max-samples <n>',
      'maximum number of samples; beyond it, the oldest quarter of the time is dropped',
      '20000000',
    )
    .addHelpText('after', example)
    .action(async (flags: ServeFlags) => {
      const { runServe } = await import('./run.js');
      await runServe(flags);
    });
}

export type { ServeFlags };
