/** `irate` and `idelta`: the difference of a window's last two samples. */
import {
  eachWindow,
  type RangeCall,
  type RangeFunction,
  warnMixed,
  type Window,
} from '../engine/range-call.js';
import type { Histogram } from '../histogram/histogram.js';
import { isReset } from '../histogram/resets.js';
import { divideHistogram } from '../histogram/scale.js';
import { addWithNotes, warnNotCounter, warnNotGauge } from './histogram-arithmetic.js';
import { startsAnew } from './start-times.js';

interface Point {
  timeMs: number;
  startMs: number;
  value: number;
  histogram: Histogram | undefined;
}

/** The window's last two samples, earlier one first. */
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
      if (last.histogram && before.histogram) {
        return histogramStep(call, isRate, before, last, last.histogram, before.histogram);
      }
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

function histogramStep(
  call: RangeCall,
  isRate: boolean,
  before: Point,
  last: Point,
  now: Histogram,
  earlier: Histogram,
): Histogram | undefined {
  const gauges = [now, earlier].filter((h) => h.hint === 'gauge').length;
  if (isRate && gauges > 0) warnNotCounter(call);
  if (!isRate && gauges < 2) warnNotGauge(call);
  const startReset =
    call.ctx.options.startTimestamps &&
    startsAnew(before.startMs, before.timeMs, last.startMs, last.timeMs);
  const result = now.copy();
  if (!isRate || (!startReset && !isReset(now, earlier))) {
    if (!addWithNotes(call, result, earlier, -1)) return undefined;
  }
  result.hint = 'gauge';
  result.compact();
  return isRate ? divideHistogram(result, (last.timeMs - before.timeMs) / 1000) : result;
}
