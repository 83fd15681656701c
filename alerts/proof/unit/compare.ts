/** Compares expected with actual results, and shows the smallest difference. */
import { histogramLiteral } from '../../../slo/promql/histogram/text.js';
import { Labels, quote } from '../../../slo/promql/index.js';
import type { RuleSample } from '../../rules/model.js';
import { formatFloat } from '../../../slo/template/index.js';
import type { ExpectedAlert } from './read.js';

export interface Comparison {
  summary: string;
  expected: string[];
  got: string[];
  /** Lines that begin with `+` (actual), `-` (expected) or a space (equal). */
  diff: string[];
}

const braces = (map: Readonly<Record<string, string>>): string =>
  `{${Object.entries(map)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${quote(value)}`)
    .join(', ')}}`;

const alertText = (alert: ExpectedAlert): string =>
  `Labels:${braces(alert.labels)} Annotations:${braces(alert.annotations)}`;

export function compareAlerts(
  expected: readonly ExpectedAlert[],
  got: readonly ExpectedAlert[],
): Comparison | undefined {
  const { missing, surplus, pairs } = match(expected, got, alertText, alertDistance);
  if (missing.length === 0 && surplus.length === 0 && pairs.length === 0) return undefined;
  const diff: string[] = [];
  for (const [was, is] of pairs) {
    diff.push(`  alert ${braces(is.labels)}`);
    diff.push(...mapDiff('label', was.labels, is.labels));
    diff.push(...mapDiff('annotation', was.annotations, is.annotations));
  }
  for (const alert of missing) diff.push(`- ${alertText(alert)}`);
  for (const alert of surplus) diff.push(`+ ${alertText(alert)}`);
  return {
    summary: summaryOf('alert', expected.length, got.length, pairs.length),
    expected: expected.map(alertText).sort(),
    got: got.map(alertText).sort(),
    diff,
  };
}

function summaryOf(what: string, expected: number, got: number, differing: number): string {
  const count = (n: number): string => (n === 0 ? `no ${what}` : `${n} ${what}${n > 1 ? 's' : ''}`);
  if (expected !== got) return `expected ${count(expected)}, got ${count(got)}`;
  return `${differing} of ${count(expected)} differ${differing === 1 ? 's' : ''} from what was expected`;
}

/** Removes equal items, then pairs the most similar ones, as long as a pair has something in common. */
function match<T>(
  expected: readonly T[],
  got: readonly T[],
  text: (item: T) => string,
  distance: (a: T, b: T) => number,
): { missing: T[]; surplus: T[]; pairs: [T, T][] } {
  const missing: T[] = [];
  const surplus = [...got];
  for (const item of expected) {
    const same = surplus.findIndex((other) => text(other) === text(item));
    if (same < 0) missing.push(item);
    else surplus.splice(same, 1);
  }
  const pairs: [T, T][] = [];
  while (missing.length > 0 && surplus.length > 0 && missing.length * surplus.length < 10_000) {
    let best: { i: number; j: number; distance: number } | undefined;
    missing.forEach((a, i) => {
      surplus.forEach((b, j) => {
        const d = distance(a, b);
        if (!best || d < best.distance) best = { i, j, distance: d };
      });
    });
    if (!best || best.distance === Infinity) break;
    pairs.push([...missing.splice(best.i, 1), ...surplus.splice(best.j, 1)] as [T, T]);
  }
  return { missing, surplus, pairs };
}

function mapDistance(a: Record<string, string>, b: Record<string, string>): number {
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...names].filter((name) => a[name] !== b[name]).length;
}

const alertDistance = (a: ExpectedAlert, b: ExpectedAlert): number =>
  4 * mapDistance(a.labels, b.labels) + mapDistance(a.annotations, b.annotations);

function mapDiff(what: string, was: Record<string, string>, is: Record<string, string>): string[] {
  const names = [...new Set([...Object.keys(was), ...Object.keys(is)])].sort();
  return names
    .filter((name) => was[name] !== is[name])
    .flatMap((name) => [
      ...(was[name] === undefined ? [] : [`-   ${what} ${name}=${quote(was[name])}`]),
      ...(is[name] === undefined ? [] : [`+   ${what} ${name}=${quote(is[name])}`]),
    ]);
}

const sampleText = (sample: RuleSample): string =>
  `${sample.labels.size === 0 ? '{}' : sample.labels.toString()} ${valueText(sample)}`;

const valueText = (sample: RuleSample): string =>
  sample.histogram ? histogramLiteral(sample.histogram) : formatFloat(sample.value, 'g', -1);

/** NaN equals nothing, as in promtool. */
function sameValue(a: RuleSample, b: RuleSample, fuzzy: boolean): boolean {
  if (a.histogram || b.histogram) {
    return Boolean(a.histogram && b.histogram) && valueText(a) === valueText(b);
  }
  return (
    a.value === b.value ||
    (fuzzy && (next(a.value, 1) === b.value || next(a.value, -1) === b.value))
  );
}

/** The next float64 above or below `value`. */
function next(value: number, direction: 1 | -1): number {
  if (Number.isNaN(value) || value === direction * Infinity) return value;
  if (value === 0) return direction * Number.MIN_VALUE;
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  const step = value > 0 === direction > 0 ? 1n : -1n;
  view.setBigUint64(0, BigInt.asUintN(64, view.getBigUint64(0) + step));
  return view.getFloat64(0);
}

export function compareSamples(
  expected: readonly RuleSample[],
  got: readonly RuleSample[],
  fuzzy: boolean,
): Comparison | undefined {
  const sorted = (list: readonly RuleSample[]): RuleSample[] =>
    [...list].sort((a, b) => Labels.compare(a.labels, b.labels));
  const [was, is] = [sorted(expected), sorted(got)];
  const same =
    was.length === is.length &&
    was.every((sample, i) => {
      const other = is[i] as RuleSample;
      return sample.labels.key === other.labels.key && sameValue(sample, other, fuzzy);
    });
  if (same) return undefined;
  const distance = (a: RuleSample, b: RuleSample): number =>
    mapDistance(a.labels.toObject(), b.labels.toObject());
  const { missing, surplus, pairs } = match(was, is, sampleText, distance);
  const diff = [
    ...pairs.flatMap(([a, b]) => [`- ${sampleText(a)}`, `+ ${sampleText(b)}`]),
    ...missing.map((s) => `- ${sampleText(s)}`),
    ...surplus.map((s) => `+ ${sampleText(s)}`),
  ];
  return {
    summary: summaryOf('sample', was.length, is.length, pairs.length),
    expected: was.map(sampleText),
    got: is.map(sampleText),
    diff: diff.length > 0 ? diff : ['  NaN equals nothing, itself included'],
  };
}
