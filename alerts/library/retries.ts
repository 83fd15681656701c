/** F4: retries that add to the overload that caused them; M4: the limit of retries. */
import { meshMetrics as m } from '../../slo/spec/mesh-metrics.js';
import { type LibraryEntry, sumRate } from './entry.js';

const requests = `${m.requests}{direction="outbound"}`;

/** Retries per request of the callers: 0.25 means 125 attempts for 100 requests. */
const share = (range: string): string =>
  `${sumRate('dst', m.retries, range)}\n/ ${sumRate('dst', requests, range)}`;

export const retryAlerts: LibraryEntry[] = [
  {
    name: 'MeshRetryStorm',
    // The long window shows that it matters, the short one that it continues, the last condition that there is
    // traffic.
    expr: (t) =>
      `${share(t.range('5m'))} > 0.25\nand\n${share(t.range('1m'))} > 0.25\n` +
      `and\n${sumRate('dst', m.retries, t.range('1m'))} > 1`,
    for: '0s',
    keepFiringFor: '2m',
    timing:
      'Two windows take the place of a wait: 5m of retries, still going on in the last 1m. A ' +
      'storm that a budget bounds ' +
      'stays below 20%. Kept for 2m, since a storm comes in waves.',
    about: 'dst',
    summary:
      '{{ $labels.dst }} gets {{ $value | humanizePercentage }} more tries than requests: a retry storm',
    description:
      'The retries are load that keeps {{ $labels.dst }} from recovering: the more it fails, ' +
      'the more it gets. ' +
      'A retry budget (ratio 0.2) bounds them; take retries off the route if that is not enough.',
    dashboard: 'firedrill-oncall',
  },
  {
    name: 'MeshRetryRateHigh',
    expr: (t) =>
      `${share(t.range('30m'))} > 0.02\nand\n${share(t.range('5m'))} > 0.02\n` +
      `and\n${sumRate('dst', requests, t.range('30m'))} > 0.1`,
    for: '15m',
    timing:
      'M4 is a bound on the steady state: half an hour of it, and a wait that leaves out a rollout.',
    about: 'dst',
    summary: '{{ $value | humanizePercentage }} of the requests to {{ $labels.dst }} are retried',
    description:
      'Something fails often, and retries hide it from users for now (M4: below 2%). Find what ' +
      'fails before they no ' +
      'longer can.',
    dashboard: 'firedrill-oncall',
  },
];
