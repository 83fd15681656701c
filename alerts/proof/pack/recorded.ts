/** Reads an incident from a Prometheus: the firings, their rules, and every series that these rules read. */
import { UserError } from '../../../base/errors.js';
import type { PrometheusClient, SampleSeries } from '../../../slo/budget/prometheus.js';
import type { AlertingRule, RuleGroup } from '../../../slo/index.js';
import { type Expr, Labels, parse, print, walk } from '../../../slo/promql/index.js';
import { formatDurationMs } from '../../../base/duration.js';
import type { Point } from '../unit/points.js';
import type { UnitSeries } from '../unit/world.js';

export interface Span {
  fromMs: number;
  toMs: number;
}

/** A firing of one alert with one set of labels within the span. */
export interface Fired {
  labels: Record<string, string>;
  firedMs: number;
  /** Absent if the alert still fires at the end of the span. */
  endedMs?: number;
}

const seriesMax = 500;
const pointsMax = 1_000_000;
const lookbackMs = 5 * 60_000;

/** Firings by time, then by labels; an alert that fires at the span's start counts from there. */
export async function firedIn(
  client: PrometheusClient,
  span: Span,
  stepMs: number,
): Promise<Fired[]> {
  // A maximum over each step also finds an alert that fired only between two steps.
  const query = `max_over_time(ALERTS{alertstate="firing"}[${formatDurationMs(stepMs)}])`;
  const steps = Math.floor((span.toMs - span.fromMs) / stepMs);
  const series = await client.range(query, span.toMs - steps * stepMs, span.toMs, stepMs);
  const fired = series.flatMap(({ labels, points }) => {
    const { __name__: _, alertstate: __, ...own } = labels;
    return stretches(points, stepMs).map(([firedMs, lastMs]): Fired => ({
      labels: own,
      firedMs,
      ...(lastMs + stepMs > span.toMs ? {} : { endedMs: lastMs + stepMs }),
    }));
  });
  return inOrder(fired);
}

export const keyOf = (labels: Readonly<Record<string, string>>): string =>
  JSON.stringify(Object.entries(labels).sort());

export const inOrder = (fired: readonly Fired[]): Fired[] =>
  [...fired].sort((a, b) => a.firedMs - b.firedMs || (keyOf(a.labels) < keyOf(b.labels) ? -1 : 1));

/** First and last moment of each run of consecutive points. */
function stretches(points: readonly [number, number][], stepMs: number): [number, number][] {
  const found: [number, number][] = [];
  for (const [ms] of points) {
    const last = found.at(-1);
    if (last && ms - last[1] <= stepMs * 1.5) last[1] = ms;
    else found.push([ms, ms]);
  }
  return found;
}

/** The groups with only the alerting rules that fired, in their order and with their intervals. */
export async function rulesOf(
  client: PrometheusClient,
  fired: readonly Fired[],
): Promise<RuleGroup[]> {
  const names = new Set(fired.map((f) => f.labels.alertname ?? ''));
  const groups = await client.ruleGroups();
  const kept = groups.map((group): RuleGroup => ({
    name: group.name,
    intervalMs: group.interval * 1000,
    rules: group.rules
      .filter((r) => r.type === 'alerting' && names.has(r.name))
      .map((r): AlertingRule => ({
        kind: 'alert',
        alert: r.name,
        expr: r.query,
        forMs: (r.duration ?? 0) * 1000,
        keepFiringForMs: (r.keepFiringFor ?? 0) * 1000,
        labels: r.labels ?? {},
        annotations: r.annotations ?? {},
      })),
  }));
  const found = new Set(kept.flatMap((g) => g.rules.map((r) => (r as AlertingRule).alert)));
  const gone = [...names].filter((name) => !found.has(name));
  if (gone.length > 0) {
    throw new UserError({
      message: `${client.url} no longer has the rule of ${gone.join(', ')}`,
      expected: 'the rules that were loaded during the incident',
    });
  }
  return kept.filter((g) => g.rules.length > 0);
}

interface Reads {
  /** Selectors without range, offset and `@`. */
  selectors: string[];
  /** How far back the rules read from an evaluation, in milliseconds, `for` included. */
  leadMs: number;
}

