/** For those who decide: do users get what was promised, and how much risk is left. */
import * as names from '../rules/names.js';
import { meshMetrics as m } from '../spec/mesh-metrics.js';
import type { Dashboard } from './model.js';
import { rate, inbound, outbound, stat, series, budgetLeft, firingAlerts } from './panels.js';

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
