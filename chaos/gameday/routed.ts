/** Checks, by the routes alone, an alert that must reach a receiver, as far as its labels are known before it fires. */
import { parseDurationMs } from '../../base/duration.js';
import type { AmConfig, AmRoute } from '../../alerts/routing/config.js';
import { decide } from '../../alerts/routing/evaluate.js';
import { matchersOf } from '../../alerts/routing/matchers.js';
import type { AlertingRule } from '../../slo/rules/model.js';
import { writtenLabels } from '../scenarios/check-withheld.js';
import type { Expected } from '../scenarios/schema.js';

/** Undefined if the alert may reach its receiver in time. Times are those of production. */
export function routeWarning(
  routing: AmConfig,
  rules: readonly AlertingRule[],
  wanted: Expected,
): string | undefined {
  if (wanted.inhibitedBy !== undefined || wanted.silencedBy !== undefined) return undefined;
  const found = rules.map((rule) => ofRule(routing, rule, wanted));
  // One suitable rule among several of the same name is enough.
  return found.includes(undefined) ? undefined : found[0];
}

function ofRule(routing: AmConfig, rule: AlertingRule, wanted: Expected): string | undefined {
  const labels = { ...writtenLabels(rule), ...wanted.labels };
  if (!namesAsked(routing.route).every((name) => labels[name] !== undefined)) return undefined;
  const { deliveries } = decide(routing, labels, { atMs: 0, firing: [], silences: [] });
  const { receiver } = wanted;
  const own = deliveries.filter((d) => receiver === undefined || d.receiver === receiver);
  if (own.length === 0) {
    const to = deliveries.map((d) => `'${d.receiver}'`).join(' and ');
    return `its routes lead to ${to}, and not to '${receiver}'`;
  }
  const waits = own.map((d) => ({ text: d.groupWait, ms: parseDurationMs(d.groupWait) ?? 0 }));
  const [shortest] = waits.sort((a, b) => a.ms - b.ms);
  if (!shortest || shortest.ms < wanted.within) return undefined;
  return `its route waits for ${shortest.text} (group_wait): nobody is notified before its deadline`;
}

function namesAsked({ matchers, match, match_re, routes = [] }: AmRoute): string[] {
  return [
    ...matchersOf(matchers, match, match_re).map((matcher) => matcher.name),
    ...routes.flatMap(namesAsked),
  ];
}
