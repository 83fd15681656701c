/** The bounds of buckets. */
import { customSchema } from './buckets.js';
import type { Histogram } from './histogram.js';

/** The upper bound of an exponential bucket on the positive side: 2^(index / 2^schema). */
export function exponentialBound(index: number, schema: number): number {
  if (schema < 0) {
    const exponent = index * 2 ** -schema;
    return exponent === 1024 ? Number.MAX_VALUE : 2 ** exponent;
  }
  const perPower = 2 ** schema;
  const whole = Math.floor(index / perPower);
  const part = index - whole * perPower;
  // The last finite bucket would end at infinity, where the bucket of infinite values begins.
  if (part === 0 && whole === 1024) return Number.MAX_VALUE;
  return 2 ** (part / perPower) * 2 ** whole;
}

/** The upper bound of bucket `index`; for custom buckets, index -1 gives the lower bound of the first. */
export function upperBoundOf(histogram: Histogram, index: number): number {
  if (histogram.schema !== customSchema) return exponentialBound(index, histogram.schema);
  const bounds = histogram.customBounds;
  if (index < 0) return -Infinity;
  return index >= bounds.length ? Infinity : (bounds[index] as number);
}

export function sameBounds(a: readonly number[], b: readonly number[]): boolean {
  return a === b || (a.length === b.length && a.every((bound, i) => bound === b[i]));
}

/** The bounds that are in both lists. */
export function commonBounds(a: readonly number[], b: readonly number[]): number[] {
  const other = new Set(b);
  return a.filter((bound) => other.has(bound));
}

export interface Bucket {
  lower: number;
  upper: number;
  count: number;
}

/** All buckets from the lowest to the highest; a bucket next to the zero bucket begins at its end. */
export function allBuckets(histogram: Histogram): Bucket[] {
  const { zeroThreshold, zeroCount, negative, positive } = histogram;
  const found: Bucket[] = [];
  for (let i = negative.indexes.length - 1; i >= 0; i--) {
    const index = negative.indexes[i] as number;
    let upper = -upperBoundOf(histogram, index - 1);
    if (upper < 0 && upper > -zeroThreshold) upper = -zeroThreshold;
    found.push({
      lower: -upperBoundOf(histogram, index),
      upper,
      count: negative.counts[i] as number,
    });
  }
  if (zeroCount > 0) found.push({ lower: -zeroThreshold, upper: zeroThreshold, count: zeroCount });
  for (let i = 0; i < positive.indexes.length; i++) {
    const index = positive.indexes[i] as number;
    let lower = upperBoundOf(histogram, index - 1);
    if (lower > 0 && lower < zeroThreshold) lower = zeroThreshold;
    found.push({
      lower,
      upper: upperBoundOf(histogram, index),
      count: positive.counts[i] as number,
    });
  }
  return found;
}

/** The share of a bucket below `value`: by its width, or by the logarithm of its width. */
export function fractionBelow(bucket: Bucket, value: number, linear: boolean): number {
  const { lower, upper } = bucket;
  if (linear) return (value - lower) / (upper - lower);
  const [low, high, at] = [lower, upper, value].map((v) => Math.log2(Math.abs(v))) as [
    number,
    number,
    number,
  ];
  return value > 0 ? (at - low) / (high - low) : 1 - (at - high) / (low - high);
}
