/** Rules in Sloth's shape: each window up to three days reads the raw series, and the period is a mean. */
import { formatDurationMs } from '../base/duration.js';

export interface PeerRule {
  record: string;
  expr: string;
}

const windows = ['5m', '30m', '1h', '2h', '6h', '1d', '3d'];
const factors: [number, string, string][] = [
  [14.4, '5m', '1h'],
  [6, '30m', '6h'],
  [3, '2h', '1d'],
  [1, '6h', '3d'],
];

/** The rules of one SLO over an errors and a total selector. */
export function peerRules(
  bad: string,
  total: string,
  budget: number,
  periodMs: number,
): PeerRule[] {
  const label = '{sloth_id="bench"}';
  const period = formatDurationMs(periodMs);
  const ratio = (w: string): string => `slo:sli_error:ratio_rate${w}${label}`;
  const burns = (pair: [number, string, string]): string =>
    `(max(${ratio(pair[1])} > (${pair[0]} * ${budget})) without (sloth_window) and ` +
    `max(${ratio(pair[2])} > (${pair[0]} * ${budget})) without (sloth_window))`;
  return [
    ...windows.map((w) => ({
      record: `slo:sli_error:ratio_rate${w}`,
      expr: `(sum(rate(${bad}[${w}]))) / (sum(rate(${total}[${w}])))`,
    })),
    {
      record: `slo:sli_error:ratio_rate${period}`,
      expr:
        `sum_over_time(${ratio('5m')}[${period}]) / ignoring (sloth_window) ` +
        `count_over_time(${ratio('5m')}[${period}])`,
    },
    { record: 'slo:current_burn_rate:ratio', expr: `${ratio('5m')} / ${budget}` },
    { record: 'slo:period_burn_rate:ratio', expr: `${ratio(period)} / ${budget}` },
    { record: 'page', expr: factors.slice(0, 2).map(burns).join(' or ') },
    { record: 'ticket', expr: factors.slice(2).map(burns).join(' or ') },
  ];
}
