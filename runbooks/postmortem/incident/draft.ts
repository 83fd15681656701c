/**
 * A postmortem of a real incident, in the shape of the SRE book. Each line names its source; facts that only people
 * know become prompts; missing measurements are named. Nothing is guessed.
 */
import { markdownCode, markdownText as t } from '../../markdown.js';
import { wakes } from '../../pager.js';
import {
  clockOn,
  countText,
  instantText,
  labelsText,
  percentText,
  plural,
  timeText,
} from '../../words.js';
import { type Postmortem, prompts, toFill } from '../draft.js';
import type { AlertGroup, Incident, RuleGraph } from './model.js';
import { sparkline } from './plot.js';

/** The empty table of actions. */
export const noActions =
  'One owner each, and a date (YYYY-MM-DD). Kinds: prevent, detect, mitigate.\n\n' +
  '| action | kind | owner | due |\n| --- | --- | --- | --- |\n' +
  `| ${toFill} | ${toFill} | ${toFill} | ${toFill} |`;

export const questions = {
  impact: ['What users, support and the business noticed:', 'Who was affected, and how many:'],
  causes: ['What had to be true for this to happen:', 'Why nothing prevented it:'],
  trigger: ['What changed, or what came that had not come before:'],
  resolution: [
    'What was done, by which role, and what of it helped:',
    'What was tried and did not help:',
  ],
  well: ['What made it shorter or smaller than it could have been:'],
  wrong: ['What made it longer or larger:', 'Which page came late, or not, or without need:'],
  lucky: ['What could have gone worse, and only did not by chance:'],
};

export function incidentPostmortem(incident: Incident): Postmortem {
  const { alertmanager, prometheus } = incident;
  const from = alertmanager ? `${prometheus.url}, ${alertmanager.url}` : prometheus.url;
  const section = (name: string, markdown: string) => ({ name, markdown });
  return {
    title: t(incident.title),
    facts: {
      Date: instantText(incident.fromMs),
      Authors: toFill,
      Status: 'draft',
      Source: `\`${markdownCode(from)}\`, ${instantText(incident.fromMs)} to ${instantText(incident.toMs)}`,
    },
    sections: [
      section('Summary', summary(incident)),
      section('Impact', impact(incident)),
      section('Root causes', prompts(questions.causes)),
      section('Trigger', trigger(incident)),
      section('Detection', detection(incident)),
      section('Resolution', resolution(incident)),
      section('Timeline', timeline(incident)),
      section('What the rules measured', graphs(incident)),
      section('Silences', silences(incident)),
      section('Deployments', commits(incident)),
      section('Error budget', budget(incident)),
      section('What went well', prompts(questions.well)),
      section('What went wrong', prompts(questions.wrong)),
      section('Where we were lucky', prompts(questions.lucky)),
      section('Actions', noActions),
      section('What was not measured', notMeasured(incident)),
    ],
  };
}

/** The source of a line. */
const by = (source: string): string => `(source: \`${markdownCode(source)}\`)`;
const alertsSource = 'ALERTS, ALERTS_FOR_STATE';
const unmeasured = (incident: Incident, what: string): string => {
  const why = incident.notMeasured.find((n) => n.what === what)?.why ?? 'nothing was found';
  return `Not measured: ${t(why)}.`;
};

/** For an incident without alerts; of a stretch without data it is not known. */
const noAlert = (incident: Incident, when = ''): string =>
  incident.notMeasured.some((n) => n.what === 'alerts')
    ? `- Alerts. ${unmeasured(incident, 'alerts')}`
    : `- No alert fired${when} ${by('ALERTS')}`;

/** `CartErrors (page), 12 series: workload cart, payment`. */
function nameOf({ names, severity, by: labels, of, alerts }: AlertGroup): string {
  const rest = Object.fromEntries(
    Object.entries(labels).filter(([k]) => k !== 'alertname' && k !== 'severity'),
  );
  const where = labelsText(rest);
  const more = of && of.count > of.values.length ? ` and ${of.count - of.values.length} more` : '';
  const each = of ? `: ${of.label} ${of.values.join(', ')}${more}` : '';
  const many = alerts > 1 ? `, ${plural(alerts, 'alert')}${each}` : '';
  return `**${t(names.join(', '))}** (${t(severity)})${where === '' ? '' : ` ${t(where)}`}${t(many)}`;
}

const pagesOf = ({ groups }: Incident): AlertGroup[] => groups.filter((g) => wakes(g.severity));

