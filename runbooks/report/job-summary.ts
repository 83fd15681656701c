/** The job page of a CI: the verdict and each alert against its deadline, as GitHub's Markdown. */
import { headlineOf, summaryLines } from '../headline.js';
import { markdownCode, markdownText as t } from '../markdown.js';
import type { GameDayRecord, ScenarioRecord } from '../record.js';
import {
  labelsText,
  outcomeText,
  outcomeWord,
  runbookText,
  timeText,
  verdictMark,
} from '../words.js';

/** GitHub's limit is one mebibyte. */
const maxCharacters = 500_000;

/** Ends with a newline. */
export function jobSummary(record: GameDayRecord): string {
  const lines = [
    `## ${verdictMark[record.verdict]} ${record.verdict}: ${t(record.title)}`,
    '',
    t(headlineOf(record)),
    '',
    ...summaryLines(record).map((line) => `- ${t(line)}`),
    '',
    '| scenario | verdict | expected | outcome | |',
    '| --- | --- | --- | --- | --- |',
    ...record.scenarios.flatMap(rowsOf),
    '',
    ...record.scenarios.flatMap(reasonsOf),
    ...budgetLines(record),
    `\`${markdownCode(record.command)}\`, ${timeText(record.endedMs - record.startedMs)}`,
  ];
  const text = `${lines.join('\n')}\n`;
  return text.length <= maxCharacters ? text : `${text.slice(0, maxCharacters)}\n\n(cut)\n`;
}

function rowsOf(s: ScenarioRecord): string[] {
  const verdict = `${verdictMark[s.verdict]} ${s.verdict}`;
  const rows = s.expectations.map((e) => {
    const labels = labelsText(e.labels);
    const what = `${e.name} (${e.severity})${labels === '' ? '' : ` ${labels}`}`;
    return [t(what), t(outcomeWord(e)), t(outcomeText(e))];
  });
  return (rows.length > 0 ? rows : [['', '', '']]).map(
    (cells) => `| ${[t(s.title), verdict, ...cells].join(' | ')} |`,
  );
}

function reasonsOf(s: ScenarioRecord): string[] {
  const said = [...s.reasons, ...(s.runbookProof ? [runbookText(s.runbookProof)] : [])];
  return said.length === 0 ? [] : [`**${t(s.title)}**`, '', ...said.map((x) => `- ${t(x)}`), ''];
}

function budgetLines({ budgets }: GameDayRecord): string[] {
  const spent = budgets.filter((b) => b.bad > 0);
  if (spent.length === 0) return [];
  const rows = spent.map(
    (b) =>
      `| ${t(b.slo)} | ${Math.round(b.bad)} of ${Math.round(b.total)} | ` +
      `${(100 * b.spentOfPeriodRatio).toFixed(1)}% |`,
  );
  return ['| SLO | bad events | of the period’s budget |', '| --- | ---: | ---: |', ...rows, ''];
}
