/** The rules that an edit can affect, and the rules that these need; a run leaves out all others. */
import type { ReadGroup, ReadRule } from '../../rules/read.js';
import { namesIn } from '../unit/witness.js';

export interface Affected {
  /** The edited rule, all rules that read its result, and all rules that these read. */
  groups: ReadGroup[];
  alerts: ReadonlySet<string>;
  /** Names of series whose values the edit may change. */
  names: ReadonlySet<string>;
}

const alertSeries = ['ALERTS', 'ALERTS_FOR_STATE'];

/** The rules that an edit of `target`, a rule of one of the groups, can affect. */
export function affectedBy(target: ReadRule, groups: readonly ReadGroup[]): Affected {
  const all = groups.flatMap((group) => group.rules);
  const reads = new Map(all.map((rule) => [rule, new Set(namesIn(rule.rule.expr))]));
  const reached = new Set<ReadRule>([target]);
  const names = new Set(recordedBy(target));
  for (let grown = true; grown;) {
    grown = false;
    for (const rule of all) {
      if (reached.has(rule)) continue;
      if (![...(reads.get(rule) as Set<string>)].some((name) => names.has(name))) continue;
      reached.add(rule);
      for (const name of recordedBy(rule)) names.add(name);
      grown = true;
    }
  }
  const alerts = new Set(
    [...reached].flatMap(({ rule }) => (rule.kind === 'alert' ? [rule.alert] : [])),
  );
  // Several rules may share an alert's name; a test of that name sees all of them.
  const sameName = all.filter(({ rule }) => rule.kind === 'alert' && alerts.has(rule.alert));
  const needed = new Set([...reached, ...sameName]);
  for (const rule of needed) {
    for (const other of all) {
      const feeds = recordedBy(other).some((name) => reads.get(rule)?.has(name));
      // The loop also visits rules added here, because a Set may grow while it is iterated.
      if (feeds) needed.add(other);
    }
  }
  return {
    groups: groups
      .map((group) => ({ ...group, rules: group.rules.filter((rule) => needed.has(rule)) }))
      .filter((group) => group.rules.length > 0),
    alerts,
    names,
  };
}

const recordedBy = ({ rule }: ReadRule): string[] =>
  rule.kind === 'record' ? [rule.record] : alertSeries;

/** The groups with `target` replaced by `rule`. */
export const withRule = (
  groups: readonly ReadGroup[],
  target: ReadRule,
  rule: ReadRule['rule'],
): ReadGroup[] =>
  groups.map((group) => ({
    ...group,
    rules: group.rules.map((r) => (r === target ? { ...r, rule } : r)),
  }));
