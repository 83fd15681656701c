import type { Histogram } from '../histogram/histogram.js';
import type { Labels } from '../labels.js';
import type { Context } from './context.js';
import type { GridSeries } from './value.js';

export interface Points {
  readonly labels: Labels;
  readonly times: Float64Array;
  readonly values: Float64Array;
  /** One entry for each point; absent if all are floats. */
  readonly histograms?: readonly (Histogram | undefined)[];
}

/** Only the steps that have a sample. */
export function compact(series: GridSeries, ctx: Context): Points {
  const { present, values, histograms, labels } = series;
  let count = 0;
  for (const p of present) count += p;
  const times = new Float64Array(count);
  const kept = new Float64Array(count);
  const keptHistograms: (Histogram | undefined)[] = [];
  let at = 0;
  for (let step = 0; step < present.length; step++) {
    if (present[step] === 0) continue;
    times[at] = ctx.timeAt(step);
    kept[at] = values[step] as number;
    if (histograms) keptHistograms.push(histograms[step]);
    at++;
  }
  return { labels, times, values: kept, ...(histograms ? { histograms: keptHistograms } : {}) };
}
