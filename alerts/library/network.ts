/** F7: a network that is slow or loses packets. */
import { meshMetrics as m } from '../../slo/spec/mesh-metrics.js';
import { type LibraryEntry, sumRate } from './entry.js';

const p95 = (direction: string, range: string): string =>
  `histogram_quantile(0.95, ${sumRate('dst, le', `${m.latencyMs}_bucket{direction="${direction}"}`, range)})`;

export const networkAlerts: LibraryEntry[] = [
  {
    name: 'MeshNetworkThrottled',
    // Callers wait longer than the server's own proxy measures: the difference is the network's, unless it was spent
    // on retries, which another alert covers.
    expr: (t) => {
      const lost = (range: string): string =>
        `${p95('outbound', range)}\n- ${p95('inbound', range)} > 100`;
      const range = t.range('5m');
      const requests = sumRate('dst', `${m.requests}{direction="outbound"}`, range);
      return (
        `${lost(t.range('10m'))}\nand\n${lost(range)}\nand\n${requests} > 0.2\n` +
        `unless\n${sumRate('dst', m.retries, range)}\n/ ${requests} > 0.25`
      );
    },
    for: '5m',
    keepFiringFor: '5m',
    timing:
      'Within a region the difference is a few milliseconds. Two windows make a p95 that means ' +
      'something and goes on; 5m leave out a link that fails over and a node that is short of ' +
      'CPU for a moment. What burns fast pages by its SLO.',
    about: 'dst',
    summary:
      'Requests to {{ $labels.dst }} lose {{ $value | humanize }} ms (p95) between the proxies',
    description:
      'Callers wait that much longer than {{ $labels.dst }} takes by its own proxy: latency, ' +
      'loss or a bound on bandwidth ' +
      'in the network, a full queue, or retries. Compare zones and nodes.',
    dashboard: 'firedrill-oncall',
  },
  {
    name: 'MeshConnectionsFailing',
    expr: (t) => {
      const reasons = 'refused|unreachable|reset|connect-timeout|fail-fast';
      const errors = `${m.outboundErrors}{error=~"${reasons}"}`;
      const requests = sumRate('dst', `${m.requests}{direction="outbound"}`, t.range('5m'));
      const failed = sumRate('dst', errors, t.range('5m'));
      return `${failed}\n/ ${requests} > 0.05\nand ${failed} > 0.1`;
    },
    for: '2m',
    keepFiringFor: '5m',
    timing:
      'One in twenty over 5m is more than endpoints that go away in a rollout; two minutes ' +
      'leave the breaker time to ' +
      'take a dead endpoint out.',
    about: 'dst',
    summary:
      '{{ $value | humanizePercentage }} of the requests to {{ $labels.dst }} find no connection',
    description:
      'Connections to its endpoints are refused, reset or never answered, and no retry found a better one.',
    dashboard: 'firedrill-oncall',
  },
];