function summary(incident: Incident): string {
  const { groups, fromMs, toMs } = incident;
  if (groups.length === 0) {
    const none = noAlert(incident, ` between ${instantText(fromMs)} and ${instantText(toMs)}`);
    return `- ${toFill}\n${none}`;
  }
  const first = groups.reduce((a, b) => (a.firedAtMs <= b.firedAtMs ? a : b));
  const open = groups.filter((g) => g.endedAtMs === undefined);
  const last = Math.max(...groups.map((g) => g.endedAtMs ?? toMs));
  const pages = pagesOf(incident);
  return [
    `- In a sentence or two, what happened: ${toFill}`,
    `- First: ${nameOf(first)} at ${clockOn(first.firedAtMs, fromMs)}${first.firedBefore ? ' or before' : ''} ` +
      by(alertsSource),
    open.length > 0
      ? `- Not over at ${instantText(toMs)}: ${open.map(nameOf).join('; ')} ${by('ALERTS')}`
      : `- Over at ${clockOn(last, fromMs)}, ${timeText(last - first.firedAtMs)} after the first alert fired ` +
        by('ALERTS'),
    `- ${plural(pages.length, 'group')} of pages and ${groups.length - pages.length} of others ` +
      `(${plural(
        groups.reduce((n, g) => n + g.alerts, 0),
        'alert',
      )}), grouped by ${incident.groupedBy} ${by('ALERTS')}`,
  ].join('\n');
}

function impact(incident: Incident): string {
  const spent = incident.budgets.map(
    ({ slo, bad, total, source }) =>
      `- ${t(slo)}: ${countText(bad)} of ${countText(total)} events were bad ` +
      `(${percentText(bad / Math.max(1, total))}) ${by(source)}`,
  );
  const none = incident.budgets.length === 0 ? [`- ${unmeasured(incident, 'error budget')}`] : [];
  return [...spent, ...none, prompts(questions.impact)].join('\n');
}

function trigger(incident: Incident): string {
  const last = incident.commits.filter((c) => c.before).at(-1);
  const change = last
    ? [
        `- The last commit before it: \`${last.hash}\` ${t(last.subject)}, ` +
          `${timeText(incident.fromMs - last.atMs)} earlier ${by(`git log, ${last.repository}`)}`,
      ]
    : [];
  return [...change, prompts(questions.trigger)].join('\n');
}

function detection(incident: Incident): string {
  const rows = incident.groups.map((g) => {
    const waited = g.firedBefore ? 'it fired already' : timeText(g.firedAtMs - g.activeAtMs);
    const to = g.receivers === undefined ? 'not measured' : g.receivers.map((r) => t(r)).join(', ');
    return `| ${nameOf(g)} | ${clockOn(g.activeAtMs, incident.fromMs)} | ${waited} | ${to} |`;
  });
  if (rows.length === 0) return `${noAlert(incident)}\n- How it was noticed: ${toFill}`;
  const told = (incident.notifications ?? []).map(
    (n) =>
      `- ${countText(n.count)} notifications by ${t(n.integration)}` +
      `${n.failed > 0 ? `, ${countText(n.failed)} failed` : ''} ${by('alertmanager_notifications_total')}`,
  );
  const nobody =
    incident.notifications === undefined
      ? [`- Who was notified, and when. ${unmeasured(incident, 'who was notified, and when')}`]
      : [];
  const [page] = pagesOf(incident).sort((a, b) => a.firedAtMs - b.firedAtMs);
  const first = page
    ? `- The first page fired at ${clockOn(page.firedAtMs, incident.fromMs)}: ${nameOf(page)} ${by('ALERTS')}`
    : `- No page fired ${by('ALERTS')}`;
  return [
    first,
    ...told,
    ...nobody,
    `- Whether a person noticed it before the page: ${toFill}`,
    '',
    `| alerts, by ${incident.groupedBy} | condition true since | until it fired | routed to |`,
    '| --- | --- | --- | --- |',
    ...rows,
    '',
    by(`${alertsSource}, every ${timeText(incident.stepMs)}; routes: /api/v2/status`),
  ].join('\n');
}

function resolution(incident: Incident): string {
  const ends = incident.groups.flatMap((g) => g.endedAtMs ?? []);
  const open = incident.groups.length - ends.length;
  const over =
    ends.length === 0
      ? []
      : [
          `- The last of ${plural(ends.length, 'group')} stopped firing at ` +
            `${clockOn(Math.max(...ends), incident.fromMs)}` +
            `${open > 0 ? `; ${open} still fired` : ''} ${by('ALERTS')}`,
        ];
  return [...over, prompts(questions.resolution)].join('\n');
}

