/** Rates of native histograms. */
import type { Histogram } from '../histogram/histogram.js';
import type { RangeCall } from '../engine/range-call.js';
import type { RateKind } from './rates.js';

export function histogramRate(
  call: RangeCall,
  _kind: RateKind,
  _step: number,
  _low: number,
  _high: number,
): Histogram | undefined {
  return call.ctx.fail('rates of native histograms are not evaluated yet', call.range);
}
