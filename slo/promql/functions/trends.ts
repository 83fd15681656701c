/** Functions of a window's trend: slopes, smoothing, changes, the last step. */
import { eachFloatWindow, type RangeCall, type RangeFunction } from '../engine/range-call.js';
import { errorOf } from '../engine/math.js';
import { changesAndResets } from './changes.js';
import { instantRates } from './instant-rates.js';
import { windowSums } from './sums.js';

/** Integers up to this add up exactly in a double. */
const exactMax = 2 ** 53;

interface Line {
  /** Change per second. */
  readonly slope: number;
  /** The value at the origin. */
  readonly intercept: number;
}

/** For every sample, the index at which the run of equal values begins. */
function runsOf(call: RangeCall): Int32Array {
  const { values } = call.source.floats;
  const { low, high } = call.floatBounds;
  const first = low[0] ?? 0;
  const last = high[high.length - 1] ?? 0;
  const starts = new Int32Array(last);
  for (let i = first; i < last; i++) {
    starts[i] = i > first && values[i] === values[i - 1] ? (starts[i - 1] as number) : i;
  }
  return starts;
}

/**
 * Least squares over any window. Sums of values come from `windowSums`; times are whole milliseconds, whose sums are
 * exact; products are compensated like `CompensatedSum`, but without branches, because this is an inner loop.
 */
function regressions(call: RangeCall): (low: number, high: number, originMs: number) => Line {
  const { times, values } = call.source.floats;
  const sums = windowSums(call);
  const runs = runsOf(call);
  return (low, high, originMs) => {
    const first = values[low] as number;
    if ((runs[high - 1] as number) <= low) {
      return Math.abs(first) === Infinity
        ? { slope: NaN, intercept: NaN }
        : { slope: 0, intercept: first };
    }
    const n = high - low;
    let [x, xx, xy, lost] = [0, 0, 0, 0];
    for (let i = low; i < high; i++) {
      const offset = (times[i] as number) - originMs;
      x += offset;
      xx += offset * offset;
      const product = offset * (values[i] as number);
      const total = xy + product;
      lost += errorOf(xy, product, total);
      xy = total;
    }
    if (xx >= exactMax) xx = sumOfSquares(times, low, high, originMs);
    const ofValues = sums(low, high);
    const y = ofValues.sum + ofValues.lost;
    const seconds = x / 1000;
    const covariance = (xy + lost) / 1000 - (seconds * y) / n;
    const variance = xx / 1e6 - (seconds * seconds) / n;
    const slope = covariance / variance;
    return { slope, intercept: y / n - (slope * seconds) / n };
  };
}

function sumOfSquares(times: Float64Array, low: number, high: number, originMs: number): number {
  let [sum, lost] = [0, 0];
  for (let i = low; i < high; i++) {
    const square = ((times[i] as number) - originMs) ** 2;
    const total = sum + square;
    lost += errorOf(sum, square, total);
    sum = total;
  }
  return sum + lost;
}

const deriv: RangeFunction = (call) => {
  const { times } = call.source.floats;
  const line = regressions(call);
  // An origin near the samples keeps the sums small.
  eachFloatWindow(call, (low, high) => line(low, high, times[low] as number).slope, 2);
};

const predictLinear: RangeFunction = (call) => {
  const ahead = call.scalars[0] as Float64Array;
  const line = regressions(call);
  eachFloatWindow(
    call,
    (low, high, step) => {
      const { slope, intercept } = line(low, high, call.ctx.timeAt(step));
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

/** Holt's linear trend: a level and a slope, both with exponentially decreasing weights. */
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
