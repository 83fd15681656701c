/** Reads start times of counters in tests: `requests@st _ -1m -30s-1mx3`. */
import { parseDurationMs } from '../../../base/duration.js';
import type { Labels } from '../labels.js';
import { parseMetric } from './series-values.js';

export function isStartsLine(line: string): boolean {
  return /^\S+@st(\s|$)/.test(line);
}

export function parseStartsLine(line: string): { labels: Labels; offsets: (number | undefined)[] } {
  const { labels, rest } = parseMetric(line);
  const items = rest.replace(/^@st/, '').match(/\S+/g) ?? [];
  return { labels, offsets: items.flatMap(expand) };
}

const item = /^([+-]?)(\d+[a-wyz]*)(?:([+-])(\d+[a-wyz]*))?(?:x(\d+))?$/;

function expand(text: string): (number | undefined)[] {
  const gap = /^_(?:x(\d+))?$/.exec(text);
  if (gap) return Array.from({ length: Number(gap[1] ?? 1) }, () => undefined);
  const match = item.exec(text);
  if (!match) throw new Error(`not a start: '${text}'`);
  const [, sign, first, direction, step, times] = match;
  const base = (sign === '-' ? -1 : 1) * durationOf(first as string);
  const change = step === undefined ? 0 : (direction === '-' ? -1 : 1) * durationOf(step);
  const count = times === undefined ? 1 : Number(times) + 1;
  return Array.from({ length: count }, (_, i) => base + i * change);
}

function durationOf(text: string): number {
  const ms = parseDurationMs(text);
  if (ms === undefined) throw new Error(`not a duration: '${text}'`);
  return ms;
}
