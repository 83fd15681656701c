/** Makes the zero buckets of two histograms equally wide, so that they can be added. */
import { upperBoundOf } from './bounds.js';
import { type Buckets, compactBuckets } from './buckets.js';
import type { Histogram } from './histogram.js';
import { CompensatedSum } from '../engine/math.js';

/**
 * The count of a zero bucket that extends to `threshold`. A threshold within a populated bucket is moved to that
 * bucket's end.
 */
export function widenedZero(
  histogram: Histogram,
  threshold: number,
): { count: number; lost: number; threshold: number } {
  let wanted = threshold;
  for (;;) {
    const sum = new CompensatedSum(histogram.zeroCount);
    wanted = absorb(histogram, histogram.positive, wanted, sum);
    const moved = absorb(histogram, histogram.negative, wanted, sum);
    // If the negative side moved the threshold, the positive side must be counted again.
    if (moved === wanted) return { count: sum.sum, lost: sum.lost, threshold: wanted };
    wanted = moved;
  }
}

function absorb(
  histogram: Histogram,
  side: Buckets,
  threshold: number,
  sum: CompensatedSum,
): number {
  for (let i = 0; i < side.indexes.length; i++) {
    const index = side.indexes[i] as number;
    if (upperBoundOf(histogram, index - 1) >= threshold) break;
    sum.add(side.counts[i] as number);
    if (side.lost) sum.add(side.lost[i] as number);
    const upper = upperBoundOf(histogram, index);
    if (upper > threshold) return side.counts[i] === 0 ? threshold : upper;
  }
  return threshold;
}

/**
 * Widens the zero bucket of `target` as far as both histograms need, and returns the count of the equally wide zero
 * bucket of `other`.
 */
export function reconcileZeroBuckets(
  target: Histogram,
  other: Histogram,
): { count: number; lost: number; targetLost: number } {
  let { zeroCount: count, zeroThreshold: threshold } = other;
  let lost = 0;
  let targetLost = 0;
  while (threshold !== target.zeroThreshold) {
    if (target.zeroThreshold > threshold) {
      const widened = widenedZero(other, target.zeroThreshold);
      ({ count, lost, threshold } = widened);
    }
    if (threshold > target.zeroThreshold) {
      const widened = widenedZero(target, threshold);
      target.zeroCount = widened.count;
      target.zeroThreshold = widened.threshold;
      targetLost = widened.lost;
      target.positive = outside(target, target.positive);
      target.negative = outside(target, target.negative);
    }
  }
  return { count, lost, targetLost };
}

function outside(histogram: Histogram, side: Buckets): Buckets {
  side.indexes.forEach((index, i) => {
    if (upperBoundOf(histogram, index - 1) >= histogram.zeroThreshold) return;
    side.counts[i] = 0;
    if (side.lost) side.lost[i] = 0;
  });
  return compactBuckets(side);
}
