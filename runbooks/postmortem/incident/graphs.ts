/** Graphs of a rule over the time of an incident: its left side against its threshold. */
import type { PrometheusClient } from '../../../slo/budget/prometheus.js';
import { type Expr, parse, PromqlError } from '../../../slo/promql/index.js';
import { print } from '../../../slo/promql/syntax/print.js';
import type { AlertingRule } from '../../../slo/rules/model.js';
import type { RuleGraph } from './model.js';

export interface Plotted {
  expr: string;
  op: string;
  threshold: number;
}

const mirrored: Record<string, string> = {
  '>': '<',
  '<': '>',
  '>=': '<=',
  '<=': '>=',
  '==': '==',
  '!=': '!=',
};

/** The first comparison with a number in an expression; undefined if there is none. */
export function plottedOf(text: string): Plotted | undefined {
  let expr: Expr;
  try {
    expr = parse(text);
  } catch (error) {
    if (error instanceof PromqlError) return undefined;
    throw error;
  }
  return comparisonIn(expr);
}

function comparisonIn(expr: Expr): Plotted | undefined {
  if (expr.kind === 'paren' || expr.kind === 'unary') return comparisonIn(expr.expr);
  if (expr.kind !== 'binary') return undefined;
  const { op, left, right } = expr;
  if (mirrored[op] === undefined) return comparisonIn(left) ?? comparisonIn(right);
  const [l, r] = [numberOf(left), numberOf(right)];
  if (r !== undefined) return { expr: print(left), op, threshold: r };
  if (l !== undefined) return { expr: print(right), op: mirrored[op] as string, threshold: l };
  return undefined;
}

/** Also evaluates `(14.4 * 0.001)`. */
function numberOf(expr: Expr): number | undefined {
  if (expr.kind === 'number') return expr.value;
  if (expr.kind === 'paren') return numberOf(expr.expr);
  if (expr.kind !== 'binary') return undefined;
  const [l, r] = [numberOf(expr.left), numberOf(expr.right)];
  if (l === undefined || r === undefined) return undefined;
  switch (expr.op) {
    case '*':
      return l * r;
    case '/':
      return l / r;
    case '+':
      return l + r;
    case '-':
      return l - r;
    default:
      return undefined;
  }
}

export async function graphOf(
  client: PrometheusClient,
  rule: AlertingRule,
  { fromMs, toMs }: { fromMs: number; toMs: number },
): Promise<RuleGraph | string> {
  const plotted = plottedOf(rule.expr);
  if (!plotted) return 'its expression is not a comparison with a number';
  const worst = plotted.op.startsWith('<') ? 'min' : 'max';
  const expr = `${worst}(${plotted.expr})`;
  const stepMs = Math.max(1000, Math.ceil((toMs - fromMs) / 240));
  const series = await client.range(expr, fromMs, toMs, stepMs);
  const points = (series[0]?.points ?? []).filter(([, value]) => Number.isFinite(value));
  if (points.length === 0) return `${expr} has no data in this stretch`;
  return { alert: rule.alert, expr, op: plotted.op, threshold: plotted.threshold, points };
}
