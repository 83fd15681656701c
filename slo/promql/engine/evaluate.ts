/** Evaluates an expression at every step, with one function for each kind of node. */
import type { Expr, Unary } from '../syntax/ast.js';
import type { Histogram } from '../histogram/histogram.js';
import { scaleHistogram } from '../histogram/scale.js';
import { evaluateAggregate } from './aggregate.js';
import { evaluateBinary } from './binary.js';
import { evaluateCall } from './call.js';
import type { Context } from './context.js';
import { isStepInvariant } from './invariant.js';
import { mergeSameLabels } from './merge.js';
import { evaluateSelector } from './selectors.js';
import { hasSamples, type Value } from './value.js';

export function evaluate(expr: Expr, ctx: Context): Value {
  if (ctx.steps > 1 && isStepInvariant(expr))
    return repeated(evaluateNode(expr, ctx.at(ctx.startMs, ctx.stepMs, 1)), ctx);
  return evaluateNode(expr, ctx);
}

function evaluateNode(expr: Expr, ctx: Context): Value {
  const value = valueOf(expr, ctx);
  if (value.type === 'vector') ctx.refuseTooMany(value.series.length, expr);
  return value;
}

function valueOf(expr: Expr, ctx: Context): Value {
  switch (expr.kind) {
    case 'number':
      return { type: 'scalar', values: new Float64Array(ctx.steps).fill(expr.value) };
    case 'string':
      return { type: 'string', value: expr.value };
    case 'paren':
      return evaluate(expr.expr, ctx);
    case 'selector':
      return { type: 'vector', series: evaluateSelector(expr, ctx) };
    case 'unary':
      return evaluateUnary(expr, ctx);
    case 'call':
      return evaluateCall(expr, ctx);
    case 'aggregate':
      return { type: 'vector', series: evaluateAggregate(expr, ctx) };
    case 'binary':
      return evaluateBinary(expr, ctx);
    case 'matrix':
    case 'subquery':
      return ctx.fail('a range vector can only stand inside a function', expr);
  }
}

/** The value of one step, repeated at every step. */
function repeated(value: Value, ctx: Context): Value {
  if (value.type === 'string') return value;
  if (value.type === 'scalar') {
    return { type: 'scalar', values: new Float64Array(ctx.steps).fill(value.values[0] as number) };
  }
  const series = value.series.filter(hasSamples).map((s) => ({
    labels: s.labels,
    dropName: s.dropName,
    values: new Float64Array(ctx.steps).fill(s.values[0] as number),
    present: new Uint8Array(ctx.steps).fill(1),
    histograms: s.histograms
      ? Array.from({ length: ctx.steps }, () => s.histograms?.[0])
      : undefined,
  }));
  return { type: 'vector', series };
}

function evaluateUnary(expr: Unary, ctx: Context): Value {
  const value = evaluate(expr.expr, ctx);
  if (expr.op === '+' || value.type === 'string') return value;
  if (value.type === 'scalar') return { type: 'scalar', values: value.values.map((v) => -v) };
  const series = value.series.map((s) => ({
    labels: ctx.nameless(s.labels),
    dropName: true,
    values: s.values.map((v) => -v),
    present: s.present,
    histograms: s.histograms?.map((h) => h && negated(h)),
  }));
  const merged = ctx.options.delayedNameRemoval ? series : mergeSameLabels(series, expr);
  return { type: 'vector', series: merged };
}

function negated(histogram: Histogram): Histogram {
  return scaleHistogram(histogram.copy(), -1);
}
