/** The dashboard for single proxies. */
import { meshMetrics as m } from '../spec/mesh-metrics.js';
import type { Dashboard } from './model.js';
import { rate, inbound, series } from './panels.js';

export function debugDashboard(): Dashboard {
  const proxies = `${m.requests}{${inbound}}`;
  // Zero where proxies exist, so that a quiet panel shows 0; without proxies there is no value.
  const quiet = `0 * sum(${rate(proxies)})`;
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
            expr: `sum by (reason) (${rate(m.handshakeFailures)}) or ${quiet}`,
            legend: '{{reason}}',
          },
        ],
        unit: 'per-second',
      }),
      series({
        title: 'Endpoints ejected',
        description: 'By the circuit breaker of each destination.',
        queries: [{ expr: `sum by (dst) (${rate(m.ejections)}) or ${quiet}`, legend: '{{dst}}' }],
        unit: 'per-second',
      }),
      series({
        title: 'Telemetry dropped',
        description: 'Spans that never reached the collector (M10: none).',
        queries: [{ expr: `sum(${rate(m.telemetryDrops)}) or ${quiet}`, legend: 'spans' }],
        unit: 'per-second',
      }),
    ],
  };
}
