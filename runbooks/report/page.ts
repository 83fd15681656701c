/**
 * The report of a game day as one HTML file that needs nothing else: no font, no network. Its one script shows values
 * under the pointer; all its content is available without the script.
 */
import { hover } from '../../base/drawing/hover.js';
import { linkedPages, markdownToHtml } from '../markdown.js';
import { headlineOf, summaryLines, tallyOf } from '../headline.js';
import { pagerTally, totalOf } from '../pager.js';
import type { BudgetRecord, ClientTotals, GameDayRecord, TimelineEvent } from '../record.js';
import {
  clockText,
  countText,
  errorShare,
  instantText,
  percentText,
  plural,
  timeText,
} from '../words.js';
import { coverageSection } from './coverage.js';
import { detectionTable } from './detection.js';
import { figure, type FigureOptions } from './figure.js';
import { type Html, markup, Html as Raw, px } from '../../base/drawing/html.js';
import { howMeasured } from './measured.js';
import { scenarioCard, verdictChip } from './scenario.js';
import { style } from './style.js';

export interface ReportParts {
  /** Rendered runbooks by file name, as Markdown. */
  runbooks?: ReadonlyMap<string, string>;
  /** The drafted postmortem, as Markdown. */
  postmortem?: string;
}

export function gameDayReport(record: GameDayRecord, parts: ReportParts = {}): string {
  const { runbooks = new Map<string, string>(), postmortem } = parts;
  const title = `${record.verdict}: ${record.title}`;
  const { policy, script } = hover();
  const body = markup`<main>
${verdictCard(record)}
${contents(record, parts)}
<section class="card" id="detection"><h2>Expected alerts</h2>
${detectionTable(record.scenarios, true)}</section>
<section class="card" id="run"><h2>The whole run</h2>${overview(record)}</section>
${record.scenarios.map((s) => scenarioCard(record, s, runbooks))}
${
  record.budgets.length > 0 &&
  markup`<section class="card" id="budget"><h2>Error budget spent</h2>
${budgets(record)}</section>`
}
${record.coverage && coverageSection(record.coverage)}
<section class="card" id="timeline"><h2>Timeline</h2>${timeline(record.timeline)}</section>
${
  runbooks.size > 0 &&
  markup`<section class="card" id="runbooks"><h2>Runbooks of what fired, filled in</h2>
${[...runbooks].map(
  ([name, text]) => markup`<details class="runbook" id="runbook-${name}"><summary>${name}
</summary>${new Raw(markdownToHtml(linked(text, runbooks), { deeper: 2 }))}</details>`,
)}</section>`
}
${
  postmortem !== undefined &&
  markup`<section class="card" id="postmortem"><h2>Postmortem, drafted</h2>
<p class="quiet">What was measured is filled in; what only people know is left to them.</p><details>
<summary>Read the draft</summary>${new Raw(markdownToHtml(postmortem, { deeper: 1 }))}</details></section>`
}
<section class="card" id="how"><h2>How this was measured</h2>${howMeasured(record)}</section>
<footer>Firedrill ${record.firedrillVersion} · ${record.id} · <code>${record.command}</code></footer>
</main>`;
  return (
    `<!doctype html>\n<html lang="en"><head><meta charset="utf-8">` +
    `<meta http-equiv="content-security-policy" content="${policy}">` +
    `<meta name="viewport" content="width=device-width,initial-scale=1">` +
    `<title>${markup`${title}`.text}</title><style>${style}</style></head><body>${body.text}${script}</body></html>\n`
  );
}

/** The table of contents, always visible. */
function contents(record: GameDayRecord, { runbooks, postmortem }: ReportParts): Html {
  const links: [boolean, string, string][] = [
    [true, 'detection', 'Alerts'],
    [true, 'run', 'The whole run'],
    ...record.scenarios.map((s): [boolean, string, string] => [true, s.id, s.id]),
    [record.budgets.length > 0, 'budget', 'Budget'],
    [record.coverage !== undefined, 'coverage', 'Coverage'],
    [true, 'timeline', 'Timeline'],
    [(runbooks?.size ?? 0) > 0, 'runbooks', 'Runbooks'],
    [postmortem !== undefined, 'postmortem', 'Postmortem'],
    [true, 'how', 'Method'],
  ];
  const shown = links.filter(([isThere]) => isThere);
  return markup`<nav class="contents" aria-label="contents">
${shown.map(([, id, name]) => markup`<a href="#${id}">${name}</a>`)}</nav>`;
}

