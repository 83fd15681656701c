/** Decides who is notified of an alert, as Alertmanager does: inhibition, routing tree, time intervals. */
import type { AmConfig, AmInhibitRule, AmRoute } from './config.js';
import { type AlertLabels, allMatch, type AlertMatcher, matchersOf } from './matchers.js';
import { contains } from './time-intervals.js';

export interface RouteStep {
  /** `root`, or the route's matchers. */
  text: string;
  /** Position among its siblings, from 1; 0 for the root. */
  position: number;
  /** Key of the route as Alertmanager writes it in group keys: `{a="b",c=~"d"}`; `{}` for the root. */
  key: string;
}

export interface Delivery {
  receiver: string;
  /** The path from the root to the matching route. */
  path: RouteStep[];
  groupBy: string[];
  /** Labels of the group that the alert joins. */
  groupLabels: Record<string, string>;
  groupWait: string;
  groupInterval: string;
  repeatInterval: string;
  /** The interval that mutes the route now, or its active intervals if none of them is active. */
  mutedBy: string | undefined;
}

export interface Inhibitor {
  /** Index of the inhibition rule in the file, from 1. */
  rule: number;
  source: string;
  equal: string[];
  by: AlertLabels;
}

export interface Silencing {
  id: string;
  comment: string;
  createdBy: string;
  endsAt: string;
}

export interface Decision {
  labels: AlertLabels;
  inhibited: Inhibitor | undefined;
  silenced: Silencing | undefined;
  deliveries: Delivery[];
  /** Receivers that get a notification. */
  told: string[];
}

export interface ActiveSilence extends Silencing {
  matchers: readonly AlertMatcher[];
}

export interface Circumstances {
  atMs: number;
  /** The other firing alerts. */
  firing: readonly AlertLabels[];
  silences: readonly ActiveSilence[];
}

interface Options {
  receiver: string;
  groupBy: string[];
  groupWait: string;
  groupInterval: string;
  repeatInterval: string;
}

const defaults: Options = {
  receiver: '',
  groupBy: [],
  groupWait: '30s',
  groupInterval: '5m',
  repeatInterval: '4h',
};

export function decide(config: AmConfig, labels: AlertLabels, around: Circumstances): Decision {
  const deliveries = takers(
    config.route,
    [],
    { ...defaults, receiver: config.route.receiver ?? '' },
    0,
  );
  const inhibited = inhibitorOf(config.inhibit_rules ?? [], labels, around.firing);
  const silenced = around.silences.find((s) => allMatch(s.matchers, labels));
  const told =
    inhibited || silenced
      ? []
      : deliveries.filter((d) => d.mutedBy === undefined).map((d) => d.receiver);
  return { labels, inhibited, silenced, deliveries, told: [...new Set(told)] };

  function takers(route: AmRoute, above: RouteStep[], from: Options, position: number): Delivery[] {
    const matchers = matchersOf(route.matchers, route.match, route.match_re);
    if (above.length > 0 && !allMatch(matchers, labels)) return [];
    const text = above.length === 0 ? 'root' : matchers.map((m) => m.text).join(' ') || 'any';
    const path = [...above, { text, position, key: keyOf(route) }];
    const options: Options = {
      receiver: route.receiver ?? from.receiver,
      groupBy: route.group_by ?? from.groupBy,
      groupWait: route.group_wait ?? from.groupWait,
      groupInterval: route.group_interval ?? from.groupInterval,
      repeatInterval: route.repeat_interval ?? from.repeatInterval,
    };
    const below: Delivery[] = [];
    for (const [i, child] of (route.routes ?? []).entries()) {
      const found = takers(child, path, options, i + 1);
      below.push(...found);
      if (found.length > 0 && child.continue !== true) break;
    }
    if (below.length > 0) return below;
    // A route has only its own intervals; children do not inherit them.
    const mutedBy = muting(config, route, around.atMs);
    const all = options.groupBy.includes('...');
    const names = all ? Object.keys(labels) : options.groupBy;
    const groupLabels = Object.fromEntries(
      names.filter((n) => labels[n] !== undefined).map((n) => [n, labels[n] as string]),
    );
    return [{ ...options, path, groupLabels, mutedBy }];
  }
}

/** Matchers by name, value and operator; patterns in the older syntax are anchored. */
function keyOf(route: AmRoute): string {
  const patterns = Object.entries(route.match_re ?? {}).map(([n, v]) => [n, `^(?:${v})$`] as const);
  const matchers = matchersOf(route.matchers, route.match, Object.fromEntries(patterns));
  const order = ({ name, value, op }: AlertMatcher): string =>
    [name, value, ['=', '!=', '=~', '!~'].indexOf(op)].join('\0');
  const sorted = matchers.map((m) => [order(m), m.text] as const).sort();
  return `{${sorted.map(([, text]) => text).join(',')}}`;
}

function muting(config: AmConfig, route: AmRoute, atMs: number): string | undefined {
  const all = [...(config.time_intervals ?? []), ...(config.mute_time_intervals ?? [])];
  const isIn = (name: string): boolean =>
    all.some((i) => i.name === name && i.time_intervals.some((t) => contains(t, atMs)));
  const muted = (route.mute_time_intervals ?? []).find(isIn);
  if (muted !== undefined) return `within ${muted}`;
  const active = route.active_time_intervals ?? [];
  if (active.length === 0 || active.some(isIn)) return undefined;
  return `outside ${active.join(', ')}`;
}

function inhibitorOf(
  rules: readonly AmInhibitRule[],
  labels: AlertLabels,
  firing: readonly AlertLabels[],
): Inhibitor | undefined {
  for (const [i, rule] of rules.entries()) {
    const source = matchersOf(rule.source_matchers, rule.source_match, rule.source_match_re);
    const target = matchersOf(rule.target_matchers, rule.target_match, rule.target_match_re);
    if (!allMatch(target, labels)) continue;
    const equal = rule.equal ?? [];
    // Alertmanager: an alert that matches both sides of a rule is not inhibited by another that does.
    const onBoth = allMatch(source, labels);
    const by = firing.find(
      (other) =>
        allMatch(source, other) &&
        equal.every((name) => (other[name] ?? '') === (labels[name] ?? '')) &&
        !(onBoth && allMatch(target, other)),
    );
    if (by) return { rule: i + 1, source: source.map((m) => m.text).join(' '), equal, by };
  }
  return undefined;
}
