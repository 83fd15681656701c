/** Sums and differences of histograms. */
import { addBuckets, rebound, compactBuckets, reduceBuckets, noBuckets } from './buckets.js';
import { commonBounds, exponentialBound, sameBounds } from './bounds.js';
import type { Histogram } from './histogram.js';
import { reconcileZeroBuckets } from './zero-bucket.js';

/** One histogram has exponential buckets and the other custom ones, so they have no sum. */
export class IncompatibleBuckets extends Error {
  constructor() {
    super('histograms with exponential and with custom buckets cannot be combined');
    this.name = 'IncompatibleBuckets';
  }
}

export interface AddNotes {
  /** One histogram has the hint that there was a reset, the other that there was none. */
  readonly resetCollision: boolean;
  /** Custom bounds differed, so only the common ones were kept. */
  readonly reconciledBounds: boolean;
}

/** Changes `target` to `target + sign * other`. Throws IncompatibleBuckets. */
export function addHistogram(target: Histogram, other: Histogram, sign: 1 | -1 = 1): AddNotes {
  if (target.usesCustomBuckets !== other.usesCustomBuckets) throw new IncompatibleBuckets();
  const resetCollision = adjustHint(target, other);
  if (target.usesCustomBuckets) {
    addTotals(target, other, sign);
    return { resetCollision, reconciledBounds: addCustomBuckets(target, other, sign) };
  }
  const zero = reconcileZeroBuckets(target, other);
  target.zeroCount += sign * zero.count;
  addTotals(target, other, sign);
  addExponentialBuckets(target, other, sign);
  return { resetCollision, reconciledBounds: false };
}

function addTotals(target: Histogram, other: Histogram, sign: 1 | -1): void {
  target.count += sign * other.count;
  target.sum += sign * other.sum;
}

/** The result has the coarser schema; observations within the zero bucket have been counted there. */
export function addExponentialBuckets(target: Histogram, other: Histogram, sign: 1 | -1): void {
  const schema = Math.min(target.schema, other.schema);
  const inZeroBucket = (index: number): boolean =>
    exponentialBound(index, schema) <= target.zeroThreshold;
  if (schema < target.schema) {
    target.positive = reduceBuckets(target.positive, target.schema, schema);
    target.negative = reduceBuckets(target.negative, target.schema, schema);
    target.schema = schema;
  }
  const positive = reduced(other, 'positive', schema);
  const negative = reduced(other, 'negative', schema);
  addBuckets(target.positive, positive, sign, inZeroBucket);
  addBuckets(target.negative, negative, sign, inZeroBucket);
}

function reduced(
  histogram: Histogram,
  side: 'positive' | 'negative',
  schema: number,
): Histogram['positive'] {
  const buckets = histogram[side];
  return histogram.schema === schema ? buckets : reduceBuckets(buckets, histogram.schema, schema);
}

/** Adds custom buckets; true if bounds had to be dropped. */
export function addCustomBuckets(target: Histogram, other: Histogram, sign: 1 | -1): boolean {
  const none = (): boolean => false;
  if (sameBounds(target.customBounds, other.customBounds)) {
    addBuckets(target.positive, other.positive, sign, none);
    return false;
  }
  const bounds = commonBounds(target.customBounds, other.customBounds);
  const keepDigits = target.positive.lost !== undefined;
  const own = rebound(target.positive, target.customBounds, bounds, keepDigits);
  addBuckets(own, rebound(other.positive, other.customBounds, bounds, false), sign, none);
  target.positive = compactBuckets(own);
  target.customBounds = bounds;
  return true;
}

/**
 * Merges reset hints: a gauge makes the sum a gauge, an unknown hint makes it unknown. True if the hints contradict.
 */
export function adjustHint(target: Histogram, other: Histogram): boolean {
  const [own, its] = [target.hint, other.hint];
  if (own === its || own === 'gauge') return false;
  if (its === 'gauge') {
    target.hint = 'gauge';
    return false;
  }
  target.hint = 'unknown';
  return own !== 'unknown' && its !== 'unknown';
}

/** A copy of the histogram in the given or a coarser schema. */
export function copyToSchema(histogram: Histogram, schema: number): Histogram {
  const copy = histogram.copy();
  if (schema === histogram.schema) return copy;
  copy.positive = reduceBuckets(histogram.positive, histogram.schema, schema);
  copy.negative = reduceBuckets(histogram.negative, histogram.schema, schema);
  copy.schema = schema;
  copy.hint = 'unknown';
  return copy;
}

/** An empty histogram with the layout of another. */
export function emptyLike(histogram: Histogram): Histogram {
  const empty = histogram.copy();
  return Object.assign(empty, {
    zeroThreshold: 0,
    zeroCount: 0,
    count: 0,
    sum: 0,
    positive: noBuckets(),
    negative: noBuckets(),
    hint: 'unknown',
  });
}
