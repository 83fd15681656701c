/** The table of alert expectations: each alert with its deadline, its theoretical range and its receipt. */
import type { ExpectationRecord, ScenarioRecord } from '../record.js';
import { labelsText, outcomeWord, theoryMissText, timeText, wasJudged } from '../words.js';
import { roundRange } from '../../base/axis.js';
import { type Html, markup, px } from '../../base/drawing/html.js';

export function detectionTable(scenarios: readonly ScenarioRecord[], named: boolean): Html {
  const all = scenarios.flatMap((s) => s.expectations);
  if (all.length === 0) return markup`<p class="quiet">No alert was expected.</p>`;
  const width = named ? 160 : 200;
  const most = Math.max(...all.map((e) => Math.max(e.deadlineMs, e.receivedAfterMs ?? 0)));
  const scale = roundRange(0, most / 1000, 4);
  const x = (ms: number): number => 4 + (ms / 1000 / scale.max) * (width - 8);
  const ticks = scale.ticks.map(
    (t) =>
      markup`<text x="${px(x(t * 1000))}" y="10"
text-anchor="${t === 0 ? 'start' : t === scale.max ? 'end' : 'middle'}">${t} s</text>`,
  );
  const rows = scenarios.flatMap((s) => {
    const notes = s.expectations.map((e) => noteText(e, wasJudged(s)));
    const height = s.expectations.length + notes.filter((n) => n !== '').length;
    return s.expectations.map((e, i) => {
      const rest = labelsText(e.labels);
      const note = notes[i] ?? '';
      return markup`<tr class="${e.inTime || !wasJudged(s) ? '' : 'failed'}">
${
  named &&
  (i === 0
    ? markup`<th scope="row" rowspan="${height}"><a href="#${s.id}">${s.id}
</a></th>`
    : '')
}
<td class="alert"><b>${e.name}</b>${rest !== '' && markup`<span class="labels">${rest}</span>`}</td>
<td class="severity">${e.severity}</td>
<td class="bullet">${bullet(e, x, width)}</td>
<td class="number" data-name="received">
${receivedText(e)}</td>
<td class="number" data-name="deadline">${timeText(e.deadlineMs)}</td>
<td class="number" data-name="theory">${theoryText(e)}</td>
<td class="judged">
${judgedText(e, wasJudged(s))}</td>
<td class="number" data-name="stopped">${resolveText(e)}</td></tr>
${note !== '' && markup`<tr class="note"><td colspan="8">${note}</td></tr>`}`;
    });
  });
  return markup`<div class="scroll"><table class="detection"><thead><tr>
${named && markup`<th>Scenario</th>`}<th>Alert</th><th>Severity</th>
<th class="bullet"><svg viewBox="0 0 ${width} 13" width="${width}" height="13" aria-hidden="true">${ticks}</svg>
</th>
<th class="number">Received</th><th class="number">Deadline</th><th class="number">Expected</th>
<th>In time?</th><th class="number">Stopped</th>
</tr></thead><tbody>${rows}</tbody></table></div>
<p class="key-line"><svg viewBox="0 0 26 12" width="26" height="12" aria-hidden="true"><rect class="allowed"
x="0" y="4" width="24" height="4"/><line class="due" x1="24" x2="24" y1="0" y2="12"/></svg> until the deadline
<svg viewBox="0 0 26 12" width="26" height="12" aria-hidden="true"><rect class="theory" x="2" y="2" width="20"
height="8"/></svg> expected detection time
<svg viewBox="0 0 12 12" width="12" height="12" aria-hidden="true"><circle class="received" cx="6" cy="6"
r="4.5"/></svg> received. Seconds count from the moment at which the fault
was seen to work; “stopped” is measured from the end of the rollback.</p>`;
}

/** `1.2 s`; `nobody` for an alert of which nobody must be notified. */
const receivedText = (e: ExpectationRecord): string =>
  e.withheld && e.inTime
    ? 'nobody'
    : e.receivedAfterMs === undefined
      ? 'never'
      : timeText(e.receivedAfterMs);

function judgedText(e: ExpectationRecord, judged: boolean): Html {
  if (!judged) return markup`<span class="quiet">? not judged</span>`;
  if (e.inTime) return markup`<span class="yes">✓ ${e.withheld?.how ?? 'in time'}</span>`;
  return markup`<span class="no">✗ ${outcomeWord(e)}</span>`;
}

/** The sentences with reasons, in their own row across the table; empty if there are none. */
function noteText(e: ExpectationRecord, judged: boolean): string {
  const why = judged && (!e.inTime || e.withheld !== undefined) ? e.outcome?.text : undefined;
  const missed = theoryMissText(e);
  const { mayMiss } = e.theory ?? {};
  const theory =
    missed === undefined
      ? undefined
      : `fired ${missed}${mayMiss === undefined ? '' : `: ${mayMiss}`}`;
  return [why, theory].filter((t) => t !== undefined).join('; ');
}

function bullet(e: ExpectationRecord, x: (ms: number) => number, width: number): Html {
  const { theory: t } = e;
  const took = receivedText(e);
  const label = `received: ${took}, deadline ${timeText(e.deadlineMs)}`;
  return markup`<svg viewBox="0 0 ${width} 18" width="${width}" height="18" role="img" aria-label="${label}">
<rect class="allowed" x="${px(x(0))}" y="7" width="${px(x(e.deadlineMs) - x(0))}" height="4"/>
${
  t &&
  markup`<rect class="theory" x="${px(x(t.earliestMs))}" y="5"
width="${px(Math.max(2, x(t.latestMs) - x(t.earliestMs)))}" height="8"><title>${t.basis}</title></rect>`
}
<line class="due" x1="${px(x(e.deadlineMs))}" x2="${px(x(e.deadlineMs))}" y1="3" y2="15"/>
${
  e.receivedAfterMs !== undefined &&
  markup`<circle class="received${e.inTime ? '' : ' late'}"
cx="${px(x(Math.max(0, e.receivedAfterMs)))}" cy="9" r="4.5"/>`
}</svg>`;
}

function theoryText(e: ExpectationRecord): Html {
  if (!e.theory) return markup`<span class="quiet" title="not a burn-rate alert">–</span>`;
  const { earliestMs, latestMs, basis } = e.theory;
  return markup`<span title="${basis}">${rangeText(earliestMs, latestMs)}</span>`;
}

/** `2.6–4.4 s` if both have the same unit. */
function rangeText(fromMs: number, toMs: number): string {
  const [from, to] = [timeText(fromMs), timeText(toMs)];
  const unit = / [a-z]+$/.exec(to)?.[0] ?? '';
  return unit !== '' && from.endsWith(unit) && !/\d .*\d/.test(from)
    ? `${from.slice(0, -unit.length)}–${to}`
    : `${from} – ${to}`;
}

function resolveText({ resolve }: ExpectationRecord): Html {
  if (!resolve) return markup`<span class="quiet">–</span>`;
  if (resolve.resolvedAfterMs === undefined) return markup`<span class="no">✗ never</span>`;
  const took = timeText(resolve.resolvedAfterMs);
  return resolve.inTime
    ? markup`<span title="within ${timeText(resolve.withinMs)}">${took}</span>`
    : markup`<span class="no">✗ ${took}, allowed ${timeText(resolve.withinMs)}</span>`;
}
