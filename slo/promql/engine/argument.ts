/** The operands of a node: each is evaluated by the evaluator that its context brings, so that no node imports it. */
import type { Expr, StringLiteral } from '../syntax/ast.js';
import { withoutParens } from '../syntax/ast.js';
import { typeOf } from '../syntax/types.js';
import type { Context } from './context.js';
import type { GridSeries } from './value.js';

export function evaluateVector(expr: Expr, ctx: Context): GridSeries[] {
  const value = ctx.evaluate(expr);
  if (value.type === 'vector') return value.series;
  return ctx.fail(`expected an instant vector, got ${typeOf(expr)}`, expr);
}

export function evaluateScalar(expr: Expr, ctx: Context): Float64Array {
  const value = ctx.evaluate(expr);
  if (value.type === 'scalar') return value.values;
  return ctx.fail(`expected a scalar, got ${typeOf(expr)}`, expr);
}

/** The text of an argument that is a string literal according to the type check. */
export function stringOf(expr: Expr | undefined): string {
  return expr ? (withoutParens(expr) as StringLiteral).value : '';
}
