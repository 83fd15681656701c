/** Parts of a query that are the same at every step: evaluated once. */
import type { Expr } from '../syntax/ast.js';
import { withoutParens } from '../syntax/ast.js';

/** Functions whose value depends on when they are evaluated, even of a fixed argument. */
export const timeDependent = new Set([
  'days_in_month',
  'day_of_month',
  'day_of_week',
  'day_of_year',
  'hour',
  'minute',
  'month',
  'year',
  'predict_linear',
  'time',
  'timestamp',
  'start_timestamp',
]);

/** `start()`, `end()`, `step()` and `range()` are the whole query's. */
const known = new WeakMap<Expr, boolean>();

export function isStepInvariant(expr: Expr): boolean {
  let invariant = known.get(expr);
  if (invariant === undefined) {
    invariant = examine(expr);
    known.set(expr, invariant);
  }
  return invariant;
}

function examine(expr: Expr): boolean {
  switch (expr.kind) {
    case 'number':
    case 'string':
      // A literal costs nothing; an expression of nothing else is not worth repeating.
      return true;
    case 'selector':
    case 'subquery':
      return expr.at !== undefined;
    case 'matrix':
      return expr.selector.at !== undefined;
    case 'paren':
    case 'unary':
      return isStepInvariant(expr.expr);
    case 'aggregate':
      return isStepInvariant(expr.expr) && (!expr.param || isStepInvariant(expr.param));
    case 'binary':
      return isStepInvariant(expr.left) && isStepInvariant(expr.right);
    case 'call': {
      if (!expr.args.every(isStepInvariant)) return false;
      if (!timeDependent.has(expr.name)) return true;
      const argument = expr.args[0];
      return (
        expr.name === 'timestamp' &&
        argument !== undefined &&
        withoutParens(argument).kind === 'selector'
      );
    }
  }
}
