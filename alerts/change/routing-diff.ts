/** The differences between two Alertmanager configurations: routes, inhibitions, time intervals, receivers. */
import type { AmConfig, AmInhibitRule, AmRoute } from '../routing/config.js';
import { matchersOf } from '../routing/matchers.js';
import { pathBelow } from './routes.js';

export interface RoutingChange {
  kind: 'route' | 'inhibition' | 'interval' | 'receiver' | 'global';
  /** The path of a route, the text of an inhibition, the name of an interval or a receiver, or `settings`. */
  name: string;
  change: 'added' | 'removed' | 'changed';
  /** Fields that differ, with their values before and after; empty unless `change` is `changed`. */
  fields: { field: string; old: string; new: string }[];
}

export function routingChanges(
  before: AmConfig | undefined,
  after: AmConfig | undefined,
): RoutingChange[] {
  const differ = (
    kind: RoutingChange['kind'],
    old: ReadonlyMap<string, Record<string, unknown>>,
    now: ReadonlyMap<string, Record<string, unknown>>,
  ): RoutingChange[] =>
    [...new Set([...old.keys(), ...now.keys()])].flatMap((name): RoutingChange[] => {
      const [a, b] = [old.get(name), now.get(name)];
      const fields = fieldsOf(a ?? {}, b ?? {});
      if (!a) return [{ kind, name, change: 'added', fields: [] }];
      if (!b) return [{ kind, name, change: 'removed', fields: [] }];
      return fields.length > 0 ? [{ kind, name, change: 'changed', fields }] : [];
    });
  return [
    ...differ('route', routesIn(before), routesIn(after)),
    ...differ('inhibition', inhibitionsIn(before), inhibitionsIn(after)),
    ...differ('interval', intervalsIn(before), intervalsIn(after)),
    ...differ('receiver', receiversIn(before), receiversIn(after)).map(hidden),
    ...(before && after ? differ('global', globalIn(before), globalIn(after)).map(hidden) : []),
  ];
}

function fieldsOf(
  old: Record<string, unknown>,
  now: Record<string, unknown>,
): RoutingChange['fields'] {
  const text = (value: unknown): string =>
    value === undefined ? '' : typeof value === 'string' ? value : JSON.stringify(value);
  return [...new Set([...Object.keys(old), ...Object.keys(now)])]
    .map((field) => ({ field, old: text(old[field]), new: text(now[field]) }))
    .filter((f) => f.old !== f.new);
}

const routeFields = [
  'receiver',
  'group_by',
  'group_wait',
  'group_interval',
  'repeat_interval',
  'continue',
  'mute_time_intervals',
  'active_time_intervals',
  'labels',
] as const;

/** The routes by the same paths that notifications use. */
function routesIn(config: AmConfig | undefined): Map<string, Record<string, unknown>> {
  const found = new Map<string, Record<string, unknown>>();
  const named: Record<string, number> = {};
  const go = (route: AmRoute, path: string): void => {
    found.set(path, Object.fromEntries(routeFields.map((f) => [f, route[f]])));
    for (const child of route.routes ?? []) go(child, pathBelow(path, child, named));
  };
  if (config) go(config.route, 'root');
  return found;
}

/** An inhibition as text: which alerts inhibit which, and which labels must be equal. */
function inhibitionText(rule: AmInhibitRule): string {
  const source = matchersOf(rule.source_matchers, rule.source_match, rule.source_match_re);
  const target = matchersOf(rule.target_matchers, rule.target_match, rule.target_match_re);
  const text = (list: typeof source): string => `{${list.map((m) => m.text).join(', ')}}`;
  const equal = rule.equal?.length ? ` of the same ${rule.equal.join(', ')}` : '';
  return `${text(source)} hides ${text(target)}${equal}`;
}

const inhibitionsIn = (config: AmConfig | undefined): Map<string, Record<string, unknown>> =>
  new Map((config?.inhibit_rules ?? []).map((rule) => [inhibitionText(rule), {}]));

const intervalsIn = (config: AmConfig | undefined): Map<string, Record<string, unknown>> =>
  new Map(
    [...(config?.time_intervals ?? []), ...(config?.mute_time_intervals ?? [])].map((i) => [
      i.name,
      { time_intervals: i.time_intervals },
    ]),
  );

/** The settings that receivers inherit, such as the address of Slack. */
const globalIn = ({ global = {} }: AmConfig): Map<string, Record<string, unknown>> =>
  new Map([['settings', global]]);

/** The number of integrations of each kind, and the fields of each integration. */
const receiversIn = (config: AmConfig | undefined): Map<string, Record<string, unknown>> =>
  new Map(
    (config?.receivers ?? []).map(({ name, ...ways }) => [
      name,
      Object.fromEntries(
        Object.entries(ways).flatMap(([kind, list = []]) => [
          [kind, list.length],
          ...list.flatMap((fields, i) =>
            Object.entries(fields ?? {}).map(([field, value]) => [`${kind}[${i}].${field}`, value]),
          ),
        ]),
      ),
    ]),
  );

/** A receiver's texts may be secret: the report says only that they differ. */
const hidden = (change: RoutingChange): RoutingChange => ({
  ...change,
  fields: change.fields.map(({ field, old, new: now }) => {
    const hide = (text: string, as: string): string =>
      /^(true|false|\d|)$/.test(text) ? text : as;
    return {
      field,
      old: hide(old, 'a text'),
      new: hide(now, old === '' ? 'a text' : 'another text'),
    };
  }),
});

/** The configuration with one change undone; undefined where a change cannot be undone alone. */
export function without(
  after: AmConfig,
  before: AmConfig | undefined,
  change: RoutingChange,
): AmConfig | undefined {
  if (change.kind === 'inhibition') {
    const named = (config: AmConfig | undefined): AmInhibitRule[] =>
      (config?.inhibit_rules ?? []).filter((r) => inhibitionText(r) === change.name);
    const own = after.inhibit_rules ?? [];
    if (change.change === 'removed') {
      return { ...after, inhibit_rules: [...own, ...named(before)] };
    }
    return { ...after, inhibit_rules: own.filter((r) => inhibitionText(r) !== change.name) };
  }
  if (change.kind !== 'interval' || change.change !== 'changed') return undefined;
  const all = [...(before?.time_intervals ?? []), ...(before?.mute_time_intervals ?? [])];
  const old = all.find((i) => i.name === change.name);
  const put = (list: AmConfig['time_intervals']): AmConfig['time_intervals'] =>
    list?.map((i) => (i.name === change.name && old ? old : i));
  return {
    ...after,
    time_intervals: put(after.time_intervals),
    mute_time_intervals: put(after.mute_time_intervals),
  };
}