function timeline(incident: Incident): string {
  const { fromMs, toMs } = incident;
  const rows: [number, string, string][] = [];
  for (const g of incident.groups) {
    const before = g.firedBefore ? ' (it may have fired before)' : '';
    if (g.activeAtMs >= fromMs && g.activeAtMs < g.firedAtMs) {
      rows.push([g.activeAtMs, `condition true: ${nameOf(g)}`, 'ALERTS_FOR_STATE']);
    }
    rows.push([g.firedAtMs, `fires: ${nameOf(g)}${before}`, 'ALERTS']);
    if (g.endedAtMs !== undefined) {
      const times = g.times > g.alerts ? `, after ${plural(g.times, 'time', 'times')}` : '';
      rows.push([g.endedAtMs, `ends: ${nameOf(g)}${times}`, 'ALERTS']);
    }
  }
  for (const s of incident.silences) {
    const what = `${t(s.matchers)}: ${t(s.comment)}`;
    if (s.startMs >= fromMs) rows.push([s.startMs, `silence begins: ${what}`, '/api/v2/silences']);
    if (s.endMs <= toMs) rows.push([s.endMs, `silence ends: ${what}`, '/api/v2/silences']);
  }
  for (const c of incident.commits) {
    if (c.before) continue;
    rows.push([c.atMs, `commit \`${c.hash}\` ${t(c.subject)}`, `git log, ${c.repository}`]);
  }
  rows.sort((a, b) => a[0] - b[0]);
  const lines = rows.map(
    ([ms, text, source]) => `| ${clockOn(ms, fromMs)} | ${text} | \`${markdownCode(source)}\` |`,
  );
  const people = `- Who did what, and when: ${toFill}`;
  if (lines.length === 0) return people;
  return `| UTC | what | source |\n| --- | --- | --- |\n${lines.join('\n')}\n\n${people}`;
}

const boundText = ({ op, threshold }: RuleGraph): string =>
  threshold === undefined ? '' : `; fires at ${op} ${String(Number(threshold.toPrecision(4)))}`;

function graphs(incident: Incident): string {
  if (incident.graphs.length === 0) return 'Not measured: no rule of these could be plotted.';
  return incident.graphs
    .map((g) => {
      const values = g.points.map(([, value]) => value);
      const number = (value: number): string => String(Number(value.toPrecision(4)));
      const range = `${number(Math.min(...values))} to ${number(Math.max(...values))}`;
      return `- ${t(g.alert)}: \`${sparkline(g.points)}\` ${range}${t(boundText(g))} ${by(g.expr)}`;
    })
    .join('\n');
}

function silences(incident: Incident): string {
  if (!incident.alertmanager) return unmeasured(incident, 'silences, routes and grouping');
  if (incident.silences.length === 0) return `None was in force ${by('/api/v2/silences')}`;
  return incident.silences
    .map(
      (s) =>
        `- ${clockOn(s.startMs, incident.fromMs)} to ${clockOn(s.endMs, incident.fromMs)}: ` +
        `\`${markdownCode(s.matchers)}\`: ${t(s.comment)} ${by('/api/v2/silences')}`,
    )
    .join('\n');
}

function commits(incident: Incident): string {
  if (incident.commits.length === 0) {
    const isAsked = !incident.notMeasured.some((n) => n.what === 'deployments and changes');
    return isAsked
      ? 'No commit was found (source: `git log`)'
      : unmeasured(incident, 'deployments and changes');
  }
  const lines = incident.commits.map(
    (c) =>
      `- ${instantText(c.atMs)}${c.before ? ', before it' : ''}: \`${c.hash}\` ${t(c.subject)} ` +
      by(`git log, ${c.repository}`),
  );
  return [...lines, `- Which of these were deployed, and when (Git does not say): ${toFill}`].join(
    '\n',
  );
}

function budget(incident: Incident): string {
  if (incident.budgets.length === 0) return unmeasured(incident, 'error budget');
  return incident.budgets
    .map(({ slo, bad, objective, spentOfPeriod, periodDays, source }) => {
      const share =
        spentOfPeriod === undefined
          ? 'the share of the period is not measured'
          : `${percentText(spentOfPeriod)} of the budget of the events that Prometheus holds of ${periodDays} days`;
      const target = objective === undefined ? '' : ` at an objective of ${percentText(objective)}`;
      return `- ${t(slo)}: ${countText(bad)} bad events, ${share}${target} ${by(source)}`;
    })
    .join('\n');
}

function notMeasured(incident: Incident): string {
  const seen = `- What fired for less than ${timeText(incident.stepMs)} may be missing: that is the step of the look`;
  const rows = incident.notMeasured.map(({ what, why }) => `- ${t(what)}: ${t(why)}`);
  return [seen, ...rows].join('\n');
}
