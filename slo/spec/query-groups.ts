/** The labels of a query's result, as far as its outermost aggregations name them. */
import type { Expr } from '../promql/syntax/ast.js';
import { parse } from '../promql/syntax/parse.js';
import type { Sli, Slo } from './model.js';
import { fillWindow } from './query.js';

/** Functions that keep the labels of their first argument. */
const keeping =
  /^(abs|ceil|clamp|clamp_max|clamp_min|floor|ln|log2|log10|round|sgn|sort|sort_desc|sqrt)$/;
const choosing = new Set(['topk', 'bottomk', 'limitk', 'limit_ratio']);

const isSame = (a: readonly string[], b: readonly string[]): boolean => a.join() === b.join();

/** Sorted labels; empty for one series without any; undefined if the text does not say. */
function labelsOf(expr: Expr): string[] | undefined {
  switch (expr.kind) {
    case 'number':
      return [];
    case 'paren':
    case 'unary':
      return labelsOf(expr.expr);
    case 'aggregate':
      if (choosing.has(expr.op)) return labelsOf(expr.expr);
      return expr.without || expr.op === 'count_values' ? undefined : [...expr.grouping].sort();
    case 'call': {
      if (/^(vector|scalar|time)$/.test(expr.name)) return [];
      const [first] = expr.args;
      return first && keeping.test(expr.name) ? labelsOf(first) : undefined;
    }
    case 'binary': {
      const [left, right] = [labelsOf(expr.left), labelsOf(expr.right)];
      if (/^(or|and|unless)$/.test(expr.op)) return left;
      // A number has no labels, and takes none away.
      if (expr.matching === undefined) return left?.length === 0 ? right : left;
      return left && right && isSame(left, right) ? left : undefined;
    }
    default:
      return undefined;
  }
}

/** The labels of a template's result; it must be valid. */
export const groupsOf = (template: string): string[] | undefined =>
  labelsOf(parse(fillWindow(template, '5m')));

/** Whether the result has exactly these labels. */
export function isGroupedBy(template: string, by: readonly string[]): boolean {
  const own = groupsOf(template);
  return own !== undefined && isSame(own, [...by].sort());
}

/** The labels that all queries of an SLI keep. */
export function groupsOfSli(sli: Sli): string[] {
  if (sli.kind === 'slices') return groupsOfSli(sli.of);
  if (sli.kind === 'ratio') return groupsOf(sli.error) ?? [];
  if (sli.kind !== 'events') return [];
  const total = groupsOf(sli.total) ?? [];
  return isGroupedBy(sli.bad ?? sli.good ?? '', total) ? total : [];
}

/** The highest number of groups, for formats without one. */
export const groupsMax = 1000;

/** An SLO of a tool that judges each series of a query by itself: those of `sum by (route)` are its groups. */
export function withOwnGroups(slo: Slo): Slo {
  const groupBy = groupsOfSli(slo.sli);
  return groupBy.length === 0 ? slo : Object.assign(slo, { groupBy, maxGroups: groupsMax });
}
