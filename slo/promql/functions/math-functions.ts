/** Arithmetic on single samples. */
import { evaluateScalar } from '../engine/argument.js';
import type { Context } from '../engine/context.js';
import type { Value } from '../engine/value.js';
import type { Call, Expr } from '../syntax/ast.js';
import { mapFloats } from './map-floats.js';
import type { VectorFunction } from './vector-functions.js';

const simple: Record<string, (value: number) => number> = {
  abs: Math.abs,
  ceil: Math.ceil,
  floor: Math.floor,
  exp: Math.exp,
  sqrt: Math.sqrt,
  ln: Math.log,
  log2: Math.log2,
  log10: Math.log10,
  sin: Math.sin,
  cos: Math.cos,
  tan: Math.tan,
  asin: Math.asin,
  acos: Math.acos,
  atan: Math.atan,
  sinh: Math.sinh,
  cosh: Math.cosh,
  tanh: Math.tanh,
  asinh: Math.asinh,
  acosh: Math.acosh,
  atanh: Math.atanh,
  rad: (v) => v * (Math.PI / 180),
  deg: (v) => v * (180 / Math.PI),
  sgn: (v) => (v < 0 ? -1 : v > 0 ? 1 : v),
};

const round: VectorFunction = (call, ctx) => {
  const [vector, nearest] = call.args as [Expr, Expr?];
  const to = nearest ? evaluateScalar(nearest, ctx) : undefined;
  return mapFloats(call, ctx, vector, (value, step) => {
    // Multiplying by the inverse loses fewer digits than dividing, and ties round up.
    const inverse = 1 / (to ? (to[step] as number) : 1);
    return Math.floor(value * inverse + 0.5) / inverse;
  });
};

/** Steps whose minimum exceeds their maximum have no result. */
function clamp(
  call: Call,
  ctx: Context,
  low: Float64Array | undefined,
  high: Float64Array | undefined,
): Value {
  const bounds = (step: number): [number, number] => [
    low ? (low[step] as number) : -Infinity,
    high ? (high[step] as number) : Infinity,
  ];
  const value = mapFloats(call, ctx, call.args[0] as Expr, (v, step) => {
    const [from, to] = bounds(step);
    return Math.max(from, Math.min(to, v));
  });
  if (value.type !== 'vector' || !low || !high) return value;
  for (const series of value.series) {
    series.present = series.present.map((p, step) => {
      const [from, to] = bounds(step);
      return to < from ? 0 : p;
    });
  }
  return { type: 'vector', series: value.series.filter((s) => s.present.includes(1)) };
}

export const mathFunctions: Record<string, VectorFunction> = {
  ...Object.fromEntries(
    Object.entries(simple).map(([name, compute]): [string, VectorFunction] => [
      name,
      (call, ctx) => mapFloats(call, ctx, call.args[0] as Expr, compute),
    ]),
  ),
  round,
  clamp: (call, ctx) =>
    clamp(
      call,
      ctx,
      evaluateScalar(call.args[1] as Expr, ctx),
      evaluateScalar(call.args[2] as Expr, ctx),
    ),
  clamp_min: (call, ctx) => clamp(call, ctx, evaluateScalar(call.args[1] as Expr, ctx), undefined),
  clamp_max: (call, ctx) => clamp(call, ctx, undefined, evaluateScalar(call.args[1] as Expr, ctx)),
};
