/** Range selectors: the samples in each step's window, found with two pointers. */
import type { Histogram } from '../histogram/histogram.js';
import type { Labels } from '../labels.js';
import { type Samples, upperBound } from '../store/series.js';

/** The floats and histograms of one series, separated and without staleness markers. */
export interface RangeSource {
  readonly labels: Labels;
  readonly dropName: boolean;
  readonly floats: FloatColumns;
  readonly histograms: HistogramColumns | undefined;
}

export interface FloatColumns {
  readonly length: number;
  readonly times: Float64Array;
  readonly values: Float64Array;
  readonly starts: Float64Array | undefined;
}

export interface HistogramColumns {
  readonly length: number;
  readonly times: Float64Array;
  readonly values: readonly Histogram[];
  readonly starts: Float64Array | undefined;
}

const noFloats: FloatColumns = {
  length: 0,
  times: new Float64Array(0),
  values: new Float64Array(0),
  starts: undefined,
};

/** The samples after `fromMs` and up to `toMs`; series without markers or histograms are not copied. */
export function rangeSource(
  labels: Labels,
  samples: Samples,
  fromMs: number,
  toMs: number,
  dropName = false,
): RangeSource {
  const { times, values, starts, length } = samples;
  if (!samples.histograms && !samples.stale) {
    return { labels, dropName, floats: { length, times, values, starts }, histograms: undefined };
  }
  const from = upperBound(times, 0, length, fromMs);
  const to = upperBound(times, from, length, toMs);
  return { labels, dropName, ...split(samples, from, to) };
}

function split(
  samples: Samples,
  from: number,
  to: number,
): { floats: FloatColumns; histograms: HistogramColumns | undefined } {
  const { times, values, histograms, stale, starts } = samples;
  const floatTimes = new Float64Array(to - from);
  const floatValues = new Float64Array(to - from);
  const floatStarts = starts ? new Float64Array(to - from) : undefined;
  const found: { timeMs: number; histogram: Histogram; startMs: number }[] = [];
  let length = 0;
  for (let i = from; i < to; i++) {
    if (stale?.[i] === 1) continue;
    const histogram = histograms?.[i];
    if (histogram) {
      found.push({ timeMs: times[i] as number, histogram, startMs: starts?.[i] ?? 0 });
      continue;
    }
    floatTimes[length] = times[i] as number;
    floatValues[length] = values[i] as number;
    if (floatStarts) floatStarts[length] = starts?.[i] as number;
    length++;
  }
  return {
    floats:
      length === 0
        ? noFloats
        : { length, times: floatTimes, values: floatValues, starts: floatStarts },
    histograms:
      found.length === 0
        ? undefined
        : {
            length: found.length,
            times: Float64Array.from(found, (f) => f.timeMs),
            values: found.map((f) => f.histogram),
            starts: starts ? Float64Array.from(found, (f) => f.startMs) : undefined,
          },
  };
}

/** For every step, the index of the window's first sample and the index after its last. */
export interface Bounds {
  readonly low: Int32Array;
  readonly high: Int32Array;
}

export interface WindowTimes {
  /** The end of the first step's window. */
  readonly firstMs: number;
  /** Milliseconds from one step's end to the next; 0 if `@` fixes the window. */
  readonly stepMs: number;
  /** Milliseconds from a window's start to its end; the first millisecond is excluded. */
  readonly beforeMs: number;
  /** How far the window reaches beyond its end, for `smoothed`. */
  readonly afterMs: number;
}

/** Windows are open on the left: a sample exactly at the start is not included. */
export function windowBounds(
  columns: { readonly length: number; readonly times: Float64Array },
  steps: number,
  at: WindowTimes,
): Bounds {
  const { times, length } = columns;
  const low = new Int32Array(steps);
  const high = new Int32Array(steps);
  let from = upperBound(times, 0, length, at.firstMs - at.beforeMs);
  let to = upperBound(times, from, length, at.firstMs + at.afterMs);
  for (let step = 0; step < steps; step++) {
    const endMs = at.firstMs + step * at.stepMs;
    const [first, last] = [endMs - at.beforeMs, endMs + at.afterMs];
    while (from < length && (times[from] as number) <= first) from++;
    if (to < from) to = from;
    while (to < length && (times[to] as number) <= last) to++;
    low[step] = from;
    high[step] = to;
  }
  return { low, high };
}
