/** `info`: adds labels of info metrics to the series that they describe. */
import type { Context } from '../engine/context.js';
import { evaluateVector } from '../engine/argument.js';
import { forEachLast } from '../engine/selectors.js';
import { emptySeries, type GridSeries, hasSamples, put } from '../engine/value.js';
import { sameLabelset } from '../engine/merge.js';
import { Labels, metricNameLabel } from '../labels.js';
import { type CompiledMatcher, matcherOf } from '../store/matcher.js';
import type { Series } from '../store/series.js';
import type { Call, Expr, Matcher, Subquery, VectorSelector } from '../syntax/ast.js';
import { childrenOf, withoutParens } from '../syntax/ast.js';
import { typeOf } from '../syntax/types.js';

/** Labels that an info metric shares with the series that it describes. */
const identifying = ['instance', 'job'] as const;

/** Info series of one name and identity; the newest one counts at each step. */
interface Candidate {
  readonly series: Series;
  readonly times: Float64Array;
}

export function evaluateInfo(call: Call, ctx: Context): GridSeries[] {
  const [vector, selector] = call.args as [Expr, Expr?];
  const asked = selector ? (withoutParens(selector) as VectorSelector).matchers : undefined;
  const names = nameMatchers(asked).map(matcherOf);
  const wanted = (asked ?? []).filter((m) => m.name !== metricNameLabel);
  const base = evaluateVector(vector, ctx);
  const isInfo = (s: GridSeries): boolean => names.every((m) => m.matches(s.labels.metricName));
  const described = base.filter((s) => !isInfo(s));
  const candidates = findCandidates(vector, described, wanted, nameMatchers(asked), ctx);
  const work = new Enrichment(call, ctx, wanted, candidates);
  for (const series of base) {
    if (isInfo(series)) work.keep(series);
    else work.enrich(series);
  }
  return work.results();
}

/** Without a matcher that selects names, every `_info` metric; without any matcher of names, `target_info`. */
function nameMatchers(asked: readonly Matcher[] | undefined): Matcher[] {
  const names = (asked ?? []).filter((m) => m.name === metricNameLabel);
  if (names.some((m) => m.op === '=' || m.op === '=~')) return names;
  if (names.length > 0) return [{ name: metricNameLabel, op: '=~', value: '.+_info' }, ...names];
  return [{ name: metricNameLabel, op: '=', value: 'target_info' }];
}

/** The times at which a selector reads, relative to the evaluation or fixed by an `@`. */
interface Reference {
  readonly fixed: boolean;
  readonly ms: number;
}

/** The references of the selectors that make a vector; undefined for a part that no selector makes. */
function referencesOf(
  expr: Expr,
  around: readonly Subquery[],
  ctx: Context,
): (Reference | undefined)[] {
  if (typeOf(expr) !== 'vector' && typeOf(expr) !== 'matrix') return [];
  if (expr.kind === 'selector') return [referenceOf([...around, expr], ctx)];
  const inside = expr.kind === 'subquery' ? [...around, expr] : around;
  // The second argument of `info` is written as a selector, and is none.
  const isInfo = expr.kind === 'call' && expr.name === 'info';
  const children = isInfo ? expr.args.slice(0, 1) : childrenOf(expr);
  const found = children.flatMap((child) => referencesOf(child, inside, ctx));
  return found.length > 0 ? found : [undefined];
}

/** Offsets add up from the inside to the first `@`. */
function referenceOf(nested: readonly (Subquery | VectorSelector)[], ctx: Context): Reference {
  let ms = 0;
  for (const { at, offset } of nested.toReversed()) {
    if (offset) ms -= ctx.duration(offset);
    const fixedMs = ctx.fixedTime(at);
    if (fixedMs !== undefined) return { fixed: true, ms: ms + fixedMs };
  }
  return { fixed: false, ms };
}

/** The info series are read at the time of the first argument's selectors, if they all have the same. */
function lookUpTimes(vector: Expr, ctx: Context): { firstMs: number; stepMs: number } {
  const [first, ...rest] = referencesOf(vector, [], ctx);
  const shared =
    first && rest.every((r) => r?.fixed === first.fixed && r.ms === first.ms)
      ? first
      : { fixed: false, ms: 0 };
  return shared.fixed
    ? { firstMs: shared.ms, stepMs: 0 }
    : { firstMs: ctx.startMs + shared.ms, stepMs: ctx.stepMs };
}

function identityOf(name: string, labels: Labels): string {
  return [name, ...identifying.map((l) => labels.get(l))].join('\u0000');
}

