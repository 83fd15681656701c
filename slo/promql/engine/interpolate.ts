/** Interpolates between two samples, for the edges of `anchored` and `smoothed` ranges. */
import { addHistogram } from '../histogram/add.js';
import type { Histogram } from '../histogram/histogram.js';
import { isReset } from '../histogram/resets.js';
import { scaleHistogram } from '../histogram/scale.js';
import type { FloatColumns } from './window.js';

/** Interpolates linearly between the samples `i` and `i + 1`. */
export function interpolate(
  times: Float64Array,
  values: Float64Array,
  i: number,
  timeMs: number,
): number {
  const [t1, t2] = [times[i] as number, times[i + 1] as number];
  const [y1, y2] = [values[i] as number, values[i + 1] as number];
  return y1 + ((y2 - y1) * (timeMs - t1)) / (t2 - t1);
}

/** Throws IncompatibleBuckets; calls `onReconciled` if custom bounds had to be dropped. */
export function interpolateHistograms(
  before: { timeMs: number; histogram: Histogram },
  after: { timeMs: number; histogram: Histogram },
  timeMs: number,
  isCounter: boolean,
  onReconciled: (operation: 'subtraction' | 'addition') => void,
): Histogram {
  if (timeMs === before.timeMs) return before.histogram.copy();
  const result = after.histogram.copy();
  if (timeMs === after.timeMs) return result;
  const fraction = (timeMs - before.timeMs) / (after.timeMs - before.timeMs);
  if (isCounter && isReset(after.histogram, before.histogram))
    return scaleHistogram(result, fraction);
  if (addHistogram(result, before.histogram, -1).reconciledBounds) onReconciled('subtraction');
  scaleHistogram(result, fraction);
  if (addHistogram(result, before.histogram, 1).reconciledBounds) onReconciled('addition');
  return result;
}

/** The samples that determine the values at a range's edges, in a window that is wider than the range. */
export interface Edges {
  /** The last sample at or before the range's start, or the window's first sample. */
  readonly first: number;
  /** The first sample at or after the range's end (`smoothed`), or the window's last sample. */
  readonly last: number;
}

/** Undefined if no sample is after the range's start. */
export function edgesOf(
  times: Float64Array,
  low: number,
  high: number,
  startMs: number,
  endMs: number,
  smoothed: boolean,
): Edges | undefined {
  let last = high - 1;
  // The search ends at the window's last sample, which is an edge in any case.
  let after = low;
  while (after < last && (times[after] as number) <= startMs) after++;
  const first = Math.max(low, after - 1);
  if (smoothed) {
    let reach = low;
    while (reach < last && (times[reach] as number) < endMs) reach++;
    last = reach;
  }
  if ((times[last] as number) <= startMs) return undefined;
  return { first, last };
}

function leftValue(
  times: Float64Array,
  values: Float64Array,
  edges: Edges,
  startMs: number,
  smoothed: boolean,
): number {
  if (smoothed && (times[edges.first] as number) < startMs) {
    return interpolate(times, values, edges.first, startMs);
  }
  return values[edges.first] as number;
}

function rightValue(
  times: Float64Array,
  values: Float64Array,
  low: number,
  edges: Edges,
  endMs: number,
  smoothed: boolean,
): number {
  if (smoothed && edges.last > low && (times[edges.last] as number) > endMs) {
    return interpolate(times, values, edges.last - 1, endMs);
  }
  return values[edges.last] as number;
}

/** The values at the edges of a range of a gauge; undefined if no sample is within the range. */
export function edgeValues(
  { times, values }: FloatColumns,
  low: number,
  edges: Edges,
  startMs: number,
  endMs: number,
  smoothed: boolean,
): [number, number] | undefined {
  if ((times[edges.first] as number) > endMs) return undefined;
  return [
    leftValue(times, values, edges, startMs, smoothed),
    rightValue(times, values, low, edges, endMs, smoothed),
  ];
}
