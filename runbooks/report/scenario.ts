/** One scenario's card: its hypothesis, its faults, the detection and the rollback. */
import { markdownToHtml } from '../markdown.js';
import type {
  AlertRecord,
  AlertRef,
  ArmRecord,
  FaultRecord,
  GameDayRecord,
  MeasureRecord,
  PhaseRecord,
  RunbookProofRecord,
  ScenarioRecord,
} from '../record.js';
import {
  clockText,
  countText,
  effectText,
  errorShare,
  alertText,
  labelsText,
  percentText,
  ruleText,
  runbookText,
  sentence,
  silenceText,
  timesText,
  timeText,
  valueText,
  verdictMark,
  hintText,
} from '../words.js';
import { detectionTable } from './detection.js';
import { figure, type FigureOptions } from './figure.js';
import { Html, markup, px } from '../../base/drawing/html.js';
import type { Mark } from './lanes.js';

export function scenarioCard(
  record: GameDayRecord,
  s: ScenarioRecord,
  runbooks: ReadonlyMap<string, string>,
): Html {
  // A passed scenario among others is folded: the readers' eyes belong to the failed ones.
  const isOpen = s.verdict !== 'PASS' || record.scenarios.length === 1;
  return markup`<section class="card scenario"><details${isOpen && markup` open`}><summary>
<header><h2>${s.title}</h2>${verdictChip(s.verdict)}</header>
<p class="facts">
${factLine(s)}</p></summary><div id="${s.id}">
<div class="prose">${new Html(markdownToHtml(s.description, { deeper: 3 }))}</div>
${reasons(s)}
<div class="two"><div><h3>What broke</h3>${s.faults.map((f) => faultHtml(f))}
<p><span class="quiet">Blast radius:</span> ${sentence(s.blastRadius)}
<span class="quiet"> Rolled back:</span> ${rollbackText(s)}</p>
${s.abort && markup`<p class="no">Aborted at ${clockText(s.abort.atMs)}: ${s.abort.condition}</p>`}</div>
<div><h3>Steady state</h3><p class="claim">${s.hypothesis.title}</p>${hypothesisTable(s)}</div></div>
<h3>Which alert fired when</h3>
${detectionTable([s], false)}
${alertNotes(record, s)}
${figures(record, s)}
${s.arms.length > 0 && armsHtml(s.arms)}
${
  s.checks.length > 0 &&
  markup`<h3>Also claimed</h3><ul class="checks">${s.checks.map(
    (c) => markup`<li>
${mark(c.held)} ${c.name}<span class="labels">${c.detail}</span></li>`,
  )}</ul>`
}
<details><summary>What clients saw, phase by phase, and what it cost</summary>
${phasesTable(s.phases)}${spentLine(s)}</details>
<p class="links">${
    runbooks.has(s.runbook)
      ? markup`<a href="#runbook-${s.runbook}">Runbook ${s.runbook}</a>`
      : markup`Runbook ${s.runbook}`
  } · <span class="quiet">${s.file}</span>
</p>
</div></details></section>`;
}

const factLine = (s: ScenarioRecord): string =>
  [s.failureMode, s.id, `${timeText(s.endedMs - s.startedMs)} from ${clockText(s.startedMs)}`]
    .filter((f) => f !== undefined && f !== '')
    .join(' · ');

export const verdictChip = (verdict: ScenarioRecord['verdict']): Html =>
  markup`<span class="chip ${verdict.toLowerCase()}">${verdictMark[verdict]} ${verdict}</span>`;

const mark = (held: boolean): Html =>
  held ? markup`<span class="yes">✓</span>` : markup`<span class="no">✗</span>`;

const reasons = (s: ScenarioRecord): Html =>
  markup`${
    s.reasons.length > 0 &&
    markup`<ul class="reasons">${s.reasons.map((r) => markup`<li>${r}</li>`)}
</ul>`
  }`;

