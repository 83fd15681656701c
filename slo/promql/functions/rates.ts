/** `rate`, `increase` and `delta`: differences over a window, extrapolated to its edges. */
import { messages } from '../engine/messages.js';
import { type RangeCall, type RangeFunction, warnMixed, windowEnd } from '../engine/range-call.js';
import { extendedRate } from './extended-rates.js';
import { beginsInside, extrapolation, type RateKind } from './extrapolation.js';
import { histogramRate } from './histogram-rates.js';
import { warnOverlaps, isStartReset } from './start-times.js';
import { put } from '../engine/value.js';

/** Indexes of the samples before which the counter was reset. */
function findResets(call: RangeCall): number[] {
  const { values, times, starts } = call.source.floats;
  const { low, high } = call.floatBounds;
  const useStarts = call.ctx.options.startTimestamps && starts !== undefined;
  const resets: number[] = [];
  const to = high[high.length - 1] ?? 0;
  for (let i = (low[0] ?? 0) + 1; i < to; i++) {
    if ((values[i] as number) < (values[i - 1] as number)) resets.push(i);
    else if (useStarts && isStartReset(starts, times, i)) resets.push(i);
  }
  return resets;
}

function floatRate(call: RangeCall, kind: RateKind): void {
  const { values, times, starts } = call.source.floats;
  const { low, high } = call.floatBounds;
  const { out } = call;
  const resets = kind.isCounter ? findResets(call) : [];
  const useStarts = call.ctx.options.startTimestamps && starts !== undefined;
  let nextReset = 0;
  for (let step = 0; step < call.ctx.steps; step++) {
    const first = low[step] as number;
    const last = (high[step] as number) - 1;
    if (last < first) continue;
    if (call.histogramBounds && !onlyFloats(call, step)) continue;
    if (last === first && !useStarts) continue;
    let increase = (values[last] as number) - (values[first] as number);
    while (nextReset < resets.length && (resets[nextReset] as number) <= first) nextReset++;
    for (let r = nextReset; r < resets.length && (resets[r] as number) <= last; r++) {
      increase += values[(resets[r] as number) - 1] as number;
    }
    if (useStarts && kind.isCounter) warnOverlaps(call, starts, times, first, last);
    const firstValue = values[first] as number;
    const firstMs = times[first] as number;
    const lastMs = times[last] as number;
    const extent = {
      firstMs,
      lastMs,
      samples: last - first + 1,
      startMs: starts?.[first] ?? 0,
      secondsToZero:
        increase > 0 && firstValue >= 0
          ? ((lastMs - firstMs) / 1000) * (firstValue / increase)
          : Infinity,
    };
    const factor = extrapolation(call, kind, step, extent);
    if (factor === undefined) continue;
    const begins = beginsInside(call, kind, extent, windowEnd(call, step) - call.rangeMs);
    out.values[step] = (begins ? increase + firstValue : increase) * factor;
    out.present[step] = 1;
  }
}

function onlyFloats(call: RangeCall, step: number): boolean {
  const bounds = call.histogramBounds;
  return !bounds || bounds.high[step] === bounds.low[step];
}

function histogramRates(call: RangeCall, kind: RateKind): void {
  const bounds = call.histogramBounds;
  if (!bounds) return;
  for (let step = 0; step < call.ctx.steps; step++) {
    const [low, high] = [bounds.low[step] as number, bounds.high[step] as number];
    if (high === low) continue;
    if ((call.floatBounds.high[step] as number) > (call.floatBounds.low[step] as number)) {
      warnMixed(call);
      continue;
    }
    const result = histogramRate(call, kind, step, low, high);
    if (result) put(call.out, step, result);
  }
}

const rateOf =
  (kind: RateKind): RangeFunction =>
  (call) => {
    if (call.extension) return extendedRate(call, kind);
    floatRate(call, kind);
    histogramRates(call, kind);
    if (kind.isCounter) warnNonCounter(call);
  };

/** Warns about rates of a metric whose name is not that of a counter. */
function warnNonCounter(call: RangeCall): void {
  const { labels } = call.source;
  const name = labels.metricName;
  if (name === '') return;
  const floats = call.out.present.some((p, i) => p === 1 && !call.out.histograms?.[i]);
  if (!floats) return;
  if (call.ctx.options.typeAndUnitLabels) {
    const type = labels.get('__type__');
    if (type === 'counter' || type === 'histogram') return;
    call.ctx.annotations.info(messages.possibleNonCounterType(name, type), call.range);
  } else if (!/_(total|sum|count|bucket)$/.test(name)) {
    call.ctx.annotations.info(messages.possibleNonCounter(name), call.range);
  }
}

export const rateFunctions: Readonly<Record<string, RangeFunction>> = {
  rate: rateOf({ isCounter: true, perSecond: true }),
  increase: rateOf({ isCounter: true, perSecond: false }),
  delta: rateOf({ isCounter: false, perSecond: false }),
};
