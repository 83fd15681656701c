/** A query with every selector fixed to its time gives the same result whenever it is asked. */
import type { Expr } from '../syntax/ast.js';

export interface Variant {
  readonly expr: Expr;
  readonly query: string;
  readonly timeMs: number;
}

export function variantsOf(expr: Expr, query: string, timeMs: number): Variant[] {
  return [{ expr, query, timeMs }];
}
