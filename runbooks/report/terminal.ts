/** The end of a game day in a terminal: the verdict, each alert against its deadline, and the path of the report. */
import { printable, type Style } from '../../base/terminal.js';
import { headlineOf, summaryLines } from '../headline.js';
import type { ExpectationRecord, GameDayRecord, ScenarioRecord, Verdict } from '../record.js';
import {
  bandText,
  countText,
  errorShare,
  outcomeWord,
  percentText,
  runbookText,
  timesText,
  timeText,
  verdictMark,
  wasJudged,
  hintText,
  ownLabels,
} from '../words.js';

export interface SummaryPaths {
  /** `gameday-report/index.html`. */
  report?: string;
  postmortem?: string;
}

const colour = (style: Style, verdict: Verdict): ((text: string) => string) =>
  verdict === 'PASS' ? style.green : verdict === 'INCONCLUSIVE' ? style.yellow : style.red;

/** Ends with a newline. The output does not depend on the width of the terminal beyond 80 columns. */
export function terminalSummary(
  record: GameDayRecord,
  style: Style,
  paths: SummaryPaths = {},
): string {
  const mark = `${verdictMark[record.verdict]} ${record.verdict}`;
  const verdict = colour(style, record.verdict)(style.bold(mark));
  const lines = [
    '',
    ...record.scenarios.flatMap((s) => scenarioLines(s, style)),
    ...budgetLines(record, style),
    clientLine(record),
    '',
    `${verdict}  ${style.bold(headlineOf(record))}`,
    ...summaryLines(record).map((line) => `  ${line}`),
  ];
  if (paths.report !== undefined) lines.push('', `  report      ${style.blue(paths.report)}`);
  if (paths.postmortem !== undefined) lines.push(`  postmortem  ${style.blue(paths.postmortem)}`);
  return `${lines.map(printable).join('\n')}\n`;
}

function scenarioLines(s: ScenarioRecord, style: Style): string[] {
  const paint = colour(style, s.verdict);
  const took = style.dim(timeText(s.endedMs - s.startedMs));
  const lines = [`${paint(`${verdictMark[s.verdict]} ${s.title}`)}  ${took}`];
  const names = s.expectations.map((e) => {
    return `${e.name} ${e.severity} ${ownLabels(e, s.expectations)}`.trimEnd();
  });
  const width = Math.max(0, ...names.map((name) => name.length));
  s.expectations.forEach((e, i) => {
    const name = (names[i] ?? '').padEnd(width);
    lines.push(`    ${expectationLine(e, name, wasJudged(s), style)}`);
  });
  for (const name of new Set(s.unexpected.map((u) => u.name)))
    lines.push(`    ${style.red(`✗ ${name} fired, unexpected`)}`);
  for (const a of s.arms) {
    const recovered =
      a.recoveredAfterMs === undefined
        ? 'never recovered'
        : `recovered after ${timeText(a.recoveredAfterMs)}`;
    const seen =
      a.struck === undefined ? '' : `, ${a.struck} struck, ${a.failed ?? 0} failed for clients`;
    const grown = `${timesText(a.amplificationDuring)} amplification`;
    lines.push(`    ${a.name}: ${grown}${seen}, ${recovered}`);
  }
  for (const h of s.hints ?? []) lines.push(`    ${style.dim(`hint ${hintText(h)}`)}`);
  if (s.runbookProof) lines.push(`    ${style.dim(runbookText(s.runbookProof))}`);
  for (const r of s.reasons) lines.push(`    ${style.red(r)}`);
  return lines;
}

function expectationLine(
  e: ExpectationRecord,
  name: string,
  judged: boolean,
  style: Style,
): string {
  const mark = e.inTime ? style.green('✓') : judged ? style.red('✗') : style.yellow('?');
  const cameMs = e.withheld && e.inTime ? e.firedAfterMs : e.receivedAfterMs;
  const took = cameMs === undefined ? '–' : timeText(cameMs);
  const hidden =
    e.withheld && e.inTime ? `  ${style.dim(`${e.withheld.how} by ${e.withheld.by}`)}` : '';
  const why = e.inTime || !judged ? hidden : `  ${style.red(outcomeWord(e))}`;
  const fired = e.firedAfterMs === undefined ? '' : `fired after ${timeText(e.firedAfterMs)}, `;
  const theory = e.theory ? `, ${fired}expected ${bandText(e.theory)}` : '';
  return `${mark} ${name}  ${took.padStart(7)}  ${style.dim(`deadline ${timeText(e.deadlineMs)}${theory}`)}${why}`;
}

function budgetLines(record: GameDayRecord, style: Style): string[] {
  const spent = record.budgets.filter((b) => b.bad > 0);
  if (spent.length === 0) return [];
  return [
    '',
    ...spent.map(
      (b) =>
        `  ${b.slo}: ${percentText(b.spentOfPeriodRatio)} of the period's budget ` +
        style.dim(`(${countText(b.bad)} of ${countText(b.total)} events bad)`),
    ),
  ];
}

function clientLine({ load }: GameDayRecord): string {
  const { total } = load;
  if (total.requests === 0) return '  clients: no request of theirs was measured';
  return (
    `  clients: ${countText(total.requests)} requests, ${countText(total.errors)} failed ` +
    `(${percentText(errorShare(total))}), p50 ${timeText(total.p50Ms)}, p95 ${timeText(total.p95Ms)}, ` +
    `p99 ${timeText(total.p99Ms)}`
  );
}
