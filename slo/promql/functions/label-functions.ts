/** `label_replace` and `label_join`: make labels from others. */
import type { Context } from '../engine/context.js';
import { evaluateVector, stringOf } from '../engine/argument.js';
import { mergeSameLabels } from '../engine/merge.js';
import type { GridSeries, Value } from '../engine/value.js';
import { isLabelName, type Labels, metricNameLabel } from '../labels.js';
import { anchoredRegex, wholeMatcher } from '../store/regex.js';
import type { Call, Expr } from '../syntax/ast.js';
import type { VectorFunction } from './vector-functions.js';

const labelReplace: VectorFunction = (call, ctx) => {
  const [destination, replacement, source, pattern] = call.args.slice(1).map(stringOf) as [
    string,
    string,
    string,
    string,
  ];
  let regex: RegExp;
  let matches: (text: string) => boolean;
  try {
    regex = anchoredRegex(pattern);
    matches = wholeMatcher(pattern);
  } catch {
    return ctx.fail(
      `invalid regular expression in label_replace(): ${pattern}`,
      call.args[4] as Expr,
    );
  }
  if (!isLabelName(destination)) {
    return ctx.fail(
      `invalid destination label name in label_replace(): ${destination}`,
      call.args[1] as Expr,
    );
  }
  return relabelled(call, ctx, destination, (labels) => {
    const text = labels.get(source);
    const match = matches(text) && regex.exec(text);
    return match ? expand(replacement, match) : undefined;
  });
};

/** Expands `$1`, `${1}`, `$name` and `$$` as Go does: a name extends over all word characters. */
export function expand(template: string, match: RegExpExecArray): string {
  return template.replace(
    /\$(?:\$|(\w+)|\{(\w+)\})/g,
    (whole, bare: string | undefined, braced: string | undefined) => {
      const name = bare ?? braced;
      if (name === undefined) return '$';
      if (/^\d+$/.test(name)) return match[Number(name)] ?? '';
      return match.groups?.[name] ?? (whole === '$$' ? '$' : '');
    },
  );
}

const labelJoin: VectorFunction = (call, ctx) => {
  const [destination, separator, ...sources] = call.args.slice(1).map(stringOf) as [
    string,
    string,
    ...string[],
  ];
  sources.forEach((name, i) => {
    if (isLabelName(name)) return;
    ctx.fail(`invalid source label name in label_join(): ${name}`, call.args[i + 3] as Expr);
  });
  if (!isLabelName(destination)) {
    return ctx.fail(
      `invalid destination label name in label_join(): ${destination}`,
      call.args[1] as Expr,
    );
  }
  return relabelled(call, ctx, destination, (labels) =>
    sources.map((name) => labels.get(name)).join(separator),
  );
};

function relabelled(
  call: Call,
  ctx: Context,
  destination: string,
  valueFor: (labels: Labels) => string | undefined,
): Value {
  const series = evaluateVector(call.args[0] as Expr, ctx).map((s): GridSeries => {
    const value = valueFor(s.labels);
    if (value === undefined) return s;
    const dropName = destination === metricNameLabel ? false : s.dropName;
    return { ...s, labels: s.labels.with(destination, value), dropName };
  });
  return { type: 'vector', series: mergeSameLabels(series, call) };
}

export const labelFunctions: Record<string, VectorFunction> = {
  label_replace: labelReplace,
  label_join: labelJoin,
};
