/** `irate` and `idelta`: the step between a window's last two samples. */
import {
  eachWindow,
  type RangeCall,
  type RangeFunction,
  warnMixed,
  type Window,
} from '../engine/range-call.js';
import type { Histogram } from '../histogram/histogram.js';
import { startsAnew } from './start-times.js';

interface Point {
  timeMs: number;
  startMs: number;
  value: number;
  histogram: Histogram | undefined;
}

/** The window's last two samples, earlier first. */
function lastTwo(call: RangeCall, window: Window): [Point, Point] | undefined {
  const { floats, histograms } = call.source;
  const points: Point[] = [];
  for (let i = Math.max(window.floatLow, window.floatHigh - 2); i < window.floatHigh; i++) {
    points.push({
      timeMs: floats.times[i] as number,
      startMs: floats.starts?.[i] ?? 0,
      value: floats.values[i] as number,
      histogram: undefined,
    });
  }
  for (
    let i = Math.max(window.histogramLow, window.histogramHigh - 2);
    i < window.histogramHigh;
    i++
  ) {
    points.push({
      timeMs: histograms?.times[i] as number,
      startMs: histograms?.starts?.[i] ?? 0,
      value: NaN,
      histogram: histograms?.values[i],
    });
  }
  if (points.length < 2) return undefined;
  points.sort((a, b) => a.timeMs - b.timeMs);
  return points.slice(-2) as [Point, Point];
}

export const instantRates =
  (isRate: boolean): RangeFunction =>
  (call) => {
    eachWindow(call, (window) => {
      const two = lastTwo(call, window);
      if (!two) return undefined;
      const [before, last] = two;
      const seconds = (last.timeMs - before.timeMs) / 1000;
      if (seconds === 0) return undefined;
      if (last.histogram && before.histogram) return undefined;
      if (last.histogram || before.histogram) {
        warnMixed(call);
        return undefined;
      }
      const useStarts = call.ctx.options.startTimestamps;
      const reset =
        isRate &&
        (last.value < before.value ||
          (useStarts && startsAnew(before.startMs, before.timeMs, last.startMs, last.timeMs)));
      const step = reset ? last.value : last.value - before.value;
      return isRate ? step / seconds : step;
    });
  };
