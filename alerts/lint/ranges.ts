/** Interval arithmetic: the values that an expression can have, which shows comparisons that never hold. */
import { type Aggregate, type Expr, withoutParens } from '../../slo/promql/syntax/ast.js';
import { typeOf } from '../../slo/promql/syntax/types.js';
import type { MetricCatalogue } from './catalogue.js';

export interface Range {
  min: number;
  max: number;
}

const anything: Range = { min: -Infinity, max: Infinity };
const positive: Range = { min: 0, max: Infinity };
const exactly = (value: number): Range => ({ min: value, max: value });
const between = (min: number, max: number): Range => ({ min, max });

const ofCalls: Record<string, Range> = {
  rate: positive,
  irate: positive,
  increase: positive,
  changes: positive,
  resets: positive,
  abs: positive,
  sqrt: positive,
  exp: positive,
  timestamp: positive,
  stddev_over_time: positive,
  stdvar_over_time: positive,
  histogram_count: positive,
  count_over_time: between(1, Infinity),
  absent: exactly(1),
  absent_over_time: exactly(1),
  present_over_time: exactly(1),
  histogram_fraction: between(0, 1),
  sgn: between(-1, 1),
  day_of_week: between(0, 6),
  day_of_month: between(1, 31),
  day_of_year: between(1, 366),
  days_in_month: between(28, 31),
  hour: between(0, 23),
  minute: between(0, 59),
  month: between(1, 12),
  time: positive,
};

/** Error ratios that our rules and Sloth's record: at most 1. */
const shareOfErrors = /^slo:sli_error:ratio_rate/;

/** Functions whose result lies between the smallest and the largest of their inputs. */
const within = new Set([
  'avg_over_time',
  'min_over_time',
  'max_over_time',
  'last_over_time',
  'first_over_time',
  'sort',
  'sort_desc',
  'scalar',
  'vector',
  'label_replace',
  'label_join',
]);

export function rangeOf(expr: Expr, catalogue: MetricCatalogue): Range {
  const of = (e: Expr): Range => rangeOf(e, catalogue);
  switch (expr.kind) {
    case 'number':
      return Number.isNaN(expr.value) ? anything : exactly(expr.value);
    case 'string':
      return anything;
    case 'paren':
    case 'subquery':
      return of(expr.expr);
    case 'unary': {
      const inner = of(expr.expr);
      return expr.op === '-' ? between(-inner.max, -inner.min) : inner;
    }
    case 'matrix':
      return of(expr.selector);
    case 'selector': {
      if (expr.name === 'up' || shareOfErrors.test(expr.name ?? '')) return between(0, 1);
      const type = expr.name === undefined ? undefined : catalogue.typeOf(expr.name).type;
      return type === 'counter' ? positive : anything;
    }
    case 'call':
      return rangeOfCall(expr, of);
    case 'aggregate':
      return rangeOfAggregate(expr, of(expr.expr));
    case 'binary':
      return rangeOfBinary(expr, of);
  }
}

function rangeOfCall(expr: Extract<Expr, { kind: 'call' }>, of: (e: Expr) => Range): Range {
  const fixed = ofCalls[expr.name];
  if (fixed) return fixed;
  const [first, second, third] = expr.args;
  if (!first) return anything;
  const number = (e: Expr | undefined): number | undefined => {
    const inner = e && withoutParens(e);
    return inner?.kind === 'number' ? inner.value : undefined;
  };
  if (expr.name === 'quantile_over_time') {
    const phi = number(first) ?? Number.NaN;
    return second && phi >= 0 && phi <= 1 ? of(second) : anything;
  }
  if (within.has(expr.name)) return of(first);
  const inner = of(first);
  switch (expr.name) {
    case 'sum_over_time':
      return inner.min >= 0 ? positive : anything;
    case 'clamp_min':
      return atLeast(inner, number(second));
    case 'clamp_max':
      return atMost(inner, number(second));
    case 'clamp':
      return atMost(atLeast(inner, number(second)), number(third));
    case 'round':
      // To multiples of another number: round(2, 5) is 0.
      if (second) return inner.min >= 0 ? positive : anything;
      return between(Math.floor(inner.min), Math.ceil(inner.max));
    case 'floor':
      return between(Math.floor(inner.min), Math.ceil(inner.max));
    case 'ceil':
      return between(Math.ceil(inner.min), Math.ceil(inner.max));
    default:
      return anything;
  }
}

