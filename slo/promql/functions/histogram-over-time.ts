/** Sums and means of a window's histograms. */
import type { Histogram } from '../histogram/histogram.js';
import type { RangeCall } from '../engine/range-call.js';

export function sumHistograms(
  _call: RangeCall,
  _low: number,
  _high: number,
): Histogram | undefined {
  throw new Error('native histograms are not summed yet');
}

export const averageHistograms: typeof sumHistograms = sumHistograms;
