/** M5: traffic against its baseline, the same half hour one week ago. */
import { meshMetrics as m } from '../../slo/spec/mesh-metrics.js';
import { type LibraryEntry, sumRate } from './entry.js';

const outbound = 'direction="outbound"';

export const trafficAlerts: LibraryEntry[] = [
  {
    name: 'MeshTrafficDropped',
    expr: (t) => {
      const requests = `${m.requests}{${outbound}}`;
      const before = `sum by (dst) (rate(${requests}[${t.range('30m')}] offset ${t.range('1w')}))`;
      return `(${sumRate('dst', requests, t.range('30m'))} or 0 * ${before})\n/ (${before} > 1) < 0.5`;
    },
    for: '15m',
    timing:
      'The same half hour a week ago knows day, night and weekend. A quarter of an hour leaves ' +
      'out the edges of a peak.',
    about: 'dst',
    summary:
      '{{ $labels.dst }} gets {{ $value | humanizePercentage }} of the traffic of a week ago',
    description:
      'Requests that never come fail no SLO: look upstream, at DNS, gateways and clients (M5). ' +
      'A holiday looks the same.',
    dashboard: 'firedrill-executive',
  },
];
