/** The call of a function over ranges for one series: its windows and its results. */
import { messages } from './messages.js';
import type { Histogram } from '../histogram/histogram.js';
import type { Call, Expr, VectorSelector } from '../syntax/ast.js';
import type { Context } from './context.js';
import { type GridSeries, put } from './value.js';
import type { Bounds, RangeSource, WindowTimes } from './window.js';

export interface RangeCall {
  readonly ctx: Context;
  readonly call: Call;
  /** The argument that is a range, for the places of annotations. */
  readonly range: Expr;
  readonly source: RangeSource;
  readonly floatBounds: Bounds;
  readonly histogramBounds: Bounds | undefined;
  readonly times: WindowTimes;
  readonly rangeMs: number;
  readonly extension: VectorSelector['extension'];
  /** The other arguments, with one value for each step. */
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

/** The samples of one step: `low` to `high` are indexes of floats, and likewise of histograms. */
export interface Window {
  readonly step: number;
  readonly floatLow: number;
  readonly floatHigh: number;
  readonly histogramLow: number;
  readonly histogramHigh: number;
}

/** Calls `compute` for every window that has a sample. */
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

/** Calls `compute` for every window that has a float; histograms beside floats are ignored with an annotation. */
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

/** The number of samples in all windows together, which decides whether preparation pays off. */
export function totalInWindows(bounds: Bounds): number {
  let total = 0;
  for (let i = 0; i < bounds.low.length; i++) {
    total += (bounds.high[i] as number) - (bounds.low[i] as number);
  }
  return total;
}
