/** All files that a game day writes, by name. */
import { readableJson as json } from '../../base/unseen.js';
import { factsOfAlert, type RunbookFacts } from '../facts.js';
import { linkedPages } from '../markdown.js';
import { draftPostmortem } from '../postmortem/draft.js';
import type { AlertRecord, GameDayRecord } from '../record.js';
import { renderRunbook } from '../render.js';
import { jobSummary } from './job-summary.js';
import { gameDayJunit } from './junit.js';
import { gameDayReport } from './page.js';
import { resultOf } from './result.js';
import { sarifOf } from './sarif.js';

/** The game day's facts outside of the record, for commands and queries of the runbooks. */
export type SharedFacts = Pick<
  RunbookFacts,
  'proxies' | 'controller' | 'prometheus' | 'pki' | 'slos' | 'window'
>;

export function gameDayFiles(record: GameDayRecord, shared: SharedFacts = {}): Map<string, string> {
  const runbooks = firedRunbooks(record, shared);
  const postmortem = draftPostmortem(record, { pages: runbooks.keys() });
  return new Map([
    ['index.html', gameDayReport(record, { runbooks, postmortem })],
    ['postmortem.md', postmortem],
    ['result.json', json(resultOf(record))],
    ['record.json', json(record)],
    ['junit.xml', gameDayJunit(record)],
    ['results.sarif', json(sarifOf(record))],
    ['summary.md', jobSummary(record)],
    ...[...runbooks].map(([name, text]): [string, string] => [
      `runbooks/${name}.md`,
      linkedPages(text, (page) => (runbooks.has(page) ? `${page}.md` : undefined)),
    ]),
  ]);
}

/** The runbook of each alert that fired and of each scenario, filled with the facts of the first firing. */
export function firedRunbooks(
  record: GameDayRecord,
  shared: SharedFacts = {},
): Map<string, string> {
  const pages = new Map<string, string>();
  // A firing with answered queries is preferred, otherwise the first firing.
  const asked = record.alerts.filter((a) => a.answers !== undefined);
  for (const alert of [...asked, ...record.alerts]) {
    if (pages.has(alert.name)) continue;
    const text = renderRunbook(alert.name, { ...shared, ...factsOfRecord(alert) });
    if (text !== undefined) pages.set(alert.name, text);
  }
  // Every page links to the playbook.
  for (const runbook of [...record.scenarios.map((s) => s.runbook), 'major-incident']) {
    if (pages.has(runbook)) continue;
    const text = renderRunbook(runbook, shared);
    if (text !== undefined) pages.set(runbook, text);
  }
  return pages;
}

function factsOfRecord(alert: AlertRecord): RunbookFacts {
  const { labels, annotations, firedAtMs, facts, answers = {} } = alert;
  const answered = Object.entries(answers).flatMap(([query, series]) =>
    series === null ? [] : [[query, series] as const],
  );
  const limitMs = 8.64e15;
  const startsAt = new Date(Math.max(-limitMs, Math.min(limitMs, firedAtMs))).toISOString();
  return {
    ...factsOfAlert({
      labels: { ...labels, alertname: alert.name, severity: alert.severity },
      annotations,
      startsAt,
    }),
    ...(facts.length > 0 ? { observed: facts } : {}),
    ...(answered.length > 0 ? { answers: Object.fromEntries(answered) } : {}),
  };
}
