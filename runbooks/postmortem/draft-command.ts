/** The text of `firedrill postmortem draft`: of a real incident, of a game day, or of one that was cut off. */
import { extname } from 'node:path';
import { UserError } from '../../base/errors.js';
import { markdownText } from '../markdown.js';
import { readRecord } from '../record-schema.js';
import { markdownPage } from '../report/document.js';
import { firedRunbooks } from '../report/files.js';
import { cutOffEvents, cutOffPostmortem } from './cut-off.js';
import { type Postmortem, postmortemOf, postmortemText } from './draft.js';
import type { IncidentFlags } from './incident/command.js';

export interface DraftFlags extends Omit<IncidentFlags, 'prometheus'> {
  result?: string;
  prometheus?: string;
  scenario?: string;
  out: string;
  format?: string;
}

export async function draftText(flags: DraftFlags): Promise<string> {
  const { prometheus, result, scenario } = flags;
  if (prometheus !== undefined && result === undefined) {
    const { incidentText } = await import('./incident/command.js');
    return incidentText({ ...flags, prometheus });
  }
  if (prometheus !== undefined || result === undefined) {
    throw new UserError({
      message: 'of which incident',
      expected:
        "--result gameday-report of a game day's, or --prometheus URL --from TIME of a real one",
    });
  }
  const postmortem = postmortemIn(result, scenario);
  const format = flags.format ?? { '.html': 'html', '.json': 'json' }[extname(flags.out)];
  if (format === 'json') return `${JSON.stringify({ version: 1, ...postmortem }, undefined, 2)}\n`;
  const text = postmortemText({ ...postmortem, title: markdownText(postmortem.title) });
  return format === 'html' ? markdownPage(`Postmortem: ${postmortem.title}`, text) : text;
}

function postmortemIn(result: string, scenario: string | undefined): Postmortem {
  const events = cutOffEvents(result);
  if (events !== undefined && scenario === undefined) return cutOffPostmortem(events);
  if (events !== undefined) {
    throw new UserError({
      message: `--scenario ${scenario}: the day was cut off before its end, and no scenario has a whole record`,
      expected: 'the whole day, without --scenario',
    });
  }
  const record = readRecord(result);
  if (scenario !== undefined && !record.scenarios.some((s) => s.id === scenario)) {
    throw new UserError({
      message: `the game day had no scenario '${scenario}'`,
      expected: record.scenarios.map((s) => s.id).join(', '),
    });
  }
  const pages = firedRunbooks(record).keys();
  return postmortemOf(record, { pages, ...(scenario !== undefined && { scenario }) });
}
