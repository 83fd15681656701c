/** `*_over_time` of floats; those of histograms are in `histogram-over-time.ts`. */
import { messages } from '../engine/messages.js';
import { CompensatedSum, errorOf, quantileOf } from '../engine/math.js';
import {
  annotateIgnored,
  eachFloatWindow,
  eachWindow,
  type RangeCall,
  type RangeFunction,
  warnMixed,
} from '../engine/range-call.js';
import { windowExtremes } from './extremes.js';
import { averageHistograms, sumHistograms } from './histogram-over-time.js';
import { meanOf, windowSums } from './sums.js';

/** Computes over floats or over histograms; a mix has no result. */
function floatsOrHistograms(
  call: RangeCall,
  floats: (low: number, high: number) => number,
  histograms: typeof sumHistograms,
): void {
  eachWindow(call, (w) => {
    const anyFloats = w.floatHigh > w.floatLow;
    if (w.histogramHigh === w.histogramLow) return floats(w.floatLow, w.floatHigh);
    if (!anyFloats) return histograms(call, w.histogramLow, w.histogramHigh);
    warnMixed(call);
    return undefined;
  });
}

const sum: RangeFunction = (call) => {
  const sums = windowSums(call);
  const floats = (low: number, high: number): number => {
    const { sum, lost } = sums(low, high);
    return sum === Infinity || sum === -Infinity ? sum : sum + lost;
  };
  floatsOrHistograms(call, floats, sumHistograms);
};

const average: RangeFunction = (call) => {
  const sums = windowSums(call);
  const { values } = call.source.floats;
  const floats = (low: number, high: number): number => {
    const { sum, lost } = sums(low, high);
    if (!Number.isFinite(sum)) return meanOf(values, low, high);
    return sum / (high - low) + lost / (high - low);
  };
  floatsOrHistograms(call, floats, averageHistograms);
};

const extreme =
  (sign: 1 | -1): RangeFunction =>
  (call) => {
    if (!call.histogramBounds) return windowExtremes(call, sign);
    windowExtremes(call, sign);
    for (let step = 0; step < call.ctx.steps; step++) {
      const mixed =
        call.out.present[step] === 1 &&
        (call.histogramBounds.high[step] as number) > (call.histogramBounds.low[step] as number);
      if (mixed) annotateIgnored(call);
    }
  };

const variance =
  (finish: (variance: number) => number): RangeFunction =>
  (call) => {
    const { values } = call.source.floats;
    const sums = windowSums(call);
    eachFloatWindow(call, (low, high) => {
      const { sum, lost } = sums(low, high);
      const mean = (sum + lost) / (high - low);
      const found = Number.isFinite(mean)
        ? squaresAround(values, low, high, mean) / (high - low)
        : welford(values, low, high);
      return finish(found);
    });
  };

/** Subtracts the error of the rounded mean, so that equal values have no variance at all. */
function squaresAround(values: Float64Array, low: number, high: number, mean: number): number {
  let [squares, lost, deltas] = [0, 0, 0];
  for (let i = low; i < high; i++) {
    const delta = (values[i] as number) - mean;
    const square = delta * delta;
    const total = squares + square;
    lost += errorOf(squares, square, total);
    squares = total;
    deltas += delta;
  }
  const corrected = squares - (deltas * deltas) / (high - low);
  return Number.isFinite(squares) ? Math.max(0, corrected + lost) : squares;
}

/** Updates the mean value by value, for sums that overflow. */
function welford(values: Float64Array, low: number, high: number): number {
  let [mean, squares] = [0, 0];
  for (let i = low; i < high; i++) {
    const value = values[i] as number;
    const delta = value - mean;
    mean += delta / (i - low + 1);
    squares += delta * (value - mean);
  }
  return squares / (high - low);
}

const quantile: RangeFunction = (call) => {
  const { values } = call.source.floats;
  const q = call.scalars[0] as Float64Array;
  eachFloatWindow(call, (low, high, step) => {
    const wanted = q[step] as number;
    if (!(wanted >= 0 && wanted <= 1)) {
      call.ctx.annotations.warn(
        messages.quantileOutOfRange(wanted),
        call.call.args[0] as RangeCall['range'],
      );
    }
    return quantileOf(wanted, values.subarray(low, high));
  });
};

