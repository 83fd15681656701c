/** Conversions between scalars and vectors, and `absent`. */
import { absentLabels } from '../engine/absent.js';
import { evaluateScalar, evaluateVector } from '../engine/argument.js';
import { emptySeries, hasSamples } from '../engine/value.js';
import { Labels } from '../labels.js';
import type { Expr } from '../syntax/ast.js';
import { evaluateInfo } from './info.js';
import type { VectorFunction } from './vector-functions.js';

const vector: VectorFunction = (call, ctx) => {
  const values = evaluateScalar(call.args[0] as Expr, ctx);
  const present = new Uint8Array(ctx.steps).fill(1);
  const series = { labels: Labels.empty, dropName: false, values, present, histograms: undefined };
  return { type: 'vector', series: [series] };
};

/** The only float of a vector; NaN if there is none or more than one. */
const scalar: VectorFunction = (call, ctx) => {
  const values = new Float64Array(ctx.steps).fill(NaN);
  const found = new Uint8Array(ctx.steps);
  for (const series of evaluateVector(call.args[0] as Expr, ctx)) {
    for (let step = 0; step < ctx.steps; step++) {
      if (series.present[step] === 0 || series.histograms?.[step]) continue;
      values[step] = found[step] === 0 ? (series.values[step] as number) : NaN;
      found[step] = 1;
    }
  }
  return { type: 'scalar', values };
};

const absent: VectorFunction = (call, ctx) => {
  const argument = call.args[0] as Expr;
  const series = evaluateVector(argument, ctx);
  const out = emptySeries(absentLabels(argument), ctx.steps);
  for (let step = 0; step < ctx.steps; step++) {
    if (series.some((s) => s.present[step] === 1)) continue;
    out.values[step] = 1;
    out.present[step] = 1;
  }
  return { type: 'vector', series: hasSamples(out) ? [out] : [] };
};

const ofTwo =
  (pick: (a: number, b: number) => number): VectorFunction =>
  (call, ctx) => {
    const [a, b] = call.args.map((arg) => evaluateScalar(arg, ctx)) as [Float64Array, Float64Array];
    return { type: 'scalar', values: a.map((value, step) => pick(value, b[step] as number)) };
  };

export const miscFunctions: Record<string, VectorFunction> = {
  vector,
  scalar,
  absent,
  min_of: ofTwo(Math.min),
  max_of: ofTwo(Math.max),
  pi: (_call, ctx) => ({ type: 'scalar', values: new Float64Array(ctx.steps).fill(Math.PI) }),
  info: (call, ctx) => ({ type: 'vector', series: evaluateInfo(call, ctx) }),
};
