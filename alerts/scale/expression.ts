/** Scales one PromQL expression by rewriting its syntax tree; remarks name the parts that cannot be scaled. */
import {
  type Aggregate,
  type Binary,
  type Duration,
  type Expr,
  isComparison,
  isSetOperator,
  type MatrixSelector,
  type Span,
  type Subquery,
  type VectorSelector,
  withoutParens,
} from '../../slo/promql/syntax/ast.js';
import { printDuration } from '../../slo/promql/syntax/print.js';
import { scaledCall } from './calls.js';
import { constantOf, numberText, timesFactor } from './constants.js';
import { isCounterName, power, powerOf, type Quantity, quantityOfName } from './quantity.js';
import { literal, scaledDuration, secondsOf } from './ranges.js';

export interface Remark {
  /** `adjusted`: a constant was changed with the scale. `left`: a constant stands for a time and was not changed. */
  kind: 'adjusted' | 'left' | 'too-short';
  span: Span;
  message: string;
}

export interface ExpressionScale {
  timeScale: number;
  /** Step of subqueries without one, in milliseconds of the unscaled rules. */
  subqueryStepMs: number;
  /** Scrape interval of the drill, in milliseconds; a range must hold four scrapes. */
  scrapeIntervalMs?: number;
  /** Quantities of the recorded metrics. */
  recorded: ReadonlyMap<string, Quantity>;
}

export interface Scaled {
  expr: Expr;
  quantity: Quantity;
}

/** Fewer scrapes in a range give no dependable result. */
export const scrapesInRange = 4;

export class ExpressionScaler {
  readonly scale: ExpressionScale;
  readonly remarks: Remark[] = [];
  /** Whether the expression compares a time that the system reports with another time. */
  byTheClock = false;

  constructor(scale: ExpressionScale) {
    this.scale = scale;
  }

  scaled(expr: Expr): Scaled {
    const value = constantOf(expr);
    if (value !== undefined) return { expr, quantity: { kind: 'constant', value } };
    switch (expr.kind) {
      case 'number':
      case 'string':
        return { expr, quantity: power(0) };
      case 'selector':
        return this.#selector(expr);
      case 'matrix':
        return this.#matrix(expr);
      case 'subquery':
        return this.#subquery(expr);
      case 'paren': {
        const inner = this.scaled(expr.expr);
        return { ...inner, expr: { ...expr, expr: inner.expr } };
      }
      case 'unary': {
        const inner = this.scaled(expr.expr);
        return { ...inner, expr: { ...expr, expr: inner.expr } };
      }
      case 'call':
        return scaledCall(this, expr);
      case 'aggregate':
        return this.#aggregate(expr);
      case 'binary':
        return this.#binary(expr);
    }
  }

  say(kind: Remark['kind'], span: Span, message: string): void {
    this.remarks.push({ kind, span: { from: span.from, to: span.to }, message });
  }

  /** Scales a constant that has the unit of `quantity`. */
  adjust(constant: Expr, quantity: Quantity): Expr {
    const value = constantOf(constant);
    const exponent = powerOf(quantity);
    if (value === undefined || value === 0 || !Number.isFinite(value) || exponent === 0) {
      return constant;
    }
    const adjusted = timesFactor(constant, this.scale.timeScale ** exponent);
    const to = numberText(constantOf(adjusted) as number);
    const why = exponent > 0 ? 'grows with the range' : 'grows as the range gets shorter';
    this.say('adjusted', constant, `${numberText(value)} became ${to}: its other side ${why}`);
    return adjusted;
  }

  duration(duration: Duration): Duration {
    const scaled = scaledDuration(duration, this.scale.timeScale);
    if (scaled) return scaled;
    this.say('left', duration, `not scaled: ${printDuration(duration)} depends on the query`);
    return duration;
  }

