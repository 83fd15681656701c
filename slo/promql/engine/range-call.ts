/** One call of a function over ranges for one series: its windows and where the results go. */
import { messages } from './messages.js';
import type { Histogram } from '../histogram/histogram.js';
import type { Call, Expr, VectorSelector } from '../syntax/ast.js';
import type { Context } from './context.js';
import { type GridSeries, put } from './value.js';
import type { Bounds, RangeSource, WindowTimes } from './window.js';

export interface RangeCall {
  readonly ctx: Context;
  readonly call: Call;
  /** The argument with the range, for the places of annotations. */
  readonly range: Expr;
  readonly source: RangeSource;
  readonly floatBounds: Bounds;
  readonly histogramBounds: Bounds | undefined;
  readonly times: WindowTimes;
  readonly rangeMs: number;
  readonly extension: VectorSelector['extension'];
  /** The other arguments, a value a step each. */
  readonly scalars: readonly Float64Array[];
  readonly out: GridSeries;
}

/** Computes every step of one series. */
export type RangeFunction = (call: RangeCall) => void;

/** The end of a step's window. */
export function windowEnd(call: RangeCall, step: number): number {
  return call.times.firstMs + step * call.times.stepMs;
}

export function metricNameOf(call: RangeCall): string {
  return call.source.labels.metricName;
}

/** One step's samples: floats and histograms between two indexes each. */
export interface Window {
  readonly step: number;
  readonly floatLow: number;
  readonly floatHigh: number;
  readonly histogramLow: number;
  readonly histogramHigh: number;
}

/** Calls `compute` for every window with a sample in it. */
export function eachWindow(
  call: RangeCall,
  compute: (window: Window) => number | Histogram | undefined,
): void {
  const { floatBounds, histogramBounds, out } = call;
  for (let step = 0; step < call.ctx.steps; step++) {
    const window = {
      step,
      floatLow: floatBounds.low[step] as number,
      floatHigh: floatBounds.high[step] as number,
      histogramLow: histogramBounds?.low[step] ?? 0,
      histogramHigh: histogramBounds?.high[step] ?? 0,
    };
    const samples = window.floatHigh - window.floatLow + window.histogramHigh - window.histogramLow;
    if (samples === 0) continue;
    const result = compute(window);
    if (result !== undefined) put(out, step, result);
  }
}

/** Calls `compute` for every window with a float in it; histograms beside floats are named and ignored. */
export function eachFloatWindow(
  call: RangeCall,
  compute: (low: number, high: number, step: number) => number | undefined,
  leastFloats = 1,
): void {
  const { floatBounds, histogramBounds, out } = call;
  for (let step = 0; step < call.ctx.steps; step++) {
    const low = floatBounds.low[step] as number;
    const high = floatBounds.high[step] as number;
    if (high === low) continue;
    if (
      histogramBounds &&
      (histogramBounds.high[step] as number) > (histogramBounds.low[step] as number)
    ) {
      annotateIgnored(call);
    }
    if (high - low < leastFloats) continue;
    const result = compute(low, high, step);
    if (result === undefined) continue;
    out.values[step] = result;
    out.present[step] = 1;
  }
}

export function annotateIgnored(call: RangeCall): void {
  call.ctx.annotations.info(messages.ignoredInRange(metricNameOf(call)), call.range);
}

export function warnMixed(call: RangeCall): void {
  call.ctx.annotations.warn(messages.mixed(metricNameOf(call)), call.range);
}

/** How many samples all windows hold together: whether it pays to prepare for them. */
export function totalInWindows(bounds: Bounds): number {
  let total = 0;
  for (let i = 0; i < bounds.low.length; i++) {
    total += (bounds.high[i] as number) - (bounds.low[i] as number);
  }
  return total;
}
