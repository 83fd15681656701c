/** Instant selectors: the last sample of every series before each step. */
import { type Series, upperBound } from '../store/series.js';
import type { VectorSelector } from '../syntax/ast.js';
import type { Context } from './context.js';
import { referenceTimes } from './reference-times.js';
import { smoothedSelector } from './smoothed.js';
import { withSeenResets } from './statistics.js';
import { emptySeries, type GridSeries, put } from './value.js';

export function evaluateSelector(selector: VectorSelector, ctx: Context): GridSeries[] {
  if (selector.extension === 'smoothed') return smoothedSelector(selector, ctx);
  const times = referenceTimes(ctx, selector);
  const lookbackMs = ctx.options.lookbackMs;
  const found = ctx.store.select(selector.matchers, times.firstMs - lookbackMs + 1, times.lastMs);
  ctx.refuseTooMany(found.length, selector);
  const result: GridSeries[] = [];
  for (const series of found) {
    const seen = ctx.statistics.has(selector) && series.histograms !== undefined;
    const read = seen
      ? { ...columnsOf(series), histograms: withSeenResets(series.histograms ?? []) }
      : series;
    const one = sampleSeries(read, ctx, times, lookbackMs);
    if (one) result.push(one);
  }
  return result;
}

function columnsOf({ labels, length, times, values, stale, starts, histograms }: Series): Series {
  return { labels, length, times, values, stale, starts, histograms };
}

function sampleSeries(
  series: Series,
  ctx: Context,
  times: { firstMs: number; stepMs: number },
  lookbackMs: number,
): GridSeries | undefined {
  const { values, stale, histograms } = series;
  let result: GridSeries | undefined;
  forEachLast(series, ctx.steps, times, lookbackMs, (step, i) => {
    if (stale !== undefined && stale[i] === 1) return;
    result ??= emptySeries(series.labels, ctx.steps);
    put(result, step, histograms?.[i] ?? (values[i] as number));
  });
  return result;
}

/** Calls `visit` for every step that has a sample within the look-back, in one pass over steps and samples. */
export function forEachLast(
  series: Series,
  steps: number,
  times: { firstMs: number; stepMs: number },
  lookbackMs: number,
  visit: (step: number, index: number) => void,
): void {
  const { length } = series;
  const at = series.times;
  let next = upperBound(at, 0, length, times.firstMs);
  for (let step = 0; step < steps; step++) {
    const referenceMs = times.firstMs + step * times.stepMs;
    while (next < length && (at[next] as number) <= referenceMs) next++;
    if (next > 0 && (at[next - 1] as number) > referenceMs - lookbackMs) visit(step, next - 1);
  }
}
