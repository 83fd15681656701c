/** F5: telemetry that is missing. M10: no telemetry is dropped. */
import { meshMetrics as m } from '../../slo/spec/mesh-metrics.js';
import { type LibraryEntry, proxy, sumRate } from './entry.js';

export const telemetryAlerts: LibraryEntry[] = [
  {
    name: 'MeshTelemetryLoss',
    expr: (t) =>
      // The counter of items to send includes those that were dropped afterwards.
      `${sumRate('', m.telemetryDrops, t.range('5m'))}\n` +
      `/ ${sumRate('', m.telemetrySent, t.range('5m'))} > 0.1`,
    for: '2m',
    keepFiringFor: '5m',
    timing:
      'A tenth lost over 5m is more than a restart of the collector loses; kept for 5m, since ' +
      'queues drain and fill.',
    about: 'mesh',
    summary: '{{ $value | humanizePercentage }} of the telemetry is dropped',
    description:
      'Spans do not reach the collector: the next incident will be looked into half blind. The ' +
      'proxies drop what their ' +
      'bounded queues cannot hold, and traffic is not concerned.',
    dashboard: 'firedrill-debug',
  },
  {
    name: 'MeshTelemetryDropping',
    expr: (t) => `${sumRate('', m.telemetryDrops, t.range('15m'))} > 0`,
    for: '10m',
    timing: 'M10 wants none; 10m leave out a restart of the collector.',
    about: 'mesh',
    summary: '{{ $value | printf "%.2f" }} spans and log lines a second are dropped',
    description: 'The collector needs more memory or replicas, or proxies should sample less.',
    dashboard: 'firedrill-debug',
  },
  {
    name: 'MeshProxyMetricsMissing',
    expr: (t) => `1 - avg(up{${t.proxy}}) > 0.5`,
    for: '2m',
    timing:
      'Half of all proxies do not fail together in a rollout; two minutes leave out a network that flaps.',
    about: 'mesh',
    summary: '{{ $value | humanizePercentage }} of the proxies do not answer scrapes',
    description:
      'Either half of the mesh is down, or Prometheus is kept from their admin ports. SLOs ' +
      'count nothing meanwhile.',
    dashboard: 'firedrill-oncall',
  },
  {
    name: 'MeshMetricsAbsent',
    expr: (t) => `absent(up{${t.proxy}} == 1)`,
    for: '2m',
    timing: 'Two minutes are longer than a restart of Prometheus or a reload of its configuration.',
    about: 'mesh',
    summary: 'Prometheus scrapes no proxy at all',
    description:
      'No SLO and no alert on traffic can fire now. See the targets of Prometheus: the scrape job, the label ' +
      'mesh.firedrill.dev/scrape, NetworkPolicies.',
    dashboard: 'firedrill-oncall',
  },
  {
    name: 'MeshCardinalityFlood',
    expr: (t) =>
      `scrape_samples_post_metric_relabeling{${t.proxy}} > 20000\n` +
      `or\nsum by (instance, job) (increase(${m.labelOverflow}[${t.range('30m')}])) > 0`,
    for: '15m',
    timing:
      'Series stay once they are there; a quarter of an hour is no pod churn. A profile that is too ' +
      'large overflows once, as it is taken up: half an hour keeps that in view for longer than the wait.',
    about: 'mesh',
    summary: `The ${proxy} is flooded with label values: {{ $value | humanize }}`,
    description:
      'The figure is the series that it exposes, or the label sets that it folds into "overflow" since there are too ' +
      'many. A label without bounds (a raw path, a user) does that. Name routes by pattern in a ServiceProfile.',
    dashboard: 'firedrill-debug',
  },
];