function faultHtml(f: FaultRecord): Html {
  const confirmed =
    f.confirmedMs === undefined
      ? markup`<span class="no">its effect was never seen</span>`
      : markup`seen to work ${timeText(f.confirmedMs - f.requestedMs)} later`;
  const lasted =
    f.endedMs === undefined
      ? markup`<span class="no">not ended</span>`
      : markup`on for ${timeText(f.endedMs - (f.confirmedMs ?? f.requestedMs))}`;
  return markup`<p class="broke"><b>${f.target}</b>: ${f.description} <span class="labels">
${f.kind}, ${confirmed}, ${lasted}; ${effectText(f)}</span></p>`;
}

function rollbackText(s: ScenarioRecord): Html {
  const { done, startedMs, endedMs, residue } = s.rollback;
  if (residue.length > 0) return markup`<span class="no">not whole: ${residue.join('; ')}</span>`;
  if (!done) return markup`<span class="no">no</span>`;
  const took = startedMs === undefined || endedMs === undefined ? undefined : endedMs - startedMs;
  return markup`${took === undefined ? 'yes' : `in ${timeText(took)}`}, nothing left behind.`;
}

function hypothesisTable(s: ScenarioRecord): Html {
  const { before, during, after } = s.hypothesis;
  const names = [...new Set([...before, ...during, ...after].map((m) => m.name))];
  const cell = (list: MeasureRecord[], name: string): Html => {
    const found = list.find((m) => m.name === name);
    if (!found) return markup`<td class="number quiet">–</td>`;
    return markup`<td class="number" title="${found.expr}">
${valueText(found.value, found.unit)} ${mark(found.held)}</td>`;
  };
  const all = [...before, ...during, ...after];
  const rows = names.map((name) => {
    const any = all.find((m) => m.name === name) as MeasureRecord;
    return markup`<tr><th scope="row">${name} <span class="bound">${boundText(any)}</span></th>
${cell(before, name)}${during.length > 0 && cell(during, name)}${cell(after, name)}</tr>`;
  });
  return markup`<div class="scroll"><table><thead><tr><th></th><th class="number">before</th>
${during.length > 0 && markup`<th class="number">during</th>`}<th class="number">after</th></tr></thead><tbody>
${rows}</tbody></table></div>`;
}

/** `<= 0.01` of a ratio is `≤ 1%`. */
export function boundText(m: MeasureRecord): string {
  const match = /^(<=|>=|<|>|==)\s*(-?[\d.]+)$/.exec(m.bound.trim());
  if (!match) return m.bound;
  const sign = { '<=': '≤', '>=': '≥', '==': '=' }[match[1] as string] ?? (match[1] as string);
  return `${sign} ${valueText(Number(match[2]), m.unit)}`;
}

/** Whether the runbooks of expected alerts were useful: their queries ran while the alerts fired. */
function runbookNote(record: GameDayRecord, s: ScenarioRecord): Html | false {
  const names = new Set(s.expectations.map((e) => e.name));
  const parts = record.alerts
    .filter((a) => a.scenario === s.id && names.has(a.name) && a.answers !== undefined)
    .map((a) => {
      const all = Object.values(a.answers ?? {});
      const some = all.filter((series) => series !== null && series.length > 0).length;
      return `${a.name} ${some} of ${all.length}`;
    });
  if (parts.length === 0) return false;
  return markup`<li class="quiet">Queries of the runbook that returned
something while the alert fired: ${parts.join(', ')}.</li>`;
}

/** The answers to the page's questions, and the results of its commands. */
function proofNote(proof: RunbookProofRecord): Html {
  const asked = proof.diagnosis.filter((d) => d.differs).map((d) => d.asked);
  const done = proof.mitigation.steps.map((s) => s.command);
  return markup`<li class="quiet">${sentence(`The ${runbookText(proof)}`)}
${asked.length > 0 && markup`Answered otherwise: ${codes(asked)}.`}
${done.length > 0 && markup`Done: ${codes(done)}.`}</li>`;
}

const codes = (texts: readonly string[]): Html =>
  markup`${texts.map((text, i) => markup`${i > 0 && ', '}<code>${text}</code>`)}`;

