/** Times of evaluation and of samples, and their calendar fields in UTC. */
import type { Context } from '../engine/context.js';
import { mergeSameLabels } from '../engine/merge.js';
import { referenceTimes } from '../engine/reference-times.js';
import { forEachLast } from '../engine/selectors.js';
import { evaluateVector } from '../engine/argument.js';
import { emptySeries, type GridSeries, hasSamples, type Value } from '../engine/value.js';
import { Labels } from '../labels.js';
import type { Call, Expr, VectorSelector } from '../syntax/ast.js';
import { withoutParens } from '../syntax/ast.js';
import { mapFloats } from './map-floats.js';
import type { VectorFunction } from './vector-functions.js';

const dayMs = 86_400_000;

const calendar: Record<string, (date: Date) => number> = {
  minute: (d) => d.getUTCMinutes(),
  hour: (d) => d.getUTCHours(),
  day_of_week: (d) => d.getUTCDay(),
  day_of_month: (d) => d.getUTCDate(),
  day_of_year: (d) => Math.floor((d.getTime() - Date.UTC(d.getUTCFullYear(), 0, 1)) / dayMs) + 1,
  days_in_month: (d) => new Date(Date.UTC(d.getUTCFullYear(), d.getUTCMonth() + 1, 0)).getUTCDate(),
  month: (d) => d.getUTCMonth() + 1,
  year: (d) => d.getUTCFullYear(),
};

const calendarFunction =
  (part: (date: Date) => number): VectorFunction =>
  (call, ctx) => {
    const argument = call.args[0];
    const of = (seconds: number): number => part(new Date(Math.trunc(seconds) * 1000));
    if (argument) return mapFloats(call, ctx, argument, of);
    const out = emptySeries(Labels.empty, ctx.steps);
    for (let step = 0; step < ctx.steps; step++) out.values[step] = of(ctx.timeAt(step) / 1000);
    out.present.fill(1);
    return { type: 'vector', series: [out] };
  };

const time: VectorFunction = (_call, ctx) => ({
  type: 'scalar',
  values: Float64Array.from({ length: ctx.steps }, (_, step) => ctx.timeAt(step) / 1000),
});

/** For a selector, the time of each sample; for any other argument, the time of evaluation. */
const timestamp: VectorFunction = (call, ctx) => {
  const argument = withoutParens(call.args[0] as Expr);
  const series =
    argument.kind === 'selector'
      ? sampleTimes(argument, ctx, 'times')
      : evaluateVector(argument, ctx).map((s) => ({
          ...s,
          values: s.values.map((_, step) => ctx.timeAt(step) / 1000),
          histograms: undefined,
        }));
  return named(series, call, ctx);
};

/** Start times of the counters behind a selector's samples, if they are known and the option is set. */
const startTimestamp: VectorFunction = (call, ctx) => {
  const argument = withoutParens(call.args[0] as Expr);
  if (argument.kind !== 'selector' || !ctx.options.startTimestamps) {
    return { type: 'vector', series: [] };
  }
  return named(sampleTimes(argument, ctx, 'starts'), call, ctx);
};

function named(series: GridSeries[], call: Call, ctx: Context): Value {
  const dropped = series
    .filter(hasSamples)
    .map((s) => ({ ...s, labels: ctx.nameless(s.labels), dropName: true }));
  return { type: 'vector', series: mergeSameLabels(dropped, call) };
}

/**
 * With `@`, Prometheus reads up to the time given by the offset but looks back from the fixed time; only samples that
 * both allow are found.
 */
function lookUp(
  selector: VectorSelector,
  ctx: Context,
): { firstMs: number; stepMs: number; lookbackMs: number } {
  const { lookbackMs } = ctx.options;
  const times = referenceTimes(ctx, selector);
  const fixed = ctx.fixedTime(selector.at);
  if (fixed === undefined) return { ...times, lookbackMs };
  const offsetMs = fixed - times.firstMs;
  return {
    firstMs: Math.min(fixed, times.firstMs),
    stepMs: 0,
    lookbackMs: Math.max(0, lookbackMs - Math.abs(offsetMs)),
  };
}

function sampleTimes(
  selector: VectorSelector,
  ctx: Context,
  what: 'times' | 'starts',
): GridSeries[] {
  const { firstMs, stepMs, lookbackMs } = lookUp(selector, ctx);
  const lastMs = firstMs + (ctx.steps - 1) * stepMs;
  const found = ctx.store.select(selector.matchers, firstMs - lookbackMs + 1, lastMs);
  return found.map((series) => {
    const out = emptySeries(series.labels, ctx.steps);
    forEachLast(series, ctx.steps, { firstMs, stepMs }, lookbackMs, (step, i) => {
      if (series.stale?.[i] === 1) return;
      const timeMs = what === 'times' ? (series.times[i] as number) : (series.starts?.[i] ?? 0);
      out.values[step] = timeMs / 1000;
      out.present[step] = 1;
    });
    return out;
  });
}

/** The times of the whole query are the same at every step. */
const ofQuery =
  (pick: (ctx: Context) => number): VectorFunction =>
  (_call, ctx) => ({ type: 'scalar', values: new Float64Array(ctx.steps).fill(pick(ctx)) });

export const timeFunctions: Record<string, VectorFunction> = {
  ...Object.fromEntries(
    Object.entries(calendar).map(([name, part]) => [name, calendarFunction(part)]),
  ),
  time,
  timestamp,
  start_timestamp: startTimestamp,
  start: ofQuery((ctx) => ctx.query.startMs / 1000),
  end: ofQuery((ctx) => ctx.query.endMs / 1000),
  range: ofQuery((ctx) => (ctx.query.endMs - ctx.query.startMs) / 1000),
  step: ofQuery((ctx) => (ctx.query.startMs === ctx.query.endMs ? 0 : ctx.query.stepMs / 1000)),
};
