/**
 * Drafts a postmortem in the shape of the SRE book from a record: measurements are written down, and facts that only
 * people know become prompts. Nothing is guessed.
 */
import { markdownCode, markdownText as t } from '../markdown.js';
import { headlineOf, stayed, summaryLines } from '../headline.js';
import type { GameDayRecord, ScenarioRecord, TimelineEvent } from '../record.js';
import { howRows } from '../report/measured.js';
import {
  clockOn,
  clockText,
  countText,
  effectText,
  errorShare,
  hintText,
  instantText,
  labelsText,
  outcomeText,
  percentText,
  ruleText,
  sentence,
  silenceText,
  timesText,
  timeText,
  wasJudged,
} from '../words.js';
import { onlyScenario } from '../narrow.js';
import { timesOf } from './times.js';

/** The text for places that a person must fill in; the lint finds each that is left. */
export const toFill = 'TO FILL';

type Roles = NonNullable<GameDayRecord['roles']>;

export interface DraftOptions {
  /** Only this scenario, as one incident; absent: the whole game day. */
  scenario?: string;
  /** Names of the runbook pages in the same folder; absent: no page is linked. */
  pages?: Iterable<string>;
}

export function draftPostmortem(record: GameDayRecord, options: DraftOptions = {}): string {
  const { title, ...rest } = postmortemOf(record, options);
  return postmortemText({ title: t(title), ...rest });
}

/** The postmortem as Markdown; its parts are Markdown already. */
export function postmortemText({ title, facts, sections }: Postmortem): string {
  const parts = [
    `# Postmortem: ${title}`,
    Object.entries(facts)
      .map(([name, value]) => `- ${name}: ${value}`)
      .join('\n'),
    ...sections.map(({ name, markdown }) => `## ${name}\n\n${markdown}`),
  ];
  return `${parts.join('\n\n')}\n`;
}

export interface Postmortem {
  title: string;
  facts: Record<string, string>;
  sections: { name: string; markdown: string }[];
}

/** The draft in parts, each as Markdown. */
export function postmortemOf(whole: GameDayRecord, options: DraftOptions = {}): Postmortem {
  const { scenario, pages = [] } = options;
  const narrowed = scenario === undefined ? undefined : onlyScenario(whole, scenario);
  const record = narrowed ?? whole;
  const { scenarios } = record;
  const section = (name: string, markdown: string) => ({ name, markdown });
  return {
    title: record.title,
    facts: {
      Date: instantText(record.startedMs),
      Authors: toFill,
      Status: 'draft',
      ...(record.roles && { Roles: rolesText(record.roles) }),
      Source: `game day ${t(record.id)}, \`${markdownCode(record.command)}\``,
    },
    sections: [
      section('Summary', summary(record)),
      section('Impact', impact(record, scenarios)),
      section('Root causes', rootCauses(scenarios)),
      section(
        'Trigger',
        each(scenarios, (s) => trigger(s, record.startedMs)),
      ),
      section('Detection', detection(record, scenarios)),
      section('Resolution', each(scenarios, resolution)),
      section('Timeline', timeline(record, scenarios)),
      section('Certificate lifecycle', certificates(record)),
      section('Deployments', deployments(record)),
      section('Error budget', budget(record)),
      ...reviewSections(hintFindings(scenarios)),
      section('Actions', actions(scenarios)),
      section('Supporting information', supporting(record, new Set(pages))),
    ],
  };
}

/** A hint that was needed is a finding: the alert, its page and the dashboards did not tell it. */
const hintFindings = (scenarios: readonly ScenarioRecord[]): string[] =>
  scenarios.flatMap((s) =>
    (s.hints ?? []).map(
      (h) =>
        `- **${t(s.title)}**: a hint was needed ${t(sentence(hintText(h)))} Which alert, page or dashboard should ` +
        `have told it: ${toFill}`,
    ),
  );

const rolesText = ({ facilitator, responders, observers }: Roles): string =>
  t(
    [
      ...(facilitator === undefined ? [] : [`facilitator: ${facilitator}`]),
      `responders: ${responders.join(', ')}`,
      ...(observers.length === 0 ? [] : [`observers: ${observers.join(', ')}`]),
    ].join('; '),
  );

const each = (scenarios: readonly ScenarioRecord[], text: (s: ScenarioRecord) => string): string =>
  scenarios.length === 0
    ? 'No scenario ran.'
    : scenarios.map((s) => `- **${t(s.title)}**: ${text(s)}`).join('\n');

