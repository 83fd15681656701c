/** Detects a counter reset between two histograms. */
import { commonBounds, exponentialBound, sameBounds } from './bounds.js';
import { type Buckets, rebound, reduceBuckets } from './buckets.js';
import type { Histogram } from './histogram.js';
import { widenedZero } from './zero-bucket.js';

/** Whether a count decreased or a bucket disappeared. A finer schema or a smaller zero bucket also means a reset. */
export function isReset(current: Histogram, previous: Histogram): boolean {
  if (current.hint === 'reset') return true;
  if (current.hint === 'not_reset') return false;
  if (current.count < previous.count) return true;
  if (current.usesCustomBuckets) {
    if (!previous.usesCustomBuckets) return true;
    if (!sameBounds(current.customBounds, previous.customBounds)) {
      return fellBetweenCommonBounds(current, previous);
    }
    return anyFell(current.positive, previous.positive);
  }
  if (previous.usesCustomBuckets || current.schema > previous.schema) return true;
  if (current.zeroThreshold < previous.zeroThreshold) return true;
  const zero = widenedZero(previous, current.zeroThreshold);
  if (zero.threshold !== current.zeroThreshold || current.zeroCount < zero.count) return true;
  return (['positive', 'negative'] as const).some((side) => {
    const before = reduceBuckets(previous[side], previous.schema, current.schema);
    return anyFell(beyondZero(current[side], current), beyondZero(before, current));
  });
}

function beyondZero(buckets: Buckets, current: Histogram): Buckets {
  const from = buckets.indexes.findIndex(
    (index) => exponentialBound(index, current.schema) > current.zeroThreshold,
  );
  if (from === 0 || buckets.indexes.length === 0) return buckets;
  if (from < 0) return { indexes: [], counts: [] };
  return { indexes: buckets.indexes.slice(from), counts: buckets.counts.slice(from) };
}

function anyFell(current: Buckets, previous: Buckets): boolean {
  let at = 0;
  return previous.indexes.some((index, i) => {
    while (at < current.indexes.length && (current.indexes[at] as number) < index) at++;
    const before = previous.counts[i] as number;
    if (current.indexes[at] !== index) return before !== 0;
    return (current.counts[at] as number) < before;
  });
}

function fellBetweenCommonBounds(current: Histogram, previous: Histogram): boolean {
  const bounds = commonBounds(current.customBounds, previous.customBounds);
  return anyFell(
    rebound(current.positive, current.customBounds, bounds, false),
    rebound(previous.positive, previous.customBounds, bounds, false),
  );
}
