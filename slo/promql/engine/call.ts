/** Function calls: over ranges, over vectors, and a few that need more than their arguments' values. */
import { rangeFunctions } from '../functions/range-functions.js';
import { vectorFunctions } from '../functions/vector-functions.js';
import type { Call, Expr, MatrixSelector, Subquery } from '../syntax/ast.js';
import { withoutParens } from '../syntax/ast.js';
import { absentLabels } from './absent.js';
import type { Context } from './context.js';
import { evaluateScalar } from './argument.js';
import { sameLabelset } from './merge.js';
import type { RangeCall } from './range-call.js';
import { rangesOf } from './ranges.js';
import { emptySeries, type GridSeries, hasSamples, type Value } from './value.js';
import { windowBounds } from './window.js';

export function evaluateCall(call: Call, ctx: Context): Value {
  const range = call.args.map(withoutParens).find(isRange);
  if (range) return { type: 'vector', series: evaluateRangeCall(call, range, ctx) };
  const compute = vectorFunctions[call.name];
  if (!compute) return ctx.fail(`${call.name}() is not supported`, call);
  return compute(call, ctx);
}

function isRange(expr: Expr): expr is MatrixSelector | Subquery {
  return expr.kind === 'matrix' || expr.kind === 'subquery';
}

/** Functions that keep the metric's name, because their result is one of its samples. */
const keepsName = new Set(['last_over_time', 'first_over_time']);

function evaluateRangeCall(
  call: Call,
  range: MatrixSelector | Subquery,
  ctx: Context,
): GridSeries[] {
  const compute = rangeFunctions[call.name];
  if (!compute) return ctx.fail(`${call.name}() is not supported`, call);
  const scalars = call.args
    .filter((arg) => withoutParens(arg) !== range)
    .map((arg) => evaluateScalar(arg, ctx));
  const ranges = rangesOf(range, ctx, call);
  ctx.refuseTooMany(ranges.sources.length, call);
  const dropsName = !keepsName.has(call.name);
  const result: GridSeries[] = [];
  for (const source of ranges.sources) {
    const dropName = dropsName || source.dropName;
    const labels = dropName ? ctx.nameless(source.labels) : source.labels;
    const out = emptySeries(labels, ctx.steps, dropName);
    const rangeCall: RangeCall = {
      ctx,
      call,
      range,
      source,
      floatBounds: windowBounds(source.floats, ctx.steps, ranges.times),
      histogramBounds:
        source.histograms && windowBounds(source.histograms, ctx.steps, ranges.times),
      times: ranges.times,
      rangeMs: ranges.rangeMs,
      extension: ranges.extension,
      scalars,
      out,
    };
    compute(rangeCall);
    if (hasSamples(out)) result.push(out);
  }
  if (call.name === 'absent_over_time') return whereAbsent(result, range, ctx, dropsName);
  if (!ctx.options.delayedNameRemoval) refuseSameLabels(result, call, ctx);
  return result;
}

/** Refuses equal labels even of series that never overlap, as Prometheus does here. */
function refuseSameLabels(series: readonly GridSeries[], call: Call, ctx: Context): void {
  if (series.length < 2) return;
  const keys = new Set(series.map((s) => s.labels.key));
  if (keys.size < series.length) ctx.fail(sameLabelset, call);
}

function whereAbsent(
  series: readonly GridSeries[],
  range: Expr,
  ctx: Context,
  dropName: boolean,
): GridSeries[] {
  const out = emptySeries(absentLabels(range), ctx.steps, dropName);
  for (let step = 0; step < ctx.steps; step++) {
    if (series.some((s) => s.present[step] === 1)) continue;
    out.values[step] = 1;
    out.present[step] = 1;
  }
  return hasSamples(out) ? [out] : [];
}