function summary(record: GameDayRecord): string {
  const rows = record.scenarios.map((s) => {
    const times = timesOf(record, s);
    const cells = [
      t(s.title),
      s.verdict,
      detectText(times.ttdMs, times.felt),
      timeText(times.ttmMs),
      timeText(times.ttrMs),
    ];
    return `| ${cells.join(' | ')} |`;
  });
  const { factor, text, hourMs } = record.timeScale;
  const scaled =
    factor === 1
      ? ''
      : ` The rules ran at ${t(text)} of production time: an hour of theirs took ${timeText(hourMs)}.`;
  return [
    `${t(headlineOf(record))} ${summaryLines(record).map(t).join(' ')}`,
    '| scenario | verdict | time to detect | to mitigate | to resolve |\n' +
      `| --- | --- | ---: | ---: | ---: |\n${rows.join('\n')}`,
    'Times are real and count from the moment at which callers began to see errors or, where nobody did, at which ' +
      'the fault was seen to work: until the first page was received, until the fault was gone, until the last page ' +
      `was resolved.${scaled}`,
  ].join('\n\n');
}

/** A page may come before any caller fails, which is the best case. */
function detectText(ttdMs: number | undefined, felt: boolean): string {
  if (ttdMs === undefined || ttdMs >= 0) return timeText(ttdMs);
  return `${timeText(-ttdMs)} before ${felt ? 'the first error' : 'the effect was seen'}`;
}

function impact(record: GameDayRecord, scenarios: readonly ScenarioRecord[]): string {
  const lines = scenarios.map((s) => {
    const { client } = s;
    const routes = Object.entries(client.routes)
      .filter(([, r]) => r.errors > 0)
      .map(([name, r]) => `${t(name)} ${countText(r.errors)} of ${countText(r.requests)}`);
    const worst = s.phases
      .filter((p) => p.kind === 'fault' && p.client.requests > 0)
      .reduce((most, p) => Math.max(most, p.client.p95Ms), 0);
    const failed =
      client.requests === 0
        ? 'no request was measured'
        : client.errors === 0
          ? `none of ${countText(client.requests)} requests failed`
          : `${countText(client.errors)} of ${countText(client.requests)} requests failed ` +
            `(${percentText(errorShare(client))}${routes.length > 0 ? `: ${routes.join(', ')}` : ''})`;
    const slow = worst > 0 ? `; p95 ${timeText(worst)} while the fault was on` : '';
    return `- **${t(s.title)}**: ${failed}${slow}. Blast radius: ${t(sentence(s.blastRadius))}`;
  });
  for (const { title, rows } of record.system.sections ?? []) {
    const values = rows.map(
      ({ name, value }) => `${t(name)} ${typeof value === 'number' ? countText(value) : t(value)}`,
    );
    lines.push(`- ${t(title)}: ${values.join(', ')}.`);
  }
  lines.push(`- What users, support and the business noticed: ${toFill}`);
  return lines.join('\n');
}

function rootCauses(scenarios: readonly ScenarioRecord[]): string {
  const known = each(scenarios, (s) =>
    s.faults.length === 0
      ? 'no fault was injected.'
      : `injected: ${s.faults.map((f) => `${t(f.target)} (${t(f.kind)}): ${t(f.description)}`).join('; ')}.`,
  );
  return `${known}\n- What would make this happen without an injection, and why nothing prevents it: ${toFill}`;
}

function trigger(s: ScenarioRecord, dayMs: number): string {
  const faults = s.faults.map((f) => {
    const seen =
      f.confirmedMs === undefined
        ? 'no effect was seen'
        : `effect seen ${timeText(f.confirmedMs - f.requestedMs)} later`;
    const where = `${t(f.kind)} on ${t(f.target)} at ${clockOn(f.requestedMs, dayMs)}`;
    return `${where}, ${seen}, ${t(effectText(f))}`;
  });
  return faults.length === 0 ? 'none.' : `${faults.join('; ')}.`;
}

