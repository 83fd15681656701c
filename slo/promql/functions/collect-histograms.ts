/** Collects a vector's histograms: native ones as they are, classic ones assembled from their buckets. */
import type { Context } from '../engine/context.js';
import { evaluateVector } from '../engine/argument.js';
import { messages } from '../engine/messages.js';
import type { GridSeries } from '../engine/value.js';
import type { Histogram } from '../histogram/histogram.js';
import type { Labels } from '../labels.js';
import type { Expr } from '../syntax/ast.js';
import { parseGoFloat } from '../syntax/literals.js';
import type { ClassicBucket } from './classic-buckets.js';

const bucketLabel = 'le';

/** One histogram over all steps, with its labels except the bucket's bound. */
export class Collected {
  readonly labels: Labels;
  readonly #native: GridSeries[] = [];
  readonly #buckets: { upper: number; series: GridSeries }[] = [];
  /** Steps at which exactly one histogram exists, native or classic. */
  readonly steps: number[] = [];

  constructor(labels: Labels) {
    this.labels = labels;
  }

  add(series: GridSeries, upper: number | undefined): void {
    if (upper === undefined) this.#native.push(series);
    else this.#buckets.push({ upper, series });
  }

  nativeAt(step: number): Histogram | undefined {
    for (const series of this.#native) {
      if (series.present[step] === 1 && series.histograms?.[step]) return series.histograms[step];
    }
    return undefined;
  }

  bucketsAt(step: number): ClassicBucket[] {
    const found: ClassicBucket[] = [];
    for (const { upper, series } of this.#buckets) {
      if (series.present[step] === 0 || series.histograms?.[step]) continue;
      found.push({ upper, count: series.values[step] as number });
    }
    return found;
  }

  get hasNative(): boolean {
    return this.#native.length > 0;
  }

  hasBucketsAt(step: number): boolean {
    return this.#buckets.some((b) => b.series.present[step] === 1 && !b.series.histograms?.[step]);
  }
}

export function collectHistograms(argument: Expr, ctx: Context): Collected[] {
  const found = new Map<string, Collected>();
  const under = (labels: Labels): Collected => {
    let collected = found.get(labels.key);
    if (!collected) found.set(labels.key, (collected = new Collected(labels)));
    return collected;
  };
  for (const series of evaluateVector(argument, ctx)) {
    if (series.histograms?.some((h) => h !== undefined))
      under(series.labels).add(series, undefined);
    if (!hasFloats(series)) continue;
    const bound = series.labels.get(bucketLabel);
    const upper = parseGoFloat(bound);
    if (upper === undefined || Number.isNaN(upper)) warnBadBucket(series, bound, argument, ctx);
    else under(series.labels.without([bucketLabel])).add(series, upper);
  }
  const all = [...found.values()];
  for (const collected of all) chooseSteps(collected, argument, ctx);
  return all;
}

function hasFloats({ histograms, present }: GridSeries): boolean {
  return !histograms || present.some((p, i) => p === 1 && !histograms[i]);
}

function warnBadBucket(series: GridSeries, bound: string, argument: Expr, ctx: Context): void {
  const name = ctx.options.delayedNameRemoval ? series.labels.metricName : '';
  ctx.annotations.warn(messages.badBucket(bound, name), argument);
}

/** A step that has both a native and a classic histogram uses neither. */
function chooseSteps(collected: Collected, argument: Expr, ctx: Context): void {
  for (let step = 0; step < ctx.steps; step++) {
    const classic = collected.hasBucketsAt(step);
    const native = collected.hasNative && collected.nativeAt(step) !== undefined;
    if (classic && native) {
      const name = ctx.options.delayedNameRemoval ? collected.labels.metricName : '';
      ctx.annotations.warn(messages.mixedClassicAndNative(name), argument);
    } else if (classic || native) {
      collected.steps.push(step);
    }
  }
}
