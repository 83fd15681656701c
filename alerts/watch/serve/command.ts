/** `firedrill watch serve`. */
import type { Command } from 'commander';

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
Whoever can reach the address can write to it: it asks for no password.

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
    .option('--rules <file...>', 'rule files', [])
    .option('--alertmanager <url...>', 'Alertmanagers to notify', [])
    .option('--scrape <job=url...>', 'metrics that are fetched', [])
    .option('--file <path...>', 'history to begin with: OpenMetrics or CSV', [])
    .option('--scrape-interval <duration>', 'between fetches', '15s')
    .option('--evaluation-interval <duration>', 'of groups that name none', '1m')
    .option('--resend-delay <duration>', 'before what still fires is sent again', '1m')
    .option('--external-label <name=value...>', 'added to every alert that is sent', [])
    .option('--external-url <url>', 'where others reach it (default: the address)')
    .option('--retention <duration>', 'what is older goes (default: 24h; with --file never)')
    .option('--max-series <n>', 'further ones are refused', '200000')
    .option('--max-samples <n>', 'beyond it the oldest quarter of the time goes', '20000000')
    .addHelpText('after', example)
    .action(async (flags: ServeFlags) => {
      const { runServe } = await import('./run.js');
      await runServe(flags);
    });
}

export type { ServeFlags };
