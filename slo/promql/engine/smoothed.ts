/** `smoothed` instant selectors: values interpolated between the samples around a step. */
import { IncompatibleBuckets } from '../histogram/add.js';
import type { Histogram } from '../histogram/histogram.js';
import { lowerBound } from '../store/series.js';
import type { VectorSelector } from '../syntax/ast.js';
import type { Context } from './context.js';
import { interpolate, interpolateHistograms } from './interpolate.js';
import { messages } from './messages.js';
import { referenceTimes } from './reference-times.js';
import { emptySeries, type GridSeries, hasSamples, put } from './value.js';
import { type HistogramColumns, rangeSource, windowBounds } from './window.js';

/** Looks as far ahead as back, by the look-back. */
export function smoothedSelector(selector: VectorSelector, ctx: Context): GridSeries[] {
  const at = referenceTimes(ctx, selector);
  const { lookbackMs } = ctx.options;
  const times = {
    firstMs: at.firstMs,
    stepMs: at.stepMs,
    beforeMs: lookbackMs,
    afterMs: lookbackMs,
  };
  const [fromMs, toMs] = [at.firstMs - lookbackMs, at.lastMs + lookbackMs];
  return ctx.store
    .select(selector.matchers, fromMs + 1, toMs)
    .map((series) => {
      const source = rangeSource(series.labels, series, fromMs, toMs);
      const out = emptySeries(series.labels, ctx.steps);
      const floats = windowBounds(source.floats, ctx.steps, times);
      const histograms = source.histograms && windowBounds(source.histograms, ctx.steps, times);
      for (let step = 0; step < ctx.steps; step++) {
        const timeMs = at.firstMs + step * at.stepMs;
        const [low, high] = [floats.low[step] as number, floats.high[step] as number];
        const [hLow, hHigh] = [histograms?.low[step] ?? 0, histograms?.high[step] ?? 0];
        if (high > low && hHigh > hLow) {
          ctx.annotations.warn(messages.mixed(series.labels.metricName), selector);
        } else if (high > low) {
          const { times: t, values } = source.floats;
          const next = lowerBound(t, low, high, timeMs);
          if (next < high && t[next] === timeMs) put(out, step, values[next] as number);
          else if (next > low) {
            const value =
              next < high ? interpolate(t, values, next - 1, timeMs) : (values[next - 1] as number);
            put(out, step, value);
          }
        } else if (hHigh > hLow) {
          const columns = source.histograms as HistogramColumns;
          const found = histogramAt(
            columns,
            hLow,
            hHigh,
            timeMs,
            selector,
            series.labels.metricName,
            ctx,
          );
          if (found) put(out, step, found);
        }
      }
      return out;
    })
    .filter(hasSamples);
}

function histogramAt(
  { times, values }: HistogramColumns,
  low: number,
  high: number,
  timeMs: number,
  selector: VectorSelector,
  name: string,
  ctx: Context,
): Histogram | undefined {
  const next = lowerBound(times, low, high, timeMs);
  const after = next < high ? (values[next] as Histogram) : undefined;
  if (after && times[next] === timeMs) return after.copy();
  if (next === low) return undefined;
  const before = values[next - 1] as Histogram;
  if (!after) {
    const copy = before.copy();
    copy.hint = 'unknown';
    return copy;
  }
  const isCounter = before.hint !== 'gauge' || after.hint !== 'gauge';
  try {
    if (before.usesCustomBuckets !== after.usesCustomBuckets) throw new IncompatibleBuckets();
    return interpolateHistograms(
      { timeMs: times[next - 1] as number, histogram: before },
      { timeMs: times[next] as number, histogram: after },
      timeMs,
      isCounter,
      (operation) => ctx.annotations.info(messages.reconciledBounds(operation), selector),
    );
  } catch (error) {
    if (!(error instanceof IncompatibleBuckets)) throw error;
    ctx.annotations.warn(messages.mixedBuckets(name), selector);
    return undefined;
  }
}
