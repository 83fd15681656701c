/** The dashboard for decisions: whether users get the promised service, and how much risk is left. */
import * as names from '../rules/names.js';
import { meshMetrics as m } from '../spec/mesh-metrics.js';
import type { Dashboard, Panel } from './model.js';
import {
  rate,
  inbound,
  outbound,
  stat,
  series,
  budgetLeft,
  firingAlerts,
  Events,
} from './panels.js';

/** Traffic and success rate come from the proxies of a mesh, or without a mesh from the SLOs. */
export function executiveDashboard(mesh = true, events = new Events()): Dashboard {
  return {
    uid: 'firedrill-executive',
    title: 'Reliability: executive',
    description: 'Whether SLOs are met, and how much error budget is left.',
    variables: [],
    panels: [
      ...(mesh ? meshTop : sloTop(events)),
      series({
        title: 'Error budget left',
        description: 'Of each SLO, over its period. A line that falls steeply is an incident.',
        queries: [{ expr: names.budgetRemainingMetric, legend: '{{slo}}' }],
        unit: 'ratio',
        width: mesh ? 18 : 12,
        thresholds: budgetLeft,
      }),
      mesh ? meshTraffic : events.byService(),
      firingAlerts,
    ],
  };
}

const outOfBudget = stat({
  title: 'SLOs out of budget',
  description: 'Number of SLOs missed over their period. Zero is the aim.',
  queries: [
    {
      expr:
        `count(${names.budgetRemainingMetric} < 0) or ` +
        `0 * count(${names.budgetRemainingMetric})`,
    },
  ],
  unit: 'count',
  thresholds: { warn: 1, bad: 2 },
});

const meshTop: Panel[] = [
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
  outOfBudget,
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
];

const meshTraffic = series({
  title: 'Traffic by service',
  description: 'Requests a second that each service receives, as its callers count them.',
  queries: [{ expr: `sum by (dst) (${rate(`${m.requests}{${outbound}}`)})`, legend: '{{dst}}' }],
  unit: 'per-second',
});

const sloTop = (events: Events): Panel[] => [
  stat({
    title: 'Good events, everything',
    description: 'Share of the events of all SLOs that were good over the last five minutes.',
    queries: [{ expr: events.goodShare }],
    unit: 'ratio',
    thresholds: { warn: 0.999, bad: 0.99, falling: true },
  }),
  stat({
    title: 'Traffic',
    description: 'Events a second, of each service those of its busiest SLO.',
    queries: [{ expr: events.traffic }],
    unit: 'per-second',
  }),
  outOfBudget,
  stat({
    title: 'Fastest burn',
    description: 'Of all SLOs, over five minutes. Above 1x a budget does not last its period.',
    queries: [{ expr: `max(${names.currentBurnMetric})` }],
    unit: 'times',
    thresholds: { warn: 1, bad: 3 },
  }),
];
