/** A native histogram: counts in exponential buckets, or in buckets with custom bounds. */
import { type Buckets, compactBuckets, copyBuckets, customSchema, noBuckets } from './buckets.js';
import { histogramText } from './text.js';

/** Whether a reset happened between this sample and the one before it; gauges have no resets. */
export type ResetHint = 'unknown' | 'reset' | 'not_reset' | 'gauge';

export class Histogram {
  /** -4 to 8: each power of two is divided into 2^schema buckets; -53: the bounds are in `customBounds`. */
  schema = 0;
  zeroThreshold = 0;
  zeroCount = 0;
  count = 0;
  sum = 0;
  positive: Buckets = noBuckets();
  negative: Buckets = noBuckets();
  /** Ascending upper bounds; shared between histograms and never changed. */
  customBounds: readonly number[] = [];
  hint: ResetHint = 'unknown';

  constructor(fields: Partial<HistogramFields> = {}) {
    Object.assign(this, fields);
  }

  get usesCustomBuckets(): boolean {
    return this.schema === customSchema;
  }

  copy(): Histogram {
    return new Histogram({
      ...this,
      positive: copyBuckets(this.positive),
      negative: copyBuckets(this.negative),
    });
  }

  /** Drops empty buckets; returns the histogram itself. */
  compact(): this {
    this.positive = compactBuckets(this.positive);
    this.negative = compactBuckets(this.negative);
    return this;
  }

  toString(): string {
    return histogramText(this);
  }
}

export type HistogramFields = Pick<
  Histogram,
  | 'schema'
  | 'zeroThreshold'
  | 'zeroCount'
  | 'count'
  | 'sum'
  | 'positive'
  | 'negative'
  | 'customBounds'
  | 'hint'
>;

/** Whether two histograms are equal bit for bit; reset hints are ignored. */
export function equalHistograms(a: Histogram, b: Histogram): boolean {
  return (
    a.schema === b.schema &&
    Object.is(a.count, b.count) &&
    Object.is(a.sum, b.sum) &&
    a.zeroThreshold === b.zeroThreshold &&
    Object.is(a.zeroCount, b.zeroCount) &&
    equalNumbers(a.customBounds, b.customBounds) &&
    equalBuckets(a.negative, b.negative) &&
    equalBuckets(a.positive, b.positive)
  );
}

function equalBuckets(a: Buckets, b: Buckets): boolean {
  return equalNumbers(a.indexes, b.indexes) && equalNumbers(a.counts, b.counts);
}

function equalNumbers(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((value, i) => Object.is(value, b[i]));
}
