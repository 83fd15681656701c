/** A change report as text for a terminal, and as Markdown for a pull request. */
import { counted, formatTable } from '../../base/terminal.js';
import { moment, span } from '../proof/backtest/words.js';
import type { Amount, ChangeReport, IncidentChange, RoutingEffect, RuleChange } from './compare.js';

const days = ({ fromMs, toMs }: ChangeReport): string => span(toMs - fromMs);

const toldText = (amount: Amount | undefined): string => {
  const told = Object.entries(amount?.told ?? {});
  if (!amount) return '-';
  return told.length === 0
    ? 'nobody'
    : told
        .sort()
        .map(([receiver, count]) => `${receiver} ${count}`)
        .join(', ');
};

const firedText = (amount: Amount | undefined): string =>
  amount ? `${amount.fired}${amount.firingMs > 0 ? ` (${span(amount.firingMs)})` : ''}` : '-';

/** Rules that were edited, and unedited rules whose notifications differ. */
const concerned = (report: ChangeReport): RuleChange[] =>
  report.rules.filter((r) => r.change !== 'same' || toldText(r.old) !== toldText(r.new));

const ruleRows = (report: ChangeReport): string[][] =>
  concerned(report).map((r) => [
    r.alert,
    r.noData ? `${r.change}, no data` : r.change,
    firedText(r.old),
    firedText(r.new),
    toldText(r.old),
    toldText(r.new),
    r.places.new ?? r.places.old ?? '',
  ]);

const ruleHeader = ['alert', 'rule', 'fired before', 'after', 'told before', 'after', 'where'];

const incidentRows = (incidents: readonly IncidentChange[]): string[][] =>
  incidents.map((i) => {
    const heard = (h: IncidentChange['old']): string =>
      h ? `${h.receiver} after ${span(h.afterMs)} (${h.alert})` : 'nobody';
    return [i.name, moment(i.startMs), i.expect, i.verdict, heard(i.old), heard(i.new)];
  });

const incidentHeader = ['incident', 'began (UTC)', 'expected', 'verdict', 'before', 'after'];

function effectText(effect: RoutingEffect): string {
  if (effect.old !== undefined || effect.new !== undefined) {
    return `${counted(effect.old ?? 0, 'notification')} before, ${effect.new ?? 0} after`;
  }
  if (effect.notifications === undefined) return '';
  const { notifications: by } = effect;
  if (by === 0) return 'changes no notification';
  return `${counted(Math.abs(by), 'notification')} ${by < 0 ? 'fewer' : 'more'}`;
}

const routingRows = (report: ChangeReport): string[][] =>
  report.routing.map((e) => [
    e.kind,
    e.name,
    [
      e.change,
      ...e.fields.map((f) => `${f.field}: ${f.old || '(none)'} -> ${f.new || '(none)'}`),
    ].join('; '),
    effectText(e),
  ]);

const routingHeader = ['of routing', 'name', 'change', 'effect'];

const receiverRows = (report: ChangeReport): string[][] =>
  report.receivers.map((r) => {
    const by = r.new - r.old;
    return [r.receiver, String(r.old), String(r.new), by > 0 ? `+${by}` : String(by)];
  });

const receiverHeader = ['receiver', 'notifications before', 'after', 'by'];

function headline(report: ChangeReport): string {
  const { totals, incidents } = report;
  const count = (verdict: IncidentChange['verdict']): number =>
    incidents.filter((i) => i.verdict === verdict).length;
  const judged =
    incidents.length === 0
      ? ''
      : ` Of ${counted(incidents.length, 'incident')} ${count('lost')} would be lost and ${count('gained')} gained.`;
  return (
    `${counted(totals.old.told, 'notification')} before, ${totals.new.told} after; ` +
    `${counted(totals.old.fired, 'firing')} before, ${totals.new.fired} after.${judged}`
  );
}

interface Table {
  title: string;
  header: string[];
  rows: string[][];
}

const tablesOf = (report: ChangeReport): Table[] =>
  [
    { title: 'Rules', header: ruleHeader, rows: ruleRows(report) },
    { title: 'Who is told', header: routingHeader, rows: routingRows(report) },
    { title: 'Receivers', header: receiverHeader, rows: receiverRows(report) },
    { title: 'Incidents', header: incidentHeader, rows: incidentRows(report.incidents) },
  ].filter((t) => t.rows.length > 0);

export function reportText(report: ChangeReport): string {
  const tables = tablesOf(report).map(({ header, rows }) => `${formatTable(header, rows)}\n`);
  const edits = editsOf(report).map((line) => `  ${line}\n`);
  const lines = [`${report.source} (${days(report)})\n${headline(report)}\n`, ...tables];
  return [...lines, ...(edits.length > 0 ? [edits.join('')] : [])].join('\n');
}

/** The edits of each rule, one line a field. */
const editsOf = (report: ChangeReport): string[] =>
  report.rules.flatMap((r) =>
    r.fields.map((f) => `${r.alert} ${f.field}: ${f.old || '(none)'} -> ${f.new || '(none)'}`),
  );

/** Escapes a table cell: bars and line breaks would break the table, and markup is shown as text. */
const cell = (text: string): string =>
  text.replaceAll(/[\\|`*_<>[\]]/g, (c) => (c === '<' ? '&lt;' : `\\${c}`)).replaceAll(/\s+/g, ' ');

export function reportMarkdown(report: ChangeReport): string {
  const tables = tablesOf(report).flatMap(({ title, header, rows }) => [
    `### ${title}`,
    '',
    `| ${header.join(' | ')} |`,
    `| ${header.map(() => '---').join(' | ')} |`,
    ...rows.map((row) => `| ${row.map(cell).join(' | ')} |`),
    '',
  ]);
  const edits = editsOf(report);
  return [
    '## Notifications',
    '',
    `Over ${cell(report.source)} (${days(report)}): ${headline(report)}`,
    '',
    ...tables,
    ...(edits.length > 0 ? ['### Edits', '', ...edits.map((e) => `- ${cell(e)}`), ''] : []),
  ].join('\n');
}
