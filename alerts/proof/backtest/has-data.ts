/** Whether the metrics of an expression have data in a span, so that its silence says something. */
import { formatDurationMs } from '../../../base/duration.js';
import { type Expr, parse, print } from '../../../slo/promql/index.js';
import { childrenOf } from '../../../slo/promql/syntax/ast.js';
import type { AskRange, Span } from './measure.js';

export function hasData(text: string, ask: AskRange, span: Span): Promise<boolean> {
  const atMs = span.endMs - span.stepMs;
  const range = formatDurationMs(span.endMs - span.startMs);
  const has = async (expr: Expr): Promise<boolean> => {
    if (expr.kind === 'selector') {
      const { kind, name, matchers, from, to } = expr;
      const bare = print({ kind, name, matchers, from, to });
      const query = `count(last_over_time(${bare}[${range}]))`;
      return (await ask(query, atMs, atMs, span.stepMs)).length > 0;
    }
    // It is silent because its metric has data.
    if (expr.kind === 'call' && expr.name.startsWith('absent')) return true;
    if (expr.kind === 'binary' && expr.op === 'or') {
      return (await has(expr.left)) || (await has(expr.right));
    }
    if (expr.kind === 'binary' && expr.op === 'unless') return has(expr.left);
    for (const child of childrenOf(expr)) if (!(await has(child))) return false;
    return true;
  };
  return has(parse(text));
}
