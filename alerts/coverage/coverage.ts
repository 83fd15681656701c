/** The coverage of one game day, computed from its rules, its notifications and the series that existed. */
import { createHash } from 'node:crypto';
import { escapePattern } from '../../base/escape-pattern.js';
import type { RuleGroup } from '../../slo/rules/model.js';
import { type AlertCoverage, type AlertProof, keyOf } from './model.js';
import { needOf, recordsOf, selectorsOf } from './needs.js';

export interface CoverageInput {
  groups: readonly RuleGroup[];
  /** Notifications received during scenarios, oldest first. */
  proofs: readonly (AlertProof & { alert: string; severity: string })[];
  /** Runs an instant query at the end of the run; only the labels of the result matter. */
  query(expr: string): Promise<readonly { labels: Record<string, string> }[]>;
  /** How far back a series counts as existing, in milliseconds: the length of the run. */
  lookBackMs: number;
}

/** Selectors beyond this number are not queried; the report then has fewer hints. */
const maxSelectors = 500;

/** Names in one query: a Prometheus finds them by its index, where a pattern for all names reads every series. */
const namesAtOnce = 200;

/** Of the metrics that the rules need, those that had a series. */
async function metricsThere({ groups, query }: CoverageInput, range: string): Promise<Set<string>> {
  const needed = new Set<string>();
  const note = (name: string): boolean => !needed.add(name);
  for (const { expr } of groups.flatMap((g) => g.rules)) needOf(expr, note, new Map());
  const names = [...needed].map(escapePattern);
  const found = new Set<string>();
  for (let at = 0; at < names.length; at += namesAtOnce) {
    const pattern = JSON.stringify(names.slice(at, at + namesAtOnce).join('|'));
    const expr = `count by (__name__) (last_over_time({__name__=~${pattern}}${range}))`;
    for (const { labels } of await query(expr)) found.add(labels.__name__ ?? '');
  }
  return found;
}

/** One entry for each alert and severity, in the order of the rules. */
export async function coverageOf(input: CoverageInput): Promise<AlertCoverage[]> {
  const { groups, proofs } = input;
  const range = `[${Math.max(1, Math.ceil(input.lookBackMs / 1000))}s]`;
  const records = recordsOf(groups);
  const metrics = await metricsThere(input, range);
  const rules = new Map<
    string,
    { alert: string; severity: string; exprs: string[]; versions: string[] }
  >();
  for (const rule of groups.flatMap((g) => g.rules)) {
    if (rule.kind !== 'alert') continue;
    const known = { alert: rule.alert, severity: rule.labels.severity ?? 'none' };
    const entry = rules.get(keyOf(known)) ?? { ...known, exprs: [], versions: [] };
    entry.exprs.push(rule.expr);
    entry.versions.push(JSON.stringify([rule.expr, rule.forMs, rule.keepFiringForMs]));
    rules.set(keyOf(known), entry);
  }
  const matched = new Map<string, Promise<boolean>>();
  const matches = (selector: string): Promise<boolean> => {
    const known = matched.get(selector);
    if (known || matched.size >= maxSelectors) return known ?? Promise.resolve(true);
    const asked = input
      .query(`count(last_over_time(${selector}${range}))`)
      .then((samples) => samples.length > 0)
      // A metric whose query failed counts as present.
      .catch(() => true);
    matched.set(selector, asked);
    return asked;
  };
  const alerts: AlertCoverage[] = [];
  for (const { alert, severity, exprs, versions } of rules.values()) {
    const rule = createHash('sha256').update(versions.sort().join('\n')).digest('hex').slice(0, 16);
    const proof = proofs.find((p) => keyOf(p) === keyOf({ alert, severity }));
    if (proof) {
      const { alert: _, severity: __, ...rest } = proof;
      alerts.push({ alert, severity, rule, state: 'proven', proof: rest });
      continue;
    }
    const needs = exprs.map((expr) => needOf(expr, (m) => metrics.has(m), records));
    if (needs.every((n) => !n.possible)) {
      const missing = [...new Set(needs.flatMap((n) => n.missing))];
      alerts.push({ alert, severity, rule, state: 'cannot', missing });
      continue;
    }
    const unmatched: string[] = [];
    for (const selector of new Set(exprs.flatMap((e) => selectorsOf(e, records)))) {
      if (!(await matches(selector))) unmatched.push(selector);
    }
    const why = unmatched.length > 0 && { unmatched };
    alerts.push({ alert, severity, rule, state: 'never', ...why });
  }
  return alerts;
}
