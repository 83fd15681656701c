/** `count_values`: how often each value occurs; the value becomes a label. */
import { isLabelName, Labels } from '../labels.js';
import type { Aggregate } from '../syntax/ast.js';
import { withoutParens } from '../syntax/ast.js';
import type { Context } from './context.js';
import { evaluateVector, stringOf } from './argument.js';
import { emptySeries, type GridSeries } from './value.js';

export function countValues(aggregate: Aggregate, ctx: Context): GridSeries[] {
  const label = stringOf(aggregate.param);
  if (!isLabelName(label)) {
    const written = aggregate.param && withoutParens(aggregate.param);
    const text = written?.kind === 'string' ? written.text : '""';
    ctx.fail(`invalid label name ${text}`, aggregate.param ?? aggregate);
  }
  const results = new Map<string, GridSeries>();
  for (const series of evaluateVector(aggregate.expr, ctx)) {
    for (let step = 0; step < ctx.steps; step++) {
      if (series.present[step] === 0) continue;
      const histogram = series.histograms?.[step];
      const text = histogram ? histogram.toString() : decimal(series.values[step] as number);
      const labelled = series.labels.with(label, text);
      const grouped = aggregate.without
        ? labelled.withoutName().without(aggregate.grouping)
        : labelled.keep([...aggregate.grouping, label]);
      const key = grouped.key;
      let out = results.get(key);
      if (!out) results.set(key, (out = emptySeries(grouped, ctx.steps)));
      out.values[step] = (out.values[step] as number) + 1;
      out.present[step] = 1;
    }
  }
  return [...results.values()].sort((a, b) => Labels.compare(a.labels, b.labels));
}

/** Writes the number without an exponent, however large or small. */
export function decimal(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  const text = Object.is(value, -0) ? '-0' : String(value);
  const match = /^(-?)(\d)(?:\.(\d+))?e([+-]\d+)$/.exec(text);
  if (!match) return text;
  const [, sign, first, rest = '', exponent] = match as unknown as [
    string,
    string,
    string,
    string,
    string,
  ];
  const digits = first + rest;
  const point = 1 + Number(exponent);
  if (point <= 0) return `${sign}0.${'0'.repeat(-point)}${digits}`;
  return `${sign}${digits.padEnd(point, '0')}`;
}
