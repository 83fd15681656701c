/** Messages of annotations in Prometheus's wording, because users search for these sentences. */
import { goFloat } from './go-format.js';

const forMetric = (text: string, name: string): string => `${text} ${JSON.stringify(name)}`;
const maybeForMetric = (text: string, name: string): string =>
  name === '' ? text : forMetric(`${text} for metric name`, name);

export type HistogramOperation = 'addition' | 'subtraction' | 'aggregation';

export const messages = {
  badBucket: (bound: string, name: string) =>
    maybeForMetric(
      `bucket label "le" is missing or has a malformed value of ${JSON.stringify(bound)}`,
      name,
    ),
  mixed: (name: string) =>
    forMetric('encountered a mix of histograms and floats for metric name', name),
  mixedInAggregation: () => 'encountered a mix of histograms and floats for aggregation',
  mixedClassicAndNative: (name: string) =>
    maybeForMetric('vector contains a mix of classic and native histograms', name),
  notCounter: (name: string) => forMetric('this native histogram metric is not a counter:', name),
  notGauge: (name: string) => forMetric('this native histogram metric is not a gauge:', name),
  mixedBuckets: (name: string) =>
    forMetric(
      'vector contains a mix of histograms with exponential and custom buckets schemas for metric name',
      name,
    ),
  incompatibleBuckets: (op: string) =>
    `incompatible bucket layout encountered for binary operator ${op}`,
  incompatibleTypes: (op: string, left: string, right: string) =>
    'incompatible sample types encountered for binary operator ' +
    `${JSON.stringify(op)}: ${left} ${op} ${right}`,
  ignoredInAggregation: (op: string) => `ignored histogram in ${op} aggregation`,
  ignoredInRange: (name: string) =>
    forMetric(
      'ignored histograms in a range containing both floats and histograms for metric name',
      name,
    ),
  quantileOutOfRange: (q: number) => `quantile value should be between 0 and 1, got ${goFloat(q)}`,
  integralStrategy: (strategy: number) =>
    `strategy should be 0, 1, or 2 (default), using 2, got ${goFloat(strategy)}`,
  ratioOutOfRange: (ratio: number, to: number) =>
    `ratio value should be between -1 and 1, got ${goFloat(ratio)}, capping to ${goFloat(to)}`,
  sortInRange: () =>
    'sort is ineffective for range queries since results are always ordered by labels',
  possibleNonCounter: (name: string) =>
    forMetric(
      'metric might not be a counter, name does not end in _total/_sum/_count/_bucket:',
      name,
    ),
  possibleNonCounterType: (name: string, type: string) =>
    'metric might not be a counter, __type__ label is not set to "counter" or "histogram", ' +
    `got ${JSON.stringify(type)}: ${JSON.stringify(name)}`,
  forcedMonotonicity: (name: string) =>
    maybeForMetric(
      'input to histogram_quantile needed to be fixed for monotonicity ' +
        '(see https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)',
      name,
    ),
  quantileOfNaN: (name: string) =>
    maybeForMetric('input to histogram_quantile has NaN observations, result is NaN', name),
  quantileSkewed: (name: string) =>
    maybeForMetric(
      'input to histogram_quantile has NaN observations, result is skewed higher',
      name,
    ),
  fractionOfNaN: (name: string) =>
    maybeForMetric(
      'input to histogram_fraction has NaN observations, which are excluded from all fractions',
      name,
    ),
  resetCollision: (operation: HistogramOperation) =>
    `conflicting counter resets during histogram ${operation}`,
  reconciledBounds: (operation: HistogramOperation) =>
    `mismatched custom buckets were reconciled during ${operation}`,
  startOverlap: (name: string) =>
    'sample has start time that overlaps with previous sample timestamp ' +
    `for metric ${JSON.stringify(name)}`,
} as const;
