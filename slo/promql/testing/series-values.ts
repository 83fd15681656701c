/** Series as tests write them: `requests{pod="a"} 0+10x5 _ stale {{count:3}}`. */
import { addHistogram, IncompatibleBuckets } from '../histogram/add.js';
import type { Histogram } from '../histogram/histogram.js';
import { Labels, metricNameLabel } from '../labels.js';
import { parseNumber, parseString } from '../syntax/literals.js';
import { parseHistogram } from './histogram-literal.js';

/** The value at one time: a number, a histogram, a staleness marker, or nothing. */
export type Value =
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'histogram'; readonly histogram: Histogram; readonly hintGiven: boolean }
  | { readonly kind: 'stale' }
  | { readonly kind: 'omitted' };

export interface SeriesLine {
  readonly labels: Labels;
  readonly values: readonly Value[];
}

/** Throws an Error whose message describes the mistake. */
export function parseSeriesLine(line: string): SeriesLine {
  const { labels, rest } = parseMetric(line);
  return { labels, values: parseValues(rest) };
}

const quoted = String.raw`"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'`;
const pair = new RegExp(
  String.raw`\s*(?:([\p{L}_][\p{L}\d_.:]*|${quoted})\s*=\s*)?(${quoted}|\x60[^\x60]*\x60)\s*(,|\})`,
  'uy',
);

/** The labels at the start of a line, and the rest of the line. */
export function parseMetric(line: string): { labels: Labels; rest: string } {
  const name = /^\s*([\p{L}_:][\p{L}\d_:.]*)?/u.exec(line) as RegExpExecArray;
  const entries: [string, string][] = name[1] ? [[metricNameLabel, name[1]]] : [];
  let at = name[0].length;
  const brace = /^\s*\{(?!\{)/.exec(line.slice(at));
  if (!brace) {
    if (!name[1]) throw new Error(`a series begins with its name or its labels, not '${line}'`);
    return { labels: Labels.fromEntries(entries), rest: line.slice(at) };
  }
  at += brace[0].length;
  const empty = /^\s*\}/.exec(line.slice(at));
  if (empty) return { labels: Labels.fromEntries(entries), rest: line.slice(at + empty[0].length) };
  for (;;) {
    pair.lastIndex = at;
    const match = pair.exec(line);
    if (!match) throw new Error(`labels are written {name="value"}: '${line.slice(at)}'`);
    at = pair.lastIndex;
    entries.push([labelNameOf(match[1]), textOf(match[2] as string)]);
    if (match[3] === '}') break;
    const end = /^\s*\}/.exec(line.slice(at));
    if (end) {
      at += end[0].length;
      break;
    }
  }
  return { labels: Labels.fromEntries(entries), rest: line.slice(at) };
}

function labelNameOf(written: string | undefined): string {
  if (written === undefined) return metricNameLabel;
  return /^["']/.test(written) ? textOf(written) : written;
}

function textOf(literal: string): string {
  const text = parseString(literal);
  if (text === undefined) throw new Error(`not a string: ${literal}`);
  return text;
}

const number = String.raw`(?:[+-]?(?:inf|nan|(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?(?:ms|[smhdwy])?))`;
const floats = new RegExp(
  `^(${number}|stale)(?:([+-]${number.replace('[+-]?', '')}))?(?:x(\\d+))?$`,
  'i',
);
const gap = /^_(?:x(\d+))?$/;
const histograms = /^(\{\{[^}]*\}\})(?:([+-])(\{\{[^}]*\}\}))?(?:x(\d+))?$/;
/** Limits the memory that a typing error could use. */
const mostValues = 1_000_000;

export function parseValues(text: string): Value[] {
  const values: Value[] = [];
  for (const [item] of text.matchAll(/(?:\{\{[^}]*\}\}|\S)+/g)) {
    for (const value of expand(item)) values.push(value);
    if (values.length > mostValues) throw new Error(`more than ${mostValues} values`);
  }
  return values;
}

function expand(item: string): Value[] {
  const omitted = gap.exec(item);
  if (omitted) return repeat(Number(omitted[1] ?? 1), () => ({ kind: 'omitted' }));
  const histogram = histograms.exec(item);
  if (histogram) return expandHistograms(histogram);
  const match = floats.exec(item);
  if (!match) throw new Error(`not a value, nor a series of values: '${item}'`);
  const [, first, step, times] = match as unknown as [string, string, string?, string?];
  if (step !== undefined && times === undefined)
    throw new Error(`'${item}' lacks how often: ${item}x10`);
  const count = times === undefined ? 1 : Number(times) + 1;
  if (first === 'stale') return repeat(count, () => ({ kind: 'stale' }));
  let value = numberOf(first);
  const increment = step === undefined ? 0 : numberOf(step);
  return repeat(count, (): Value => {
    const float: Value = { kind: 'float', value };
    value += increment;
    return float;
  });
}

function repeat(count: number, make: (i: number) => Value): Value[] {
  if (count > mostValues) throw new Error(`more than ${mostValues} values`);
  return Array.from({ length: count }, (_, i) => make(i));
}

function numberOf(text: string): number {
  const value = parseNumber(text);
  if (value === undefined) throw new Error(`not a number: '${text}'`);
  return value;
}

function expandHistograms(match: RegExpExecArray): Value[] {
  const [, first, sign, second, times] = match as unknown as [
    string,
    string,
    string?,
    string?,
    string?,
  ];
  const base = parseHistogram(first);
  if (second === undefined) {
    return repeat(times === undefined ? 1 : Number(times) + 1, () => ({
      kind: 'histogram',
      ...base,
    }));
  }
  const step = parseHistogram(second);
  if (base.histogram.schema > step.histogram.schema) {
    throw new Error('the histogram that is added has a coarser schema than the first');
  }
  let current = base.histogram;
  return repeat(Number(times ?? 0) + 1, (i): Value => {
    if (i > 0) {
      current = current.copy();
      combine(current, step.histogram, sign === '-' ? -1 : 1);
    }
    return { kind: 'histogram', histogram: current, hintGiven: step.hintGiven };
  });
}

function combine(target: Histogram, other: Histogram, sign: 1 | -1): void {
  try {
    addHistogram(target, other, sign);
  } catch (error) {
    if (error instanceof IncompatibleBuckets) throw new Error(error.message, { cause: error });
    throw error;
  }
}
