/** Multiplies or divides a histogram by a number. */
import type { Buckets } from './buckets.js';
import type { Histogram } from './histogram.js';

/** Changes the histogram itself; a negative factor makes it a gauge. */
export function scaleHistogram(histogram: Histogram, factor: number): Histogram {
  apply(histogram, (v) => v * factor);
  if (factor < 0) histogram.hint = 'gauge';
  return histogram;
}

/** Changes the histogram itself; division by zero removes its buckets. */
export function divideHistogram(histogram: Histogram, divisor: number): Histogram {
  apply(histogram, (v) => v / divisor);
  if (divisor === 0) {
    histogram.positive = { indexes: [], counts: [] };
    histogram.negative = { indexes: [], counts: [] };
  }
  if (divisor < 0) histogram.hint = 'gauge';
  return histogram;
}

function apply(histogram: Histogram, change: (value: number) => number): void {
  histogram.zeroCount = change(histogram.zeroCount);
  histogram.count = change(histogram.count);
  histogram.sum = change(histogram.sum);
  changeAll(histogram.positive, change);
  changeAll(histogram.negative, change);
}

function changeAll(buckets: Buckets, change: (value: number) => number): void {
  for (let i = 0; i < buckets.counts.length; i++) {
    buckets.counts[i] = change(buckets.counts[i] as number);
  }
}