/** The selectors that the rules read, each once. */
export function readsOf(groups: readonly RuleGroup[]): Reads {
  const selectors = new Set<string>();
  let leadMs = 0;
  for (const rule of groups.flatMap((g) => g.rules)) {
    let longest = 0;
    let subqueries = 0;
    walk(parse(rule.expr), (node: Expr) => {
      if (node.kind === 'selector') {
        const { offset: _, at: __, extension: ___, ...bare } = node;
        selectors.add(print(bare));
        longest = Math.max(longest, msOf(node.offset));
      } else if (node.kind === 'matrix') {
        longest = Math.max(longest, msOf(node.range) + msOf(node.selector.offset));
      } else if (node.kind === 'subquery') subqueries += msOf(node.range) + msOf(node.offset);
    });
    const forMs = rule.kind === 'alert' ? rule.forMs : 0;
    leadMs = Math.max(leadMs, longest + subqueries + forMs);
  }
  return { selectors: [...selectors].sort(), leadMs: leadMs + lookbackMs };
}

/** A duration computed by an expression counts as one day. */
function msOf(duration: { kind: string; seconds?: number } | undefined): number {
  if (!duration) return 0;
  return duration.kind === 'seconds' ? Math.abs(duration.seconds ?? 0) * 1000 : 86_400_000;
}

/**
 * Every series of the selectors with one point for each interval: the last sample in the interval, nothing where there
 * was none, and a stale marker where the series ended.
 */
export async function seriesOf(
  client: PrometheusClient,
  selectors: readonly string[],
  span: Span,
  stepMs: number,
): Promise<UnitSeries[]> {
  const count = Math.floor((span.toMs - span.fromMs) / stepMs) + 1;
  const all = new Map<string, UnitSeries>();
  for (const selector of selectors) {
    const ask = (expr: string): Promise<SampleSeries[]> => askAll(client, expr, span, stepMs);
    const sampled = await ask(`last_over_time(${selector}[${formatDurationMs(stepMs)}])`);
    const seen = new Map((await ask(selector)).map((s) => [keyOf(s.labels), s.points]));
    for (const { labels, points } of sampled) {
      const key = keyOf(labels);
      if (all.has(key)) continue;
      all.set(key, {
        labels: Labels.of(labels),
        points: pointsOf(points, seen.get(key) ?? [], span.fromMs, stepMs, count),
      });
      if (all.size > seriesMax || all.size * count > pointsMax) {
        throw new UserError({
          message: `more than ${all.size > seriesMax ? seriesMax : Math.floor(pointsMax / count)} series`,
          expected: 'a shorter span, or --alert with the alerts that matter',
        });
      }
    }
  }
  return [...all.values()].sort((a, b) => Labels.compare(a.labels, b.labels));
}

/** Asks in pieces small enough for Prometheus. */
async function askAll(
  client: PrometheusClient,
  expr: string,
  { fromMs, toMs }: Span,
  stepMs: number,
): Promise<SampleSeries[]> {
  const all = new Map<string, SampleSeries>();
  const pieceMs = 5000 * stepMs;
  for (let atMs = fromMs; atMs <= toMs; atMs += pieceMs) {
    const untilMs = Math.min(toMs, atMs + pieceMs - stepMs);
    for (const { labels, points } of await client.range(expr, atMs, untilMs, stepMs)) {
      const known = all.get(keyOf(labels));
      if (known) known.points.push(...points);
      else all.set(keyOf(labels), { labels, points });
    }
  }
  return [...all.values()];
}

function pointsOf(
  sampled: readonly [number, number][],
  seen: readonly [number, number][],
  fromMs: number,
  stepMs: number,
  count: number,
): Point[] {
  const place = (ms: number): number => Math.round((ms - fromMs) / stepMs);
  const points: Point[] = Array.from({ length: count }, () => undefined);
  const alive = new Uint8Array(count);
  for (const [ms] of seen) alive[place(ms)] = 1;
  for (const [ms, value] of sampled) points[place(ms)] = value;
  let last = -Infinity;
  for (let i = 0; i < count; i++) {
    if (points[i] !== undefined) last = i;
    else if (alive[i] === 0 && (i - last) * stepMs < lookbackMs && points[i - 1] !== undefined) {
      points[i] = 'stale';
    }
  }
  return points;
}
