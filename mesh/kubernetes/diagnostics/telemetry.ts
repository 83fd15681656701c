/** Entries about telemetry: metrics, traces, logs. */
import { Pattern, patternProblem } from '../../pattern/pattern.js';
import { annotations, ports } from '../annotations.js';
import {
  type Entry,
  type Finding,
  listAt,
  meshedPods,
  named,
  ofKind,
  proxyName,
  sum,
} from './entry.js';

/** Metrics that rules and dashboards need: a relabelling that drops one of them blinds the rules and dashboards. */
const neededMetrics = [
  'request_total',
  'response_total',
  'response_latency_ms_bucket',
  'identity_cert_expiration_timestamp_seconds',
];
const neededLabels = ['direction', 'dst', 'rt_route', 'classification', 'status_code', 'le'];

interface Relabel {
  action?: string;
  regex?: string;
  source_labels?: string[] | string;
  sourceLabels?: string[];
}

const relabel: Entry = {
  id: 'metrics-missing-after-relabel',
  symptom: 'panels are empty since the scrape configuration changed',
  find: ({ objects }) =>
    objects.flatMap((o): Finding[] => [
      ...listAt(o, 'scrape_configs')
        .filter(mayScrapeProxies)
        .flatMap((job) =>
          listAt<Relabel>(job, 'metric_relabel_configs').flatMap((rule) =>
            lost(`job ${String(job.job_name)}`, rule),
          ),
        ),
      ...[...listAt(o, 'spec', 'podMetricsEndpoints'), ...listAt(o, 'spec', 'endpoints')]
        .filter(({ port, portNumber }) => portNumber === ports.admin || isAdmin(port))
        .flatMap((endpoint) => listAt<Relabel>(endpoint, 'metricRelabelings'))
        .flatMap((rule) => lost(named(o), rule)),
    ]),
};

/** An endpoint that names no port has all of a pod's. */
const isAdmin = (port: unknown): boolean => port === undefined || port === 'fd-admin';

/** A job of fixed targets has the proxies only if it names their port; one that finds services or nodes never has. */
function mayScrapeProxies(job: Record<string, unknown>): boolean {
  const found = listAt(job, 'kubernetes_sd_configs');
  if (found.length > 0) return found.some(({ role }) => role === 'pod');
  const fixed = listAt(job, 'static_configs').flatMap(({ targets }) => targets as unknown);
  return fixed.length === 0 || fixed.some((t) => String(t).endsWith(`:${ports.admin}`));
}

/** Prometheus reads the action in capitals, too. */
function lost(where: string, rule: Relabel): Finding[] {
  const { regex = '.*', action = 'replace' } = rule;
  // Prometheus refuses such a rule by itself.
  if (patternProblem(regex) !== undefined) return [];
  const pattern = new Pattern(regex);
  const onName = [rule.source_labels ?? rule.sourceLabels ?? []].flat().join() === '__name__';
  const fits = (text: string): boolean => pattern.test(text);
  const [names, labels] = [onName ? neededMetrics : [], neededLabels];
  const gone =
    {
      drop: names.filter(fits),
      keep: names.filter((m) => !fits(m)),
      labeldrop: labels.filter(fits),
      labelkeep: labels.filter((l) => !fits(l)),
    }[action.toLowerCase()] ?? [];
  if (gone.length === 0) return [];
  return [
    {
      where,
      cause: `${action} '${regex}' takes away ${gone.join(', ')}`,
      fix: 'exempt these from the relabelling',
    },
  ];
}

const queuePorts: Record<number, string> = {
  9092: 'Kafka',
  5672: 'AMQP',
  4222: 'NATS',
  1883: 'MQTT',
};

const asyncTraces: Entry = {
  id: 'traces-lost-over-queues',
  symptom: 'traces end where a message queue begins',
  find: (facts) =>
    ofKind(facts, 'Service').flatMap((s): Finding[] => {
      const queue = listAt<{ port: number }>(s, 'spec', 'ports')
        .map((p) => queuePorts[p.port])
        .find((name) => name !== undefined);
      if (!queue || s.metadata.annotations?.[annotations.traceContext] === 'in-message') return [];
      return [
        {
          where: named(s),
          cause: `${queue} is opaque to the proxy, so no trace context crosses it`,
          fix: 'carry traceparent in message headers, then annotate mesh.firedrill.dev/trace-context: in-message',
        },
      ];
    }),
};