function detection(record: GameDayRecord, scenarios: readonly ScenarioRecord[]): string {
  const rows = scenarios.flatMap((s) =>
    s.expectations.map((e) => {
      const theory = e.theory
        ? `${timeText(e.theory.earliestMs)} to ${timeText(e.theory.latestMs)}`
        : '';
      const labels = labelsText(e.labels);
      const cells = [
        `${t(e.name)}${labels === '' ? '' : ` (${t(labels)})`}`,
        t(e.severity),
        t(outcomeText(e)),
        theory,
        e.inTime ? 'yes' : '**no**',
      ];
      return `| ${cells.join(' | ')} |`;
    }),
  );
  const first = scenarios.map((s) => {
    const { detectedBy, ttdMs, felt } = timesOf(record, s);
    if (detectedBy === undefined) return `- **${t(s.title)}**: no page was received.`;
    const since = felt ? 'after callers began to see errors' : 'after the fault was seen to work';
    const before = ttdMs !== undefined && ttdMs < 0 ? 'before' : 'after';
    const took =
      ttdMs === undefined ? '' : `, ${timeText(Math.abs(ttdMs))} ${since.replace('after', before)}`;
    return `- **${t(s.title)}**: ${t(detectedBy)} was the first page${took}.`;
  });
  const others = scenarios.flatMap((s) =>
    s.unexpected.map(
      (u) =>
        `- Unexpected: ${t(u.name)} (${t(u.severity)}) at ${clockText(u.firedAtMs)}, during ${t(s.title)}.`,
    ),
  );
  const silent = scenarios.flatMap((s) =>
    (s.silences ?? []).map((x) => `- **Silent failure**: ${t(silenceText(x))}. ${t(ruleText(x))}.`),
  );
  const table =
    rows.length === 0
      ? 'No alert was expected.'
      : '| alert | severity | received | expected after | in time |\n' +
        `| --- | --- | --- | --- | --- |\n${rows.join('\n')}`;
  return [[...first, ...silent, ...others].join('\n'), table].filter((p) => p !== '').join('\n\n');
}

function resolution(s: ScenarioRecord): string {
  const { done, startedMs, endedMs, residue } = s.rollback;
  const took =
    startedMs === undefined || endedMs === undefined ? '' : ` in ${timeText(endedMs - startedMs)}`;
  const back = residue.length > 0 ? `; left behind: ${residue.map(t).join('; ')}` : '';
  const after = s.hypothesis.after;
  const steady =
    after.length === 0
      ? 'the steady state was not measured afterwards'
      : after.every((m) => m.held)
        ? 'the steady state was back afterwards'
        : `the steady state was not back: ${after
            .filter((m) => !m.held)
            .map((m) => t(m.name))
            .join(', ')}`;
  const aborted = s.abort ? `aborted at ${clockText(s.abort.atMs)}: ${t(s.abort.condition)}; ` : '';
  return `${aborted}${done ? `rolled back${took}` : 'the rollback did not finish'}${back}; ${steady}.`;
}

/** If the timeline is longer than this, only major events are shown. */
const eventsMax = 120;

function timeline(record: GameDayRecord, scenarios: readonly ScenarioRecord[]): string {
  const all = record.timeline;
  const events = all.length <= eventsMax ? all : all.filter((e) => e.major).slice(0, eventsMax);
  if (events.length === 0) return 'Nothing was recorded.';
  const zero = new Map(scenarios.map((s) => [s.id, s.confirmedMs]));
  const rows = events.map((e) => {
    const from = e.scenario === undefined ? undefined : zero.get(e.scenario);
    const offset =
      from === undefined ? '' : `${e.atMs >= from ? '+' : ''}${timeText(e.atMs - from)}`;
    return `| ${clockOn(e.atMs, record.startedMs)} | ${offset} | ${e.source} | ${t(e.subject)}: ${t(e.text)} |`;
  });
  const cut =
    events.length < all.length
      ? `\n\n${countText(all.length - events.length)} smaller events are left out.`
      : '';
  return (
    'UTC; the second column counts from the moment at which the fault of that scenario was seen to work.\n\n' +
    `| time | from the fault | source | event |\n| --- | ---: | --- | --- |\n${rows.join('\n')}${cut}`
  );
}

function certificates(record: GameDayRecord): string {
  const events = record.timeline.filter((e) => e.source === 'certificate');
  const { certificateLifetimeMs } = record.system;
  if (certificateLifetimeMs === undefined) return 'The system has no certificates of a mesh.';
  const life = `Workload certificates live ${timeText(certificateLifetimeMs)}.`;
  if (events.length === 0) return `${life} No event of a certificate was recorded.`;
  const by = new Map<string, TimelineEvent[]>();
  for (const e of events) by.set(e.subject, [...(by.get(e.subject) ?? []), e]);
  const lines = [...by].slice(0, 40).map(([subject, list]) => {
    const texts = list.slice(0, 6).map((e) => `${clockOn(e.atMs, record.startedMs)} ${t(e.text)}`);
    const more = list.length > 6 ? `; and ${list.length - 6} more` : '';
    return `- ${t(subject)}: ${texts.join('; ')}${more}`;
  });
  return `${life}\n\n${lines.join('\n')}`;
}

