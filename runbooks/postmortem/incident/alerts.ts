/**
 * Finds the alerts that fired in a stretch of time, by the series that Prometheus keeps of them, grouped like their
 * notifications.
 */
import type { AmConfig } from '../../../alerts/routing/config.js';
import { decide } from '../../../alerts/routing/evaluate.js';
import type { PrometheusClient } from '../../../slo/budget/prometheus.js';
import type { AlertingRule } from '../../../slo/rules/model.js';
import type { AlertGroup } from './model.js';

export interface FiredAlert {
  labels: Record<string, string>;
  activeAtMs: number;
  firedAtMs: number;
  firedBefore: boolean;
  endedAtMs?: number;
  times: number;
}

interface Stretch {
  fromMs: number;
  toMs: number;
  stepMs: number;
}

/** Alerts in the order in which they fired; `matchers` as within braces. */
export async function firedAlerts(
  client: PrometheusClient,
  { fromMs, toMs, stepMs }: Stretch,
  matchers: string,
): Promise<FiredAlert[]> {
  const within = matchers === '' ? '' : `,${matchers}`;
  const firing = `ALERTS{alertstate="firing"${within}}`;
  const [states, since, atTheEnd] = await Promise.all([
    client.range(firing, fromMs, toMs, stepMs),
    client.range(`ALERTS_FOR_STATE{${matchers}}`, fromMs, toMs, stepMs),
    // The last step may lie before the end, and the alert may have ended between the two.
    client.query(firing, toMs),
  ]);
  const open = new Set(atTheEnd.map((s) => keyOf(s.labels)));
  const activeSince = new Map(since.map((s) => [keyOf(s.labels), s.points]));
  return states
    .flatMap(({ labels, points }): FiredAlert[] => {
      const [first] = points;
      const last = points.at(-1);
      if (!first || !last) return [];
      const begins = points.filter(([atMs], i) => {
        return i === 0 || atMs - (points[i - 1] as [number, number])[0] > 1.5 * stepMs;
      });
      const active = activeSince.get(keyOf(labels))?.find(([atMs]) => atMs >= first[0])?.[1];
      const { alertstate: _, __name__: __, ...own } = labels;
      return [
        {
          labels: own,
          activeAtMs: active === undefined ? first[0] : Math.min(active * 1000, first[0]),
          firedAtMs: first[0],
          firedBefore: first[0] - fromMs < stepMs,
          ...(!open.has(keyOf(labels)) && { endedAtMs: Math.min(last[0] + stepMs, toMs) }),
          times: begins.length,
        },
      ];
    })
    .sort((a, b) => a.firedAtMs - b.firedAtMs);
}

const keyOf = (labels: Record<string, string>): string => {
  const { alertstate: _, __name__: __, ...own } = labels;
  return JSON.stringify(Object.entries(own).sort());
};

/** Names of workloads come first, addresses last. */
const telling = [
  'workload',
  'service',
  'deployment',
  'job_name',
  'slo',
  'job',
  'pod',
  'node',
  'instance',
];
const valuesMax = 8;
const byDefault = ['alertname', 'severity', 'cluster', 'namespace', 'service'];

export function grouped(
  fired: readonly FiredAlert[],
  rules: readonly AlertingRule[],
  config: AmConfig | undefined,
): AlertGroup[] {
  const groups = new Map<
    string,
    { by: Record<string, string>; receivers?: string[]; own: FiredAlert[] }
  >();
  for (const alert of fired) {
    for (const { by, receivers } of placesOf(alert, config)) {
      const values = Object.fromEntries(
        by.flatMap((name) =>
          alert.labels[name] === undefined ? [] : [[name, alert.labels[name]]],
        ),
      ) as Record<string, string>;
      // Pages and tickets never share a row, because the reader must see which alerts paged.
      const severity = alert.labels.severity ?? 'none';
      const key = JSON.stringify([receivers, severity, Object.entries(values).sort()]);
      const known = groups.get(key) ?? { by: values, ...(receivers && { receivers }), own: [] };
      known.own.push(alert);
      groups.set(key, known);
    }
  }
  return [...groups.values()].map(({ by, receivers, own }) => groupOf(by, receivers, own, rules));
}

/** Groups by each route that takes the alert; an alert with its own group (`...`) is grouped by its name. */
function placesOf(
  { labels, firedAtMs }: FiredAlert,
  config: AmConfig | undefined,
): { by: readonly string[]; receivers?: string[] }[] {
  if (!config) return [{ by: byDefault }];
  const { deliveries } = decide(config, labels, { atMs: firedAtMs, firing: [], silences: [] });
  return deliveries.map(({ groupBy, receiver }) => ({
    by: groupBy.includes('...') ? byDefault : groupBy,
    receivers: [receiver],
  }));
}

function groupOf(
  by: Record<string, string>,
  receivers: string[] | undefined,
  own: readonly FiredAlert[],
  rules: readonly AlertingRule[],
): AlertGroup {
  const names = [...new Set(own.map((a) => a.labels.alertname ?? ''))];
  const rule = rules.find((r) => r.alert === names[0]);
  const label = telling.find((name) => new Set(own.map((a) => a.labels[name])).size > 1);
  const values = label === undefined ? [] : [...new Set(own.map((a) => a.labels[label] ?? ''))];
  const ends = own.map((a) => a.endedAtMs);
  const { summary, runbook_url: runbook } = rule?.annotations ?? {};
  return {
    names,
    severity: own[0]?.labels.severity ?? 'none',
    by,
    ...(receivers && { receivers }),
    alerts: own.length,
    of:
      label === undefined
        ? undefined
        : { label, values: values.slice(0, valuesMax), count: values.length },
    activeAtMs: Math.min(...own.map((a) => a.activeAtMs)),
    firedAtMs: Math.min(...own.map((a) => a.firedAtMs)),
    firedBefore: own.some((a) => a.firedBefore),
    ...(!ends.includes(undefined) && { endedAtMs: Math.max(...(ends as number[])) }),
    times: own.reduce((sum, a) => sum + a.times, 0),
    // A text with a template is about a single alert, and this row is about all of them.
    ...(summary !== undefined && !summary.includes('{{') && { summary }),
    ...(runbook !== undefined && !runbook.includes('{{') && { runbook }),
  };
}
