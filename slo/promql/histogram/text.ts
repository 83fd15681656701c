/** Histograms as text, for labels and in the test language. */
import { goFloat } from '../engine/go-format.js';
import { allBuckets } from './bounds.js';
import type { Buckets } from './buckets.js';
import type { Histogram } from './histogram.js';

/** `{count:3, sum:4.5, (1,2]:3}`; a bracket marks the inclusive bound. */
export function histogramText(histogram: Histogram): string {
  const parts = [`count:${goFloat(histogram.count)}`, `sum:${goFloat(histogram.sum)}`];
  const { zeroThreshold, usesCustomBuckets } = histogram;
  for (const { lower, upper, count } of allBuckets(histogram)) {
    if (count === 0) continue;
    const isZero = lower === -zeroThreshold && upper === zeroThreshold;
    const lowerInclusive = isZero || (usesCustomBuckets ? lower === -Infinity : lower < 0);
    const upperInclusive = isZero || usesCustomBuckets || upper > 0;
    parts.push(
      `${lowerInclusive ? '[' : '('}${goFloat(lower)},${goFloat(upper)}${upperInclusive ? ']' : ')'}:${goFloat(count)}`,
    );
  }
  return `{${parts.join(', ')}}`;
}

/** `{{schema:1 count:3 sum:4.5 buckets:[1 2]}}`. */
export function histogramLiteral(histogram: Histogram): string {
  const parts: string[] = [];
  const number = (name: string, value: number): void => {
    if (value !== 0) parts.push(`${name}:${goFloat(value)}`);
  };
  number('schema', histogram.schema);
  number('count', histogram.count);
  number('sum', histogram.sum);
  number('z_bucket', histogram.zeroCount);
  number('z_bucket_w', histogram.zeroThreshold);
  if (histogram.usesCustomBuckets) {
    parts.push(`custom_values:[${histogram.customBounds.map(goFloat).join(' ')}]`);
  }
  if (histogram.hint !== 'unknown') parts.push(`counter_reset_hint:${histogram.hint}`);
  parts.push(...bucketParts(histogram.positive, 'offset', 'buckets'));
  parts.push(...bucketParts(histogram.negative, 'n_offset', 'n_buckets'));
  return `{{${parts.join(' ')}}}`;
}

/** The test language has one run of buckets on each side, so gaps are written as zeros. */
function bucketParts(buckets: Buckets, offsetName: string, name: string): string[] {
  const [first, last] = [buckets.indexes[0], buckets.indexes.at(-1)];
  if (first === undefined || last === undefined) return [];
  const counts: string[] = [];
  let at = 0;
  for (let index = first; index <= last; index++) {
    counts.push(buckets.indexes[at] === index ? goFloat(buckets.counts[at++] as number) : '0');
  }
  return [...(first === 0 ? [] : [`${offsetName}:${first}`]), `${name}:[${counts.join(' ')}]`];
}
