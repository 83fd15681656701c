/** Aggregations that select series: the largest, the smallest, any few, any share. */
import { messages } from './messages.js';
import { goFloat } from './go-format.js';
import type { Aggregate } from '../syntax/ast.js';
import { ignoreHistogram } from './ignore-histogram.js';
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
    const ranking = new Ranking(group.members, aggregate.op === 'topk');
    for (let step = 0; step < ctx.steps; step++) {
      const count = Math.trunc(k[step] as number);
      if (count < 1) continue;
      if (aggregate.op === 'limitk') {
        const present = group.members.filter((m) => m.present[step] === 1);
        present.slice(0, count).forEach((m) => picked.add(m, step));
        continue;
      }
      const mixed = group.members.some((m) => m.present[step] === 1 && m.histograms?.[step]);
      if (mixed) ignoreHistogram(aggregate.op, aggregate, ctx, true);
      for (const m of ranking.best(step, count)) picked.add(m, step);
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

/** Up to this many are inserted in order; more are sorted. */
const inOrderMax = 64;

/** The best members of a group, best first; of equal ones the earlier, NaN only if there is nothing else. */
class Ranking {
  readonly #members: readonly GridSeries[];
  readonly #sign: number;
  /** Members with their values, worst last. */
  readonly #best: GridSeries[] = [];
  readonly #values: Float64Array;

  constructor(members: readonly GridSeries[], largest: boolean) {
    this.#members = members;
    this.#sign = largest ? 1 : -1;
    this.#values = new Float64Array(members.length + 1);
  }

  best(step: number, count: number): readonly GridSeries[] {
    return count > inOrderMax ? this.#sorted(step).slice(0, count) : this.#kept(step, count);
  }

  #sorted(step: number): GridSeries[] {
    const value = (m: GridSeries): number => this.#sign * (m.values[step] as number);
    const order = (a: number, b: number): number => (isBetter(a, b) ? -1 : isBetter(b, a) ? 1 : 0);
    return this.#members
      .filter((m) => m.present[step] === 1 && !m.histograms?.[step])
      .sort((a, b) => order(value(a), value(b)));
  }

  #kept(step: number, count: number): readonly GridSeries[] {
    const [best, values] = [this.#best, this.#values];
    best.length = 0;
    for (const member of this.#members) {
      if (member.present[step] === 0 || member.histograms?.[step]) continue;
      const value = this.#sign * (member.values[step] as number);
      let at = best.length;
      if (at === count && !isBetter(value, values[at - 1] as number)) continue;
      if (at === count) at--;
      else best.push(member);
      for (; at > 0 && isBetter(value, values[at - 1] as number); at--) {
        best[at] = best[at - 1] as GridSeries;
        values[at] = values[at - 1] as number;
      }
      best[at] = member;
      values[at] = value;
    }
    return best;
  }
}

function isBetter(value: number, other: number): boolean {
  return value > other || (other !== other && value === value);
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

/** Copies of series that contain only the steps at which they were selected, in the order of selection. */
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