function alertNotes(record: GameDayRecord, s: ScenarioRecord): Html {
  return markup`<ul class="notes">
${(s.silences ?? []).map(
  (x) => markup`<li class="no">✗ Silent failure: ${silenceText(x)}. ${ruleText(x)}.</li>`,
)}
${
  s.unexpected.length > 0
    ? markup`<li class="no">✗ Nobody expected: ${namesOf(s.unexpected, true)}</li>`
    : markup`<li><span class="yes">✓</span> Nothing fired that was not expected.</li>`
}
${s.allowed.length > 0 && markup`<li class="quiet">Allowed beside them: ${namesOf(s.allowed, false)}.</li>`}
${(s.hints ?? []).map((h) => markup`<li>A hint was needed ${hintText(h)}.</li>`)}
${runbookNote(record, s)}${s.runbookProof && proofNote(s.runbookProof)}${
    s.alreadyFiring.length > 0 &&
    markup`<li class="quiet">
Fired before the fault, and not counted: ${namesOf(s.alreadyFiring, false)}.</li>`
  }</ul>`;
}

/** One name for all instances of an alert, if labels do not matter. */
function namesOf(list: readonly AlertRef[], labelled: boolean): string {
  const names = list.map((a) =>
    alertText(a.name, a.severity, labelled ? labelsText(a.labels) : ''),
  );
  return [...new Set(names)]
    .map((name) => {
      const count = names.filter((n) => n === name).length;
      return count > 1 ? `${name} ×${count}` : name;
    })
    .join(', ');
}

function figures(record: GameDayRecord, s: ScenarioRecord): Html {
  const alerts = record.alerts.filter(
    (a) => a.firedAtMs < s.endedMs && (a.resolvedAtMs ?? s.endedMs) > s.startedMs,
  );
  const zeroMs = zeroOf(record, s);
  const options: Omit<FigureOptions, 'width'> = {
    startMs: s.startedMs,
    endMs: Math.max(s.endedMs, s.startedMs + 1),
    zeroMs,
    axisLabel:
      s.confirmedMs === undefined ? 'from the start' : 'from the moment the fault was seen to work',
    bands: phaseBands(s.phases),
    faults: s.faults,
    alerts,
    allowedMax: 6,
    certificates: runOut(record, s),
    markOf: (a) => markOf(s, a, zeroMs),
    label: `Alerts, success rate, latency, retries and burn rates during ${s.title}`,
  };
  return markup`<figure>
${figure(record, { ...options, width: 'wide' })}${figure(record, { ...options, width: 'narrow' })}</figure>`;
}

/** With several faults, deadlines count from the confirmation of the fault that the alert is about, as in the judge. */
function zeroOf(record: GameDayRecord, s: ScenarioRecord): number {
  for (const e of s.expectations) {
    const first = record.alerts.find(
      (a) => a.scenario === s.id && a.name === e.name && a.severity === e.severity,
    );
    if (first && e.receivedAfterMs !== undefined) return first.receivedAtMs - e.receivedAfterMs;
  }
  return s.confirmedMs ?? s.faults[0]?.requestedMs ?? s.startedMs;
}

/** Whether a certificate expired, or nearly did. */
const runOut = (record: GameDayRecord, s: ScenarioRecord): boolean =>
  record.series.some(
    (l) =>
      l.panel === 'certificates' &&
      l.points.some(([t, v]) => v !== null && v <= 0 && t >= s.startedMs && t <= s.endedMs),
  );

const phaseWords: Record<PhaseRecord['kind'], string> = {
  baseline: 'before',
  injection: '',
  fault: 'fault',
  rollback: '',
  recovery: 'after',
};

/** Injection and rollback are short, so they are part of the next phase. */
function phaseBands(phases: readonly PhaseRecord[]): FigureOptions['bands'] {
  return phases
    .filter((p) => phaseWords[p.kind] !== '')
    .filter(
      (p, i, all) =>
        i === 0 ||
        phaseWords[p.kind] !== phaseWords[all[i - 1]?.kind ?? 'fault'] ||
        p.kind === 'fault',
    )
    .map((p) => ({
      startMs: p.startMs,
      endMs: p.endMs,
      text: `${phaseWords[p.kind]}${p.arm === undefined || p.kind === 'recovery' ? '' : `: ${p.arm}`}`,
    }));
}