/** The median distance from the median. */
const medianDeviation: RangeFunction = (call) => {
  const { values } = call.source.floats;
  eachFloatWindow(call, (low, high) => {
    const window = values.slice(low, high);
    if (window.some(Number.isNaN)) return NaN;
    const median = quantileOf(0.5, window);
    return quantileOf(
      0.5,
      window.map((v) => Math.abs(v - median)),
    );
  });
};

/**
 * The integral of a gauge over time, in its unit times seconds. Each interval counts with its earlier value (0), its
 * later value (1) or their mean (2). NaN adds nothing.
 */
const integral: RangeFunction = (call) => {
  const { values, times } = call.source.floats;
  const strategies = call.scalars[0];
  const at = (i: number): number => {
    const value = values[i] as number;
    return Number.isNaN(value) ? 0 : value;
  };
  eachFloatWindow(call, (low, high, step) => {
    const given = strategies?.[step] ?? 2;
    if (given !== 0 && given !== 1 && given !== 2) {
      const { args } = call.call;
      call.ctx.annotations.warn(messages.integralStrategy(given), args[1] ?? call.call);
    }
    const [earlier, later] = given === 0 ? [1, 0] : given === 1 ? [0, 1] : [0.5, 0.5];
    const sum = new CompensatedSum();
    for (let i = low + 1; i < high; i++) {
      const seconds = ((times[i] as number) - (times[i - 1] as number)) / 1000;
      // Adds each half alone, so that a small value is not lost beside a large one.
      if (earlier > 0) sum.add(at(i - 1) * earlier * seconds);
      if (later > 0) sum.add(at(i) * later * seconds);
    }
    return sum.total;
  });
};

const timeOfExtreme =
  (sign: 1 | -1): RangeFunction =>
  (call) => {
    const { values, times } = call.source.floats;
    eachFloatWindow(call, (low, high) => {
      let best = low;
      for (let i = low; i < high; i++) {
        const [value, known] = [values[i] as number, values[best] as number];
        if (sign * value >= sign * known || Number.isNaN(known)) best = i;
      }
      return (times[best] as number) / 1000;
    });
  };

/** The first or last sample, whether a float or a histogram. */
const edge =
  (which: 'first' | 'last', what: 'sample' | 'time'): RangeFunction =>
  (call) => {
    const { floats, histograms } = call.source;
    eachWindow(call, (w) => {
      const f = which === 'first' ? w.floatLow : w.floatHigh - 1;
      const h = which === 'first' ? w.histogramLow : w.histogramHigh - 1;
      const anyFloat = w.floatHigh > w.floatLow;
      const anyHistogram = w.histogramHigh > w.histogramLow;
      const floatTime = floats.times[f] as number;
      const histogramTime = (histograms?.times[h] ?? 0) as number;
      const earlier = which === 'first' ? floatTime < histogramTime : floatTime > histogramTime;
      const isFloat = !anyHistogram || (anyFloat && earlier);
      if (what === 'time') return (isFloat ? floatTime : histogramTime) / 1000;
      return isFloat ? floats.values[f] : histograms?.values[h];
    });
  };

const count: RangeFunction = (call) => {
  eachWindow(call, (w) => w.floatHigh - w.floatLow + w.histogramHigh - w.histogramLow);
};

const present: RangeFunction = (call) => eachWindow(call, () => 1);

export const overTimeFunctions: Readonly<Record<string, RangeFunction>> = {
  sum_over_time: sum,
  avg_over_time: average,
  max_over_time: extreme(1),
  min_over_time: extreme(-1),
  count_over_time: count,
  present_over_time: present,
  absent_over_time: present,
  first_over_time: edge('first', 'sample'),
  last_over_time: edge('last', 'sample'),
  stddev_over_time: variance(Math.sqrt),
  stdvar_over_time: variance((v) => v),
  quantile_over_time: quantile,
  integral,
  mad_over_time: medianDeviation,
  ts_of_first_over_time: edge('first', 'time'),
  ts_of_last_over_time: edge('last', 'time'),
  ts_of_max_over_time: timeOfExtreme(1),
  ts_of_min_over_time: timeOfExtreme(-1),
};