/** Turns links to pages within the report into anchors; no other pages exist beside the report. */
const linked = (markdown: string, runbooks: ReadonlyMap<string, string>): string =>
  linkedPages(markdown, (page) => (runbooks.has(page) ? `#runbook-${page}` : undefined));

function verdictCard(record: GameDayRecord): Html {
  const tally = tallyOf(record.scenarios);
  const { pages, tickets } = pagerTally(record);
  const { total } = record.load;
  const reasons = record.scenarios.flatMap((s) => s.reasons.map((r) => ({ s, r })));
  const figures = (record.system.sections ?? []).flatMap((s) => s.figure ?? []);
  return markup`<section class="card verdict ${record.verdict.toLowerCase()}">
<header><h1>${record.title} · ${instantText(record.startedMs)} · ${timeText(record.endedMs - record.startedMs)}
</h1>${verdictChip(record.verdict)}</header>
<p class="big">${headlineOf(record)}</p>
<p class="sum">${summaryLines(record).join(' ')}</p>
${
  reasons.length > 0 &&
  markup`<ul>${reasons.map(
    ({ s, r }) => markup`<li><a href="#${s.id}">${s.id}
</a>: ${r}</li>`,
  )}</ul>`
}
<dl class="figures">
<div><dt>Alerts in time</dt><dd>${tally.inTime} of ${tally.expected}<small>
${plural(tally.unexpected, 'alert')} unexpected</small></dd></div>
<div><dt>Pages that people would have got</dt><dd>${countText(totalOf(pages))}<small>
${pages.expected} expected, ${pages.allowed} allowed, ${pages.unexpected} unexpected;
<span> ${plural(totalOf(tickets), 'ticket')} beside them</span></small></dd></div>
<div><dt>Scenarios passed</dt><dd>
${record.scenarios.filter((s) => s.verdict === 'PASS').length} of ${record.scenarios.length}</dd></div>
${clientFigures(total)}
${figures.map(
  (f) =>
    markup`<div><dt>${f.name}</dt><dd>${figureText(f.value)}<small>${f.note}</small></dd></div>`,
)}
<div><dt>Time scale</dt><dd>${record.timeScale.text}
<small>an hour of the rules is ${timeText(record.timeScale.hourMs)}</small></dd></div>
</dl>
</section>`;
}

/** Figures of the client; empty if nobody measured requests. */
const clientFigures = (total: ClientTotals): Html =>
  total.requests === 0
    ? markup`<div><dt>Requests of clients</dt><dd>–<small>not measured</small></dd></div>`
    : markup`<div><dt>Requests of clients</dt><dd>${countText(total.requests)}<small>
${countText(total.errors)} failed, ${percentText(errorShare(total))}</small></dd></div>
<div><dt>Latency at the client</dt><dd>${timeText(total.p95Ms)}
<small>p95; p50 ${timeText(total.p50Ms)}, p99 ${timeText(total.p99Ms)}</small></dd></div>`;

const figureText = (value: string | number): string =>
  typeof value === 'number' ? countText(value) : value;

