/** `collector`: prints the configuration of an OpenTelemetry Collector, or the objects that run one. */
import type { Command } from 'commander';
import { eachWhole } from '../../../base/choice-option.js';
import { UserError } from '../../../base/errors.js';

interface Options {
  tracesTo?: string;
  logsTo?: string;
  logs?: string[];
  manifests?: boolean;
  namespace: string;
  image: string;
}

export function registerCollector(program: Command): void {
  program
    .command('collector')
    .description(
      "Print an OpenTelemetry Collector's configuration for the proxies' traces and logs",
    )
    .option('--traces-to <url>', 'an OTLP/HTTP address for spans; default: they are counted only')
    .option('--logs-to <url>', 'an OTLP/HTTP address for log lines; default: they are counted only')
    .option(
      '--logs <pattern>',
      "on this machine: access logs and a game day's events.jsonl instead of pods' logs; may be repeated",
      eachWhole,
    )
    .option('--manifests', 'print a DaemonSet that runs the Collector, for kubectl apply -f -')
    .option(
      '-n, --namespace <name>',
      "with --manifests: the Collector's own",
      'firedrill-telemetry',
    )
    .option(
      '--image <image>',
      'with --manifests: the contrib distribution, or another with filelog',
      'otel/opentelemetry-collector-contrib:0.165.1',
    )
    .addHelpText(
      'after',
      `
Examples:
  firedrill collector --traces-to http://jaeger.observability:4318 > collector.yaml
  firedrill collector --traces-to http://tempo:4318 --logs-to http://loki:3100/otlp --manifests | kubectl apply -f -
  firedrill install --set proxy.otlpUrl=http://firedrill-collector.firedrill-telemetry:4318 --apply
  firedrill collector --traces-to http://127.0.0.1:14318 --logs 'logs/*.log' --logs gameday-report/events.jsonl`,
    )
    .action(run);
}

async function run(options: Options): Promise<void> {
  const { collectorObjects, collectorText } = await import('./collector.js');
  const { yamlDocuments } = await import('../../../base/yaml-text.js');
  const { manifests, logs, namespace, image } = options;
  if (manifests && logs) {
    throw new UserError({
      message: '--manifests and --logs',
      expected: "one of them: a DaemonSet reads its node's pods",
    });
  }
  const collector = {
    tracesTo: addressOf('--traces-to', options.tracesTo, '/v1/traces'),
    logsTo: addressOf('--logs-to', options.logsTo, '/v1/logs'),
    files: logs,
  };
  process.stdout.write(
    manifests
      ? yamlDocuments(collectorObjects(collector, { namespace, image }))
      : collectorText(collector),
  );
}

/** The Collector adds the signal's path itself. */
function addressOf(option: string, text: string | undefined, path: string): string | undefined {
  if (text === undefined) return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url && /^https?:$/.test(url.protocol) && url.search + url.hash === '') {
    return text.replace(/\/+$/, '').replace(new RegExp(`${path}$`), '');
  }
  throw new UserError({
    message: `${option} ${text}`,
    expected: 'an address such as http://HOST:4318',
  });
}
