/** Aggregations: each group of series becomes one series, or a few of its series. */
import type { Aggregate } from '../syntax/ast.js';
import { withoutParens } from '../syntax/ast.js';
import { aggregateValues } from './aggregate-values.js';
import { sumOrAverage } from './aggregate-sums.js';
import type { Context } from './context.js';
import { countValues } from './count-values.js';
import { evaluateScalar, evaluateVector } from './argument.js';
import { ignoreHistogram } from './ignore-histogram.js';
import { messages } from './messages.js';
import { groupSeries } from './groups.js';
import { limitRatio, topOrLimit } from './top.js';
import { extremesOf, quantileOf } from './math.js';
import { type GridSeries, emptySeries, hasSamples } from './value.js';

export function evaluateAggregate(aggregate: Aggregate, ctx: Context): GridSeries[] {
  const { op, param } = aggregate;
  if (op === 'count_values') return countValues(aggregate, ctx);
  const scalar = param ? evaluateScalar(param, ctx) : undefined;
  const groups = groupSeries(aggregate, evaluateVector(aggregate.expr, ctx));
  switch (op) {
    case 'topk':
    case 'bottomk':
    case 'limitk':
      return topOrLimit(aggregate, groups, scalar as Float64Array, ctx);
    case 'limit_ratio':
      return limitRatio(aggregate, groups, scalar as Float64Array, ctx);
    default:
  }
  if (op === 'quantile') warnQuantiles(aggregate, scalar as Float64Array, ctx);
  const results = groups.map((group) => {
    const dropName = group.members.some((m) => m.dropName);
    const out = emptySeries(group.labels, ctx.steps, dropName);
    if (op === 'sum' || op === 'avg') sumOrAverage(aggregate, group.members, out, ctx);
    else if (op === 'quantile')
      quantiles(aggregate, group.members, scalar as Float64Array, out, ctx);
    else aggregateValues(op, aggregate, group.members, out, ctx);
    return out;
  });
  return results.filter(hasSamples);
}

function warnQuantiles(aggregate: Aggregate, q: Float64Array, ctx: Context): void {
  const warn = (wanted: number): void =>
    ctx.annotations.warn(
      messages.quantileOutOfRange(wanted),
      withoutParens(aggregate.param ?? aggregate),
    );
  const { low, high } = extremesOf(q.filter((v) => !Number.isNaN(v)));
  if (q.some(Number.isNaN)) warn(NaN);
  if (high > 1) warn(high);
  if (low < 0) warn(low);
}

function quantiles(
  aggregate: Aggregate,
  members: readonly GridSeries[],
  q: Float64Array,
  out: GridSeries,
  ctx: Context,
): void {
  const values = new Float64Array(members.length);
  for (let step = 0; step < ctx.steps; step++) {
    let count = 0;
    for (const member of members) {
      if (member.present[step] === 0) continue;
      if (member.histograms?.[step]) ignoreHistogram('quantile', aggregate, ctx);
      else values[count++] = member.values[step] as number;
    }
    if (count === 0) continue;
    out.values[step] = quantileOf(q[step] as number, values.subarray(0, count));
    out.present[step] = 1;
  }
}
