/** The nearest that an alert's condition came to its threshold, for a verdict on an alert that did not fire. */
import type { Watch } from '../../alerts/watch/index.js';
import { type Expr, parse, print, typeOf } from '../../slo/promql/index.js';

type Binary = Extract<Expr, { kind: 'binary' }>;

const comparisons: readonly string[] = ['>', '>=', '<', '<=', '=='];
/** The operator with its sides exchanged. */
const turned: Record<string, string> = { '>': '<', '>=': '<=', '<': '>', '<=': '>=', '==': '==' };
const mostShown = 2;
const mostPoints = 500;

export interface ReachedSources {
  watch: Pick<Watch, 'queryRange'>;
  startMs: number;
  endMs: number;
  stepMs: number;
}

/**
 * Returns, for example, `its highest value was 0.031, and it fires > 0.05`; undefined for a condition without a
 * comparison or without values. Never throws.
 */
export async function reachedOf(
  exprText: string,
  sources: ReachedSources,
): Promise<string | undefined> {
  try {
    const all = comparisonsOf(parse(exprText));
    const read = await Promise.all(all.map((one) => reached(one, sources)));
    const known = read.filter((r) => r !== undefined);
    const short = known.filter((r) => !r.held);
    if (known.length === 0) return undefined;
    if (short.length === 0) return all.length > 1 ? 'its parts held, and not together' : undefined;
    const texts = short.slice(0, mostShown).map(({ text, left }) => {
      return all.length === 1 ? `its ${text}` : `the ${text} (${left})`;
    });
    return texts.join('; ');
  } catch {
    return undefined;
  }
}

/** The comparisons of a condition, through `and`, `or` and the left side of `unless`. */
function comparisonsOf(expr: Expr): Binary[] {
  if (expr.kind === 'paren') return comparisonsOf(expr.expr);
  if (expr.kind !== 'binary') return [];
  if (comparisons.includes(expr.op)) return expr.bool ? [] : [expr];
  if (expr.op === 'unless') return comparisonsOf(expr.left);
  if (expr.op !== 'and' && expr.op !== 'or') return [];
  return [...comparisonsOf(expr.left), ...comparisonsOf(expr.right)];
}

interface Reached {
  held: boolean;
  text: string;
  left: string;
}

async function reached(comparison: Binary, sources: ReachedSources): Promise<Reached | undefined> {
  const isTurned = typeOf(comparison.left) === 'scalar';
  const [left, right] = isTurned
    ? [comparison.right, comparison.left]
    : [comparison.left, comparison.right];
  const op = isTurned ? (turned[comparison.op] as string) : comparison.op;
  const isScalar = typeOf(right) === 'scalar';
  const [threshold] = isScalar ? await valuesOf(`vector(${print(right)})`, sources) : [0];
  // Between two vectors, the difference is compared with 0.
  const asked = isScalar ? print(left) : print({ ...comparison, op: '-' });
  const values = await valuesOf(asked, sources);
  if (threshold === undefined || values.length === 0) return undefined;
  const value = nearest(values, op, threshold);
  const name = op === '==' ? 'nearest value' : `${op.startsWith('>') ? 'highest' : 'lowest'} value`;
  const text = isScalar
    ? `${name} was ${short(value)}, and it fires ${op} ${short(threshold)}`
    : `left side less its right side was ${short(value)} at the nearest, and it fires ${op} 0`;
  const leftText = print(left);
  return {
    held: holds(value, op, threshold),
    text,
    left: leftText.length > 80 ? `${leftText.slice(0, 77)}...` : leftText,
  };
}

const short = (value: number): string => String(Number(value.toPrecision(3)));

function nearest(values: readonly number[], op: string, threshold: number): number {
  const isNearer = (a: number, b: number): boolean => {
    if (op === '==') return Math.abs(a - threshold) < Math.abs(b - threshold);
    return op.startsWith('>') ? a > b : a < b;
  };
  return values.reduce((best, value) => (isNearer(value, best) ? value : best));
}

function holds(value: number, op: string, threshold: number): boolean {
  if (op === '==') return value === threshold;
  const isBeyond = op.startsWith('>') ? value > threshold : value < threshold;
  return isBeyond || (op.endsWith('=') && value === threshold);
}

async function valuesOf(
  expr: string,
  { watch, startMs, endMs, stepMs }: ReachedSources,
): Promise<number[]> {
  const step = Math.ceil(Math.max(stepMs, (endMs - startMs) / mostPoints));
  const series = await watch.queryRange(expr, startMs, endMs, step);
  return series.flatMap(({ points }) => points.map(([, value]) => value)).filter((v) => !isNaN(v));
}
