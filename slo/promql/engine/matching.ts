/** Arithmetic and comparisons between two vectors, one to one or many to one. */
import type { Labels } from '../labels.js';
import type { Binary, Matching } from '../syntax/ast.js';
import type { Context } from './context.js';
import { sameLabelset } from './merge.js';
import { changesMetric, combine } from './operators.js';
import { matchedLabels, signatureOf } from './signatures.js';
import { emptySeries, type GridSeries, hasSamples, put } from './value.js';

/** Series of both sides with equal signatures. */
interface Pairing {
  many: GridSeries[];
  one: GridSeries[];
}

export function matchVectors(
  expr: Binary,
  left: GridSeries[],
  right: GridSeries[],
  ctx: Context,
): GridSeries[] {
  const matching = expr.matching as Matching;
  const swapped = matching.cardinality === 'one-to-many';
  const [many, one] = swapped ? [right, left] : [left, right];
  const pairings = new Map<string, Pairing>();
  const pairing = (series: GridSeries): Pairing => {
    const signature = signatureOf(matching, series.labels);
    let found = pairings.get(signature);
    if (!found) pairings.set(signature, (found = { many: [], one: [] }));
    return found;
  };
  for (const series of many) pairing(series).many.push(series);
  for (const series of one) pairing(series).one.push(series);
  const work = new Match(expr, matching, swapped, ctx);
  const evaluated = stepsEvaluated(many, one, matching, ctx);
  for (const { many, one } of pairings.values()) work.pair(many, one, evaluated);
  return work.results();
}

/** If one side is empty, nothing is matched, and duplicates on the other side are no error. */
function stepsEvaluated(
  many: readonly GridSeries[],
  one: readonly GridSeries[],
  matching: Matching,
  ctx: Context,
): Uint8Array {
  const any = (series: readonly GridSeries[]): Uint8Array => {
    const steps = new Uint8Array(ctx.steps);
    for (const { present } of series) {
      for (let i = 0; i < steps.length; i++) if (present[i] === 1) steps[i] = 1;
    }
    return steps;
  };
  const filled = matching.fillLeft !== undefined || matching.fillRight !== undefined;
  const [a, b] = [any(many), any(one)];
  return a.map((p, i) => (filled ? p | (b[i] as number) : p & (b[i] as number)));
}

class Match {
  readonly #expr: Binary;
  readonly #matching: Matching;
  readonly #swapped: boolean;
  readonly #ctx: Context;
  readonly #results = new Map<string, GridSeries>();

  constructor(expr: Binary, matching: Matching, swapped: boolean, ctx: Context) {
    this.#expr = expr;
    this.#matching = matching;
    this.#swapped = swapped;
    this.#ctx = ctx;
  }

  results(): GridSeries[] {
    return [...this.#results.values()].filter(hasSamples);
  }

  pair(many: readonly GridSeries[], one: readonly GridSeries[], evaluated: Uint8Array): void {
    const { fillLeft, fillRight } = this.#matching;
    const [fillMany, fillOne] = this.#swapped ? [fillRight, fillLeft] : [fillLeft, fillRight];
    if (many.length === 1 && one.length === 1) {
      this.#columns(many[0] as GridSeries, one[0] as GridSeries, fillMany, fillOne);
      return;
    }
    if (many.length === 0 && fillMany === undefined && one.length < 2) return;
    if (one.length === 0 && fillOne === undefined) return;
    for (let step = 0; step < this.#ctx.steps; step++) {
      if (evaluated[step] === 0) continue;
      this.#step(step, many, one, fillMany, fillOne);
    }
  }

  /** The common case: one series on each side. */
  #columns(
    many: GridSeries,
    one: GridSeries,
    fillMany: number | undefined,
    fillOne: number | undefined,
  ): void {
    const out = this.#target(many.labels, one.labels);
    for (let step = 0; step < this.#ctx.steps; step++) {
      const [m, o] = [many.present[step] === 1, one.present[step] === 1];
      if (m && o) this.#combine(out, step, many, one);
      else if (m && fillOne !== undefined) this.#fill(step, many, undefined, fillOne);
      else if (o && fillMany !== undefined) this.#fill(step, undefined, one, fillMany);
    }
  }

