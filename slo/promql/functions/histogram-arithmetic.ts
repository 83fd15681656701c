/** Adds histograms for functions, and annotates problems. */
import { messages } from '../engine/messages.js';
import { metricNameOf, type RangeCall } from '../engine/range-call.js';
import { addHistogram, IncompatibleBuckets } from '../histogram/add.js';
import type { Histogram } from '../histogram/histogram.js';

/** Changes `target` to `target + sign * other`; false if that is impossible. Reset hints are handled elsewhere. */
export function addWithNotes(
  call: RangeCall,
  target: Histogram,
  other: Histogram,
  sign: 1 | -1,
): boolean {
  try {
    const { reconciledBounds } = addHistogram(target, other, sign);
    if (reconciledBounds) {
      const operation = sign === 1 ? 'addition' : 'subtraction';
      call.ctx.annotations.info(messages.reconciledBounds(operation), call.range);
    }
    return true;
  } catch (error) {
    if (!(error instanceof IncompatibleBuckets)) throw error;
    warnMixedBuckets(call);
    return false;
  }
}

export function warnMixedBuckets(call: RangeCall): void {
  call.ctx.annotations.warn(messages.mixedBuckets(metricNameOf(call)), call.range);
}

export function warnNotCounter(call: RangeCall): void {
  call.ctx.annotations.warn(messages.notCounter(metricNameOf(call)), call.range);
}

export function warnNotGauge(call: RangeCall): void {
  call.ctx.annotations.warn(messages.notGauge(metricNameOf(call)), call.range);
}
