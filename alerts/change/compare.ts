/** Compares two versions of rules and routing: what each would have fired and notified over the same history. */
import type { AlertingRule } from '../../slo/index.js';
import type { Incident } from '../proof/backtest/incidents.js';
import type { AskRange, Span } from '../proof/backtest/measure.js';
import { alertRules, type RuleFiring, type RuleResult } from '../proof/backtest/rules.js';
import { graceMs } from '../proof/backtest/score.js';
import { routingChanges, type RoutingChange, without } from './routing-diff.js';
import { plainExpr, type Side, type SideRule } from './side.js';
import { tellings, type Telling } from './told.js';

/** Firings and notifications of an alert, a receiver or a route on one side. */
export interface Amount {
  fired: number;
  /** Milliseconds for which the alert fired, summed over its instances. */
  firingMs: number;
  /** Number of notifications that contain the alert, by receiver. */
  told: Record<string, number>;
}

export interface RuleChange {
  alert: string;
  change: 'added' | 'removed' | 'changed' | 'same';
  /** Fields of a changed rule that differ; `reads` means that a recording rule below the alert changed. */
  fields: { field: string; old: string; new: string }[];
  /** `file:line` of the rule on each side. */
  places: { old?: string; new?: string };
  old?: Amount;
  new?: Amount;
  /** The alert's metrics had no data on the side that has the alert. */
  noData: boolean;
}

export interface IncidentChange {
  name: string;
  expect: Incident['expect'];
  startMs: number;
  endMs: number;
  /**
   * For a trap (`expect: none`): whether anybody is notified now. For any other incident: whether somebody was
   * notified before, and is notified now.
   */
  verdict: 'kept' | 'lost' | 'gained' | 'missed' | 'quiet' | 'false alarm';
  old?: Heard;
  new?: Heard;
}

/** The first notification of an incident. */
export interface Heard {
  alert: string;
  receiver: string;
  afterMs: number;
}

export interface RoutingEffect extends RoutingChange {
  /**
   * Notifications with the change minus notifications without it, over the same firings; absent where the change
   * cannot be undone alone.
   */
  notifications?: number;
  /** Notifications that took this route on each side. */
  old?: number;
  new?: number;
}

export interface ChangeReport {
  source: string;
  fromMs: number;
  toMs: number;
  rules: RuleChange[];
  routing: RoutingEffect[];
  receivers: { receiver: string; old: number; new: number }[];
  incidents: IncidentChange[];
  /** Number of firings and notifications on each side. */
  totals: { old: { fired: number; told: number }; new: { fired: number; told: number } };
}

/** Returns the query function that evaluates the rules of one side over the history. */
export type AskSide = (side: 'old' | 'new') => Promise<AskRange> | AskRange;

export interface Compared {
  before: Side;
  after: Side;
  ask: AskSide;
  span: Span;
  source: string;
  incidents: readonly Incident[];
  say?: (text: string) => void;
}

interface Judged {
  rule: SideRule;
  result: RuleResult;
  amount: Amount;
}

interface Told {
  config: Side['config'];
  rules: Judged[];
  told: Telling[];
}

export async function compare(options: Compared): Promise<ChangeReport> {
  const { before, after, span, incidents } = options;
  const results = new Map<string, RuleResult>();
  const old = await evaluated(before, await options.ask('old'), results, options);
  // A rule with the same meaning on both sides is evaluated only once.
  const now = await evaluated(after, await options.ask('new'), results, options);
  const pairs = pairsOf(old.rules, now.rules);
  return {
    source: options.source,
    fromMs: span.startMs,
    toMs: span.endMs,
    rules: pairs.map(([a, b]) => ruleChange(a, b)),
    routing: routingChanges(before.config, after.config).map((c) => effectOf(c, old, now, span)),
    receivers: receiversOf(old.told, now.told),
    incidents: incidents.map((incident) => incidentChange(incident, old.told, now.told)),
    totals: { old: totalOf(old), new: totalOf(now) },
  };
}

async function evaluated(
  side: Side,
  ask: AskRange,
  known: Map<string, RuleResult>,
  { span, say }: Compared,
): Promise<Told> {
  const rules: Judged[] = [];
  for (const [i, rule] of side.alerts.entries()) {
    say?.(`${side.path}: ${i + 1} of ${side.alerts.length} alerts`);
    let result = known.get(rule.meaning);
    if (!result) {
      const group = { ...rule.group, rules: [rule.read] };
      [result] = await alertRules([group], ask, span);
      if (result) known.set(rule.meaning, result);
    }
    if (result) rules.push({ rule, result, amount: amountOf(result, span) });
  }
  const told = tellings(
    rules.flatMap((r) => r.result.firings),
    side.config,
    span,
  );
  countTold(rules, told);
  return { config: side.config, rules, told };
}

/** Counts each notification once for each rule whose firings it contains. */
function countTold(rules: readonly Judged[], told: readonly Telling[]): void {
  const amounts = new Map<RuleFiring, Amount>();
  for (const { result, amount } of rules) for (const f of result.firings) amounts.set(f, amount);
  for (const { receiver, firings } of told) {
    for (const amount of new Set(firings.map((f) => amounts.get(f)))) {
      if (amount) amount.told[receiver] = (amount.told[receiver] ?? 0) + 1;
    }
  }
}

type Pair = [Judged | undefined, Judged | undefined];

