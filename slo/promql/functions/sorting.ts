/** `sort` and related functions: the order of an instant query's result. */
import { messages } from '../engine/messages.js';
import type { Context } from '../engine/context.js';
import { evaluateVector, stringOf } from '../engine/argument.js';
import type { GridSeries } from '../engine/value.js';
import { Labels } from '../labels.js';
import type { Call, Expr } from '../syntax/ast.js';
import type { VectorFunction } from './vector-functions.js';

const sorted =
  (order: (call: Call, series: GridSeries[]) => GridSeries[]): VectorFunction =>
  (call, ctx) => {
    warnInRange(call, ctx);
    return { type: 'vector', series: order(call, evaluateVector(call.args[0] as Expr, ctx)) };
  };

function warnInRange(call: Call, ctx: Context): void {
  if (ctx.isInstant) return;
  ctx.annotations.warn(messages.sortInRange(), call);
}

/** NaN comes last in either direction; histograms have no order and are dropped. */
function byValue(series: GridSeries[], sign: 1 | -1): GridSeries[] {
  const floats = series.map((s) => ({
    ...s,
    present: s.histograms ? s.present.map((p, i) => (s.histograms?.[i] ? 0 : p)) : s.present,
    histograms: undefined,
  }));
  return floats
    .filter((s) => s.present.includes(1))
    .sort((a, b) => {
      const [x, y] = [a.values[0] as number, b.values[0] as number];
      if (Number.isNaN(x) || Number.isNaN(y))
        return Number(Number.isNaN(x)) - Number(Number.isNaN(y));
      return x === y ? 0 : sign * (x < y ? -1 : 1);
    });
}

function byLabels(call: Call, series: GridSeries[], sign: 1 | -1): GridSeries[] {
  const names = call.args.slice(1).map(stringOf);
  return [...series].sort((a, b) => {
    for (const name of names) {
      const [x, y] = [a.labels.get(name), b.labels.get(name)];
      if (x !== y) return sign * (naturallyLess(x, y) ? -1 : 1);
    }
    return sign * Labels.compare(a.labels, b.labels);
  });
}

/** Compares digits as numbers: `node-9` comes before `node-10`. */
function naturallyLess(a: string, b: string): boolean {
  const chunks = (text: string): string[] => text.match(/\d+|\D+/g) ?? [];
  const [left, right] = [chunks(a), chunks(b)];
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const [x, y] = [left[i] as string, right[i] as string];
    if (x === y) continue;
    if (/^\d/.test(x) && /^\d/.test(y)) {
      const [m, n] = [BigInt(x), BigInt(y)];
      if (m !== n) return m < n;
      return x.length < y.length;
    }
    return x < y;
  }
  return left.length < right.length;
}

export const sortFunctions: Record<string, VectorFunction> = {
  sort: sorted((_call, series) => byValue(series, 1)),
  sort_desc: sorted((_call, series) => byValue(series, -1)),
  sort_by_label: sorted((call, series) => byLabels(call, series, 1)),
  sort_by_label_desc: sorted((call, series) => byLabels(call, series, -1)),
};
