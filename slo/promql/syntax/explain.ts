/** Explains an expression: an outline with one line for each node. */
import type { Aggregate, Binary, Call, Duration, Expr, Matcher, VectorSelector } from './ast.js';
import { isComparison, withoutParens } from './ast.js';
import { print, printDuration } from './print.js';
import { typeOf } from './types.js';

interface Line {
  readonly text: string;
  readonly below: readonly Line[];
}

export function explain(expr: Expr): string {
  const out: string[] = [];
  const go = (line: Line, depth: number): void => {
    out.push(`${'  '.repeat(depth)}${line.text}`);
    for (const child of line.below) go(child, depth + 1);
  };
  go(lineOf(expr), 0);
  return `${out.join('\n')}\n`;
}

function lineOf(expr: Expr): Line {
  switch (expr.kind) {
    case 'number':
      return { text: `the number ${expr.text}`, below: [] };
    case 'string':
      return { text: `the text ${expr.text}`, below: [] };
    case 'selector':
      return { text: `the latest sample of ${selectorText(expr)}`, below: [] };
    case 'matrix':
      return { text: `the samples of ${selectorText(expr.selector, expr.range)}`, below: [] };
    case 'subquery': {
      const step = expr.step ? `every ${printDuration(expr.step)}` : 'at the default interval';
      const when = timeText(expr);
      return {
        text: `evaluated ${step} over ${rangeText(expr.range)}${when}:`,
        below: [lineOf(expr.expr)],
      };
    }
    case 'paren':
      return lineOf(expr.expr);
    case 'unary':
      return expr.op === '-'
        ? { text: 'the negative of', below: [lineOf(expr.expr)] }
        : lineOf(expr.expr);
    case 'call':
      return callLine(expr);
    case 'aggregate':
      return aggregateLine(expr);
    case 'binary':
      return binaryLine(expr);
  }
}

function rangeText(range: Duration): string {
  return `the last ${printDuration(range)}`;
}

function timeText(expr: Pick<VectorSelector, 'offset' | 'at'>): string {
  const offset = expr.offset ? printDuration(expr.offset) : '';
  const back = offset.startsWith('-') ? `${offset.slice(1)} later` : `${offset} earlier`;
  const fixed = expr.at
    ? expr.at.kind === 'time'
      ? `at Unix time ${expr.at.text}`
      : `at the query's ${expr.at.kind}`
    : '';
  return [fixed, offset === '' ? '' : back]
    .filter((t) => t !== '')
    .map((t) => `, ${t}`)
    .join('');
}

const matcherWords: Record<Matcher['op'], string> = {
  '=': 'is',
  '!=': 'is not',
  '=~': 'matches',
  '!~': 'does not match',
};

function selectorText(selector: VectorSelector, range?: Duration): string {
  const conditions = selector.matchers
    .filter((m) => m.name !== '__name__' || m.op !== '=')
    .map((m) => `${m.name} ${matcherWords[m.op]} ${JSON.stringify(m.value)}`);
  const name = selector.matchers.find((m) => m.name === '__name__' && m.op === '=')?.value;
  const where = conditions.length > 0 ? ` where ${conditions.join(' and ')}` : '';
  const over = range ? ` over ${rangeText(range)}` : '';
  const extension = {
    anchored: ', beginning with the last sample before the range',
    smoothed: ', interpolated between samples',
  };
  const extended = selector.extension ? extension[selector.extension] : '';
  return `${name ?? 'every series'}${where}${over}${timeText(selector)}${extended}`;
}

/** Explanations of functions over a range. */
const overRange: Record<string, string> = {
  rate: 'the increase a second of each counter, resets taken out, extrapolated to the range',
  increase: 'the increase of each counter, resets taken out, extrapolated to the range',
  irate: 'the increase a second between the last two samples of each counter',
  delta: 'the difference between the first and the last value of each gauge, extrapolated',
  idelta: 'the difference between the last two samples',
  deriv: 'the slope a second of a straight line through the samples',
  predict_linear:
    'the value that a straight line through the samples reaches after so many seconds',
  double_exponential_smoothing: 'the samples smoothed, the later the weightier, with their trend',
  changes: 'how often each value changed',
  resets: 'how often each counter began anew',
  absent_over_time: '1 where there is no sample at all',
  present_over_time: '1 for each series that has a sample',
  avg_over_time: 'the mean of each series',
  sum_over_time: 'the sum of each series',
  min_over_time: 'the smallest value of each series',
  max_over_time: 'the largest value of each series',
  count_over_time: 'the number of samples of each series',
  first_over_time: 'the first sample of each series',
  last_over_time: 'the last sample of each series',
  stddev_over_time: 'the standard deviation of each series',
  stdvar_over_time: 'the variance of each series',
  quantile_over_time: 'a quantile of each series',
  integral: 'the integral of each series over time',
  mad_over_time: 'the median distance from the median of each series',
  ts_of_first_over_time: 'when the first sample of each series was taken',
  ts_of_last_over_time: 'when the last sample of each series was taken',
  ts_of_min_over_time: 'when the smallest value of each series was last seen',
  ts_of_max_over_time: 'when the largest value of each series was last seen',
};

