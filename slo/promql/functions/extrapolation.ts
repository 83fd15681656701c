/** The extrapolation of an increase to the edges of its window, as Prometheus does it. */
import { type RangeCall, windowEnd } from '../engine/range-call.js';

export interface RateKind {
  readonly isCounter: boolean;
  readonly perSecond: boolean;
}

/** Properties of a window's samples, floats or histograms. */
export interface Extent {
  readonly firstMs: number;
  readonly lastMs: number;
  readonly samples: number;
  /** Start time of the first sample's counter; 0 if it is unknown. */
  readonly startMs: number;
  /** Seconds before the window's first sample at which the counter was zero, if it rose evenly. */
  readonly secondsToZero: number;
}

/**
 * The factor that extrapolates the increase between the samples to the window. If the first sample is about as close
 * to the window's start as samples are to each other, the series is taken to cover the start; otherwise it is taken to
 * begin half an interval before its first sample, and not before a counter was zero. The end is treated alike.
 * Undefined if a single sample gives no increase.
 */
export function extrapolation(
  call: RangeCall,
  kind: RateKind,
  step: number,
  extent: Extent,
): number | undefined {
  const endMs = windowEnd(call, step);
  const startMs = endMs - call.rangeMs;
  let toStart = (extent.firstMs - startMs) / 1000;
  let toEnd = (endMs - extent.lastMs) / 1000;
  let sampled = (extent.lastMs - extent.firstMs) / 1000;
  const between = extent.samples > 1 ? sampled / (extent.samples - 1) : 0;
  const threshold = between * 1.1;
  if (beginsInside(call, kind, extent, startMs)) {
    toStart = 0;
    sampled = (extent.lastMs - extent.startMs) / 1000;
  } else if (extent.samples === 1) {
    return undefined;
  } else {
    if (toStart >= threshold) toStart = between / 2;
    if (kind.isCounter && extent.secondsToZero < toStart) toStart = extent.secondsToZero;
  }
  if (toEnd >= threshold) toEnd = between / 2;
  const factor = sampled === 0 ? 1 : (sampled + toStart + toEnd) / sampled;
  return kind.perSecond ? factor / (call.rangeMs / 1000) : factor;
}

/** Whether the counter started within the window, so that its first value is part of the increase. */
export function beginsInside(
  call: RangeCall,
  kind: RateKind,
  extent: Extent,
  startMs: number,
): boolean {
  return (
    kind.isCounter &&
    call.ctx.options.startTimestamps &&
    extent.startMs !== 0 &&
    extent.startMs > startMs &&
    extent.startMs < extent.firstMs
  );
}
