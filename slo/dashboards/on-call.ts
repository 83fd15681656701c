/** The dashboard for a person who was just paged: which requests fail, for whom, and whether the mesh is the cause. */
import * as names from '../rules/names.js';
import { pageAboveByDefault } from '../rules/plan.js';
import { standardWindows, withPageAbove } from '../rules/windows.js';
import { meshMetrics as m } from '../spec/mesh-metrics.js';
import type { Dashboard, Panel } from './model.js';
import {
  burnMarks,
  Events,
  firingAlerts,
  outbound,
  rate,
  series,
  services,
  stat,
} from './panels.js';

/** Without a mesh, the panels use the SLOs of the services. */
export function onCallDashboard(mesh = true, events = new Events()): Dashboard {
  if (!mesh) return sloOnCall(events);
  const failing =
    `sum by (dst) (${rate(`${m.responses}{${outbound},classification="failure"}`)}) / ` +
    `sum by (dst) (${rate(`${m.responses}{${outbound}}`)})`;
  return {
    uid: 'firedrill-oncall',
    title: 'Reliability: on call',
    description: 'Failing services, affected callers, and the state of the mesh.',
    variables: [services],
    panels: [
      series({
        title: 'Top failing services',
        description: 'The five with the highest share of failures, as their callers see them.',
        queries: [
          {
            expr: `topk(5, (${failing}) or 0 * sum by (dst) (${rate(`${m.responses}{${outbound}}`)}))`,
            legend: '{{dst}}',
          },
        ],
        unit: 'ratio',
      }),
      burnOverAnHour(),
      series({
        title: 'p95 latency by service',
        description: 'As callers see it, retries included.',
        queries: [
          {
            expr: `histogram_quantile(0.95, sum by (dst, le) (${rate(`${m.latencyMs}_bucket{${outbound}}`)}))`,
            legend: '{{dst}}',
          },
        ],
        unit: 'ms',
      }),
      series({
        title: 'Retry rate',
        description:
          'Retries for each request. Above 2% find what fails; a storm shows here first.',
        queries: [
          {
            expr: `(sum(${rate(m.retries)}) or vector(0)) / sum(${rate(`${m.requests}{${outbound}}`)})`,
            legend: 'retries for each request',
          },
        ],
        unit: 'ratio',
        thresholds: { warn: 0.02, bad: 0.1 },
      }),
      stat({
        title: 'Proxies connected',
        description:
          'To the controller. Fewer than there are: configuration does not reach the rest.',
        queries: [{ expr: `sum(${m.connectedProxies})` }],
        unit: 'count',
      }),
      stat({
        title: 'Propagation, p99',
        description: 'From a change to the last acknowledgement.',
        queries: [
          {
            expr: `histogram_quantile(0.99, sum by (le) (${m.propagationSeconds}_bucket))`,
          },
        ],
        unit: 's',
        thresholds: { warn: 1, bad: 5 },
      }),
      firingAlerts,
    ],
  };
}

const burnOverAnHour = (): Panel =>
  series({
    title: 'Burn rate over an hour',
    description: 'The burn rate of each budget. Above 3 it pages.',
    queries: [
      {
        expr:
          `${names.errorRatio(3_600_000)}{service=~"$service"} / on (slo) group_left () ` +
          `${names.errorBudgetMetric}`,
        legend: '{{slo}}',
      },
    ],
    unit: 'times',
    thresholds: { warn: 1, bad: 3 },
    log: true,
    marks: burnMarks({ windows: withPageAbove(standardWindows(30), pageAboveByDefault) }),
  });

function sloOnCall(events: Events): Dashboard {
  const ratio = `${names.errorRatio(300_000)}{service=~"$service"}`;
  return {
    uid: 'firedrill-oncall',
    title: 'Reliability: on call',
    description: 'Failing services and affected callers.',
    variables: [services],
    panels: [
      series({
        title: 'Bad events over five minutes',
        description: 'The five SLOs with the highest share of bad events.',
        queries: [{ expr: `topk(5, ${ratio})`, legend: '{{slo}}' }],
        unit: 'ratio',
      }),
      burnOverAnHour(),
      events.byService(),
      firingAlerts,
    ],
  };
}