function findCandidates(
  vector: Expr,
  described: readonly GridSeries[],
  wanted: readonly Matcher[],
  names: readonly Matcher[],
  ctx: Context,
): Map<string, Candidate[]> {
  const found = new Map<string, Candidate[]>();
  const identities = identifying.filter((l) => described.some((s) => s.labels.get(l) !== ''));
  if (identities.length === 0) return found;
  const values = new Map(
    identities.map((l) => [l, new Set(described.map((s) => s.labels.get(l)))]),
  );
  const times = lookUpTimes(vector, ctx);
  const { lookbackMs } = ctx.options;
  const lastMs = times.firstMs + (ctx.steps - 1) * times.stepMs;
  const fromMs = times.firstMs - lookbackMs + 1;
  for (const series of ctx.store.select([...names, ...wanted], fromMs, lastMs)) {
    if (![...values].every(([l, set]) => set.has(series.labels.get(l)))) continue;
    const at = new Float64Array(ctx.steps).fill(NaN);
    forEachLast(series, ctx.steps, times, lookbackMs, (step, i) => {
      if (series.stale?.[i] === 1) return;
      if (series.histograms?.[i]) {
        ctx.fail(
          `this should be an info metric, with float samples: ${series.labels.toBraces()}`,
          vector,
        );
      }
      at[step] = series.times[i] as number;
    });
    const identity = identityOf(series.labels.metricName, series.labels);
    const same = found.get(identity);
    if (same) same.push({ series, times: at });
    else found.set(identity, [{ series, times: at }]);
  }
  return found;
}

class Enrichment {
  readonly #call: Call;
  readonly #ctx: Context;
  readonly #wanted: ReadonlySet<string>;
  readonly #required: readonly CompiledMatcher[];
  readonly #candidates: ReadonlyMap<string, Candidate[]>;
  readonly #infoNames: readonly string[];
  readonly #results = new Map<string, GridSeries>();

  constructor(
    call: Call,
    ctx: Context,
    wanted: readonly Matcher[],
    candidates: ReadonlyMap<string, Candidate[]>,
  ) {
    this.#call = call;
    this.#ctx = ctx;
    this.#wanted = new Set(wanted.map((m) => m.name));
    this.#required = wanted.map(matcherOf).filter((m) => !m.matches(''));
    this.#candidates = candidates;
    const names = [...candidates.values()].map((c) => (c[0] as Candidate).series.labels.metricName);
    this.#infoNames = [...new Set(names)];
  }

  results(): GridSeries[] {
    return [...this.#results.values()].filter(hasSamples);
  }

  keep(series: GridSeries): void {
    for (let step = 0; step < this.#ctx.steps; step++) {
      if (series.present[step] === 1) this.#put(series, series.labels, step);
    }
  }

  enrich(series: GridSeries): void {
    for (let step = 0; step < this.#ctx.steps; step++) {
      if (series.present[step] === 0) continue;
      const found = this.#infoNames
        .map((name) => this.#newest(identityOf(name, series.labels), step))
        .filter((s) => s !== undefined);
      if (found.length === 0 && this.#required.length > 0) continue;
      this.#put(series, this.#withInfo(series.labels, found), step);
    }
  }

  #newest(identity: string, step: number): Series | undefined {
    let best: Candidate | undefined;
    for (const candidate of this.#candidates.get(identity) ?? []) {
      const time = candidate.times[step] as number;
      if (Number.isNaN(time)) continue;
      const known = best ? (best.times[step] as number) : -Infinity;
      if (best && time === known) {
        this.#ctx.fail(
          `found duplicate series for info metric: existing ${best.series.labels.toBraces()} @ ${known}, ` +
            `new ${candidate.series.labels.toBraces()} @ ${time}`,
          this.#call,
        );
      }
      if (time > known) best = candidate;
    }
    return best?.series;
  }

  /** Existing labels of the series are kept. */
  #withInfo(own: Labels, infos: readonly Series[]): Labels {
    const added = new Map<string, string>();
    for (const [name, value] of infos.flatMap((s) => [...s.labels.entries()])) {
      if (name === metricNameLabel) continue;
      if (this.#wanted.size > 0 && !this.#wanted.has(name)) continue;
      const known = added.get(name);
      if (known !== undefined && known !== value)
        this.#ctx.fail(`conflicting label: ${name}`, this.#call);
      if (own.get(name) === '') added.set(name, value);
    }
    return added.size === 0 ? own : Labels.fromEntries([...own.entries(), ...added]);
  }

  #put(series: GridSeries, labels: Labels, step: number): void {
    let out = this.#results.get(labels.key);
    if (!out) {
      out = emptySeries(labels, this.#ctx.steps, series.dropName);
      this.#results.set(labels.key, out);
    }
    if (out.present[step] === 1) this.#ctx.fail(sameLabelset, this.#call);
    put(out, step, series.histograms?.[step] ?? (series.values[step] as number));
  }
}
