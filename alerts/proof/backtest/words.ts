/** Prints a backtest for a terminal. */
import { formatTable } from '../../../base/terminal.js';
import type { IncidentScore, Quality, SeverityScore } from './score.js';
import type { SloResult } from './run.js';

/** `52s`, `4m`, `1h12m`, `2d3h`: two units at most. */
export function span(ms: number): string {
  if (!Number.isFinite(ms)) return 'never';
  let rest = Math.round(ms / 1000);
  if (rest === 0) return '0s';
  const parts: string[] = [];
  for (const [unit, size] of Object.entries({ d: 86_400, h: 3600, m: 60, s: 1 })) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0) parts.push(`${count}${unit}`);
    else if (parts.length > 0) break;
    if (parts.length === 2) break;
  }
  return parts.join('');
}

export const share = (x: number): string => {
  const percent = x * 100;
  return `${percent >= 100 ? percent.toFixed(0) : percent >= 10 ? percent.toFixed(1) : percent.toFixed(2)}%`;
};

export const moment = (ms: number): string =>
  `${new Date(ms).toISOString().slice(0, 16).replace('T', ' ')}`;

export const nameOf = (result: SloResult): string => {
  const labels = Object.entries(result.labels).map(([k, v]) => `${k}="${v}"`);
  return labels.length > 0 ? `${result.slo}{${labels.join(',')}}` : result.slo;
};

export function foundText(score: IncidentScore): string {
  if (score.expect === 'none') return 'nothing expected';
  return score.detectMs === undefined ? 'MISSED' : span(score.detectMs);
}

export function theoryText(score: IncidentScore): string {
  const { theory } = score;
  if (!theory) return '';
  const judged = score.asTheory === undefined ? '' : score.asTheory ? ' ok' : ' OFF';
  return `${span(theory.earliestMs)}..${span(theory.latestMs)}${judged}`;
}

export function severityText(name: string, score: SeverityScore): string {
  const plural = (n: number): string => `${n} ${name}${n === 1 ? '' : 's'}`;
  return (
    `${plural(score.fired)} (${score.perWeek.toFixed(1)} a week), ${score.wrong} false; ` +
    `found ${score.found} of ${score.expected}; ` +
    qualityText(score)
  );
}

/** Of no alert there is no precision, and of no incident no recall: neither is 100%. */
export const qualityText = ({ precision, recall }: Quality): string =>
  `precision ${precision === null ? 'of none' : share(precision)}, ` +
  `recall ${recall === null ? 'of none' : share(recall)}`;

export function resultText(result: SloResult, all: boolean): string {
  const { score } = result;
  const days = ((result.endMs - result.startMs) / 86_400_000).toFixed(1);
  const lines = [
    `${nameOf(result)}: ${result.objective}% over ${days} days from ${moment(result.startMs)} UTC, ` +
      `${share(score.budget.spent)} of a period's budget spent`,
  ];
  if (score.incidents.length > 0) {
    const rows = score.incidents.map((i) => [
      i.name,
      i.expect,
      foundText(i),
      theoryText(i),
      i.resetMs === undefined ? '' : span(i.resetMs),
      i.expect === 'none' ? '' : share(i.budgetBefore),
      share(i.budgetSpent),
    ]);
    const header = [
      'incident',
      'expect',
      'found after',
      'theory',
      'reset',
      'budget before',
      'spent',
    ];
    lines.push(indent(formatTable(header, rows)));
  }
  lines.push(`  ${severityText('page', score.page)}`, `  ${severityText('ticket', score.ticket)}`);
  const wrong = new Set(score.wrong);
  const listed = all ? result.firings : result.firings.filter((f) => wrong.has(f));
  for (const f of listed) {
    const end =
      f.resolvedMs === undefined ? 'still firing' : `for ${span(f.resolvedMs - f.firedMs)}`;
    const why = wrong.has(f) && score.incidents.length > 0 ? ', false' : '';
    lines.push(`    ${moment(f.firedMs)} ${f.severity} ${f.alert} ${end}${why}`);
  }
  return `${lines.join('\n')}\n`;
}

const indent = (text: string): string =>
  text
    .split('\n')
    .map((line) => `  ${line}`)
    .join('\n');

/** One line for each SLO, used for many SLOs. */
export function summaryText(results: readonly SloResult[]): string {
  const rows = results.map((r) => [
    nameOf(r),
    `${r.score.page.found}/${r.score.page.expected}`,
    String(r.score.page.wrong),
    r.score.page.perWeek.toFixed(1),
    `${r.score.ticket.found}/${r.score.ticket.expected}`,
    String(r.score.ticket.wrong),
    share(r.score.budget.spent),
  ]);
  const header = [
    'slo',
    'pages found',
    'for nothing',
    'a week',
    'tickets found',
    'for nothing',
    'budget',
  ];
  return `${formatTable(header, rows)}\n`;
}

/** Findings that make `--check` fail. */
export function complaints(results: readonly SloResult[]): string[] {
  return results.flatMap((result) => {
    const name = nameOf(result);
    const missed = result.score.incidents
      .filter((i) => i.expect !== 'none' && i.detectMs === undefined)
      .map((i) => `${name}: '${i.name}' was missed (expected: ${i.expect})`);
    const wrong = result.score.wrong
      .filter((f) => f.severity === 'page')
      .map((f) => `${name}: a false page at ${moment(f.firedMs)} UTC`);
    return [...missed, ...wrong];
  });
}
