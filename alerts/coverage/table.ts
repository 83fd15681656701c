/** The coverage table for a terminal and in Markdown, and its summary in one sentence. */
import { formatTable } from '../../base/terminal.js';
import type { AlertCoverage, CoverageRun } from './model.js';

const head = ['ALERT', 'SEVERITY', '', 'BY', 'AFTER', 'RECEIVER', 'WHEN'];

/** `12 of 20 alerts were proven to fire; 5 never fired, 3 could not: a metric has no series`. */
export function coverageSummary(alerts: readonly AlertCoverage[]): string {
  const count = (state: AlertCoverage['state']): number =>
    alerts.filter((a) => a.state === state).length;
  const cannot = count('cannot');
  const rest = cannot > 0 ? `, ${cannot} could not: a metric has no series` : '';
  return `${count('proven')} of ${alerts.length} alerts were proven to fire; ${count('never')} never fired${rest}`;
}

/** Proven alerts first, then those that never fired, then those that cannot fire. */
export const inOrder = (alerts: readonly AlertCoverage[]): AlertCoverage[] => {
  const order = ['proven', 'never', 'cannot'];
  return [...alerts].sort((a, b) => order.indexOf(a.state) - order.indexOf(b.state));
};

/** The reason why an alert did not fire, as far as the series show it. */
export function reasonOf({ state, missing, unmatched, changed }: AlertCoverage): string {
  if (changed) return 'not proven since its rule changed';
  if (state === 'cannot') return `could not fire: no series of ${list(missing ?? [])}`;
  return unmatched ? `never fired: nothing matched ${list(unmatched)}` : 'never fired';
}

const list = (items: readonly string[]): string =>
  items.length > 2 ? `${items[0]} and ${items.length - 1} more` : items.join(', ');

function cellsOf(alert: AlertCoverage): string[] {
  const { proof } = alert;
  const name = [alert.alert, alert.severity];
  if (!proof) return [...name, alert.state, reasonOf(alert), '', '', ''];
  const ended = proof.endedBy === undefined ? '' : `, ended by ${proof.endedBy}.md`;
  const by = `${proof.scenario}${proof.expected ? '' : ' (not expected)'}${ended}`;
  const when = new Date(proof.atMs).toISOString().slice(0, 16).replace('T', ' ');
  const after = `${(proof.afterMs / 1000).toFixed(1)} s`;
  return [...name, 'proven', by, after, proof.receiver ?? '', when];
}

export function coverageText(run: CoverageRun): string {
  const rows = inOrder(run.alerts).map(cellsOf);
  return `${run.system}: ${coverageSummary(run.alerts)}\n\n${formatTable(head, rows)}\n`;
}

const escape = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

export function coverageMarkdown(run: CoverageRun): string {
  const row = (cells: readonly string[]): string => `| ${cells.map(escape).join(' | ')} |`;
  const titles = head.map((h) => h.charAt(0) + h.slice(1).toLowerCase());
  return [
    `${coverageSummary(run.alerts)}.`,
    '',
    row(titles),
    row(head.map(() => '---')),
    ...inOrder(run.alerts).map((a) => row(cellsOf(a))),
    '',
  ].join('\n');
}
