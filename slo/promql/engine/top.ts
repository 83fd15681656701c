/** Aggregations that pick series: the largest, the smallest, any few, any share. */
import { messages } from './messages.js';
import { goFloat } from './go-format.js';
import type { Aggregate } from '../syntax/ast.js';
import { ignoreHistogram } from './aggregate.js';
import type { Context } from './context.js';
import type { Group } from './groups.js';
import { labelsOffset } from './ratio-hash.js';
import { extremesOf } from './math.js';
import { emptySeries, type GridSeries, hasSamples } from './value.js';

export function topOrLimit(
  aggregate: Aggregate,
  groups: readonly Group[],
  k: Float64Array,
  ctx: Context,
): GridSeries[] {
  const { low, high } = extremesOf(k);
  if (high < 1) return [];
  checkCounts(aggregate, low, high, ctx);
  const picked = new Picked(ctx);
  for (const group of groups) {
    for (let step = 0; step < ctx.steps; step++) {
      const count = Math.trunc(k[step] as number);
      if (count < 1) continue;
      const members = group.members.filter((m) => m.present[step] === 1);
      if (aggregate.op === 'limitk') {
        members.slice(0, count).forEach((m) => picked.add(m, step));
        continue;
      }
      const floats = members.filter((m) => !m.histograms?.[step]);
      if (floats.length < members.length) ignoreHistogram(aggregate.op, aggregate, ctx, true);
      largest(floats, step, count, aggregate.op === 'topk').forEach((m) => picked.add(m, step));
    }
  }
  return picked.series();
}

function checkCounts(aggregate: Aggregate, low: number, high: number, ctx: Context): void {
  const place = aggregate.param ?? aggregate;
  if (Number.isNaN(high)) ctx.fail('Parameter value is NaN', place);
  if (low <= -(2 ** 63)) ctx.fail(`Scalar value ${goFloat(low)} underflows int64`, place);
  if (high >= 2 ** 63) ctx.fail(`Scalar value ${goFloat(high)} overflows int64`, place);
}

/** The best first; of equal ones the earlier; NaN only where there is nothing else. */
function largest(
  members: readonly GridSeries[],
  step: number,
  count: number,
  top: boolean,
): GridSeries[] {
  const sign = top ? 1 : -1;
  const rank = (m: GridSeries): number => {
    const value = sign * (m.values[step] as number);
    return Number.isNaN(value) ? -Infinity : value;
  };
  const isNaNAt = (m: GridSeries): number => (Number.isNaN(m.values[step] as number) ? 1 : 0);
  return [...members]
    .sort((a, b) => isNaNAt(a) - isNaNAt(b) || compareDescending(rank(a), rank(b)))
    .slice(0, count);
}

function compareDescending(a: number, b: number): number {
  return a === b ? 0 : a > b ? -1 : 1;
}

export function limitRatio(
  aggregate: Aggregate,
  groups: readonly Group[],
  ratios: Float64Array,
  ctx: Context,
): GridSeries[] {
  const place = aggregate.param ?? aggregate;
  const { low, high } = extremesOf(ratios);
  if (low === 0 && high === 0) return [];
  if (Number.isNaN(high)) ctx.fail('Ratio value is NaN', place);
  const warn = (got: number, to: number): void =>
    ctx.annotations.warn(messages.ratioOutOfRange(got, to), place);
  if (high > 1) warn(high, 1);
  if (low < -1) warn(low, -1);
  const picked = new Picked(ctx);
  for (const member of groups.flatMap((g) => g.members)) {
    const offset = labelsOffset(member.labels);
    for (let step = 0; step < ctx.steps; step++) {
      if (member.present[step] === 0) continue;
      const ratio = Math.max(-1, Math.min(1, ratios[step] as number));
      if (ratio >= 0 ? offset < ratio : offset >= 1 + ratio) picked.add(member, step);
    }
  }
  return picked.series();
}

/** Copies of series with only the steps at which they were picked, in the order of the first pick. */
class Picked {
  readonly #ctx: Context;
  readonly #found = new Map<GridSeries, GridSeries>();

  constructor(ctx: Context) {
    this.#ctx = ctx;
  }

  add(member: GridSeries, step: number): void {
    let out = this.#found.get(member);
    if (!out) {
      out = emptySeries(member.labels, this.#ctx.steps, member.dropName);
      if (member.histograms) out.histograms = Array.from({ length: this.#ctx.steps });
      this.#found.set(member, out);
    }
    out.values[step] = member.values[step] as number;
    out.present[step] = 1;
    if (out.histograms) out.histograms[step] = member.histograms?.[step];
  }

  series(): GridSeries[] {
    return [...this.#found.values()].filter(hasSamples);
  }
}
