import type { Aggregate } from '../syntax/ast.js';
import type { Context } from './context.js';
import { messages } from './messages.js';

/** Notes that an aggregation left a histogram out; `whole` marks the aggregation instead of its operand. */
export function ignoreHistogram(
  op: string,
  aggregate: Aggregate,
  ctx: Context,
  whole = false,
): void {
  ctx.annotations.info(messages.ignoredInAggregation(op), whole ? aggregate : aggregate.expr);
}
