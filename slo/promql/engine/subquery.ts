/** Subqueries: an expression evaluated at its own steps, read as a range. */
import type { Histogram } from '../histogram/histogram.js';
import type { Subquery } from '../syntax/ast.js';
import type { Context } from './context.js';
import { referenceTimes } from './reference-times.js';
import type { GridSeries } from './value.js';
import type { RangeSource } from './window.js';
import { Labels } from '../labels.js';

/** A subquery's steps are multiples of its interval, whenever the query begins. */
export function subqueryContext(subquery: Subquery, rangeMs: number, ctx: Context): Context {
  const at = referenceTimes(ctx, subquery);
  const intervalMs = subquery.step
    ? ctx.positiveDuration(subquery.step)
    : ctx.options.subqueryStepMs;
  const afterMs = at.firstMs - ctx.reachOf(rangeMs);
  let startMs = intervalMs * Math.trunc(afterMs / intervalMs);
  if (startMs <= afterMs) startMs += intervalMs;
  const steps = Math.floor((at.lastMs - startMs) / intervalMs) + 1;
  return ctx.at(startMs, intervalMs, Math.max(0, steps));
}

export function subquerySources(subquery: Subquery, rangeMs: number, ctx: Context): RangeSource[] {
  const inner = subqueryContext(subquery, rangeMs, ctx);
  if (inner.steps === 0) return [];
  return subqueryGrid(subquery, inner).map((series) => sourceOf(series, inner));
}

export function subqueryGrid(subquery: Subquery, inner: Context): GridSeries[] {
  if (inner.steps === 0) return [];
  const value = inner.evaluate(subquery.expr);
  if (value.type === 'vector') return value.series;
  if (value.type === 'string') return inner.fail('a string has no range', subquery.expr);
  const present = new Uint8Array(inner.steps).fill(1);
  return [
    { labels: Labels.empty, dropName: false, values: value.values, present, histograms: undefined },
  ];
}

function sourceOf(series: GridSeries, ctx: Context): RangeSource {
  const count = series.present.length;
  const times = new Float64Array(count);
  const values = new Float64Array(count);
  const histogramTimes: number[] = [];
  const histograms: Histogram[] = [];
  let length = 0;
  for (let i = 0; i < count; i++) {
    if (series.present[i] === 0) continue;
    const histogram = series.histograms?.[i];
    if (histogram) {
      histogramTimes.push(ctx.timeAt(i));
      histograms.push(unknownReset(histogram));
      continue;
    }
    times[length] = ctx.timeAt(i);
    values[length] = series.values[i] as number;
    length++;
  }
  return {
    labels: series.labels,
    dropName: series.dropName,
    floats: { length, times, values, starts: undefined },
    histograms:
      histograms.length === 0
        ? undefined
        : {
            length: histograms.length,
            times: Float64Array.from(histogramTimes),
            values: histograms,
            starts: undefined,
          },
  };
}

/** Steps of a subquery may skip or repeat samples, so their reset hints are no longer valid. */
function unknownReset(histogram: Histogram): Histogram {
  if (histogram.hint === 'unknown' || histogram.hint === 'gauge') return histogram;
  const copy = histogram.copy();
  copy.hint = 'unknown';
  return copy;
}
