/** The five dashboards: executive, on-call, debug, fleet, and one for each SLO. */
import * as names from '../rules/names.js';
import { meshMetrics as m } from '../spec/mesh-metrics.js';
import { budgetRatio, type Slo } from '../spec/model.js';
import type { Dashboard, Panel } from './model.js';

const rate = (selector: string): string => `rate(${selector}[$__rate_interval])`;
const inbound = 'direction="inbound"';
const outbound = 'direction="outbound"';

const stat = (p: Omit<Panel, 'kind' | 'width' | 'height'> & { width?: number }): Panel => ({
  ...p,
  kind: 'stat',
  width: p.width ?? 6,
  height: 4,
});
const series = (p: Omit<Panel, 'kind' | 'width' | 'height'> & { width?: number }): Panel => ({
  ...p,
  kind: 'timeseries',
  width: p.width ?? 12,
  height: 8,
});

const services = {
  name: 'service' as const,
  query: `label_values(${names.infoMetric}, ${names.serviceLabel})`,
};

const budgetLeft = { warn: 0.25, bad: 0, falling: true };

const firingAlerts: Panel = {
  title: 'Firing alerts',
  description: 'What pages or files a ticket right now. Each alert links to its runbook.',
  kind: 'table',
  queries: [{ expr: 'ALERTS{alertstate="firing"}' }],
  unit: 'count',
  width: 12,
  height: 8,
  mayBeEmpty: true,
};

export function executiveDashboard(): Dashboard {
  return {
    uid: 'firedrill-executive',
    title: 'Reliability: executive',
    description: 'Do users get what was promised, and how much risk is left this month.',
    variables: [],
    panels: [
      stat({
        title: 'Success rate, everything',
        description: 'Share of requests that servers in the mesh answered without failing.',
        queries: [
          {
            expr:
              `1 - (sum(${rate(`${m.responses}{${inbound},classification="failure"}`)}) or vector(0)) / ` +
              `sum(${rate(`${m.responses}{${inbound}}`)})`,
          },
        ],
        unit: 'ratio',
        thresholds: { warn: 0.999, bad: 0.99, falling: true },
      }),
      stat({
        title: 'Traffic',
        description: 'Requests a second that reach services in the mesh.',
        queries: [{ expr: `sum(${rate(`${m.requests}{${inbound}}`)})` }],
        unit: 'per-second',
      }),
      stat({
        title: 'SLOs out of budget',
        description: 'How many promises are broken over their period. Zero is the aim.',
        queries: [{ expr: `count(${names.budgetRemainingMetric} < 0) or vector(0)` }],
        unit: 'count',
        thresholds: { warn: 1, bad: 2 },
      }),
      stat({
        title: 'Next certificate expires in',
        description:
          'Of the issuers and the proxies, the soonest. Renewal is automatic; below a day look at it.',
        queries: [{ expr: `min({__name__=~"${m.certificateExpiry}|${m.issuerExpiry}"}) - time()` }],
        unit: 's',
        thresholds: { warn: 604_800, bad: 86_400, falling: true },
      }),
      stat({
        title: 'Traffic encrypted',
        description: 'Share of connections between proxies under mutual TLS (S7).',
        queries: [
          {
            expr:
              `(sum(${m.connections}{${inbound},peer="src",tls="true"}) or vector(0)) / ` +
              `sum(${m.connections}{${inbound},peer="src"})`,
          },
        ],
        unit: 'ratio',
        thresholds: { warn: 0.99, bad: 0.9, falling: true },
      }),
      series({
        title: 'Error budget left',
        description: 'Of each SLO, over its period. A line that falls steeply is an incident.',
        queries: [{ expr: names.budgetRemainingMetric, legend: '{{slo}}' }],
        unit: 'ratio',
        width: 18,
        thresholds: budgetLeft,
      }),
      series({
        title: 'Traffic by service',
        description: 'Requests a second that each service receives, as its callers count them.',
        queries: [
          { expr: `sum by (dst) (${rate(`${m.requests}{${outbound}}`)})`, legend: '{{dst}}' },
        ],
        unit: 'per-second',
      }),
      firingAlerts,
    ],
  };
}