function markOf(s: ScenarioRecord, alert: AlertRecord, zeroMs: number): Mark {
  const same = (ref: AlertRef): boolean =>
    ref.name === alert.name && ref.firedAtMs === alert.firedAtMs;
  const note = timeText(alert.receivedAtMs - zeroMs);
  if (s.unexpected.some(same)) return { kind: 'unexpected', note: `${note}, not expected` };
  const e = s.expectations.find(
    (x) =>
      x.name === alert.name &&
      x.severity === alert.severity &&
      alert.scenario === s.id &&
      Object.entries(x.labels).every(([k, v]) => alert.labels[k] === v),
  );
  if (!e) return { kind: 'allowed' };
  const deadline = s.confirmedMs === undefined ? {} : { deadlineMs: zeroMs + e.deadlineMs };
  return { kind: e.inTime ? 'expected' : 'late', note, ...deadline };
}

function recoveredText(a: ArmRecord): Html {
  const metastable = a.verdict === 'metastable' && markup`<span class="no"> metastable</span>`;
  if (a.recoveredAfterMs === undefined) return markup`<span class="no">✗ never</span>${metastable}`;
  return markup`after ${timeText(a.recoveredAfterMs)}${metastable}`;
}

function armsHtml(arms: readonly ArmRecord[]): Html {
  const most = Math.max(
    1,
    ...arms.map((a) => Math.max(a.amplificationDuring, a.amplificationAfter)),
  );
  const bar = (value: number, kind: string): Html =>
    markup`<svg viewBox="0 0 160 12" width="160" height="12" aria-hidden="true"><rect class="${kind}" x="0"
y="2" width="${px((value / most) * 150)}" height="8"/>
<line class="one" x1="${px(150 / most)}" x2="${px(150 / most)}" y1="0" y2="12"/></svg>`;
  const rows = arms.map(
    (a) => markup`<tr><th scope="row">${a.name}<span class="labels">${a.description}</span></th>
<td data-name="during">${bar(a.amplificationDuring, 'during')} <b>${timesText(a.amplificationDuring)}</b></td>
<td data-name="after">${bar(a.amplificationAfter, 'after')} <b>${timesText(a.amplificationAfter)}</b></td>
<td class="number" data-name="successes">
${valueText(a.goodputBefore, 'per second')} → ${valueText(a.goodputAfter, 'per second')}</td>
<td data-name="recovered">
${recoveredText(a)}</td></tr>`,
  );
  return markup`<h3>Amplification</h3>
<p class="quiet">Tries that reached the dependency for each request of a client; the line marks 1, no retry at all.</p>
<div class="scroll"><table class="arms"><thead><tr><th>Policy</th><th>during the fault</th><th>after it</th>
<th class="number">Successes, before → after</th><th>Recovered</th></tr></thead><tbody>${rows}</tbody></table>
</div>`;
}

function phasesTable(phases: readonly PhaseRecord[]): Html {
  const rows = phases.map(
    ({
      kind,
      arm,
      startMs,
      endMs,
      client: c,
    }) => markup`<tr><th scope="row">${kind}${arm !== undefined && markup` <span class="bound">${arm}</span>`}
</th>
<td class="number">${timeText(endMs - startMs)}</td><td class="number">${countText(c.requests)}</td>
${[
  countText(c.errors),
  percentText(errorShare(c)),
  timeText(c.p50Ms),
  timeText(c.p95Ms),
  timeText(c.p99Ms),
].map((text) => markup`<td class="number">${c.requests === 0 ? '–' : text}</td>`)}</tr>`,
  );
  return markup`<div class="scroll"><table><thead><tr><th>Phase</th><th class="number">lasted</th>
<th class="number">requests</th><th class="number">errors</th><th class="number">share</th>
<th class="number">p50</th><th class="number">p95</th><th class="number">p99</th></tr></thead><tbody>${rows}
</tbody></table></div>`;
}

function spentLine(s: ScenarioRecord): Html {
  // Without events there is no success. Older records have no counts.
  const counted = s.budgetSpent.filter((b) => b.total !== 0);
  if (counted.length === 0) return markup`<p>No event of an SLO was counted.</p>`;
  const spent = counted.filter((b) => b.ratio > 0);
  if (spent.length === 0) return markup`<p>It spent no error budget.</p>`;
  const text = spent.map((b) => `${percentText(b.ratio)} of ${b.slo}`).join(', ');
  return markup`<p>Error budget spent: ${text}.</p>`;
}
