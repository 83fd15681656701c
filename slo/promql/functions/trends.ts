/** Functions of a window's course: slopes, smoothing, changes, the last step. */
import { eachFloatWindow, type RangeCall, type RangeFunction } from '../engine/range-call.js';
import { errorOf } from '../engine/math.js';
import { changesAndResets } from './changes.js';
import { instantRates } from './instant-rates.js';

/** Whole numbers up to here add up exactly in a double. */
const exactMax = 2 ** 53;

/**
 * Least squares: the slope a second, and the value at `originMs`. Times are whole milliseconds, so their sums are
 * exact; sums with values are compensated as `CompensatedSum` is, here without branches: this is an inmost loop.
 */
function regression(
  times: Float64Array,
  values: Float64Array,
  low: number,
  high: number,
  originMs: number,
): { slope: number; intercept: number } {
  const n = high - low;
  const first = values[low] as number;
  const reach = Math.max(originMs - (times[low] as number), (times[high - 1] as number) - originMs);
  const squaresExact = reach * reach * n < exactMax;
  let constant = true;
  let [x, y, xy, xx, lostY, lostXy, lostXx] = [0, 0, 0, 0, 0, 0, 0];
  for (let i = low; i < high; i++) {
    const value = values[i] as number;
    if (value !== first && i > low) constant = false;
    const offset = (times[i] as number) - originMs;
    x += offset;
    let total = y + value;
    lostY += errorOf(y, value, total);
    y = total;
    const product = offset * value;
    total = xy + product;
    lostXy += errorOf(xy, product, total);
    xy = total;
    const square = offset * offset;
    total = xx + square;
    if (!squaresExact) lostXx += errorOf(xx, square, total);
    xx = total;
  }
  if (constant) {
    return Math.abs(first) === Infinity
      ? { slope: NaN, intercept: NaN }
      : { slope: 0, intercept: first };
  }
  const seconds = x / 1000;
  y += lostY;
  const covariance = (xy + lostXy) / 1000 - (seconds * y) / n;
  const variance = (xx + lostXx) / 1e6 - (seconds * seconds) / n;
  const slope = covariance / variance;
  return { slope, intercept: y / n - (slope * seconds) / n };
}

const deriv: RangeFunction = (call) => {
  const { times, values } = call.source.floats;
  // An origin near the samples keeps the sums small.
  const slope = (low: number, high: number): number =>
    regression(times, values, low, high, times[low] as number).slope;
  eachFloatWindow(call, slope, 2);
};

const predictLinear: RangeFunction = (call) => {
  const { times, values } = call.source.floats;
  const ahead = call.scalars[0] as Float64Array;
  eachFloatWindow(
    call,
    (low, high, step) => {
      const now = call.ctx.timeAt(step);
      const { slope, intercept } = regression(times, values, low, high, now);
      return slope * (ahead[step] as number) + intercept;
    },
    2,
  );
};

function checkFactor(call: RangeCall, what: string, short: string, value: number): void {
  if (value > 0 && value < 1) return;
  call.ctx.fail(
    `invalid ${what} factor. Expected: 0 < ${short} < 1, got: ${value.toFixed(6)}`,
    call.call,
  );
}

/** Holt's linear trend: a level and a slope, each forgetting exponentially. */
const doubleExponentialSmoothing: RangeFunction = (call) => {
  const { values } = call.source.floats;
  const [smoothing, trending] = call.scalars as [Float64Array, Float64Array];
  eachFloatWindow(
    call,
    (low, high, step) => {
      const smooth = smoothing[step] as number;
      const trend = trending[step] as number;
      checkFactor(call, 'smoothing', 'sf', smooth);
      checkFactor(call, 'trend', 'tf', trend);
      if (high - low < 2) return undefined;
      let before = 0;
      let level = values[low] as number;
      let slope = (values[low + 1] as number) - level;
      for (let i = low + 1; i < high; i++) {
        if (i > low + 1) slope = trend * (level - before) + (1 - trend) * slope;
        const next = smooth * (values[i] as number) + (1 - smooth) * (level + slope);
        before = level;
        level = next;
      }
      return level;
    },
    1,
  );
};

export const trendFunctions: Readonly<Record<string, RangeFunction>> = {
  deriv,
  predict_linear: predictLinear,
  double_exponential_smoothing: doubleExponentialSmoothing,
  changes: changesAndResets('changes'),
  resets: changesAndResets('resets'),
  irate: instantRates(true),
  idelta: instantRates(false),
};