  #modified<T extends VectorSelector | Subquery>(expr: T): T {
    if (expr.at?.kind === 'time') {
      this.say('left', expr, `not scaled: @ ${expr.at.text} is a moment`);
    }
    return expr.offset ? { ...expr, offset: this.duration(expr.offset) } : expr;
  }

  #selector(expr: VectorSelector): Scaled {
    const recorded = expr.name === undefined ? undefined : this.scale.recorded.get(expr.name);
    return { expr: this.#modified(expr), quantity: recorded ?? quantityOfName(expr.name) };
  }

  #matrix(expr: MatrixSelector): Scaled {
    const { expr: selector, quantity } = this.#selector(expr.selector);
    const range = this.duration(expr.range);
    const { scrapeIntervalMs } = this.scale;
    const seconds = secondsOf(range);
    if (
      scrapeIntervalMs !== undefined &&
      seconds !== undefined &&
      seconds * 1000 < scrapesInRange * scrapeIntervalMs
    ) {
      const text = `[${printDuration(expr.range)}] became [${printDuration(range)}]`;
      const holds = `fewer than ${scrapesInRange} scrapes, one each ${scrapeIntervalMs} ms`;
      this.say('too-short', expr.range, `${text}, which holds ${holds}`);
    }
    return { expr: { ...expr, selector: selector as VectorSelector, range }, quantity };
  }

  #subquery(expr: Subquery): Scaled {
    const inner = this.scaled(expr.expr);
    const { timeScale, subqueryStepMs } = this.scale;
    const range = this.duration(expr.range);
    // The default step is the server's; a drill's server has another one, so the step is written out.
    const step = expr.step
      ? this.duration(expr.step)
      : literal(subqueryStepMs * timeScale, { from: expr.to, to: expr.to });
    return {
      expr: { ...this.#modified(expr), expr: inner.expr, range, step },
      quantity: inner.quantity,
    };
  }

  #aggregate(expr: Aggregate): Scaled {
    const inner = this.scaled(expr.expr);
    const scaled = { ...expr, expr: inner.expr };
    switch (expr.op) {
      case 'count':
      case 'group':
      case 'count_values':
        return { expr: scaled, quantity: power(0) };
      case 'stdvar':
        return { expr: scaled, quantity: power(2 * powerOf(inner.quantity)) };
      default:
        return { expr: scaled, quantity: inner.quantity };
    }
  }

  #binary(expr: Binary): Scaled {
    let [left, right] = [this.scaled(expr.left), this.scaled(expr.right)];
    if (isDifferenceOfCounter(expr)) {
      return { expr: { ...expr, left: left.expr, right: right.expr }, quantity: power(1) };
    }
    const additive =
      isComparison(expr.op) || ['+', '-', '%', 'or'].includes(expr.op) || isTrim(expr.op);
    if (additive) [left, right] = this.#level(expr, left, right);
    else this.#nameFactors(left, right, expr);
    const quantity = quantityOf(expr, left.quantity, right.quantity);
    const moments = [left.quantity, right.quantity, quantity];
    if (moments.some((q) => q.kind === 'age' || q.kind === 'moment')) this.byTheClock = true;
    return { expr: { ...expr, left: left.expr, right: right.expr }, quantity };
  }

  /** Both sides have the same unit: a constant is scaled like its other side, or a remark says that it is not. */
  #level(expr: Binary, left: Scaled, right: Scaled): [Scaled, Scaled] {
    const [a, b] = [left.quantity, right.quantity];
    if (a.kind === 'constant' && b.kind === 'constant') return [left, right];
    if (a.kind === 'constant') {
      const [flipped, kept] = this.#level({ ...expr, op: flip(expr.op) }, right, left);
      return [kept, flipped];
    }
    if (b.kind === 'constant') {
      this.#nameConstant(expr, a, right.expr, b.value);
      if (a.kind === 'moment' && a.known && (expr.op === '+' || expr.op === '-')) {
        return [left, { ...right, expr: this.adjust(right.expr, power(1)) }];
      }
      return [left, { ...right, expr: this.adjust(right.expr, a) }];
    }
    const differ = a.kind === 'power' && b.kind === 'power' && a.power !== b.power;
    // The sides of `or` are not compared with each other.
    if (differ && expr.op !== 'or') {
      const text = 'its two sides change differently with the range';
      this.say('left', expr, `not scaled: ${text}`);
    }
    return [left, right];
  }

  #nameConstant(expr: Binary, other: Quantity, constant: Expr, value: number): void {
    if (value === 0 || !Number.isFinite(value)) return;
    const text = numberText(value);
    const isMoment = other.kind === 'moment' && isComparison(expr.op);
    if (other.kind === 'age' || isMoment || (other.kind === 'moment' && !other.known)) {
      const whose = 'is compared with a time that the system reports';
      this.say('left', constant, `not scaled: ${text} ${whose}`);
    } else if (other.kind === 'moment' && expr.op === '%') {
      this.say('left', constant, `not scaled: ${text} is a wall-clock period`);
    } else if (other.kind === 'power' && other.counts && !isAtLeastOne(expr.op, value)) {
      const counted = `${text} is a number of ${other.counts} in a range`;
      this.say('left', constant, `not scaled: ${counted}`);
    }
  }

  /**
   * `rate(x[5m]) * 300` is a count in five minutes. At the scale it still counts five minutes, at the current rate.
   */
  #nameFactors(left: Scaled, right: Scaled, expr: Binary): void {
    if (expr.op !== '*' && expr.op !== '/') return;
    for (const [constant, other] of [
      [right, left],
      [left, right],
    ] as const) {
      if (constant.quantity.kind !== 'constant' || other.quantity.kind !== 'power') continue;
      const { value } = constant.quantity;
      if (other.quantity.power !== 0 || !other.quantity.rangeSeconds?.includes(value)) continue;
      const text = `not scaled: ${numberText(value)} is the length of the range`;
      this.say('left', constant.expr, `${text}, and what happens per second stays the same`);
    }
  }
}