function overview(record: GameDayRecord): Html {
  const ref = (a: { name: string; firedAtMs: number }): string => `${a.name}/${a.firedAtMs}`;
  const unexpected = new Set(record.scenarios.flatMap((s) => s.unexpected.map(ref)));
  const startMs = record.scenarios[0]?.startedMs ?? record.startedMs;
  const options: Omit<FigureOptions, 'width'> = {
    // The time while the system starts is not shown.
    startMs,
    endMs: Math.max(record.endedMs, startMs + 1),
    zeroMs: record.startedMs,
    axisLabel: 'from the start of the game day',
    bands: record.scenarios.map((s) => ({ startMs: s.startedMs, endMs: s.endedMs, text: s.id })),
    faults: record.scenarios.flatMap((s) => s.faults),
    alerts: record.alerts,
    allowedMax: 0,
    certificates: false,
    markOf: (a) => ({
      kind: unexpected.has(ref(a)) ? 'unexpected' : a.expected ? 'expected' : 'allowed',
    }),
    label: 'Alerts, success rate, latency, retries and burn rates over the whole game day',
  };
  return markup`<p class="quiet">Orange: a fault is on, paler until it was
seen to work. Thick bars: pages, from the moment they
were received until they were resolved; thin ones are tickets.</p>
<figure>${figure(record, { ...options, width: 'wide' })}${figure(record, { ...options, width: 'narrow' })}
</figure>`;
}

function budgets(record: GameDayRecord): Html {
  const nominalMs = (record.endedMs - record.startedMs) / record.timeScale.factor;
  const rows = record.budgets.map((b) => budgetRow(b, nominalMs));
  return markup`<div class="scroll"><table><thead><tr><th>SLO</th><th class="number">Objective</th>
<th class="number">Bad events</th><th class="number">Allowed of these</th>
<th class="number">As complete failure</th><th class="number">Of the period's budget</th><th></th></tr></thead>
<tbody>${rows}</tbody></table></div>
<p class="quiet">A period's budget is spent in the rules' own time: the run stands
 for ${timeText(nominalMs)} of traffic.
Complete failure is the time in which every event would have had to fail to spend as much.</p>`;
}

function budgetRow(b: BudgetRecord, nominalMs: number): Html {
  // Without events there is no success: nothing was measured.
  if (b.total === 0) {
    return markup`<tr><th scope="row">${b.slo}</th><td class="number">${Number(b.objective.toPrecision(8))}%</td>
<td class="number no" colspan="5">no data: no event was counted</td></tr>`;
  }
  const allowed = (b.total * (100 - b.objective)) / 100;
  const badShare = b.total > 0 ? b.bad / b.total : 0;
  const width = Math.max(0, Math.min(1, b.spentOfPeriodRatio)) * 140;
  return markup`<tr><th scope="row">${b.slo}</th><td class="number">${Number(b.objective.toPrecision(8))}%</td>
<td class="number">${countText(b.bad)} of ${countText(b.total)}</td><td class="number">
${allowed < 10 ? allowed.toFixed(1) : countText(allowed)}</td>
<td class="number">${timeText(badShare * nominalMs)}</td><td class="number"><b>
${percentText(b.spentOfPeriodRatio)}</b></td>
<td><svg viewBox="0 0 140 12" width="140" height="12" aria-hidden="true"><rect class="left" x="0" y="3"
width="140" height="6"/><rect class="burned" x="0" y="3" width="${px(width)}" height="6"/></svg></td></tr>`;
}

/** A longer timeline would be a log; record.json contains all events. */
const eventsMax = 400;
/** More main events than this are folded. */
const openMax = 12;

function timeline(events: readonly TimelineEvent[]): Html {
  const rows = (list: readonly TimelineEvent[]): Html[] =>
    list.slice(0, eventsMax).map(
      (e) =>
        markup`<tr class="${e.major ? '' : 'minor'}"><td>${clockText(e.atMs)}</td><td>${e.source}</td><td><b>
${e.subject}</b> ${e.text}</td></tr>`,
    );
  const table = (list: readonly TimelineEvent[]): Html =>
    markup`<div class="scroll"><table class="events"><tbody>${rows(list)}</tbody></table></div>`;
  const cut = markup`<p class="quiet">The first ${eventsMax}; record.json has them all.</p>`;
  const folded = (name: string, list: readonly TimelineEvent[]): Html =>
    markup`<details><summary>${name}</summary>${table(list)}${list.length > eventsMax && cut}</details>`;
  const major = events.filter((e) => e.major);
  return markup`<p class="quiet">UTC.</p>
${major.length > openMax ? folded(`The ${countText(major.length)} main events`, major) : table(major)}
${major.length < events.length && folded(`All ${countText(events.length)} events`, events)}`;
}