function deployments(record: GameDayRecord): string {
  const events = record.timeline.filter((e) => e.source === 'deployment');
  if (events.length === 0) return 'None was recorded.';
  return events
    .map((e) => `- ${clockOn(e.atMs, record.startedMs)} ${t(e.subject)}: ${t(e.text)}`)
    .join('\n');
}

function budget(record: GameDayRecord): string {
  if (record.budgets.length === 0) return 'None was recorded.';
  const nominalMs = (record.endedMs - record.startedMs) / record.timeScale.factor;
  const rows = record.budgets.map((b) => {
    const cells = [
      t(b.slo),
      `${Number(b.objective.toPrecision(8))}%`,
      b.total === 0 ? 'no data' : `${countText(b.bad)} of ${countText(b.total)}`,
      b.total === 0 ? 'no data' : timeText((b.bad / b.total) * nominalMs),
      b.total === 0 ? 'no data' : percentText(b.spentOfPeriodRatio),
    ];
    return `| ${cells.join(' | ')} |`;
  });
  return (
    '| SLO | objective | bad events | as complete failure, in production time | of the period |\n' +
    `| --- | ---: | ---: | ---: | ---: |\n${rows.join('\n')}`
  );
}

const wentWell = [
  'Which signal told the truth first, and who looked at it?',
  'Which step of the runbook worked as it is written?',
  'What did automation do that a person would have had to?',
];
const wentWrong = [
  'What took longest between the page and the first right action?',
  'Which alert, dashboard or page misled, or was missing?',
  'Where did two people do the same, or nobody anything?',
];
const lucky = [
  'What would have made this worse, had it happened at another hour or with more traffic?',
  'Which safety held that nobody had tested?',
];

export const prompts = (questions: readonly string[]): string =>
  questions.map((q) => `- ${q} ${toFill}`).join('\n');

/** Sections that people fill in; `findings` are lines about what went wrong. */
export const reviewSections = (findings: readonly string[]): Postmortem['sections'] => [
  { name: 'What went well', markdown: prompts(wentWell) },
  { name: 'What went wrong', markdown: [...findings, prompts(wentWrong)].join('\n') },
  { name: 'Where we were lucky', markdown: prompts(lucky) },
];

/** Only measured problems become rows; people decide on the actions. */
function actions(scenarios: readonly ScenarioRecord[]): string {
  const found = scenarios.flatMap((s) => [
    ...s.expectations
      .filter((e) => !e.inTime && wasJudged(s))
      .map((e) => [`${t(e.name)} ${t(outcomeText(e))}`, 'detect']),
    ...s.expectations.filter(stayed).map((e) => [`${t(e.name)} did not stop in time`, 'detect']),
    ...[...new Set(s.unexpected.map((u) => `${t(u.name)} fired without being expected`))].map(
      (text) => [text, 'detect'],
    ),
    ...(s.silences ?? []).map((x) => [t(silenceText(x)), 'detect']),
    ...s.rollback.residue.map((r) => [`left behind: ${t(r)}`, 'mitigate']),
    ...s.arms
      // An arm that demonstrates a bad policy is expected not to recover.
      .filter((a) => a.verdict === 'metastable' && s.verdict !== 'PASS')
      .map((a) => [
        `${t(a.name)}: did not recover, ${timesText(a.amplificationAfter)} amplification`,
        'prevent',
      ]),
    ...s.checks.filter((c) => !c.held).map((c) => [`${t(c.name)}: ${t(c.detail)}`, 'prevent']),
  ]);
  return actionTable(found);
}

export function actionTable(found: readonly string[][]): string {
  const rows = (found.length > 0 ? found : [['', '']]).map(
    ([what, kind]) => `| ${toFill} | ${what ?? ''} | ${kind || toFill} | ${toFill} | ${toFill} |`,
  );
  return (
    'One owner each, and a date (YYYY-MM-DD). Kinds: prevent, detect, mitigate.\n\n' +
    '| action | since it was measured that | kind | owner | due |\n' +
    `| --- | --- | --- | --- | --- |\n${rows.join('\n')}`
  );
}

function supporting(record: GameDayRecord, pages: ReadonlySet<string>): string {
  const rows = howRows(record).map(([name, text]) => `- ${name}: ${t(text)}`);
  const wanted = [...record.alerts.map((a) => a.name), ...record.scenarios.map((s) => s.runbook)];
  const links = [...new Set(wanted)]
    .filter((name) => pages.has(name))
    .map((name) => `- Runbook, filled in: [${t(name)}](runbooks/${encodeURIComponent(name)}.md)`);
  return [...rows, '- [Report with plots](index.html), [record](record.json)', ...links].join('\n');
}
