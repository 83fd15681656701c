/** Compares a result with a test's expectation, and describes the difference. */
import type { Points } from '../engine/points.js';
import type { InstantValue, Sample } from '../engine/query.js';
import type { Histogram } from '../histogram/histogram.js';
import type { Buckets } from '../histogram/buckets.js';
import { sameBounds } from '../histogram/bounds.js';
import { histogramLiteral } from '../histogram/text.js';
import { goFloat } from '../engine/go-format.js';
import type { EvalCommand, ExpectedSeries } from './script.js';
import type { Value } from './series-values.js';

const tolerance = 0.000001;
const smallestNormal = 2.2250738585072014e-308;

/** Whether two numbers differ by less than a millionth. */
function almostEqual(a: number, b: number): boolean {
  if (Number.isNaN(a) && Number.isNaN(b)) return true;
  if (a === b) return true;
  const sum = Math.abs(a) + Math.abs(b);
  const difference = Math.abs(a - b);
  if (a === 0 || b === 0 || sum < smallestNormal) return difference < tolerance * smallestNormal;
  return difference / Math.min(sum, Number.MAX_VALUE) < tolerance;
}

/** Undefined if the result is as expected. */
export function compareInstant(command: EvalCommand, value: InstantValue): string | undefined {
  if (value.type === 'string') {
    return value.value === (command.string ?? '')
      ? undefined
      : `expected the string ${JSON.stringify(command.string)}, got ${JSON.stringify(value.value)}`;
  }
  if (value.type === 'matrix') return compareSeries(command, value.series, command.rangeVector);
  if (value.type === 'scalar') {
    if (command.scalar === undefined)
      return `expected a vector, got the scalar ${goFloat(value.value)}`;
    return almostEqual(command.scalar, value.value)
      ? undefined
      : `expected the scalar ${goFloat(command.scalar)}, got ${goFloat(value.value)}`;
  }
  if (command.scalar !== undefined) return `expected a scalar, got ${describe(value.samples)}`;
  return compareVector(command, value.samples);
}

function compareVector(command: EvalCommand, samples: readonly Sample[]): string | undefined {
  const expected = byLabels(command.series);
  const ordered = command.expectations.some((e) => e.kind === 'ordered');
  const seen = new Set<string>();
  for (const [i, sample] of samples.entries()) {
    const wanted = expected.get(sample.labels.key);
    if (!wanted)
      return `unexpected ${sample.labels.toString()} ${valueText(sample.value, sample.histogram)}`;
    if (ordered && command.series[i]?.labels.key !== sample.labels.key) {
      return `expected ${command.series[i]?.labels.toString()} at position ${i + 1}, got ${sample.labels.toString()}`;
    }
    const wrong = compareValue(wanted.values[0], sample.value, sample.histogram);
    if (wrong) return `${sample.labels.toString()}: ${wrong}`;
    seen.add(sample.labels.key);
  }
  return missing(command.series, seen);
}

function byLabels(series: readonly ExpectedSeries[]): Map<string, ExpectedSeries> {
  return new Map(series.map((s) => [s.labels.key, s]));
}

function missing(series: readonly ExpectedSeries[], seen: ReadonlySet<string>): string | undefined {
  const lost = series.find((s) => !seen.has(s.labels.key));
  return lost && `expected ${lost.labels.toString()}, which is not there`;
}

/** Compares every series point by point at the expected times. */
export function compareSeries(
  command: EvalCommand,
  series: readonly Points[],
  times: { startMs: number; endMs: number; stepMs: number } | undefined,
): string | undefined {
  if (command.scalar !== undefined) return `expected a scalar, got ${series.length} series`;
  const at = times ?? (command.at.kind === 'range' ? command.at : undefined);
  if (!at) return 'expected an instant vector, got a range vector';
  const expected = byLabels(command.series);
  const seen = new Set<string>();
  for (const points of series) {
    const wanted = expected.get(points.labels.key);
    if (!wanted) return `unexpected series ${points.labels.toString()} ${pointsText(points)}`;
    seen.add(points.labels.key);
    const wrong = comparePoints(wanted.values, points, at);
    if (wrong) return `${points.labels.toString()}: ${wrong}; got ${pointsText(points)}`;
  }
  return missing(command.series, seen);
}

function comparePoints(
  values: readonly Value[],
  points: Points,
  at: { startMs: number; endMs: number; stepMs: number },
): string | undefined {
  const wanted = values
    .map((value, i) => ({ value, timeMs: at.startMs + i * at.stepMs }))
    .filter(({ value }) => value.kind !== 'omitted');
  if (wanted.some(({ timeMs }) => timeMs > at.endMs))
    return 'more points expected than there are steps';
  if (wanted.length !== points.times.length) {
    return `expected ${wanted.length} points, got ${points.times.length}`;
  }
  for (const [i, { value, timeMs }] of wanted.entries()) {
    if (points.times[i] !== timeMs)
      return `expected a point at ${timeMs} ms, got one at ${points.times[i]} ms`;
    const wrong = compareValue(value, points.values[i] as number, points.histograms?.[i]);
    if (wrong) return `at ${timeMs} ms: ${wrong}`;
  }
  return undefined;
}

function compareValue(
  wanted: Value | undefined,
  value: number,
  histogram: Histogram | undefined,
): string | undefined {
  const got = valueText(value, histogram);
  if (wanted?.kind === 'histogram') {
    const equal =
      histogram !== undefined &&
      almostEqualHistograms(wanted.histogram, histogram, wanted.hintGiven);
    return equal ? undefined : `expected ${histogramLiteral(wanted.histogram)}, got ${got}`;
  }
  if (wanted?.kind === 'float' && !histogram && almostEqual(wanted.value, value)) return undefined;
  return `expected ${wanted?.kind === 'float' ? goFloat(wanted.value) : (wanted?.kind ?? 'nothing')}, got ${got}`;
}

function valueText(value: number, histogram: Histogram | undefined): string {
  return histogram ? histogramLiteral(histogram) : goFloat(value);
}

function pointsText(points: Points): string {
  return [...points.values].map((v, i) => valueText(v, points.histograms?.[i])).join(' ');
}

function describe(samples: readonly Sample[]): string {
  return samples.map((s) => `${s.labels.toString()} ${valueText(s.value, s.histogram)}`).join(', ');
}

function almostEqualHistograms(wanted: Histogram, got: Histogram, withHint: boolean): boolean {
  const [a, b] = [wanted.copy().compact(), got.copy().compact()];
  return (
    a.schema === b.schema &&
    almostEqual(a.count, b.count) &&
    almostEqual(a.sum, b.sum) &&
    (!a.usesCustomBuckets || sameBounds(a.customBounds, b.customBounds)) &&
    a.zeroThreshold === b.zeroThreshold &&
    almostEqual(a.zeroCount, b.zeroCount) &&
    almostEqualBuckets(a.negative, b.negative) &&
    almostEqualBuckets(a.positive, b.positive) &&
    (!withHint || a.hint === b.hint)
  );
}

function almostEqualBuckets(a: Buckets, b: Buckets): boolean {
  return (
    a.indexes.length === b.indexes.length &&
    a.indexes.every((index, i) => index === b.indexes[i]) &&
    a.counts.every((count, i) => almostEqual(count, b.counts[i] as number))
  );
}
