/** Answers Prometheus's API for rules and alerts. */
import type { Matcher } from '../../../slo/promql/index.js';
import { matcherOf } from '../../../slo/promql/store/matcher.js';
import type { Alert } from '../../rules/alerting.js';
import type { ReadRule } from '../../rules/read.js';
import { badData, matchersOf, truthOf } from './parameters.js';
import type { Evaluated } from './rule-loop.js';

/** Go's zero time, for an evaluation that never happened. */
const never = '0001-01-01T00:00:00Z';
export const goTime = (ms: number | undefined): string =>
  ms === undefined ? never : new Date(ms).toISOString();

/** A float in Go's exponent notation: `1e+00`. */
const exponential = (value: number): string => {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  return value.toExponential().replace(/e([+-])(\d)$/, 'e$10$2');
};

const alertJson = (alert: Alert): object => ({
  labels: alert.labels.toObject(),
  annotations: alert.annotations,
  state: alert.state,
  activeAt: goTime(alert.activeAtMs),
  ...(alert.keepFiringSinceMs === undefined
    ? {}
    : { keepFiringSince: goTime(alert.keepFiringSinceMs) }),
  value: exponential(alert.value),
});

export const alertsJson = (groups: readonly Evaluated[]): object => ({
  alerts: groups.flatMap((g) => g.state.alerting.flatMap((a) => a.active().map(alertJson))),
});

/** Filters of a request; an empty list selects everything. */
export interface RuleFilter {
  type: string | undefined;
  names: readonly string[];
  groups: readonly string[];
  files: readonly string[];
  /** Selectors of which a rule's labels must match one. */
  matchers: readonly (readonly Matcher[])[];
  /** Whether to leave out the alerts. */
  bare: boolean;
}

export function filterOf(query: URLSearchParams): RuleFilter {
  const type = (query.get('type') ?? '').toLowerCase();
  if (!/^(|alert|record)$/.test(type)) throw badData('type', `not supported value "${type}"`);
  return {
    type: type === '' ? undefined : type,
    names: query.getAll('rule_name[]'),
    groups: query.getAll('rule_group[]'),
    files: query.getAll('file[]'),
    matchers: matchersOf(query),
    bare: truthOf(query, 'exclude_alerts'),
  };
}

export function rulesJson(groups: readonly Evaluated[], filter: RuleFilter): object {
  const within = (list: readonly string[], value: string): boolean =>
    list.length === 0 || list.includes(value);
  const wanted = groups.filter(
    ({ state: { group } }) => within(filter.groups, group.name) && within(filter.files, group.file),
  );
  const all = wanted.map((evaluated) => {
    const { group } = evaluated.state;
    const rules = group.rules
      .filter(({ rule }) => {
        const type = rule.kind === 'alert' ? 'alert' : 'record';
        const name = rule.kind === 'alert' ? rule.alert : rule.record;
        return (
          within(filter.names, name) &&
          (filter.type === undefined || filter.type === type) &&
          matchesOne(filter.matchers, rule.labels)
        );
      })
      .map((read) => ruleJson(evaluated, read, filter.bare));
    return {
      name: group.name,
      file: group.file,
      interval: evaluated.intervalMs / 1000,
      limit: group.limit,
      rules,
      evaluationTime: evaluated.tookSeconds,
      lastEvaluation: goTime(evaluated.lastMs),
    };
  });
  const { names, type, matchers } = filter;
  const narrowed = names.length > 0 || type !== undefined || matchers.length > 0;
  return { groups: narrowed ? all.filter((g) => g.rules.length > 0) : all };
}

const matchesOne = (
  sets: readonly (readonly Matcher[])[],
  labels: Readonly<Record<string, string>>,
): boolean =>
  sets.length === 0 ||
  sets.some((set) => set.every((m) => matcherOf(m).matches(labels[m.name] ?? '')));

function ruleJson(evaluated: Evaluated, read: ReadRule, bare: boolean): object {
  const { rule } = read;
  const lastError = evaluated.errors.get(read);
  const health =
    lastError !== undefined ? 'err' : evaluated.lastMs === undefined ? 'unknown' : 'ok';
  const common = {
    query: rule.expr,
    labels: rule.labels,
    health,
    ...(lastError === undefined ? {} : { lastError }),
    evaluationTime: evaluated.tookSeconds,
    lastEvaluation: goTime(evaluated.lastMs),
  };
  if (rule.kind === 'record') return { name: rule.record, ...common, type: 'recording' };
  const state = evaluated.state.alerting.find((a) => a.rule === rule);
  const alerts = state?.active() ?? [];
  const standing = alerts.some((a) => a.state === 'firing')
    ? 'firing'
    : alerts.length > 0
      ? 'pending'
      : 'inactive';
  return {
    state: standing,
    name: rule.alert,
    ...common,
    duration: rule.forMs / 1000,
    keepFiringFor: rule.keepFiringForMs / 1000,
    annotations: rule.annotations,
    alerts: bare ? [] : alerts.map(alertJson),
    type: 'alerting',
  };
}
