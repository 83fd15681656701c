/** `</` and `>/`: keeps the observations below or above a value, and estimates their sum. */
import { type Bucket, fractionBelow, upperBoundOf } from './bounds.js';
import type { Buckets } from './buckets.js';
import type { Histogram } from './histogram.js';

interface Kept {
  count: number;
  /** The middle of the kept observations. */
  middle: number;
}

/** Changes the histogram itself. */
export function trimHistogram(histogram: Histogram, at: number, keepBelow: boolean): Histogram {
  let count = 0;
  let sum = 0;
  let trimmed = false;
  const populated = { positive: false, negative: false };
  for (const side of ['positive', 'negative'] as const) {
    const buckets: Buckets = histogram[side];
    for (let i = 0; i < buckets.indexes.length; i++) {
      const bucket = bucketAt(histogram, side, i);
      if (bucket.count === 0) continue;
      populated[side] = true;
      const kept = keep(histogram, bucket, at, keepBelow, side === 'positive');
      count += kept.count;
      sum += kept.middle * kept.count;
      if (kept.count === bucket.count) continue;
      buckets.counts[i] = kept.count;
      trimmed = true;
    }
  }
  if (histogram.zeroCount > 0) {
    const kept = keepOfZero(histogram, at, keepBelow, populated);
    if (kept.count !== histogram.zeroCount) trimmed = true;
    histogram.zeroCount = kept.count;
    count += kept.count;
    sum += kept.middle * kept.count;
  }
  if (!trimmed) return histogram;
  histogram.count = count;
  histogram.sum = sum;
  return histogram.compact();
}

function bucketAt(histogram: Histogram, side: 'positive' | 'negative', i: number): Bucket {
  const index = histogram[side].indexes[i] as number;
  const count = histogram[side].counts[i] as number;
  const [near, far] = [upperBoundOf(histogram, index - 1), upperBoundOf(histogram, index)];
  return side === 'positive'
    ? { lower: near, upper: far, count }
    : { lower: -far, upper: -near, count };
}

function keep(
  histogram: Histogram,
  bucket: Bucket,
  at: number,
  keepBelow: boolean,
  positive: boolean,
): Kept {
  const linear = histogram.usesCustomBuckets;
  const { lower, upper, count } = bucket;
  const whole = keepBelow ? upper <= at : lower >= at;
  if (whole) return { count, middle: middleOf(lower, upper, positive, linear) };
  const partly = keepBelow ? lower < at : upper > at;
  if (!partly) return { count: 0, middle: 0 };
  if (lower === -Infinity || upper === Infinity) return keepOfOpen(bucket, at, keepBelow);
  const below = count * fractionBelow(bucket, at, linear);
  return keepBelow
    ? { count: below, middle: middleOf(lower, at, positive, linear) }
    : { count: count - below, middle: middleOf(at, upper, positive, linear) };
}

/** The observations' place in a bucket without a bound is unknown, so it is kept as a whole or not at all. */
function keepOfOpen({ lower, upper, count }: Bucket, at: number, keepBelow: boolean): Kept {
  const finite = (v: number): number => (Math.abs(v) === Infinity ? 0 : v);
  if (lower === -Infinity) {
    const fromZero = upper > 0 && upper !== Infinity;
    if (keepBelow) {
      if (at >= upper) return { count, middle: 0 };
      if (at > 0 && fromZero) return { count: (count * at) / upper, middle: at / 2 };
      return upper <= 0 ? { count, middle: at } : { count: 0, middle: finite(upper) };
    }
    if (at <= lower) return { count, middle: 0 };
    if (at >= 0 && upper > at && upper !== Infinity) {
      return { count: count * (1 - at / upper), middle: (at + upper) / 2 };
    }
    return { count: 0, middle: finite(upper) };
  }
  if (!keepBelow && at >= lower) return { count, middle: at };
  return { count: 0, middle: finite(lower) };
}

function keepOfZero(
  histogram: Histogram,
  at: number,
  keepBelow: boolean,
  populated: { positive: boolean; negative: boolean },
): Kept {
  const { zeroThreshold, zeroCount: count } = histogram;
  const lower = populated.positive && !populated.negative ? 0 : -zeroThreshold;
  const upper = populated.negative && !populated.positive ? 0 : zeroThreshold;
  const whole = { count, middle: (lower + upper) / 2 };
  const nothing = { count: 0, middle: 0 };
  if (at <= lower) return keepBelow ? nothing : whole;
  if (at >= upper) return keepBelow ? whole : nothing;
  const below = (at - lower) / (upper - lower);
  return keepBelow
    ? { count: count * below, middle: (lower + at) / 2 }
    : { count: (count * (upper - at)) / (upper - lower), middle: (at + upper) / 2 };
}

function middleOf(lower: number, upper: number, positive: boolean, linear: boolean): number {
  const open = (v: number): boolean => Math.abs(v) === Infinity;
  if (open(lower)) {
    if (open(upper)) return 0;
    return upper > 0 ? upper / 2 : upper;
  }
  if (open(upper)) return lower;
  if (linear) return (lower + upper) / 2;
  const geometric = Math.sqrt(Math.abs(lower * upper));
  return positive ? geometric : -geometric;
}
