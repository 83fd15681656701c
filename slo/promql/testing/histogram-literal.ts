/** A native histogram as tests write it: `{{schema:1 sum:3 count:22 buckets:[5 10 7]}}`. */
import type { Buckets } from '../histogram/buckets.js';
import { Histogram, type ResetHint } from '../histogram/histogram.js';
import { parseNumber } from '../syntax/literals.js';

const item = /\s*(\w+):(\[[^\]]*\]|\S+?)(?=\s|\}\}$)/y;
const hints: readonly string[] = ['unknown', 'reset', 'not_reset', 'gauge'];

export function parseHistogram(literal: string): { histogram: Histogram; hintGiven: boolean } {
  const fields = new Map<string, string>();
  let at = 2;
  while (!/^\s*\}\}$/.test(literal.slice(at))) {
    item.lastIndex = at;
    const match = item.exec(literal);
    if (!match) throw new Error(`a histogram is written {{name:value ...}}, not '${literal}'`);
    fields.set(match[1] as string, match[2] as string);
    at = item.lastIndex;
  }
  const take = (name: string): string | undefined => {
    const value = fields.get(name);
    fields.delete(name);
    return value;
  };
  const number = (name: string): number => numberOf(name, take(name));
  const hint = take('counter_reset_hint');
  if (hint !== undefined && !hints.includes(hint))
    throw new Error(`no such counter_reset_hint: ${hint}`);
  const histogram = new Histogram({
    schema: number('schema'),
    sum: number('sum'),
    count: number('count'),
    zeroCount: number('z_bucket'),
    zeroThreshold: number('z_bucket_w'),
    customBounds: numbersOf('custom_values', take('custom_values')),
    hint: (hint ?? 'unknown') as ResetHint,
    positive: bucketsOf(number('offset'), numbersOf('buckets', take('buckets'))),
    negative: bucketsOf(number('n_offset'), numbersOf('n_buckets', take('n_buckets'))),
  });
  const [unknown] = fields.keys();
  if (unknown !== undefined) throw new Error(`a histogram has no '${unknown}'`);
  return { histogram, hintGiven: hint !== undefined };
}

function numberOf(name: string, text: string | undefined): number {
  if (text === undefined) return 0;
  const value = parseNumber(text);
  if (value === undefined) throw new Error(`${name} is no number: ${text}`);
  return value;
}

function numbersOf(name: string, text: string | undefined): number[] {
  if (text === undefined) return [];
  if (!text.startsWith('[')) throw new Error(`${name} is written [1 2 3], not ${text}`);
  return (text.slice(1, -1).match(/\S+/g) ?? []).map((n) => numberOf(name, n));
}

function bucketsOf(offset: number, counts: readonly number[]): Buckets {
  return { indexes: counts.map((_, i) => offset + i), counts: [...counts] };
}
