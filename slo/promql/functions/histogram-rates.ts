/** Rates of native histograms. */
import { type RangeCall, windowEnd } from '../engine/range-call.js';
import type { HistogramColumns } from '../engine/window.js';
import { copyToSchema, emptyLike } from '../histogram/add.js';
import type { Histogram } from '../histogram/histogram.js';
import { isReset } from '../histogram/resets.js';
import { scaleHistogram } from '../histogram/scale.js';
import {
  addWithNotes,
  warnMixedBuckets,
  warnNotCounter,
  warnNotGauge,
} from './histogram-arithmetic.js';
import { beginsInside, extrapolation, type RateKind } from './extrapolation.js';
import { isStartReset, warnOverlaps } from './start-times.js';

/** Undefined if the window has too few histograms, or they are incompatible. */
export function histogramRate(
  call: RangeCall,
  kind: RateKind,
  step: number,
  low: number,
  high: number,
): Histogram | undefined {
  const columns = call.source.histograms as HistogramColumns;
  const starts = call.ctx.options.startTimestamps ? columns.starts : undefined;
  const first = columns.values[low] as Histogram;
  const firstMs = columns.times[low] as number;
  const lastMs = columns.times[high - 1] as number;
  let increase: Histogram | undefined;
  if (high - low > 1) {
    increase = increaseOf(call, kind, columns, starts, low, high);
    if (!increase) return undefined;
  }
  const extent = {
    firstMs,
    lastMs,
    samples: high - low,
    startMs: starts?.[low] ?? 0,
    secondsToZero:
      increase && increase.count > 0 && first.count >= 0
        ? ((lastMs - firstMs) / 1000) * (first.count / increase.count)
        : Infinity,
  };
  const factor = extrapolation(call, kind, step, extent);
  if (factor === undefined) return undefined;
  if (beginsInside(call, kind, extent, windowEnd(call, step) - call.rangeMs)) {
    if (!increase) increase = first.copy();
    else if (!addWithNotes(call, increase, first, 1)) return undefined;
  }
  return increase && scaleHistogram(increase, factor);
}

/** Last minus first, plus the counts before each reset. */
function increaseOf(
  call: RangeCall,
  kind: RateKind,
  columns: HistogramColumns,
  starts: Float64Array | undefined,
  low: number,
  high: number,
): Histogram | undefined {
  const { values, times } = columns;
  const last = values[high - 1] as Histogram;
  let previous = values[low] as Histogram;
  const resetAt = (i: number, before: Histogram): boolean =>
    (starts !== undefined && isStartReset(starts, times, i)) ||
    isReset(values[i] as Histogram, before);
  if (kind.isCounter) {
    // If a reset follows the first histogram, its buckets do not matter.
    if (values.slice(low, high).some((h) => h.hint === 'gauge')) warnNotCounter(call);
    if (resetAt(low + 1, previous)) previous = emptyLike(values[low + 1] as Histogram);
  }
  const custom = previous.usesCustomBuckets;
  const between = kind.isCounter ? values.slice(low + 1, high - 1) : [];
  if (last.usesCustomBuckets !== custom || between.some((h) => h.usesCustomBuckets !== custom)) {
    warnMixedBuckets(call);
    return undefined;
  }
  const schema = Math.min(last.schema, previous.schema, ...between.map((h) => h.schema));
  const increase = copyToSchema(last, schema);
  if (!addWithNotes(call, increase, previous, -1)) return undefined;
  if (!kind.isCounter) {
    if ((values[low] as Histogram).hint !== 'gauge' || last.hint !== 'gauge') warnNotGauge(call);
  } else {
    if (starts) warnOverlaps(call, starts, times, low, high - 1);
    for (let i = low + 1; i < high; i++) {
      if (resetAt(i, previous) && !addWithNotes(call, increase, previous, 1)) return undefined;
      previous = values[i] as Histogram;
    }
  }
  increase.hint = 'gauge';
  return increase.compact();
}