const cardinalityLimit = 100;

const unbounded: Entry = {
  id: 'unbounded-labels',
  symptom: 'Prometheus grows, queries slow down',
  find: ({ proxies }) =>
    proxies.flatMap((p) => {
      const values = new Map<string, Set<string>>();
      for (const s of p.after) {
        for (const [label, value] of Object.entries(s.labels)) {
          if (label === 'le') continue;
          const key = `${s.name} ${label}`;
          values.set(key, (values.get(key) ?? new Set()).add(value));
        }
      }
      return [...values]
        .filter(([, seen]) => seen.size > cardinalityLimit)
        .map(([key, seen]) => ({
          where: proxyName(p),
          cause: `${key.replace(' ', "'s label ")} has ${seen.size} values`,
          fix: 'name routes by pattern (a ServiceProfile), never by raw path',
        }));
    }),
};

const logs: Entry = {
  id: 'logs-without-trace-ids',
  symptom: 'a log line cannot be followed to its trace',
  find: ({ proxies }) =>
    proxies
      .filter((p) => p.config.tracing && (p.config.accessLog ?? 'off') === 'off')
      .map((p) => ({
        where: proxyName(p),
        cause: 'traces are on and the access log, which carries their ids, is off',
        fix: `annotate the pod ${annotations.proxyLogLevel}: stdout`,
      })),
};

const gaps: Entry = {
  id: 'telemetry-gaps-at-peak',
  symptom: 'spans or metrics are missing when load is highest',
  find: ({ proxies }) =>
    proxies.flatMap((p): Finding[] => {
      const dropped = p.after.filter((s) => /drop/.test(s.name) && s.value > 0);
      if (dropped.length === 0) return [];
      const cause = dropped.map((s) => `${s.name} ${s.value}`).join(', ');
      return [
        {
          where: proxyName(p),
          cause,
          fix: 'give the collector memory and replicas, or sample less',
        },
      ];
    }),
};

const sampling: Entry = {
  id: 'excessive-trace-sampling',
  symptom: 'tracing costs more than it tells',
  find: (facts) => [
    ...facts.proxies
      .filter((p) => (p.config.tracing?.sampleRatio ?? 0) > 0.1)
      .map((p) => ({
        where: proxyName(p),
        cause: `${100 * (p.config.tracing?.sampleRatio ?? 0)}% of the requests are traced`,
        fix: 'sample 1%; errors can be kept by the collector (tail sampling)',
      })),
    ...meshedPods(facts)
      .filter((pod) => Number(pod.metadata.annotations?.[annotations.traceSampling]) > 0.1)
      .map((pod) => ({
        where: named(pod),
        cause: `${annotations.traceSampling} is ${pod.metadata.annotations?.[annotations.traceSampling]}`,
        fix: 'lower it to 0.01',
      })),
  ],
};

const cpu: Entry = {
  id: 'high-proxy-cpu',
  symptom: 'the proxy takes more CPU than the app',
  find: ({ proxies, nowMs }) =>
    proxies.flatMap((p): Finding[] => {
      const used = sum(p.after, 'process_cpu_seconds_total');
      const before = sum(p.before, 'process_cpu_seconds_total');
      const started = sum(p.after, 'process_start_time_seconds');
      // Over the window if there was one, otherwise over the process's lifetime.
      const windowed = p.seconds >= 1 && used > before;
      const cores = windowed
        ? (used - before) / p.seconds
        : used / Math.max(1, nowMs / 1000 - started);
      if (cores < 0.7) return [];
      return [
        {
          where: proxyName(p),
          cause: `${cores.toFixed(2)} cores of the one that it can use`,
          fix: 'more replicas; less tracing; opaque ports for what needs no routing',
        },
      ];
    }),
};

export const telemetryEntries: Entry[] = [
  cpu,
  relabel,
  asyncTraces,
  unbounded,
  logs,
  gaps,
  sampling,
];
