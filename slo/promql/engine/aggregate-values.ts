/** Aggregations of floats without a sum: extremes, counts, deviations. */
import type { Aggregate, AggregateOperator } from '../syntax/ast.js';
import { ignoreHistogram } from './ignore-histogram.js';
import type { Context } from './context.js';
import type { GridSeries } from './value.js';

/** Visits one series after another, so that each column is read in order. */
export function aggregateValues(
  op: AggregateOperator,
  aggregate: Aggregate,
  members: readonly GridSeries[],
  out: GridSeries,
  ctx: Context,
): void {
  switch (op) {
    case 'count':
    case 'group':
      for (const { present } of members) {
        for (let step = 0; step < ctx.steps; step++) {
          if (present[step] === 0) continue;
          out.values[step] = op === 'group' ? 1 : (out.values[step] as number) + 1;
          out.present[step] = 1;
        }
      }
      return;
    case 'min':
    case 'max':
      return extreme(op, aggregate, members, out, ctx);
    default:
      deviation(op, aggregate, members, out, ctx);
  }
}

function extreme(
  op: 'min' | 'max',
  aggregate: Aggregate,
  members: readonly GridSeries[],
  out: GridSeries,
  ctx: Context,
): void {
  const sign = op === 'max' ? 1 : -1;
  for (const { present, values, histograms } of members) {
    for (let step = 0; step < ctx.steps; step++) {
      if (present[step] === 0) continue;
      if (histograms?.[step]) {
        ignoreHistogram(op, aggregate, ctx);
        continue;
      }
      const value = values[step] as number;
      const best = out.values[step] as number;
      if (out.present[step] === 0 || sign * value > sign * best || Number.isNaN(best)) {
        out.values[step] = value;
        out.present[step] = 1;
      }
    }
  }
}

/** Welford's method: one pass, without large squares. */
function deviation(
  op: AggregateOperator,
  aggregate: Aggregate,
  members: readonly GridSeries[],
  out: GridSeries,
  ctx: Context,
): void {
  const counts = new Float64Array(ctx.steps);
  const means = new Float64Array(ctx.steps);
  for (const { present, values, histograms } of members) {
    for (let step = 0; step < ctx.steps; step++) {
      if (present[step] === 0) continue;
      if (histograms?.[step]) {
        ignoreHistogram(op, aggregate, ctx);
        continue;
      }
      const value = values[step] as number;
      const count = (counts[step] = (counts[step] as number) + 1);
      out.present[step] = 1;
      if (count === 1) {
        means[step] = value;
        out.values[step] = Number.isFinite(value) ? 0 : NaN;
        continue;
      }
      const delta = value - (means[step] as number);
      const mean = (means[step] = (means[step] as number) + delta / count);
      out.values[step] = (out.values[step] as number) + delta * (value - mean);
    }
  }
  for (let step = 0; step < ctx.steps; step++) {
    const variance = (out.values[step] as number) / (counts[step] as number);
    out.values[step] = op === 'stddev' ? Math.sqrt(variance) : variance;
  }
}
