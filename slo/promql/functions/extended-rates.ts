/** Rates over `anchored` and `smoothed` ranges: differences of the values at the range's edges, not extrapolated. */
import { edgesOf, edgeValues, interpolateHistograms } from '../engine/interpolate.js';
import { messages } from '../engine/messages.js';
import { type RangeCall, warnMixed, windowEnd } from '../engine/range-call.js';
import { put } from '../engine/value.js';
import type { HistogramColumns } from '../engine/window.js';
import { IncompatibleBuckets } from '../histogram/add.js';
import type { Histogram } from '../histogram/histogram.js';
import { isReset } from '../histogram/resets.js';
import { divideHistogram } from '../histogram/scale.js';
import { counterIncrease } from './counter-edges.js';
import {
  addWithNotes,
  warnMixedBuckets,
  warnNotCounter,
  warnNotGauge,
} from './histogram-arithmetic.js';
import type { RateKind } from './extrapolation.js';

export function extendedRate(call: RangeCall, kind: RateKind): void {
  for (let step = 0; step < call.ctx.steps; step++) {
    const floats = (call.floatBounds.high[step] as number) - (call.floatBounds.low[step] as number);
    const histograms =
      (call.histogramBounds?.high[step] ?? 0) - (call.histogramBounds?.low[step] ?? 0);
    if (floats > 0 && histograms > 0) {
      warnMixed(call);
    } else if (floats > 0) {
      const result = ofFloats(call, kind, step);
      if (result !== undefined) put(call.out, step, result);
    } else if (histograms > 0) {
      const result = ofHistograms(call, kind, step);
      if (result) put(call.out, step, result);
    }
  }
}

function ofFloats(call: RangeCall, kind: RateKind, step: number): number | undefined {
  const { times, values, starts } = call.source.floats;
  const useStarts = call.ctx.options.startTimestamps;
  const [low, high] = [call.floatBounds.low[step] as number, call.floatBounds.high[step] as number];
  const endMs = windowEnd(call, step);
  const startMs = endMs - call.rangeMs;
  const smoothed = call.extension === 'smoothed';
  const edges = edgesOf(times, low, high, startMs, endMs, smoothed);
  if (!edges) return undefined;
  const increase = kind.isCounter
    ? counterIncrease({
        edges,
        low,
        startMs,
        endMs,
        lookbackStartMs: startMs - call.ctx.options.lookbackMs,
        smoothed,
        point: (i) => ({
          timeMs: times[i] as number,
          startMs: (useStarts && starts?.[i]) || 0,
          value: values[i] as number,
        }),
      })
    : difference(edgeValues(call.source.floats, low, edges, startMs, endMs, smoothed));
  if (increase === undefined) return undefined;
  return kind.perSecond ? increase / (call.rangeMs / 1000) : increase;
}

const difference = (edges: [number, number] | undefined): number | undefined =>
  edges && edges[1] - edges[0];

function ofHistograms(call: RangeCall, kind: RateKind, step: number): Histogram | undefined {
  const columns = call.source.histograms as HistogramColumns;
  const { times, values } = columns;
  const low = call.histogramBounds?.low[step] as number;
  const high = call.histogramBounds?.high[step] as number;
  const endMs = windowEnd(call, step);
  const startMs = endMs - call.rangeMs;
  const smoothed = call.extension === 'smoothed';
  const edges = edgesOf(times, low, high, startMs, endMs, smoothed);
  if (!edges || (times[edges.first] as number) > endMs) return undefined;
  const used = values.slice(edges.first, edges.last + 1);
  if (!fit(call, kind, used)) return undefined;
  const between = (i: number, timeMs: number): Histogram | undefined =>
    interpolated(call, kind, columns, i, timeMs);
  const left =
    smoothed && (times[edges.first] as number) < startMs
      ? between(edges.first, startMs)
      : (values[edges.first] as Histogram).copy();
  const right =
    smoothed && edges.last > low && (times[edges.last] as number) > endMs
      ? between(edges.last - 1, endMs)
      : (values[edges.last] as Histogram).copy();
  if (!left || !right) return undefined;
  if (!kind.isCounter && (left.hint !== 'gauge' || right.hint !== 'gauge')) warnNotGauge(call);
  const result = right.copy();
  if (!addWithNotes(call, result, left, -1)) return undefined;
  if (kind.isCounter) {
    const corrections = beforeResets(columns, edges, left, right, startMs, smoothed);
    for (const correction of corrections) {
      if (!addWithNotes(call, result, correction, 1)) return undefined;
    }
  }
  if (kind.perSecond) divideHistogram(result, call.rangeMs / 1000);
  result.hint = 'gauge';
  return result.compact();
}

function fit(call: RangeCall, kind: RateKind, used: readonly Histogram[]): boolean {
  const custom = used[0]?.usesCustomBuckets;
  if (used.some((h) => h.usesCustomBuckets !== custom)) {
    warnMixedBuckets(call);
    return false;
  }
  if (kind.isCounter && used.some((h) => h.hint === 'gauge')) warnNotCounter(call);
  return true;
}

function interpolated(
  call: RangeCall,
  kind: RateKind,
  { times, values }: HistogramColumns,
  i: number,
  timeMs: number,
): Histogram | undefined {
  const at = (j: number): { timeMs: number; histogram: Histogram } => ({
    timeMs: times[j] as number,
    histogram: values[j] as Histogram,
  });
  try {
    return interpolateHistograms(at(i), at(i + 1), timeMs, kind.isCounter, (operation) =>
      call.ctx.annotations.info(messages.reconciledBounds(operation), call.range),
    );
  } catch (error) {
    if (!(error instanceof IncompatibleBuckets)) throw error;
    warnMixedBuckets(call);
    return undefined;
  }
}

/** The histograms before each reset between the edges. */
function beforeResets(
  { times, values }: HistogramColumns,
  edges: { first: number; last: number },
  left: Histogram,
  right: Histogram,
  startMs: number,
  smoothed: boolean,
): Histogram[] {
  let first = edges.first + 1;
  let previous = left;
  const second = values[first];
  const spansReset =
    smoothed &&
    second !== undefined &&
    (times[edges.first] as number) < startMs &&
    isReset(second, values[edges.first] as Histogram);
  if (spansReset) {
    // The value at the left edge already includes this reset.
    previous = second;
    first++;
  }
  // The right edge is the last sample, or has its reset hint.
  const last = edges.last - 1;
  if (first > last + 1) return [];
  const found: Histogram[] = [];
  for (let i = first; i <= last; i++) {
    const current = values[i] as Histogram;
    if (isReset(current, previous)) found.push(previous);
    previous = current;
  }
  if (isReset(right, previous)) found.push(previous);
  return found;
}
