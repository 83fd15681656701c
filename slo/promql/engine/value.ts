/** Values during evaluation: columns with one entry for each step of the query. */
import type { Histogram } from '../histogram/histogram.js';
import type { Labels } from '../labels.js';

/** One series of an instant vector over all steps. */
export interface GridSeries {
  labels: Labels;
  /** Whether the name is removed at the end of the query (only with delayed name removal). */
  dropName: boolean;
  values: Float64Array;
  /** 1 if the series has a sample at that step. */
  present: Uint8Array;
  /** The histogram of each step whose sample is one. */
  histograms: (Histogram | undefined)[] | undefined;
}

export type Value =
  | { type: 'vector'; series: GridSeries[] }
  | { type: 'scalar'; values: Float64Array }
  | { type: 'string'; value: string };

export function emptySeries(labels: Labels, steps: number, dropName = false): GridSeries {
  return {
    labels,
    dropName,
    values: new Float64Array(steps),
    present: new Uint8Array(steps),
    histograms: undefined,
  };
}

export function hasSamples(series: GridSeries): boolean {
  return series.present.includes(1);
}

export function put(series: GridSeries, step: number, value: number | Histogram): void {
  series.present[step] = 1;
  if (typeof value === 'number') {
    series.values[step] = value;
  } else {
    series.values[step] = NaN;
    series.histograms ??= Array.from({ length: series.values.length });
    series.histograms[step] = value;
  }
}