  #step(
    step: number,
    many: readonly GridSeries[],
    one: readonly GridSeries[],
    fillMany: number | undefined,
    fillOne: number | undefined,
  ): void {
    let partner: GridSeries | undefined;
    for (const series of one) {
      if (series.present[step] === 0) continue;
      if (partner) this.#refuseDuplicates(partner, series);
      partner = series;
    }
    let matched = false;
    const seen = new Set<string>();
    for (const series of many) {
      if (series.present[step] === 0) continue;
      if (!partner) {
        if (fillOne !== undefined) {
          this.#once(seen, series.labels, matchedLabels(this.#matching, series.labels));
          this.#fill(step, series, undefined, fillOne);
          matched = true;
        }
        continue;
      }
      matched = true;
      const outcome = this.#outcome(step, series, partner);
      if (!outcome) continue;
      this.#once(seen, series.labels, partner.labels);
      this.#put(this.#target(series.labels, partner.labels), step, outcome);
    }
    if (!matched && partner && fillMany !== undefined) {
      this.#fill(step, undefined, partner, fillMany);
    }
  }

  /** One-to-one matching allows one match for each signature; many-to-one allows one for each resulting label set. */
  #once(seen: Set<string>, many: Labels, one: Labels): void {
    const single = this.#matching.cardinality === 'one-to-one';
    const key = single ? '' : this.#labels(many, one).key;
    if (seen.has(key)) {
      this.#ctx.fail(
        single
          ? 'multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)'
          : 'multiple matches for labels: grouping labels must ensure unique matches',
        this.#expr,
      );
    }
    seen.add(key);
  }

  #fill(
    step: number,
    many: GridSeries | undefined,
    one: GridSeries | undefined,
    fill: number,
  ): void {
    const there = (many ?? one) as GridSeries;
    const absent = emptySeries(matchedLabels(this.#matching, there.labels), this.#ctx.steps);
    absent.values[step] = fill;
    const [a, b] = many ? [many, absent] : [absent, there];
    this.#combine(this.#target(a.labels, b.labels), step, a, b);
  }

  #combine(out: GridSeries, step: number, many: GridSeries, one: GridSeries): void {
    const outcome = this.#outcome(step, many, one);
    if (outcome) this.#put(out, step, outcome);
  }

  #outcome(step: number, many: GridSeries, one: GridSeries): ReturnType<typeof combine> {
    const a = { value: many.values[step] as number, histogram: many.histograms?.[step] };
    const b = { value: one.values[step] as number, histogram: one.histograms?.[step] };
    const [left, right] = this.#swapped ? [b, a] : [a, b];
    return combine(this.#expr.op, left, right, this.#ctx.annotations, this.#expr);
  }

  #put(out: GridSeries, step: number, outcome: NonNullable<ReturnType<typeof combine>>): void {
    const { bool } = this.#expr;
    if (!outcome.keep && !bool) return;
    if (out.present[step] === 1) this.#ctx.fail(sameLabelset, this.#expr);
    if (bool) put(out, step, Number(outcome.keep));
    else put(out, step, outcome.histogram ?? outcome.value);
  }

  #target(many: Labels, one: Labels): GridSeries {
    const labels = this.#labels(many, one);
    let out = this.#results.get(labels.key);
    if (!out) {
      out = emptySeries(labels, this.#ctx.steps, this.#expr.bool);
      this.#results.set(labels.key, out);
    }
    return out;
  }

  /**
   * The labels of the many side without those that the operator invalidates, plus those included from the one side.
   */
  #labels(many: Labels, one: Labels): Labels {
    const { cardinality, on, labels, include } = this.#matching;
    const dropName =
      changesMetric(this.#expr.op) || (this.#expr.bool && !this.#ctx.options.delayedNameRemoval);
    let result = dropName ? many.withoutName() : many;
    if (cardinality === 'one-to-one') result = on ? result.keep(labels) : result.without(labels);
    for (const name of include) result = result.with(name, one.get(name));
    return result;
  }

  #refuseDuplicates(first: GridSeries, second: GridSeries): never {
    const group = matchedLabels(this.#matching, second.labels).toBraces();
    const side = this.#swapped ? 'left' : 'right';
    const pair = [first.labels.toBraces(), second.labels.toBraces()].sort().join(', ');
    return this.#ctx.fail(
      `found duplicate series for the match group ${group} on the ${side} hand-side of the operation: [${pair}]` +
        ';many-to-many matching not allowed: matching labels must be unique on one side',
      this.#expr,
    );
  }
}
