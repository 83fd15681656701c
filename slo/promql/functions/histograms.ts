/** Functions of histograms, classic and native. */
import type { Context } from '../engine/context.js';
import { evaluateScalar, evaluateVector, stringOf } from '../engine/argument.js';
import { mergeSameLabels } from '../engine/merge.js';
import { CompensatedSum } from '../engine/math.js';
import { messages } from '../engine/messages.js';
import { emptySeries, type GridSeries, hasSamples, put, type Value } from '../engine/value.js';
import { allBuckets } from '../histogram/bounds.js';
import type { Histogram } from '../histogram/histogram.js';
import { histogramFraction, histogramQuantile } from '../histogram/quantile.js';
import type { Call, Expr } from '../syntax/ast.js';
import { withoutParens } from '../syntax/ast.js';
import { classicFraction, classicQuantile, type Corrections } from './classic-buckets.js';
import { collectHistograms, type Collected } from './collect-histograms.js';
import { ForcedMonotonicity } from './forced-monotonicity.js';
import { openMetricsFloat } from '../engine/go-format.js';
import type { VectorFunction } from './vector-functions.js';

const ofHistogram =
  (compute: (histogram: Histogram) => number): VectorFunction =>
  (call, ctx) => {
    const series = evaluateVector(call.args[0] as Expr, ctx).map((s) => {
      const out = emptySeries(ctx.nameless(s.labels), ctx.steps, true);
      s.histograms?.forEach((histogram, step) => {
        if (histogram && s.present[step] === 1) put(out, step, compute(histogram));
      });
      return out;
    });
    return { type: 'vector', series: mergeSameLabels(series.filter(hasSamples), call) };
  };

/** The variance, with each bucket's observations taken to be at its middle. */
function variance(histogram: Histogram): number {
  const mean = histogram.sum / histogram.count;
  const sum = new CompensatedSum();
  for (const { lower, upper, count } of allBuckets(histogram)) {
    if (count === 0) continue;
    const delta = middle(histogram, lower, upper) - mean;
    sum.add(count * delta * delta);
  }
  return sum.total / histogram.count;
}

function middle(histogram: Histogram, lower: number, upper: number): number {
  if (histogram.usesCustomBuckets) return (upper + lower) / 2;
  if (lower <= 0 && upper >= 0) return 0;
  const geometric = Math.sqrt(upper * lower);
  return upper < 0 ? -geometric : geometric;
}

/** Calls `compute` for every histogram at every step; it returns the value of each resulting series. */
function eachHistogram(
  call: Call,
  ctx: Context,
  argument: Expr,
  compute: (found: Collected, step: number) => { labels: GridSeries['labels']; value: number }[],
): Value {
  const results = new Map<string, GridSeries>();
  for (const found of collectHistograms(withoutParens(argument), ctx)) {
    for (const step of found.steps) {
      for (const { labels, value } of compute(found, step)) {
        let out = results.get(labels.key);
        if (!out) results.set(labels.key, (out = emptySeries(labels, ctx.steps, true)));
        if (out.present[step] === 1)
          ctx.fail('vector cannot contain metrics with the same labelset', call);
        put(out, step, value);
      }
    }
  }
  return { type: 'vector', series: [...results.values()] };
}

function quantileAt(
  found: Collected,
  step: number,
  q: number,
  argument: Expr,
  ctx: Context,
): number {
  const name = ctx.options.delayedNameRemoval ? found.labels.metricName : '';
  const native = found.nativeAt(step);
  if (native) {
    const { value, note } = histogramQuantile(q, native);
    if (note === 'nan') ctx.annotations.info(messages.quantileOfNaN(name), argument);
    if (note === 'skewed') ctx.annotations.info(messages.quantileSkewed(name), argument);
    return value;
  }
  const { value, corrections } = classicQuantile(q, found.bucketsAt(step));
  if (corrections) noteCorrections(corrections, name, argument, ctx.timeAt(step), ctx);
  return value;
}

function noteCorrections(
  corrections: Corrections,
  name: string,
  argument: Expr,
  timeMs: number,
  ctx: Context,
): void {
  ctx.annotations.info(
    messages.forcedMonotonicity(name),
    argument,
    new ForcedMonotonicity(corrections, timeMs),
  );
}

function warnQuantiles(q: Float64Array, argument: Expr, ctx: Context): void {
  for (const wanted of new Set(q)) {
    if (wanted >= 0 && wanted <= 1) continue;
    ctx.annotations.warn(messages.quantileOutOfRange(wanted), argument);
  }
}

const quantile: VectorFunction = (call, ctx) => {
  const [scalar, vector] = call.args as [Expr, Expr];
  const q = evaluateScalar(scalar, ctx);
  warnQuantiles(q, withoutParens(scalar), ctx);
  return eachHistogram(call, ctx, vector, (found, step) => [
    {
      labels: ctx.nameless(found.labels),
      value: quantileAt(found, step, q[step] as number, withoutParens(vector), ctx),
    },
  ]);
};

/** Several quantiles at once, each with its own label. */
const quantiles: VectorFunction = (call, ctx) => {
  const [vector, label, ...scalars] = call.args as [Expr, Expr, ...Expr[]];
  const wanted = scalars.map((scalar) => evaluateScalar(scalar, ctx));
  wanted.forEach((q, i) => warnQuantiles(q, withoutParens(scalars[i] as Expr), ctx));
  const name = stringOf(label);
  return eachHistogram(call, ctx, vector, (found, step) =>
    wanted.map((q) => ({
      labels: ctx.nameless(found.labels).with(name, openMetricsFloat(q[step] as number)),
      value: quantileAt(found, step, q[step] as number, withoutParens(vector), ctx),
    })),
  );
};

const fraction: VectorFunction = (call, ctx) => {
  const [low, high, vector] = call.args as [Expr, Expr, Expr];
  const [lower, upper] = [evaluateScalar(low, ctx), evaluateScalar(high, ctx)];
  return eachHistogram(call, ctx, vector, (found, step) => {
    const labels = ctx.nameless(found.labels);
    const [from, to] = [lower[step] as number, upper[step] as number];
    const native = found.nativeAt(step);
    if (!native) return [{ labels, value: classicFraction(from, to, found.bucketsAt(step)) }];
    const { value, hasNaN } = histogramFraction(from, to, native);
    const name = ctx.options.delayedNameRemoval ? found.labels.metricName : '';
    if (hasNaN) ctx.annotations.info(messages.fractionOfNaN(name), withoutParens(vector));
    return [{ labels, value }];
  });
};

export const histogramFunctions: Record<string, VectorFunction> = {
  histogram_count: ofHistogram((h) => h.count),
  histogram_sum: ofHistogram((h) => h.sum),
  histogram_avg: ofHistogram((h) => h.sum / h.count),
  histogram_stdvar: ofHistogram(variance),
  histogram_stddev: ofHistogram((h) => Math.sqrt(variance(h))),
  histogram_quantile: quantile,
  histogram_quantiles: quantiles,
  histogram_fraction: fraction,
};
