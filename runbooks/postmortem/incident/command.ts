/** `postmortem draft --prometheus` and `postmortem new`: postmortems of real incidents, and blank forms. */
import { extname } from 'node:path';
import { type AccessFiles, type AccessFlags, readAccess } from '../../../base/access.js';
import { realClock } from '../../../base/clock.js';
import { parseDurationMs } from '../../../base/duration.js';
import { UserError } from '../../../base/errors.js';
import { type Html, markup } from '../../../base/drawing/html.js';
import { readTimeMs } from '../../../base/time-text.js';
import { markdownPage } from '../../report/document.js';
import { instantText } from '../../words.js';
import { type Postmortem, postmortemText, prompts, toFill } from '../draft.js';
import { incidentPostmortem, noActions, questions } from './draft.js';
import { gatherIncident } from './gather.js';
import type { Incident } from './model.js';
import { figureOf } from './plot.js';

export interface IncidentFlags extends AccessFlags {
  prometheus: string;
  alertmanager?: string;
  from?: string;
  to?: string;
  matcher: string[];
  git: string[];
  title?: string;
  out: string;
  format?: string;
}

/** The whole text, in the requested format or the format by the ending of `out`. */
export async function incidentText(flags: IncidentFlags): Promise<string> {
  const format = formatOf(flags);
  const nowMs = realClock.nowMs();
  if (flags.from === undefined) {
    throw new UserError({
      message: '--prometheus: of which time',
      expected: '--from 2026-12-01T22:00:00Z --to 2026-12-01T23:30:00Z, or --from 3h',
    });
  }
  const fromMs = momentOf('--from', flags.from, nowMs);
  const toMs = flags.to === undefined ? nowMs : momentOf('--to', flags.to, nowMs);
  if (!(fromMs < toMs) || fromMs > nowMs) {
    throw new UserError({
      message: '--from is not before --to, or lies ahead',
      expected: 'a past',
    });
  }
  const at = (url: string): AccessFiles => ({ ...flags, url });
  const incident = await gatherIncident({
    fromMs,
    toMs,
    prometheus: readAccess('--prometheus', at(flags.prometheus)),
    ...(flags.alertmanager !== undefined && {
      alertmanager: readAccess('--alertmanager', at(flags.alertmanager)),
    }),
    matchers: flags.matcher.join(','),
    git: flags.git,
    ...(flags.title !== undefined && { title: flags.title }),
  });
  if (format === 'json') {
    const { sections, facts, title } = incidentPostmortem(incident);
    return `${JSON.stringify({ version: 1, title, facts, sections, incident }, undefined, 2)}\n`;
  }
  const postmortem = incidentPostmortem(incident);
  return format === 'html' ? page(postmortem, incident) : postmortemText(postmortem);
}

const page = (postmortem: Postmortem, incident?: Incident): string => {
  const figures: Html[] = (incident?.graphs ?? []).map((g) => figureOf(g, incident as Incident));
  const text = markdownPage(`Postmortem: ${postmortem.title}`, postmortemText(postmortem));
  if (figures.length === 0) return text;
  const card = markup`<section class="card document"><h2>Plots</h2>${figures}</section>`;
  return text.replace('</main>', () => `${card.text}</main>`);
};

/** A form with every section, for an incident without measurements. */
export function blankText(flags: Pick<IncidentFlags, 'title' | 'out' | 'format'>): string {
  const section = (name: string, markdown: string) => ({ name, markdown });
  const postmortem: Postmortem = {
    title: flags.title ?? toFill,
    facts: { Date: instantText(realClock.nowMs()).slice(0, 10), Authors: toFill, Status: 'draft' },
    sections: [
      section('Summary', `- In a sentence or two, what happened: ${toFill}`),
      section('Impact', prompts(questions.impact)),
      section('Root causes', prompts(questions.causes)),
      section('Trigger', prompts(questions.trigger)),
      section(
        'Detection',
        prompts(['How it was noticed, when, and by what:', 'Which page came, or should have:']),
      ),
      section('Resolution', prompts(questions.resolution)),
      section('Timeline', `- ${toFill}`),
      section('What went well', prompts(questions.well)),
      section('What went wrong', prompts(questions.wrong)),
      section('Where we were lucky', prompts(questions.lucky)),
      section('Actions', noActions),
    ],
  };
  const format = formatOf(flags);
  if (format === 'json') return `${JSON.stringify({ version: 1, ...postmortem }, undefined, 2)}\n`;
  return format === 'html' ? page(postmortem) : postmortemText(postmortem);
}

function formatOf({ out, format }: Pick<IncidentFlags, 'out' | 'format'>): string {
  const found = format ?? { '.html': 'html', '.json': 'json' }[extname(out)] ?? 'markdown';
  if (['markdown', 'html', 'json'].includes(found)) return found;
  throw new UserError({ message: `bad --format '${found}'`, expected: 'markdown, html or json' });
}

/** A time with its zone, or a duration before now. */
function momentOf(option: string, text: string, nowMs: number): number {
  const ago = parseDurationMs(text);
  if (ago !== undefined) return nowMs - ago;
  const ms = /^\d{4}-\d\d-\d\dT.*(Z|[+-]\d\d:\d\d)$/.test(text) ? readTimeMs(text) : Number.NaN;
  if (!Number.isNaN(ms)) return ms;
  const expected = '2026-12-01T22:00:00Z, or how long ago: 3h';
  throw new UserError({ message: `bad ${option} '${text}'`, expected });
}
