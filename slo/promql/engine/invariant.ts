/** Finds parts of a query whose value is the same at every step, so that they are evaluated once. */
import type { Expr } from '../syntax/ast.js';
import { withoutParens } from '../syntax/ast.js';

/** Functions whose value depends on the evaluation time, even with a constant argument. */
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

/** `start()`, `end()`, `step()` and `range()` have the same value in the whole query. */
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
      // A literal alone is cheap, so callers need not cache it.
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
      // Selectors with different times make `info` read its info series at each step.
      if (expr.name === 'info' || !expr.args.every(isStepInvariant)) return false;
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
