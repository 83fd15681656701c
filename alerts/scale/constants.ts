/** Constants in an expression: reads their value, and replaces it. */
import type { Expr } from '../../slo/promql/syntax/ast.js';

/** The value of an expression of numbers alone; undefined for any other expression. */
export function constantOf(expr: Expr): number | undefined {
  switch (expr.kind) {
    case 'number':
      return expr.value;
    case 'paren':
      return constantOf(expr.expr);
    case 'unary': {
      const value = constantOf(expr.expr);
      return value === undefined ? undefined : expr.op === '-' ? -value : value;
    }
    case 'call':
      return expr.name === 'vector' || expr.name === 'scalar'
        ? expr.args[0] && constantOf(expr.args[0])
        : undefined;
    case 'binary': {
      const [left, right] = [constantOf(expr.left), constantOf(expr.right)];
      return left === undefined || right === undefined ? undefined : apply(expr.op, left, right);
    }
    default:
      return undefined;
  }
}

/** Applies an arithmetic operator of PromQL to numbers or durations; undefined for any other operator. */
export function apply(op: string, left: number, right: number): number | undefined {
  switch (op) {
    case '+':
      return left + right;
    case '-':
      return left - right;
    case '*':
      return left * right;
    case '/':
      return left / right;
    case '%':
      return left % right;
    case '^':
      return left ** right;
    default:
      return undefined;
  }
}

/** The number as PromQL writes it, with up to twelve digits. */
export function numberText(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? 'Inf' : '-Inf';
  return String(Number(value.toPrecision(12)));
}

/** A constant expression times a factor, as one number; a surrounding vector() stays. */
export function timesFactor(expr: Expr, factor: number): Expr {
  if (expr.kind === 'paren') return { ...expr, expr: timesFactor(expr.expr, factor) };
  if (expr.kind === 'call') {
    return { ...expr, args: expr.args.map((arg) => timesFactor(arg, factor)) };
  }
  const value = (constantOf(expr) as number) * factor;
  return { kind: 'number', value, text: numberText(value), from: expr.from, to: expr.to };
}
