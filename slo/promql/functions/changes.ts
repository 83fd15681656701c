/** `changes` and `resets`: how often a series changed its value, and how often a counter was reset. */
import {
  eachWindow,
  type RangeCall,
  type RangeFunction,
  type Window,
  windowEnd,
} from '../engine/range-call.js';
import { equalHistograms, type Histogram } from '../histogram/histogram.js';
import { isReset } from '../histogram/resets.js';
import { upperBound } from '../store/series.js';
import { startsAnew } from './start-times.js';

type What = 'changes' | 'resets';

export const changesAndResets =
  (what: What): RangeFunction =>
  (call) => {
    if (!call.source.histograms && !call.extension) return countFloats(call, what);
    eachWindow(call, (window) => countMixed(call, what, window));
  };

interface Point {
  timeMs: number;
  startMs: number;
  value: number;
  histogram: Histogram | undefined;
}

function differ(call: RangeCall, what: What, before: Point, now: Point): boolean {
  if (what === 'resets' && call.ctx.options.startTimestamps) {
    const sameKind = (before.histogram === undefined) === (now.histogram === undefined);
    const anew = startsAnew(before.startMs, before.timeMs, now.startMs, now.timeMs);
    if (sameKind && anew) return true;
  }
  if (before.histogram && now.histogram) {
    return what === 'resets'
      ? isReset(now.histogram, before.histogram)
      : !equalHistograms(now.histogram, before.histogram);
  }
  if (before.histogram || now.histogram) return true;
  if (what === 'resets') return now.value < before.value;
  return now.value !== before.value && !(Number.isNaN(now.value) && Number.isNaN(before.value));
}

function floatAt(call: RangeCall, i: number): Point {
  const { times, values, starts } = call.source.floats;
  return {
    timeMs: times[i] as number,
    startMs: starts?.[i] ?? 0,
    value: values[i] as number,
    histogram: undefined,
  };
}

/** Counts once from the first window's start; each window's number is the difference of two counts. */
function countFloats(call: RangeCall, what: What): void {
  const { low, high } = call.floatBounds;
  const first = low[0] ?? 0;
  const last = high[high.length - 1] ?? 0;
  const counts = new Int32Array(Math.max(1, last - first));
  for (let i = first + 1; i < last; i++) {
    const differs = differ(call, what, floatAt(call, i - 1), floatAt(call, i));
    counts[i - first] = (counts[i - first - 1] as number) + (differs ? 1 : 0);
  }
  for (let step = 0; step < call.ctx.steps; step++) {
    const [from, to] = [low[step] as number, high[step] as number];
    if (to === from) continue;
    call.out.values[step] = (counts[to - 1 - first] as number) - (counts[from - first] as number);
    call.out.present[step] = 1;
  }
}

function pointsOf(call: RangeCall, window: Window): Point[] {
  const points: Point[] = [];
  for (let i = window.floatLow; i < window.floatHigh; i++) points.push(floatAt(call, i));
  const { histograms } = call.source;
  if (!histograms) return points;
  for (let i = window.histogramLow; i < window.histogramHigh; i++) {
    points.push({
      timeMs: histograms.times[i] as number,
      startMs: histograms.starts?.[i] ?? 0,
      value: NaN,
      histogram: histograms.values[i],
    });
  }
  return points.sort((a, b) => a.timeMs - b.timeMs);
}

function countMixed(call: RangeCall, what: What, window: Window): number | undefined {
  let points = pointsOf(call, window);
  if (call.extension === 'anchored') {
    const startMs = windowEnd(call, window.step) - call.rangeMs;
    const times = Float64Array.from(points, (p) => p.timeMs);
    const after = upperBound(times, 0, times.length, startMs);
    if (after >= points.length) return undefined;
    // The window's first sample is compared with the last sample before the window.
    points = points.slice(Math.max(0, after - 1));
  }
  let count = 0;
  for (let i = 1; i < points.length; i++) {
    if (differ(call, what, points[i - 1] as Point, points[i] as Point)) count++;
  }
  return count;
}
