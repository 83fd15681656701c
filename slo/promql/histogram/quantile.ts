/** Quantiles and fractions of a native histogram. */
import { allBuckets, type Bucket, fractionBelow } from './bounds.js';
import type { Histogram } from './histogram.js';

export interface QuantileResult {
  readonly value: number;
  /** The histogram contains NaN observations: the result is NaN (`nan`), or higher than without them (`skewed`). */
  readonly note?: 'nan' | 'skewed';
}

export function histogramQuantile(q: number, histogram: Histogram): QuantileResult {
  if (q < 0) return { value: -Infinity };
  if (q > 1) return { value: Infinity };
  if (histogram.count === 0 || Number.isNaN(q)) return { value: NaN };
  const hasNaN = Number.isNaN(histogram.sum);
  const forward = hasNaN || q < 0.5;
  const buckets = forward ? allBuckets(histogram) : allBuckets(histogram).toReversed();
  const wanted = (forward ? q : 1 - q) * histogram.count;
  const { bucket, count: reached, next } = bucketAtRank(buckets, wanted);
  const edge = openEdge(histogram, bucket);
  if (edge !== undefined) return { value: edge };
  const count = Math.min(reached, histogram.count);
  if (count < wanted) {
    return hasNaN ? { value: NaN, note: 'nan' } : { value: bucket.upper };
  }
  const rank = forward ? wanted - (count - bucket.count) : count - wanted;
  const value = interpolate(histogram, bucket, rank);
  if (!hasNaN) return { value };
  const all = buckets.slice(next).reduce((sum, rest) => sum + rest.count, count);
  return all < histogram.count ? { value, note: 'skewed' } : { value };
}

function bucketAtRank(
  buckets: readonly Bucket[],
  rank: number,
): { bucket: Bucket; count: number; next: number } {
  let bucket: Bucket = { lower: 0, upper: 0, count: 0 };
  let count = 0;
  for (let i = 0; i < buckets.length; i++) {
    bucket = { ...(buckets[i] as Bucket) };
    if (bucket.count === 0) continue;
    count += bucket.count;
    if (count >= rank) return { bucket, count, next: i + 1 };
  }
  return { bucket, count, next: buckets.length };
}

/**
 * A zero bucket extends only to the side that has observations. For a custom bucket with one bound, returns that
 * bound.
 */
function openEdge(histogram: Histogram, bucket: Bucket): number | undefined {
  if (histogram.usesCustomBuckets) {
    if (bucket.lower === -Infinity) {
      if (bucket.upper <= 0) return bucket.upper;
      bucket.lower = 0;
    } else if (bucket.upper === Infinity) {
      return bucket.lower;
    }
  } else if (bucket.lower < 0 && bucket.upper > 0) {
    clipZeroBucket(histogram, bucket);
  }
  return undefined;
}

function clipZeroBucket(histogram: Histogram, bucket: Bucket): void {
  const negatives = histogram.negative.indexes.length > 0;
  const positives = histogram.positive.indexes.length > 0;
  if (!negatives && positives) bucket.lower = 0;
  else if (negatives && !positives) bucket.upper = 0;
}

/** Interpolates linearly in custom buckets and around zero; otherwise exponentially. */
function interpolate(histogram: Histogram, bucket: Bucket, rank: number): number {
  const fraction = rank / bucket.count;
  const { lower, upper } = bucket;
  if (histogram.usesCustomBuckets || (lower <= 0 && upper >= 0)) {
    return lower + (upper - lower) * fraction;
  }
  const [low, high] = [Math.log2(Math.abs(lower)), Math.log2(Math.abs(upper))];
  if (lower > 0) return 2 ** (low + (high - low) * fraction);
  return -(2 ** (high + (low - high) * (1 - fraction)));
}

export interface FractionResult {
  readonly value: number;
  readonly hasNaN: boolean;
}

/** The share of observations between two values, 0 to 1. */
export function histogramFraction(
  lower: number,
  upper: number,
  histogram: Histogram,
): FractionResult {
  if (histogram.count === 0 || Number.isNaN(lower) || Number.isNaN(upper)) {
    return { value: NaN, hasNaN: false };
  }
  if (lower >= upper) return { value: 0, hasNaN: false };
  const buckets = allBuckets(histogram);
  let counted = 0;
  for (const bucket of buckets) counted += bucket.count;
  const sumIsNaN = Number.isNaN(histogram.sum);
  const count = sumIsNaN ? counted : histogram.count;
  const rank = (value: number): number =>
    Math.min(rankOf(value, buckets, histogram) ?? count, count);
  return {
    value: (rank(upper) - rank(lower)) / histogram.count,
    hasNaN: sumIsNaN && counted < histogram.count,
  };
}

/** The number of observations below `value`; undefined above all buckets. */
function rankOf(
  value: number,
  buckets: readonly Bucket[],
  histogram: Histogram,
): number | undefined {
  let rank = 0;
  for (const original of buckets) {
    const bucket = { ...original };
    // A custom bucket around zero is an ordinary bucket.
    const aroundZero = !histogram.usesCustomBuckets && bucket.lower <= 0 && bucket.upper >= 0;
    if (aroundZero) clipZeroBucket(histogram, bucket);
    // The first custom bucket has no lower bound; its observations are taken to be above zero.
    const isOpen = histogram.usesCustomBuckets && bucket.lower === -Infinity;
    if (isOpen && bucket.upper > 0) bucket.lower = 0;
    if (bucket.lower >= value) return rank;
    if (bucket.upper > value) {
      const linear = histogram.usesCustomBuckets || aroundZero;
      if (linear && bucket.lower === -Infinity) return bucket.count;
      return rank + bucket.count * fractionBelow(bucket, value, linear);
    }
    rank += bucket.count;
  }
  return undefined;
}
