/** The samples of one series as columns of numbers. */
import { sameBounds } from '../histogram/bounds.js';
import { equalHistograms, type Histogram } from '../histogram/histogram.js';
import { isReset } from '../histogram/resets.js';
import type { Labels } from '../labels.js';

/** The samples that the engine reads: in the order of time, at most one for each millisecond. */
export interface Samples {
  readonly length: number;
  /** Milliseconds since the epoch; only the first `length` entries count. */
  readonly times: Float64Array;
  /** The value of a float sample; NaN for a histogram. */
  readonly values: Float64Array;
  /** Sparse; absent if the series never had a histogram. */
  readonly histograms: readonly (Histogram | undefined)[] | undefined;
  /** 1 if the sample is a staleness marker; absent if the series never had one. */
  readonly stale: Uint8Array | undefined;
  /** When the counter behind a sample started, 0 if unknown; absent if it was never known. */
  readonly starts: Float64Array | undefined;
}

export interface Series extends Samples {
  readonly labels: Labels;
}

export type Appended = 'appended' | 'inserted' | 'duplicate';

/** Appending at the end is cheap; a late sample is inserted at its place. */
export class StoredSeries implements Series {
  readonly labels: Labels;
  length = 0;
  times: Float64Array;
  values: Float64Array;
  histograms: (Histogram | undefined)[] | undefined;
  stale: Uint8Array | undefined;
  starts: Float64Array | undefined;

  constructor(labels: Labels, capacity = 16) {
    this.labels = labels;
    this.times = new Float64Array(capacity);
    this.values = new Float64Array(capacity);
  }

  append(timeMs: number, value: number, startMs = 0): Appended {
    const i = this.#place(timeMs);
    if (i < 0) return 'duplicate';
    this.values[i] = value;
    return this.#finish(i, startMs);
  }

  appendHistogram(timeMs: number, histogram: Histogram, startMs = 0): Appended {
    const i = this.#place(timeMs);
    if (i < 0) return 'duplicate';
    this.values[i] = NaN;
    this.histograms ??= [];
    this.histograms[i] = withHint(
      histogram,
      i === this.length - 1 ? this.histograms[i - 1] : undefined,
    );
    return this.#finish(i, startMs);
  }

  /** Marks the end of the series, where look-backs stop. */
  appendStale(timeMs: number): Appended {
    const i = this.#place(timeMs);
    if (i < 0) return 'duplicate';
    this.values[i] = NaN;
    this.stale ??= new Uint8Array(this.times.length);
    this.stale[i] = 1;
    return this.#finish(i, 0);
  }

  get lastMs(): number {
    return this.length === 0 ? -Infinity : (this.times[this.length - 1] as number);
  }

  /** Whether the sample of this time is this one. */
  holds(timeMs: number, sample: number | Histogram | 'stale'): boolean {
    const i = lowerBound(this.times, 0, this.length, timeMs);
    if (i === this.length || this.times[i] !== timeMs) return false;
    const histogram = this.histograms?.[i];
    const stale = this.stale?.[i] === 1;
    if (typeof sample === 'object') return !!histogram && equalHistograms(histogram, sample);
    if (sample === 'stale' || stale || histogram) return sample === 'stale' && stale;
    return Object.is(this.values[i], sample);
  }

  /** Drops samples older than `timeMs`. */
  dropBefore(timeMs: number): void {
    const from = lowerBound(this.times, 0, this.length, timeMs);
    if (from === 0) return;
    this.times.copyWithin(0, from, this.length);
    this.values.copyWithin(0, from, this.length);
    this.stale?.copyWithin(0, from, this.length);
    this.starts?.copyWithin(0, from, this.length);
    this.histograms?.splice(0, from);
    this.length -= from;
    this.stale?.fill(0, this.length);
  }

  #finish(i: number, startMs: number): Appended {
    if (startMs !== 0) {
      this.starts ??= new Float64Array(this.times.length);
      this.starts[i] = startMs;
    }
    return i === this.length - 1 ? 'appended' : 'inserted';
  }

  /** Makes room for a sample at `timeMs` and returns its index, or -1 if there is one already. */
  #place(timeMs: number): number {
    if (this.length === this.times.length) this.#grow();
    const n = this.length;
    if (n === 0 || timeMs > (this.times[n - 1] as number)) {
      this.times[n] = timeMs;
      this.length = n + 1;
      return n;
    }
    const i = lowerBound(this.times, 0, n, timeMs);
    if (this.times[i] === timeMs) return -1;
    this.times.copyWithin(i + 1, i, n);
    this.values.copyWithin(i + 1, i, n);
    this.stale?.copyWithin(i + 1, i, n);
    this.starts?.copyWithin(i + 1, i, n);
    this.histograms?.splice(i, 0, undefined);
    if (this.stale) this.stale[i] = 0;
    if (this.starts) this.starts[i] = 0;
    this.times[i] = timeMs;
    this.length = n + 1;
    return i;
  }

  #grow(): void {
    const capacity = this.times.length * 2;
    const grown = <T extends Float64Array | Uint8Array>(old: T, fresh: T): T => {
      fresh.set(old);
      return fresh;
    };
    this.times = grown(this.times, new Float64Array(capacity));
    this.values = grown(this.values, new Float64Array(capacity));
    if (this.stale) this.stale = grown(this.stale, new Uint8Array(capacity));
    if (this.starts) this.starts = grown(this.starts, new Float64Array(capacity));
  }
}

/**
 * The reset hint that Prometheus's storage gives on reading: `not_reset` if it compared the histogram with the one
 * before and found no reset. Gauges have no resets, and an explicit `reset` is kept.
 */
function withHint(histogram: Histogram, previous: Histogram | undefined): Histogram {
  if (histogram.hint === 'gauge' || histogram.hint === 'reset') return histogram;
  const seenNone = previous && sameLayout(histogram, previous) && !fell(histogram, previous);
  const hint = seenNone ? 'not_reset' : 'unknown';
  if (histogram.hint === hint) return histogram;
  const copy = histogram.copy();
  copy.hint = hint;
  return copy;
}

function fell(histogram: Histogram, previous: Histogram): boolean {
  const plain = histogram.copy();
  plain.hint = 'unknown';
  return isReset(plain, previous);
}

function sameLayout(a: Histogram, b: Histogram): boolean {
  return (
    b.hint !== 'gauge' &&
    a.schema === b.schema &&
    a.zeroThreshold === b.zeroThreshold &&
    sameBounds(a.customBounds, b.customBounds)
  );
}

/** The first index from `from` to `to` whose time is at or after `timeMs`. */
export function lowerBound(times: Float64Array, from: number, to: number, timeMs: number): number {
  let low = from;
  let high = to;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((times[middle] as number) < timeMs) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The first index from `from` to `to` whose time is after `timeMs`. */
export function upperBound(times: Float64Array, from: number, to: number, timeMs: number): number {
  let low = from;
  let high = to;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((times[middle] as number) <= timeMs) low = middle + 1;
    else high = middle;
  }
  return low;
}
