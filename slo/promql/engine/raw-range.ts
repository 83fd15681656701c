/** A range selector as the whole query: returns its samples unchanged. */
import type { Histogram } from '../histogram/histogram.js';
import type { Labels } from '../labels.js';
import type { MatrixSelector, Subquery } from '../syntax/ast.js';
import type { Context } from './context.js';
import { edgesOf, edgeValues } from './interpolate.js';
import { compact, type Points } from './points.js';
import { referenceTimes } from './reference-times.js';
import { subqueryContext, subqueryGrid } from './subquery.js';
import { hasSamples } from './value.js';
import { type FloatColumns, rangeSource, windowBounds } from './window.js';

export function rawRange(range: MatrixSelector | Subquery, ctx: Context): Points[] {
  const rangeMs = ctx.positiveDuration(range.range);
  if (range.kind === 'subquery') return rawSubquery(range, rangeMs, ctx);
  const { selector } = range;
  const { extension } = selector;
  const { lookbackMs } = ctx.options;
  const endMs = referenceTimes(ctx, selector).firstMs;
  const beforeMs = ctx.reachOf(rangeMs) + (extension ? lookbackMs : 0);
  const afterMs = extension === 'smoothed' ? lookbackMs : 0;
  const times = { firstMs: endMs, stepMs: 0, beforeMs, afterMs };
  const result: Points[] = [];
  for (const series of ctx.store.select(selector.matchers, endMs - beforeMs + 1, endMs + afterMs)) {
    const source = rangeSource(series.labels, series, endMs - beforeMs, endMs + afterMs);
    const at = windowBounds(source.floats, 1, times);
    const [low, high] = [at.low[0] as number, at.high[0] as number];
    if (extension) {
      if (source.histograms) {
        ctx.fail(`${extension} modifier is not supported with histograms`, range);
      }
      if (high === low) continue;
      const points = withEdges(
        series.labels,
        source.floats,
        low,
        high,
        endMs - rangeMs,
        endMs,
        extension === 'smoothed',
      );
      if (points) result.push(points);
      continue;
    }
    const points = plainPoints(source, low, high);
    if (points) result.push(points);
  }
  return result;
}

function rawSubquery(range: Subquery, rangeMs: number, ctx: Context): Points[] {
  const inner = subqueryContext(range, rangeMs, ctx);
  return subqueryGrid(range, inner)
    .filter(hasSamples)
    .map((series) => {
      const points = compact(series, inner);
      return series.dropName ? { ...points, labels: points.labels.withoutName() } : points;
    });
}

function plainPoints(
  source: ReturnType<typeof rangeSource>,
  low: number,
  high: number,
): Points | undefined {
  const { floats, histograms, labels } = source;
  const samples: { timeMs: number; value: number; histogram: Histogram | undefined }[] = [];
  for (let i = low; i < high; i++) {
    const [timeMs, value] = [floats.times[i] as number, floats.values[i] as number];
    samples.push({ timeMs, value, histogram: undefined });
  }
  histograms?.values.forEach((histogram, i) =>
    samples.push({ timeMs: histograms.times[i] as number, value: NaN, histogram }),
  );
  if (samples.length === 0) return undefined;
  samples.sort((a, b) => a.timeMs - b.timeMs);
  return {
    labels,
    times: Float64Array.from(samples, (s) => s.timeMs),
    values: Float64Array.from(samples, (s) => s.value),
    ...(histograms ? { histograms: samples.map((s) => s.histogram) } : {}),
  };
}

/** The samples within the range, plus values at its edges. */
function withEdges(
  labels: Labels,
  columns: FloatColumns,
  low: number,
  high: number,
  startMs: number,
  endMs: number,
  smoothed: boolean,
): Points | undefined {
  const { times, values } = columns;
  const edges = edgesOf(times, low, high, startMs, endMs, smoothed);
  const atEdges = edges && edgeValues(columns, low, edges, startMs, endMs, smoothed);
  if (!atEdges) return undefined;
  const from = (times[edges.first] as number) <= startMs ? edges.first + 1 : edges.first;
  const to = (times[edges.last] as number) >= endMs ? edges.last - 1 : edges.last;
  const inside = Array.from({ length: Math.max(0, to - from + 1) }, (_, i) => from + i);
  const [left, right] = atEdges;
  return {
    labels,
    times: Float64Array.from([startMs, ...inside.map((i) => times[i] as number), endMs]),
    values: Float64Array.from([left, ...inside.map((i) => values[i] as number), right]),
  };
}
