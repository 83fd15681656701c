/** One budget as lines for a terminal. */
import { formatTable } from '../../base/terminal.js';
import { countsEvents } from '../rules/increments.js';
import {
  correctionsText,
  forecastText,
  leftText,
  minutesText,
  remainingText,
  spentText,
  worstText,
} from './report.js';
import { achievedText, type BudgetState, differenceText, type Spending } from './state.js';

export function budgetText(state: BudgetState): string {
  const { slo, rolling, month, burnRate, incidents } = state;
  const events = countsEvents(slo.sli) ? '' : ' samples';
  const row = (name: string, s: Spending): string[] => [
    name,
    achievedText(s),
    remainingText(s.remaining),
    `${leftText(s.remainingEvents, (n) => String(Math.round(n)))} of ${Math.round(s.remainingEvents + s.bad)}${events}`,
    leftText(s.remainingMinutes, minutesText),
  ];
  const table = formatTable(
    ['', 'achieved', 'budget left', 'bad events left', 'as complete failure'],
    [row(`${slo.period.days} days, rolling`, rolling), row('this month', month)],
  );
  const worst = incidents.slice(0, 5).map((i) => {
    const at = new Date(i.startMs).toISOString().slice(0, 16);
    return `  ${at}  ${spentText(i.spent)} in ${minutesText((i.endMs - i.startMs) / 60_000)}\n`;
  });
  const apart = correctionsText(state).map((line) => `  ${line}\n`);
  return (
    `${slo.id}: ${slo.objective}%\n${table}\n` +
    (state.worst ? `${worstText(state.worst)}\n` : '') +
    `burn rate in the last hour: ${burnRate?.toFixed(2) ?? (state.measured ? 'no traffic' : 'not measured')}\n` +
    `forecast: ${forecastText(state)}\n${differenceText(state)}\n` +
    (worst.length > 0 ? `spent by incident:\n${worst.join('')}` : '') +
    (apart.length > 0 ? `booked apart:\n${apart.join('')}` : '')
  );
}
