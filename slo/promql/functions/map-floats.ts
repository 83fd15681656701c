/** Applies arithmetic to every float of a vector; histograms are dropped. */
import type { Context } from '../engine/context.js';
import { evaluateVector } from '../engine/argument.js';
import { mergeSameLabels } from '../engine/merge.js';
import { type GridSeries, hasSamples, type Value } from '../engine/value.js';
import type { Call, Expr } from '../syntax/ast.js';

export function mapFloats(
  call: Call,
  ctx: Context,
  argument: Expr,
  compute: (value: number, step: number) => number,
): Value {
  const series = evaluateVector(argument, ctx).map((s) => mapSeries(s, ctx, compute));
  return { type: 'vector', series: mergeSameLabels(series.filter(hasSamples), call) };
}

function mapSeries(
  series: GridSeries,
  ctx: Context,
  compute: (value: number, step: number) => number,
): GridSeries {
  const values = new Float64Array(ctx.steps);
  let { present } = series;
  if (series.histograms) {
    present = present.map((p, i) => (p === 1 && !series.histograms?.[i] ? 1 : 0));
  }
  for (let step = 0; step < ctx.steps; step++) {
    if (present[step] === 1) values[step] = compute(series.values[step] as number, step);
  }
  return {
    labels: ctx.nameless(series.labels),
    dropName: true,
    values,
    present,
    histograms: undefined,
  };
}