export function onCallDashboard(): Dashboard {
  const failing =
    `sum by (dst) (${rate(`${m.responses}{${outbound},classification="failure"}`)}) / ` +
    `sum by (dst) (${rate(`${m.responses}{${outbound}}`)})`;
  return {
    uid: 'firedrill-oncall',
    title: 'Reliability: on call',
    description: 'What is failing, for whom, and is it the mesh itself.',
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
      series({
        title: 'Burn rate over an hour',
        description:
          'How many times faster than allowed each budget burns. Above 3 somebody is paged.',
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
      }),
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

export function debugDashboard(): Dashboard {
  const proxies = `${m.requests}{${inbound}}`;
  const of = (vector: string): string =>
    `${vector} and on (instance) group by (instance) (${proxies})`;
  return {
    uid: 'firedrill-debug',
    title: 'Reliability: debug',
    description: 'Inside the proxies, one by one.',
    variables: [],
    panels: [
      series({
        title: 'Proxy CPU',
        description: 'Cores that each proxy uses (M6: below 10% of its pod).',
        queries: [{ expr: of(`rate(${m.cpuSeconds}[$__rate_interval])`), legend: '{{instance}}' }],
        unit: 'cores',
      }),
      series({
        title: 'Proxy memory',
        description: 'Resident memory of each proxy (M7: below 150 MB).',
        queries: [{ expr: of(m.memoryBytes), legend: '{{instance}}' }],
        unit: 'bytes',
        thresholds: { warn: 100e6, bad: 150e6 },
      }),
      series({
        title: 'Request latencies',
        description: 'Requests a second that took at most so long: the cumulative histogram.',
        queries: [
          {
            expr: `sum by (le) (${rate(`${m.latencyMs}_bucket{${inbound}}`)})`,
            legend: '{{le}} ms',
          },
        ],
        unit: 'per-second',
      }),
      series({
        title: 'mTLS handshakes that fail',
        description:
          'By reason. Expired: look at the issuer; unknown authority: at the trust anchors.',
        queries: [
          {
            expr: `sum by (reason) (${rate(m.handshakeFailures)}) or vector(0)`,
            legend: '{{reason}}',
          },
        ],
        unit: 'per-second',
      }),
      series({
        title: 'Endpoints ejected',
        description: 'By the circuit breaker of each destination.',
        queries: [{ expr: `sum by (dst) (${rate(m.ejections)}) or vector(0)`, legend: '{{dst}}' }],
        unit: 'per-second',
      }),
      series({
        title: 'Telemetry dropped',
        description: 'Spans that never reached the collector (M10: none).',
        queries: [{ expr: `sum(${rate(m.telemetryDrops)}) or vector(0)`, legend: 'spans' }],
        unit: 'per-second',
      }),
    ],
  };
}

export function fleetDashboard(): Dashboard {
  const table = (title: string, description: string, expr: string, unit: Panel['unit']): Panel => ({
    title,
    description,
    kind: 'table',
    queries: [{ expr }],
    unit,
    width: 12,
    height: 10,
  });
  return {
    uid: 'firedrill-fleet',
    title: 'Reliability: all SLOs',
    description:
      'Every promise, its budget and its pace, also those whose rules another tool made.',
    variables: [services],
    panels: [
      table(
        'Budget left',
        'The least first. Below zero the promise is broken.',
        `sort(${names.budgetRemainingMetric}{service=~"$service"})`,
        'ratio',
      ),
      table(
        'Burn rate now',
        'Over five minutes; the fastest first.',
        `sort_desc(${names.currentBurnMetric}{service=~"$service"})`,
        'times',
      ),
      table(
        'Objectives',
        'What was promised.',
        `${names.infoMetric}{service=~"$service"}`,
        'count',
      ),
      table(
        'Events without an owner',
        'SLOs that nobody is paged for: give each an owner.',
        `count(${names.infoMetric}{owner=""}) or vector(0)`,
        'count',
      ),
    ],
  };
}

/** One dashboard for one SLO (S4): burn-down, burn rates, events. */
export function sloDashboard(slo: Slo, stepMs: number): Dashboard {
  const of = `{slo="${slo.id}"}`;
  const budget = budgetRatio(slo.objective);
  const runbook = slo.alerting.annotations.runbook_url;
  const link = runbook === undefined ? {} : { runbook };
  const periodMs = slo.period.days * 86_400_000;
  const burn = (ms: number, legend: string) => ({
    expr: `${names.errorRatio(ms)}${of} / ${budget}`,
    legend,
  });
  return {
    uid: `slo-${slo.id}`.slice(0, 40),
    title: `SLO: ${slo.id}`,
    description: slo.description ?? `${slo.objective}% of events are good`,
    variables: [],
    panels: [
      stat({
        title: 'Objective',
        description: 'What was promised.',
        queries: [{ expr: `${names.objectiveRatioMetric}${of}` }],
        unit: 'ratio',
      }),
      stat({
        title: 'Achieved',
        description: 'Over the period so far, a ratio of sums.',
        queries: [{ expr: `1 - ${names.errorRatio(periodMs)}${of}` }],
        unit: 'ratio',
        thresholds: { warn: slo.objective / 100, bad: slo.objective / 100, falling: true },
      }),
      stat({
        title: 'Error budget left',
        description: 'Of the whole period. Below 0 the promise is broken.',
        queries: [{ expr: `${names.budgetRemainingMetric}${of}` }],
        unit: 'ratio',
        thresholds: budgetLeft,
        ...link,
      }),
      stat({
        title: 'Budget left in minutes',
        description: 'Of complete failure, until nothing is left.',
        queries: [
          { expr: `${names.budgetRemainingMetric}${of} * ${budget * slo.period.days * 86_400}` },
        ],
        unit: 's',
        thresholds: { warn: 3600, bad: 0, falling: true },
      }),
      series({
        title: 'Budget burn-down',
        description: 'What is left of the budget. A step down is an incident.',
        queries: [{ expr: `${names.budgetRemainingMetric}${of}`, legend: 'left' }],
        unit: 'ratio',
        thresholds: budgetLeft,
        ...link,
      }),
      series({
        title: 'Burn rates',
        description:
          'Times faster than allowed. A page needs the long and the short window above its factor.',
        queries: [
          burn(300_000, '5m'),
          burn(3_600_000, '1h'),
          burn(21_600_000, '6h'),
          burn(259_200_000, '3d'),
        ],
        unit: 'times',
        thresholds: { warn: 1, bad: 3 },
        ...link,
      }),
      series({
        title: 'Events',
        description: 'A second, of each step.',
        queries: [
          { expr: `${names.totalIncrease(stepMs)}${of} / ${stepMs / 1000}`, legend: 'all' },
          { expr: `${names.badIncrease(stepMs)}${of} / ${stepMs / 1000}`, legend: 'bad' },
        ],
        unit: 'per-second',
      }),
      { ...firingAlerts, queries: [{ expr: `ALERTS{alertstate="firing",slo="${slo.id}"}` }] },
    ],
  };
}

export const commonDashboards = (): Dashboard[] => [
  executiveDashboard(),
  onCallDashboard(),
  debugDashboard(),
  fleetDashboard(),
];

export const allDashboards = (slos: readonly Slo[], stepMs: number): Dashboard[] => [
  ...commonDashboards(),
  ...slos.map((slo) => sloDashboard(slo, stepMs)),
];
