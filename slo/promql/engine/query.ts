/** Evaluates queries at one time, or at every step from a start to an end. */
import type { Histogram } from '../histogram/histogram.js';
import { Labels } from '../labels.js';
import type { Store } from '../store/store.js';
import type { Expr, MatrixSelector, Subquery } from '../syntax/ast.js';
import { withoutParens } from '../syntax/ast.js';
import { PromqlError } from '../syntax/error.js';
import { withinLimits } from '../syntax/limits.js';
import { parse } from '../syntax/parse.js';
import { typeNames, typeOf } from '../syntax/types.js';
import { type Annotation, Annotations } from './annotations.js';
import { Context } from './context.js';
import { evaluate } from './evaluate.js';
import { mergeSameLabels } from './merge.js';
import { defaultOptions, type EngineOptions } from './options.js';
import { compact, type Points } from './points.js';
import { rawRange } from './raw-range.js';
import { statisticsSelectors } from './statistics.js';
import { hasSamples, type Value } from './value.js';

export interface Sample {
  readonly labels: Labels;
  readonly timeMs: number;
  /** NaN if the sample is a histogram. */
  readonly value: number;
  readonly histogram?: Histogram;
}

export type InstantValue =
  | { readonly type: 'vector'; readonly samples: readonly Sample[] }
  | { readonly type: 'scalar'; readonly timeMs: number; readonly value: number }
  | { readonly type: 'string'; readonly timeMs: number; readonly value: string }
  | { readonly type: 'matrix'; readonly series: readonly Points[] };

export interface InstantResult {
  readonly value: InstantValue;
  readonly annotations: readonly Annotation[];
}

export interface RangeResult {
  /** Sorted by labels; no series is empty. A scalar is one series without labels. */
  readonly series: readonly Points[];
  readonly annotations: readonly Annotation[];
}

/** Throws a PromqlError if the query cannot be evaluated. */
export function evaluateInstant(
  query: Expr | string,
  store: Store,
  timeMs: number,
  options: EngineOptions = {},
): InstantResult {
  const expr = typeof query === 'string' ? parse(query) : query;
  const times = { startMs: timeMs, endMs: timeMs, stepMs: 0 };
  const ctx = newContext(expr, store, options, times, { startMs: timeMs, stepMs: 1, steps: 1 });
  const inner = withoutParens(expr);
  const value = withinLimits(expr, () =>
    inner.kind === 'matrix' || inner.kind === 'subquery'
      ? matrixValue(inner, ctx)
      : instantValue(finish(evaluate(expr, ctx), expr, ctx), timeMs),
  );
  return { value, annotations: ctx.annotations.list() };
}

/** Evaluates at the steps from `startMs` to `endMs` inclusive; throws a PromqlError if that is impossible. */
export function evaluateRange(
  query: Expr | string,
  store: Store,
  startMs: number,
  endMs: number,
  stepMs: number,
  options: EngineOptions = {},
): RangeResult {
  const expr = typeof query === 'string' ? parse(query) : query;
  if (!(stepMs > 0)) throw new RangeError(`a range query's step is positive, not ${stepMs} ms`);
  const type = typeOf(expr);
  if (type !== 'vector' && type !== 'scalar') {
    throw new PromqlError(
      `invalid expression type "${typeNames[type]}" for range query, must be Scalar or instant Vector`,
      expr,
    );
  }
  const steps = Math.max(0, Math.floor((endMs - startMs) / stepMs) + 1);
  const ctx = newContext(
    expr,
    store,
    options,
    { startMs, endMs, stepMs },
    { startMs, stepMs, steps },
  );
  if (steps === 0) return { series: [], annotations: [] };
  const series = withinLimits(expr, () => pointsOf(finish(evaluate(expr, ctx), expr, ctx), ctx));
  return { series, annotations: ctx.annotations.list() };
}

function newContext(
  expr: Expr,
  store: Store,
  options: EngineOptions,
  query: Context['query'],
  steps: { startMs: number; stepMs: number; steps: number },
): Context {
  const shared = {
    evaluator: evaluate,
    store,
    options: { ...defaultOptions, ...options },
    query,
    annotations: new Annotations(),
    statistics: statisticsSelectors(expr),
  };
  return new Context(shared, steps);
}

/** With delayed name removal, names are removed here. */
function finish(value: Value, expr: Expr, ctx: Context): Value {
  if (value.type !== 'vector') return value;
  if (!ctx.options.delayedNameRemoval) return value;
  const series = value.series.map((s) =>
    s.dropName ? { ...s, labels: s.labels.withoutName() } : s,
  );
  return { type: 'vector', series: mergeSameLabels(series, expr) };
}

function instantValue(value: Value, timeMs: number): InstantValue {
  if (value.type === 'string') return { type: 'string', timeMs, value: value.value };
  if (value.type === 'scalar') return { type: 'scalar', timeMs, value: value.values[0] as number };
  const samples = value.series.filter(hasSamples).map((s): Sample => {
    const histogram = s.histograms?.[0];
    return {
      labels: s.labels,
      timeMs,
      value: s.values[0] as number,
      ...(histogram ? { histogram } : {}),
    };
  });
  return { type: 'vector', samples };
}

function matrixValue(range: MatrixSelector | Subquery, ctx: Context): InstantValue {
  const series = rawRange(range, ctx);
  return { type: 'matrix', series: series.sort((a, b) => Labels.compare(a.labels, b.labels)) };
}

function pointsOf(value: Value, ctx: Context): Points[] {
  if (value.type === 'string') return [];
  if (value.type === 'scalar') {
    const times = Float64Array.from({ length: ctx.steps }, (_, i) => ctx.timeAt(i));
    return [{ labels: Labels.empty, times, values: value.values }];
  }
  return value.series
    .filter(hasSamples)
    .map((s) => compact(s, ctx))
    .sort((a, b) => Labels.compare(a.labels, b.labels));
}
