/** A range as the whole query: its samples as they are. */
import type { MatrixSelector, Subquery } from '../syntax/ast.js';
import type { Context } from './context.js';
import { compact, type Points } from './query.js';
import { referenceTimes } from './selectors.js';
import { subqueryContext, subqueryGrid } from './subquery.js';
import { hasSamples } from './value.js';
import { rangeSource, windowBounds } from './window.js';

export function rawRange(range: MatrixSelector | Subquery, ctx: Context): Points[] {
  const rangeMs = ctx.positiveDuration(range.range);
  if (range.kind === 'subquery') {
    const inner = subqueryContext(range, rangeMs, ctx);
    return subqueryGrid(range, inner)
      .filter(hasSamples)
      .map((series) => {
        const points = compact(series, inner);
        return series.dropName ? { ...points, labels: points.labels.withoutName() } : points;
      });
  }
  const { selector } = range;
  const endMs = referenceTimes(ctx, selector).firstMs;
  const fromMs = endMs - rangeMs;
  const times = { firstMs: endMs, stepMs: 0, beforeMs: rangeMs, afterMs: 0 };
  const result: Points[] = [];
  for (const series of ctx.store.select(selector.matchers, fromMs + 1, endMs)) {
    const { floats, histograms } = rangeSource(series.labels, series, fromMs, endMs);
    const at = windowBounds(floats, 1, times);
    const [low, high] = [at.low[0] as number, at.high[0] as number];
    const samples = Array.from({ length: high - low }, (_, i) => ({
      timeMs: floats.times[low + i] as number,
      value: floats.values[low + i] as number,
      histogram: undefined as undefined | NonNullable<typeof histograms>['values'][number],
    }));
    histograms?.values.forEach((histogram, i) =>
      samples.push({ timeMs: histograms.times[i] as number, value: NaN, histogram }),
    );
    if (samples.length === 0) continue;
    samples.sort((a, b) => a.timeMs - b.timeMs);
    result.push({
      labels: series.labels,
      times: Float64Array.from(samples, (s) => s.timeMs),
      values: Float64Array.from(samples, (s) => s.value),
      ...(histograms ? { histograms: samples.map((s) => s.histogram) } : {}),
    });
  }
  return result;
}