/** Pairs rules of the same meaning first, then by name and severity, by name, and renamed ones by all but the name. */
function pairsOf(old: readonly Judged[], now: readonly Judged[]): Pair[] {
  const left = new Set(now);
  const found = new Map<Judged, Judged>();
  const name = ({ rule }: Judged): string => (rule.read.rule as AlertingRule).alert;
  // The meaning begins with the name.
  const nameless = (one: Judged): string => one.rule.meaning.replace(JSON.stringify(name(one)), '');
  const severity = ({ rule }: Judged): string => rule.read.rule.labels.severity ?? '';
  const passes: ((a: Judged, b: Judged) => boolean)[] = [
    (a, b) => a.rule.meaning === b.rule.meaning,
    (a, b) => name(a) === name(b) && severity(a) === severity(b),
    (a, b) => name(a) === name(b),
    (a, b) => nameless(a) === nameless(b),
  ];
  for (const fits of passes) {
    for (const a of old) {
      if (found.has(a)) continue;
      const b = [...left].find((candidate) => fits(a, candidate));
      if (!b) continue;
      left.delete(b);
      found.set(a, b);
    }
  }
  return [
    ...old.map((a): Pair => [a, found.get(a)]),
    ...[...left].map((b): Pair => [undefined, b]),
  ];
}

function ruleChange(a: Pair[0], b: Pair[1]): RuleChange {
  const one = (b ?? a) as Judged;
  const place = (rule: SideRule): string => `${rule.read.place.file}:${rule.read.place.line}`;
  const same = a && b && a.rule.meaning === b.rule.meaning;
  return {
    alert: one.result.alert,
    change: same ? 'same' : !a ? 'added' : !b ? 'removed' : 'changed',
    fields: a && b && !same ? fieldsOf(a.rule, b.rule) : [],
    places: { ...(a && { old: place(a.rule) }), ...(b && { new: place(b.rule) }) },
    ...(a && { old: a.amount }),
    ...(b && { new: b.amount }),
    noData: !one.result.found,
  };
}

function fieldsOf(a: SideRule, b: SideRule): RuleChange['fields'] {
  const plain = ({ group, read }: SideRule): Record<string, string> => {
    const rule = read.rule as AlertingRule;
    return {
      alert: rule.alert,
      expr: plainExpr(rule.expr),
      for: `${rule.forMs / 1000}s`,
      keep_firing_for: `${rule.keepFiringForMs / 1000}s`,
      labels: JSON.stringify(Object.fromEntries(Object.entries(rule.labels).sort())),
      interval: group.intervalMs === undefined ? '' : `${group.intervalMs / 1000}s`,
    };
  };
  const [old, now] = [plain(a), plain(b)];
  const fields = Object.keys(old)
    .map((field) => ({ field, old: old[field] ?? '', new: now[field] ?? '' }))
    .filter((f) => f.old !== f.new);
  return fields.length > 0 ? fields : [{ field: 'reads', old: '', new: 'other recording rules' }];
}

function amountOf(result: RuleResult, span: Span): Amount {
  const firingMs = result.firings.reduce(
    (sum, f) => sum + (f.resolvedMs ?? span.endMs) - f.firedMs,
    0,
  );
  return { fired: result.firings.length, firingMs, told: {} };
}

function effectOf(change: RoutingChange, old: Told, now: Told, span: Span): RoutingEffect {
  if (change.kind === 'route') {
    const taken = (told: readonly Telling[]): number =>
      // A route below inherits most fields.
      told.filter((t) => t.route === change.name || t.route.startsWith(`${change.name} > `)).length;
    return { ...change, old: taken(old.told), new: taken(now.told) };
  }
  const config = now.config && without(now.config, old.config, change);
  if (!config) return change;
  const firings = now.rules.flatMap((r) => r.result.firings);
  const bare = tellings(firings, config, span).length;
  return { ...change, notifications: now.told.length - bare };
}

function receiversOf(old: readonly Telling[], now: readonly Telling[]): ChangeReport['receivers'] {
  const names = new Set([...old, ...now].map((t) => t.receiver));
  const count = (told: readonly Telling[], name: string): number =>
    told.filter((t) => t.receiver === name).length;
  return [...names].sort().map((receiver) => ({
    receiver,
    old: count(old, receiver),
    new: count(now, receiver),
  }));
}

function incidentChange(
  incident: Incident,
  old: readonly Telling[],
  now: readonly Telling[],
): IncidentChange {
  const [before, after] = [heardOf(incident, old), heardOf(incident, now)];
  const verdict =
    incident.expect === 'none'
      ? after
        ? 'false alarm'
        : 'quiet'
      : before
        ? after
          ? 'kept'
          : 'lost'
        : after
          ? 'gained'
          : 'missed';
  return {
    name: incident.name,
    expect: incident.expect,
    startMs: incident.startMs,
    endMs: incident.endMs,
    verdict,
    ...(before && { old: before }),
    ...(after && { new: after }),
  };
}

/** The first notification of an alert that began to fire during the incident or within the grace time after it. */
function heardOf(incident: Incident, told: readonly Telling[]): Heard | undefined {
  for (const telling of told) {
    if (telling.atMs < incident.startMs) continue;
    const firing = telling.firings.find((f) => {
      const latestMs = incident.endMs + graceMs[f.severity ?? 'ticket'];
      const within = f.firedMs >= incident.startMs && f.firedMs <= latestMs;
      return within && (incident.expect !== 'page' || f.severity === 'page');
    });
    if (!firing) continue;
    const { receiver, atMs } = telling;
    return { alert: firing.alert, receiver, afterMs: atMs - incident.startMs };
  }
  return undefined;
}

const totalOf = ({ rules, told }: Told): { fired: number; told: number } => ({
  fired: rules.reduce((sum, r) => sum + r.result.firings.length, 0),
  told: told.length,
});
