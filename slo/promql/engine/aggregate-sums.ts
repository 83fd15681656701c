/** `sum` and `avg` of floats or of histograms; a group with both has no result. */
import { messages } from './messages.js';
import type { Aggregate } from '../syntax/ast.js';
import type { Histogram } from '../histogram/histogram.js';
import { totalOf } from './histogram-total.js';
import type { Context } from './context.js';
import { CompensatedSum } from './math.js';
import { type GridSeries, put } from './value.js';

export function sumOrAverage(
  aggregate: Aggregate,
  members: readonly GridSeries[],
  out: GridSeries,
  ctx: Context,
): void {
  if (members.some((m) => m.histograms)) return mixed(aggregate, members, out, ctx);
  const { values: sums, present: seen } = out;
  const lost = new Float64Array(ctx.steps);
  const counts = new Float64Array(aggregate.op === 'avg' ? ctx.steps : 0);
  for (const { present, values } of members) {
    for (let step = 0; step < ctx.steps; step++) {
      if (present[step] === 0) continue;
      const value = values[step] as number;
      if (seen[step] === 0) {
        seen[step] = 1;
        sums[step] = value;
      } else {
        const sum = sums[step] as number;
        const total = sum + value;
        if (total === Infinity || total === -Infinity) lost[step] = 0;
        else if (Math.abs(sum) >= Math.abs(value)) lost[step]! += sum - total + value;
        else lost[step]! += value - total + sum;
        sums[step] = total;
      }
      if (counts.length > 0) counts[step]!++;
    }
  }
  for (let step = 0; step < ctx.steps; step++) {
    if (seen[step] === 0) continue;
    const sum = sums[step] as number;
    if (aggregate.op === 'sum') {
      sums[step] = sum + (lost[step] as number);
    } else if (Number.isFinite(sum)) {
      sums[step] =
        sum / (counts[step] as number) + (lost[step] as number) / (counts[step] as number);
    } else {
      sums[step] = meanAt(members, step);
    }
  }
}

/** The mean; computed incrementally where the sum overflows. */
function meanAt(members: readonly GridSeries[], step: number): number {
  let sum: CompensatedSum | undefined;
  let mean: CompensatedSum | undefined;
  let count = 0;
  for (const member of members) {
    if (member.present[step] === 0) continue;
    const value = member.values[step] as number;
    count++;
    if (!sum) {
      sum = new CompensatedSum(value);
      continue;
    }
    if (!mean) {
      const [before, lost] = [sum.sum, sum.lost];
      sum.add(value);
      if (Math.abs(sum.sum) !== Infinity) continue;
      mean = new CompensatedSum(before / (count - 1));
      mean.lost = lost / (count - 1);
    }
    mean.scale((count - 1) / count);
    mean.add(value / count);
  }
  if (mean) return mean.total;
  return sum ? sum.sum / count + sum.lost / count : NaN;
}

function mixed(
  aggregate: Aggregate,
  members: readonly GridSeries[],
  out: GridSeries,
  ctx: Context,
): void {
  for (let step = 0; step < ctx.steps; step++) {
    const here = members.filter((m) => m.present[step] === 1);
    const withHistogram = here.filter((m) => m.histograms?.[step]);
    if (here.length === 0) continue;
    if (withHistogram.length === 0) {
      put(out, step, aggregate.op === 'avg' ? meanAt(here, step) : sumAt(here, step));
      continue;
    }
    if (withHistogram.length < here.length) {
      ctx.annotations.warn(messages.mixedInAggregation(), aggregate.expr);
      continue;
    }
    const histograms = withHistogram.map((m) => ({
      histogram: m.histograms?.[step] as Histogram,
      metricName: m.labels.metricName,
    }));
    const result = totalOf(histograms, aggregate.op === 'avg', ctx.annotations, aggregate.expr);
    if (result) put(out, step, result);
  }
}

function sumAt(members: readonly GridSeries[], step: number): number {
  const sum = new CompensatedSum(members[0]?.values[step] ?? NaN);
  for (const member of members.slice(1)) sum.add(member.values[step] as number);
  return sum.total;
}
