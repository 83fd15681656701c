/** Sums and means of a window's histograms. */
import { totalOf } from '../engine/histogram-total.js';
import { metricNameOf, type RangeCall } from '../engine/range-call.js';
import type { Histogram } from '../histogram/histogram.js';

const totalOfWindow =
  (isMean: boolean) =>
  (call: RangeCall, low: number, high: number): Histogram | undefined => {
    const metricName = metricNameOf(call);
    const histograms = (call.source.histograms?.values ?? [])
      .slice(low, high)
      .map((histogram) => ({ histogram, metricName }));
    return totalOf(histograms, isMean, call.ctx.annotations, call.range);
  };

export const sumHistograms = totalOfWindow(false);
export const averageHistograms = totalOfWindow(true);