/** Raises the minimum to `bound`; an unknown bound changes nothing. */
const atLeast = ({ min, max }: Range, bound: number | undefined): Range =>
  bound === undefined
    ? between(min, Infinity)
    : between(Math.max(min, bound), Math.max(max, bound));
const atMost = ({ min, max }: Range, bound: number | undefined): Range =>
  bound === undefined
    ? between(-Infinity, max)
    : between(Math.min(min, bound), Math.min(max, bound));

function rangeOfAggregate({ op, param }: Aggregate, inner: Range): Range {
  switch (op) {
    case 'quantile': {
      // Above 1 it is +Inf, below 0 -Inf.
      const phi = param && withoutParens(param);
      return phi?.kind === 'number' && phi.value >= 0 && phi.value <= 1 ? inner : anything;
    }
    case 'sum':
      // A sum has at least one element, so a sum of values from 0 on is at least the smallest of them.
      return inner.min >= 0 ? between(inner.min, Infinity) : anything;
    case 'count':
    case 'count_values':
      return between(1, Infinity);
    case 'group':
      return exactly(1);
    case 'stddev':
    case 'stdvar':
      return positive;
    default:
      return inner;
  }
}

const union = (a: Range, b: Range): Range =>
  between(Math.min(a.min, b.min), Math.max(a.max, b.max));

function rangeOfBinary(expr: Extract<Expr, { kind: 'binary' }>, of: (e: Expr) => Range): Range {
  const [left, right] = [of(expr.left), of(expr.right)];
  const { fillLeft, fillRight } = expr.matching ?? {};
  if (fillLeft !== undefined || fillRight !== undefined) return anything;
  // A comparison keeps the value of its vector side.
  const isRightKept = typeOf(expr.left) === 'scalar' && typeOf(expr.right) === 'vector';
  switch (expr.op) {
    case 'and':
    case 'unless':
      return left;
    case 'or':
      return union(left, right);
    case '+':
      return sound(left.min + right.min, left.max + right.max);
    case '-':
      return sound(left.min - right.max, left.max - right.min);
    case '*':
      return left.min >= 0 && right.min >= 0
        ? sound(left.min * right.min, left.max * right.max)
        : anything;
    case '/':
      return left.min >= 0 && right.min >= 0 ? positive : anything;
    case '>':
    case '>=':
    case '<':
    case '<=':
    case '==': {
      if (expr.bool) return between(0, 1);
      const [kept, other] = isRightKept ? [right, left] : [left, right];
      const op = isRightKept ? mirrored[expr.op] : expr.op;
      if (op === '==') return between(Math.max(kept.min, other.min), Math.min(kept.max, other.max));
      return op.startsWith('>')
        ? between(Math.max(kept.min, other.min), kept.max)
        : between(kept.min, Math.min(kept.max, other.max));
    }
    case '!=':
      return expr.bool ? between(0, 1) : isRightKept ? right : left;
    default:
      return anything;
  }
}

const sound = (min: number, max: number): Range =>
  Number.isNaN(min) || Number.isNaN(max) ? anything : between(min, max);

export const mirrored = { '>': '<', '<': '>', '>=': '<=', '<=': '>=', '==': '==' } as const;

/** Whether the comparison holds for all, some or no values of the two ranges. */
export function verdictOf(op: string, left: Range, right: Range): 'never' | 'always' | 'sometimes' {
  const say = (never: boolean, always: boolean) =>
    never ? 'never' : always ? 'always' : 'sometimes';
  switch (op) {
    case '>':
      return say(left.max <= right.min, left.min > right.max);
    case '>=':
      return say(left.max < right.min, left.min >= right.max);
    case '<':
      return say(left.min >= right.max, left.max < right.min);
    case '<=':
      return say(left.min > right.max, left.max <= right.min);
    case '==':
      return say(
        left.max < right.min || left.min > right.max,
        left.min === left.max && right.min === right.max && left.min === right.min,
      );
    case '!=':
      return say(
        left.min === left.max && right.min === right.max && left.min === right.min,
        left.max < right.min || left.min > right.max,
      );
    default:
      return 'sometimes';
  }
}