const isTrim = (op: string): boolean => op === '</' || op === '>/';

const flips: Record<string, string> = { '>': '<', '<': '>', '>=': '<=', '<=': '>=' };
const flip = (op: Binary['op']): Binary['op'] => (flips[op] ?? op) as Binary['op'];

/** `> 0`, `>= 1`, `!= 0`: whether it happened at all. */
const isAtLeastOne = (op: string, value: number): boolean =>
  (op === '>' && value < 1) || (op === '>=' && value <= 1) || (op === '<' && value <= 1);

/** `x_total - x_total offset 5m` is an increase in other words. */
function isDifferenceOfCounter({ op, left, right }: Binary): boolean {
  const [a, b] = [withoutParens(left), withoutParens(right)];
  return (
    op === '-' &&
    a.kind === 'selector' &&
    b.kind === 'selector' &&
    a.name === b.name &&
    isCounterName(a.name) &&
    (a.offset === undefined) !== (b.offset === undefined)
  );
}

function quantityOf(expr: Binary, left: Quantity, right: Quantity): Quantity {
  if (isComparison(expr.op) && expr.bool) return power(0);
  if (isComparison(expr.op) || isSetOperator(expr.op) || expr.op === '%' || isTrim(expr.op)) {
    return left.kind === 'constant' ? right : left;
  }
  if (expr.op === '+' || expr.op === '-') return sumOf(expr.op, left, right);
  if (expr.op === '*') return productOf(left, right, 1);
  if (expr.op === '/') return productOf(left, right, -1);
  if (expr.op === '^' && right.kind === 'constant') return power(powerOf(left) * right.value);
  return power(0);
}

function sumOf(op: '+' | '-', left: Quantity, right: Quantity): Quantity {
  if (left.kind === 'constant') return right;
  if (right.kind === 'constant') return left;
  const isMoment = left.kind === 'moment' || right.kind === 'moment';
  if (op === '-' && isMoment) {
    const known = [left, right].every((q) => q.kind === 'moment' && q.known);
    return known ? power(1) : { kind: 'age' };
  }
  if (left.kind === 'age' || right.kind === 'age') return { kind: 'age' };
  return isMoment ? { kind: 'moment', known: false } : left;
}

function productOf(left: Quantity, right: Quantity, sign: 1 | -1): Quantity {
  if (right.kind === 'constant') return left;
  if (left.kind === 'age' && right.kind === 'age' && sign === -1) return power(0);
  if (left.kind === 'age' || right.kind === 'age') return { kind: 'age' };
  return power(powerOf(left) + sign * powerOf(right));
}
