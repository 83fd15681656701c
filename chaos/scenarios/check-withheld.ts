/** Checks whether an alert that must fire without a notification can be withheld: by an inhibit rule or a silence. */
import type { AmConfig, AmInhibitRule } from '../../alerts/routing/config.js';
import { type AlertLabels, allMatch, matchersOf } from '../../alerts/routing/matchers.js';
import type { At, Path } from '../../base/yaml.js';
import type { AlertingRule } from '../../slo/rules/model.js';
import type { Expected } from './schema.js';
import type { World } from './world.js';

/** `path` is the path of the expectation. */
export function withheldProblems(wanted: Expected, path: Path, world: World, at: At): void {
  const { inhibitedBy, silencedBy } = wanted;
  if (inhibitedBy === wanted.alert) {
    at([...path, 'inhibitedBy'], `${wanted.alert} cannot inhibit itself`, 'another alert');
  } else if (inhibitedBy !== undefined && world.routing) {
    if (mayInhibit(world.routing, world.rules, inhibitedBy, wanted)) return;
    const message = `no inhibit rule lets ${inhibitedBy} inhibit ${wanted.alert}`;
    at([...path, 'inhibitedBy'], message, 'inhibit_rules in alertmanager.yml');
  }
  if (silencedBy === undefined || !world.silences) return;
  if (world.silences.some((comment) => comment.includes(silencedBy))) return;
  const known = world.silences.map((comment) => `'${comment}'`).join(', ');
  at(
    [...path, 'silencedBy'],
    `no silence has '${silencedBy}' in its comment`,
    known || 'silences in firedrill.yaml',
  );
}

/** Labels that only the series have may have any value. */
function mayInhibit(
  { inhibit_rules = [] }: AmConfig,
  rules: readonly AlertingRule[],
  by: string,
  wanted: Expected,
): boolean {
  const sources = rules.filter((r) => r.alert === by).map((r) => writtenLabels(r));
  const targets = rules
    .filter((r) => r.alert === wanted.alert)
    .map((r) => ({ ...writtenLabels(r), ...wanted.labels }));
  return inhibit_rules.some(
    (rule) =>
      sources.some((labels) => mayMatch(sourceOf(rule), labels)) &&
      targets.some((labels) => mayMatch(targetOf(rule), labels)),
  );
}

const sourceOf = (r: AmInhibitRule): Matchers =>
  matchersOf(r.source_matchers, r.source_match, r.source_match_re);
const targetOf = (r: AmInhibitRule): Matchers =>
  matchersOf(r.target_matchers, r.target_match, r.target_match_re);

type Matchers = ReturnType<typeof matchersOf>;

const mayMatch = (matchers: Matchers, labels: AlertLabels): boolean =>
  allMatch(
    matchers.filter((m) => labels[m.name] !== undefined),
    labels,
  );

/** A template's value is known only when the alert fires, so templated labels are omitted. */
export const writtenLabels = ({ alert, labels }: AlertingRule): AlertLabels => ({
  ...Object.fromEntries(Object.entries(labels).filter(([, value]) => !value.includes('{{'))),
  alertname: alert,
});
