/** M1 and M2 for services without an SLO; S7 and the rest of the fleet. */
import { meshMetrics as m } from '../../slo/spec/mesh-metrics.js';
import { type LibraryEntry, sumRate } from './entry.js';

const outbound = 'direction="outbound"';

const failures = (range: string): string =>
  `${sumRate('dst', `${m.responses}{${outbound},classification="failure"}`, range)}\n` +
  `/ ${sumRate('dst', `${m.responses}{${outbound}}`, range)}`;

export const serviceLevelAlerts: LibraryEntry[] = [
  {
    name: 'MeshSuccessRateLow',
    expr: (t) =>
      `${failures(t.range('1h'))} > 0.0144\nand\n${failures(t.range('5m'))} > 0.0144\n` +
      `and\n${sumRate('dst', `${m.responses}{${outbound}}`, t.range('1h'))} > 0.01`,
    for: '0s',
    keepFiringFor: '5m',
    timing:
      'The burn of 14.4 over 1h and 5m of the SRE Workbook for M1 (99.9%): two windows take ' +
      'the place of a wait. Kept ' +
      'for 5m, as long as the short window.',
    about: 'dst',
    summary: '{{ $value | humanizePercentage }} of the requests to {{ $labels.dst }} fail',
    description:
      'At this pace a budget of 0.1% in 30 days (M1) is gone within two days. Give the service ' +
      'an SLO of its own: its ' +
      'alerts then take the place of this one.',
    dashboard: 'firedrill-oncall',
  },
  {
    name: 'MeshLatencyHigh',
    expr: (t) => {
      const buckets = `${m.latencyMs}_bucket{${outbound}}`;
      return (
        `histogram_quantile(0.95, ${sumRate('dst, le', buckets, t.range('10m'))}) > 300\n` +
        `and\n${sumRate('dst', `${m.responses}{${outbound}}`, t.range('10m'))} > 0.1`
      );
    },
    for: '15m',
    timing: 'M2 is a bound on the steady state; a quarter of an hour leaves out a cold start.',
    about: 'dst',
    summary: 'p95 of {{ $labels.dst }} is {{ $value | humanize }} ms',
    description: 'One request in twenty takes longer, as callers see it (M2: 300 ms).',
    dashboard: 'firedrill-oncall',
  },
  {
    name: 'MeshEndpointsEjected',
    expr: (t) => `sum by (dst) (increase(${m.ejections}[${t.range('15m')}])) > 3`,
    for: '0s',
    keepFiringFor: '15m',
    timing:
      'Each ejection is a verdict over several failures, so there is no wait. Kept for 15m, ' +
      'the longest that one stays out ' +
      'and comes back.',
    about: 'dst',
    summary:
      'Endpoints of {{ $labels.dst }} were taken out {{ $value | printf "%.0f" }} times within ' +
      'a quarter of an hour',
    description:
      'The breaker keeps failing endpoints from users, so that the rest carries their load. ' +
      'GET /endpoints of a caller ' +
      'says which, and why.',
    dashboard: 'firedrill-debug',
  },
  {
    name: 'MeshClockSkew',
    expr: () => `abs(${m.clockSkew}) > 5`,
    for: '10m',
    timing: 'NTP steps a clock within minutes; certificates bear 10 s of difference.',
    about: 'mesh',
    summary: 'A proxy and the controller disagree on the time by {{ $value | humanizeDuration }}',
    description:
      'Beyond 10 s new certificates are not valid yet, or expire early. Synchronise the clocks of the nodes.',
    dashboard: 'firedrill-debug',
  },
  {
    name: 'MeshVersionDrift',
    expr: () => `count(count by (version) (${m.buildInfo})) > 1`,
    for: '1d',
    timing:
      'A rollout of proxies takes as long as pods take to be replaced; a day is a rollout that stopped.',
    about: 'mesh',
    summary: 'Proxies of {{ $value }} versions have been running for a day',
    description: 'Restart the workloads that are behind, so that only one version is running.',
    dashboard: 'firedrill-debug',
  },
  {
    name: 'MeshProxyNewerThanController',
    expr: () => `max(${m.proxiesAhead}) > 0`,
    for: '15m',
    timing:
      'The controller is upgraded first and within minutes; a proxy that is ahead of it for a quarter of an hour ' +
      'was not meant to be, or the controller was rolled back.',
    about: 'mesh',
    summary: 'Proxies of a newer version than the controller: {{ $value }}',
    description:
      'They may ask for what it does not know yet. Upgrade the controller, or restart these ' +
      'workloads with its version.',
    dashboard: 'firedrill-debug',
  },
  {
    name: 'MeshUnencryptedTraffic',
    expr: (t) => {
      const from = `direction="inbound",peer="src"`;
      const plain = sumRate('', `${m.connections}{${from},tls!="true"}`, t.range('1h'));
      return `${plain}\n/ ${sumRate('', `${m.connections}{${from}}`, t.range('1h'))} > 0.01`;
    },
    for: '1h',
    timing: 'A matter of policy, not of minutes.',
    about: 'mesh',
    summary:
      '{{ $value | humanizePercentage }} of the connections into the mesh are not mutual TLS',
    description:
      'Workloads outside the mesh, or without an identity, call into it (S7). firedrill edges names them.',
    dashboard: 'firedrill-executive',
  },
];
