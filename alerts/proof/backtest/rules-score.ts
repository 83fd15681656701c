/** Scores the alerts of any rules against labelled incidents, and prints the scores. */
import { formatTable } from '../../../base/terminal.js';
import type { Incident } from './incidents.js';
import type { RuleFiring, RuleResult } from './rules.js';
import { graceMs, type Quality } from './score.js';
import { moment, qualityText, span } from './words.js';

export interface RuleIncident {
  name: string;
  expect: Incident['expect'];
  startMs: number;
  endMs: number;
  /** The first alert of the expected severity, and how long after the incident's start it fired. */
  by?: string;
  detectMs?: number;
}

export interface RulesScore extends Quality {
  incidents: RuleIncident[];
  wrong: RuleFiring[];
  fired: number;
}

function belongs(firing: RuleFiring, incident: Incident): boolean {
  const grace = graceMs[firing.severity ?? 'ticket'];
  if (firing.firedMs < incident.startMs || firing.firedMs > incident.endMs + grace) return false;
  if (incident.expect === 'none') return false;
  return incident.expect === 'page' || firing.severity !== 'page';
}

/** Without incidents, no firing counts as wrong. */
export function scoreRules(
  results: readonly RuleResult[],
  incidents: readonly Incident[],
): RulesScore {
  const firings = results.flatMap((r) => r.firings).sort((a, b) => a.firedMs - b.firedMs);
  const scored = incidents.map((incident): RuleIncident => {
    const wanted = incident.expect === 'page' ? 'page' : 'ticket';
    const first = firings.find((f) => f.severity === wanted && belongs(f, incident));
    return {
      name: incident.name,
      expect: incident.expect,
      startMs: incident.startMs,
      endMs: incident.endMs,
      ...(first ? { by: first.alert, detectMs: first.firedMs - incident.startMs } : {}),
    };
  });
  const wrong =
    incidents.length === 0 ? [] : firings.filter((f) => !incidents.some((i) => belongs(f, i)));
  const expected = scored.filter((i) => i.expect !== 'none');
  const found = expected.filter((i) => i.detectMs !== undefined).length;
  return {
    incidents: scored,
    wrong,
    fired: firings.length,
    precision: firings.length === 0 ? null : (firings.length - wrong.length) / firings.length,
    recall: expected.length === 0 ? null : found / expected.length,
  };
}

export function rulesText(
  results: readonly RuleResult[],
  score: RulesScore,
  weeks: number,
  endMs: number,
): string {
  const wrong = new Set(score.wrong);
  const rows = results.map((r) => {
    const firingMs = r.firings.reduce((sum, f) => sum + (f.resolvedMs ?? endMs) - f.firedMs, 0);
    return [
      r.alert,
      r.severity ?? '',
      r.found ? String(r.firings.length) : 'no data',
      (r.firings.length / weeks).toFixed(1),
      firingMs === 0 ? '' : span(firingMs),
      score.incidents.length === 0 ? '' : String(r.firings.filter((f) => wrong.has(f)).length),
      `${r.file}:${r.line}`,
    ];
  });
  const header = ['alert', 'severity', 'fired', 'a week', 'firing', 'for nothing', 'rule'];
  const lines = [formatTable(header, rows), ''];
  if (score.incidents.length > 0) {
    const found = score.incidents.map((i) => [
      i.name,
      i.expect,
      i.expect === 'none' ? '' : i.detectMs === undefined ? 'MISSED' : span(i.detectMs),
      i.by ?? '',
    ]);
    lines.push(formatTable(['incident', 'expect', 'found after', 'by'], found), '');
    lines.push(qualityText(score));
    for (const f of score.wrong.slice(0, 50)) {
      lines.push(`  ${moment(f.firedMs)} ${f.alert} ${labelsText(f)}: false`);
    }
  }
  return `${lines.join('\n')}\n`;
}

const labelsText = (firing: RuleFiring): string =>
  `{${Object.entries(firing.labels)
    .map(([name, value]) => `${name}="${value}"`)
    .join(', ')}}`;

export const rulesComplaints = (score: RulesScore): string[] => [
  ...score.incidents
    .filter((i) => i.expect !== 'none' && i.detectMs === undefined)
    .map((i) => `'${i.name}' was missed (expected: ${i.expect})`),
  ...score.wrong
    .filter((f) => f.severity === 'page')
    .map((f) => `${f.alert} paged without an incident at ${moment(f.firedMs)} UTC`),
];