const overVector: Record<string, string> = {
  absent: '1 where there is no such series, else nothing',
  scalar: 'the value of the only series, NaN where there is not exactly one',
  vector: 'a series without labels with the value of',
  histogram_quantile: 'the value below which such a share of observations lies',
  histogram_quantiles: 'the values below which such shares of observations lie',
  histogram_fraction: 'the share of observations between two values',
  histogram_count: 'the number of observations',
  histogram_sum: 'the sum of observations',
  histogram_avg: 'the mean observation',
  histogram_stddev: 'the standard deviation of observations',
  histogram_stdvar: 'the variance of observations',
  label_replace: 'with a label set to what a pattern finds in another label',
  label_join: 'with a label set to other labels joined',
  info: 'with the labels of the info metrics that describe each series',
  clamp: 'each value, at least and at most',
  clamp_min: 'each value, at least',
  clamp_max: 'each value, at most',
  round: 'each value rounded',
  sort: 'smallest first',
  sort_desc: 'largest first',
  sort_by_label: 'in the order of labels',
  sort_by_label_desc: 'in the reverse order of labels',
  time: 'the time of the evaluation, in seconds',
  timestamp: 'when each sample was taken, in seconds',
  start_timestamp: 'when each counter began, in seconds',
  sgn: 'the sign of each value',
};

function callLine(call: Call): Line {
  const text = overRange[call.name] ?? overVector[call.name];
  return {
    text:
      text === undefined
        ? `${call.name}${call.args.length > 0 ? ' of' : '()'}`
        : `${text} (${call.name})`,
    below: call.args.map(lineOf),
  };
}

const aggregateWords: Record<Aggregate['op'], string> = {
  sum: 'the sum',
  avg: 'the mean',
  min: 'the smallest value',
  max: 'the largest value',
  count: 'the number of series',
  group: '1',
  stddev: 'the standard deviation',
  stdvar: 'the variance',
  quantile: 'the quantile',
  topk: 'the series with the largest values',
  bottomk: 'the series with the smallest values',
  limitk: 'any series, so many',
  limit_ratio: 'any series, such a share of them',
  count_values: 'the number of series for each value, which becomes a label',
};

function aggregateLine(aggregate: Aggregate): Line {
  const { grouping, without, op, param } = aggregate;
  const labels = grouping.join(', ');
  const per = without
    ? grouping.length > 0
      ? `, apart for every label except ${labels}`
      : ', apart for every set of labels'
    : grouping.length > 0
      ? `, apart for each ${labels}`
      : ' over all series';
  const constant =
    param && (withoutParens(param).kind === 'number' || withoutParens(param).kind === 'string');
  const named = constant ? ` (${op} ${print(param)})` : ` (${op})`;
  const below = param && !constant ? [param, aggregate.expr] : [aggregate.expr];
  return { text: `${aggregateWords[op]}${per}${named} of`, below: below.map(lineOf) };
}

const operatorWords: Record<Binary['op'], string> = {
  '+': 'the first plus the second',
  '-': 'the first minus the second',
  '*': 'the first times the second',
  '/': 'the first divided by the second',
  '%': 'the remainder of the first divided by the second',
  '^': 'the first to the power of the second',
  atan2: 'the angle whose tangent is the first over the second',
  '==': 'equals',
  '!=': 'differs from',
  '>': 'is above',
  '<': 'is below',
  '>=': 'is at least',
  '<=': 'is at most',
  and: 'the first, only where there is the second',
  or: 'the first, and where it is not there the second',
  unless: 'the first, only where the second is not there',
  '</': 'of the first only observations below the second',
  '>/': 'of the first only observations above the second',
};

function binaryLine(binary: Binary): Line {
  const { op, left, right, bool } = binary;
  const words = operatorWords[op];
  const compared = bool
    ? `1 where the first ${words} the second, else 0`
    : `the first, only where it ${words} the second`;
  const text = isComparison(op) ? compared : words;
  return { text: `${text}${matchText(binary)}`, below: [lineOf(left), lineOf(right)] };
}

function matchText(binary: Binary): string {
  const { matching } = binary;
  if (!matching || typeOf(binary.left) !== 'vector' || typeOf(binary.right) !== 'vector') return '';
  const labels = matching.labels.join(', ');
  const on = matching.on
    ? matching.labels.length > 0
      ? `, matched on ${labels}`
      : ', whatever the labels'
    : matching.labels.length > 0
      ? `, matched on all labels but ${labels}`
      : '';
  const side =
    matching.cardinality === 'many-to-one'
      ? ', many on the left for one on the right'
      : matching.cardinality === 'one-to-many'
        ? ', one on the left for many on the right'
        : '';
  return `${on}${side}`;
}
