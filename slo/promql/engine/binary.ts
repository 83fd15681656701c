/** Operators between scalars and vectors. */
import type { Binary, ComparisonOperator } from '../syntax/ast.js';
import { isComparison, isSetOperator } from '../syntax/ast.js';
import type { Context } from './context.js';
import { matchVectors } from './matching.js';
import { mergeSameLabels } from './merge.js';
import { arithmetic, changesMetric, combine, comparisons } from './operators.js';
import { setOperation } from './set-operators.js';
import { emptySeries, type GridSeries, hasSamples, put, type Value } from './value.js';

export function evaluateBinary(expr: Binary, ctx: Context): Value {
  const left = ctx.evaluate(expr.left);
  const right = ctx.evaluate(expr.right);
  if (left.type === 'string' || right.type === 'string') {
    return ctx.fail('operators take no strings', expr);
  }
  if (left.type === 'scalar' && right.type === 'scalar') {
    return { type: 'scalar', values: scalars(expr, left.values, right.values) };
  }
  if (left.type === 'vector' && right.type === 'vector') {
    const series = isSetOperator(expr.op)
      ? setOperation(expr, left.series, right.series, ctx)
      : matchVectors(expr, left.series, right.series, ctx);
    return { type: 'vector', series };
  }
  const [vector, scalar, swapped] =
    left.type === 'vector'
      ? [left.series, (right as { values: Float64Array }).values, false]
      : [(right as { series: GridSeries[] }).series, left.values, true];
  return { type: 'vector', series: withScalar(expr, vector, scalar, swapped, ctx) };
}

function scalars(expr: Binary, left: Float64Array, right: Float64Array): Float64Array {
  const compute =
    arithmetic[expr.op] ??
    ((a: number, b: number) => (comparisons[expr.op as ComparisonOperator](a, b) ? 1 : 0));
  return left.map((value, step) => compute(value, right[step] as number));
}

/** A comparison keeps the vector's value, whichever side the vector is on. */
function withScalar(
  expr: Binary,
  vector: GridSeries[],
  scalar: Float64Array,
  swapped: boolean,
  ctx: Context,
): GridSeries[] {
  const dropName = changesMetric(expr.op) || expr.bool;
  const series = vector.map((s) => {
    const labels = dropName ? ctx.nameless(s.labels) : s.labels;
    const out = emptySeries(labels, ctx.steps, s.dropName || dropName);
    if (s.histograms) mixedWithScalar(expr, s, scalar, swapped, out, ctx);
    else floatsWithScalar(expr, s, scalar, swapped, out);
    return out;
  });
  const kept = series.filter(hasSamples);
  return dropName && !ctx.options.delayedNameRemoval ? mergeSameLabels(kept, expr) : kept;
}

function floatsWithScalar(
  expr: Binary,
  series: GridSeries,
  scalar: Float64Array,
  swapped: boolean,
  out: GridSeries,
): void {
  const { values, present } = series;
  const compute = arithmetic[expr.op];
  const compare = isComparison(expr.op) ? comparisons[expr.op] : undefined;
  for (let step = 0; step < values.length; step++) {
    if (present[step] === 0) continue;
    const value = values[step] as number;
    const other = scalar[step] as number;
    const [a, b] = swapped ? [other, value] : [value, other];
    if (compute) {
      out.values[step] = compute(a, b);
    } else if (compare) {
      const holds = compare(a, b);
      if (!holds && !expr.bool) continue;
      out.values[step] = expr.bool ? Number(holds) : value;
    } else {
      continue;
    }
    out.present[step] = 1;
  }
}

function mixedWithScalar(
  expr: Binary,
  series: GridSeries,
  scalar: Float64Array,
  swapped: boolean,
  out: GridSeries,
  ctx: Context,
): void {
  for (let step = 0; step < ctx.steps; step++) {
    if (series.present[step] === 0) continue;
    const own = { value: series.values[step] as number, histogram: series.histograms?.[step] };
    const other = { value: scalar[step] as number, histogram: undefined };
    const [left, right] = swapped ? [other, own] : [own, other];
    const outcome = combine(expr.op, left, right, ctx.annotations, expr);
    if (!outcome) continue;
    if (expr.bool) put(out, step, Number(outcome.keep));
    else if (isComparison(expr.op)) {
      if (outcome.keep) put(out, step, own.histogram ?? own.value);
    } else if (outcome.keep) put(out, step, outcome.histogram ?? outcome.value);
  }
}
