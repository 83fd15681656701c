/** Prints results as text, as Prometheus's JSON, and as CSV. */
import { goFloat } from '../engine/go-format.js';
import type { Points } from '../engine/points.js';
import type { InstantValue } from '../engine/query.js';
import type { Histogram } from '../histogram/histogram.js';
import { histogramLiteral } from '../histogram/text.js';
import { allBuckets } from '../histogram/bounds.js';

export type ResultValue =
  InstantValue | { readonly type: 'range'; readonly series: readonly Points[] };

const iso = (timeMs: number): string => new Date(timeMs).toISOString().replace('.000Z', 'Z');
const text = (value: number, histogram: Histogram | undefined): string =>
  histogram ? histogramLiteral(histogram) : goFloat(value);

export function resultText(result: ResultValue): string {
  switch (result.type) {
    case 'scalar':
      return `${goFloat(result.value)}\n`;
    case 'string':
      return `${result.value}\n`;
    case 'vector':
      return result.samples
        .map((s) => `${s.labels.toString()} ${text(s.value, s.histogram)}\n`)
        .join('');
    default:
      return result.series.map(pointsText).join('');
  }
}

function pointsText({ labels, times, values, histograms }: Points): string {
  const lines = [...times].map(
    (timeMs, i) => `  ${iso(timeMs)}  ${text(values[i] as number, histograms?.[i])}\n`,
  );
  return `${labels.toString()}\n${lines.join('')}`;
}

/** The field `data` in answers of Prometheus's API. */
export function resultJson(result: ResultValue): object {
  switch (result.type) {
    case 'scalar':
    case 'string':
      return {
        resultType: result.type,
        result: [
          result.timeMs / 1000,
          result.type === 'string' ? result.value : goFloat(result.value),
        ],
      };
    case 'vector':
      return {
        resultType: 'vector',
        result: result.samples.map((s) => ({
          metric: s.labels.toObject(),
          ...(s.histogram
            ? { histogram: [s.timeMs / 1000, histogramJson(s.histogram)] }
            : { value: [s.timeMs / 1000, goFloat(s.value)] }),
        })),
      };
    default:
      return { resultType: 'matrix', result: result.series.map(pointsJson) };
  }
}

function pointsJson({ labels, times, values, histograms }: Points): object {
  const floats: [number, string][] = [];
  const found: [number, object][] = [];
  times.forEach((timeMs, i) => {
    const histogram = histograms?.[i];
    if (histogram) found.push([timeMs / 1000, histogramJson(histogram)]);
    else floats.push([timeMs / 1000, goFloat(values[i] as number)]);
  });
  return {
    metric: labels.toObject(),
    ...(floats.length > 0 ? { values: floats } : {}),
    ...(found.length > 0 ? { histograms: found } : {}),
  };
}

/** Each bucket with a code for its inclusive bounds: 0 the upper one, 1 the lower one, 3 both. */
function histogramJson(histogram: Histogram): object {
  const buckets = allBuckets(histogram)
    .filter((b) => b.count !== 0)
    .map(({ lower, upper, count }) => {
      const both = lower <= 0 && upper >= 0 && !histogram.usesCustomBuckets;
      const rule = both ? 3 : upper <= 0 && !histogram.usesCustomBuckets ? 1 : 0;
      return [rule, goFloat(lower), goFloat(upper), goFloat(count)];
    });
  return { count: goFloat(histogram.count), sum: goFloat(histogram.sum), buckets };
}

/** One line for each sample: time, series, value. */
export function resultCsv(result: ResultValue): string {
  const line = (timeMs: number, series: string, value: string): string =>
    `${timeMs / 1000},"${series.replaceAll('"', '""')}",${value}\n`;
  const head = 'time,series,value\n';
  switch (result.type) {
    case 'scalar':
    case 'string':
      return `${head}${line(result.timeMs, '', String(result.value))}`;
    case 'vector':
      return `${head}${result.samples
        .map((s) => line(s.timeMs, s.labels.toString(), text(s.value, s.histogram)))
        .join('')}`;
    default:
      return `${head}${result.series
        .map((p) =>
          [...p.times]
            .map((timeMs, i) =>
              line(timeMs, p.labels.toString(), text(p.values[i] as number, p.histograms?.[i])),
            )
            .join(''),
        )
        .join('')}`;
  }
}
