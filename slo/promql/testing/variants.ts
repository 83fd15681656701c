/** Fixes every selector of a query to its time, which gives the same result at any evaluation time. */
import type { At, Expr } from '../syntax/ast.js';
import { walk } from '../syntax/ast.js';
import { timeDependent } from '../engine/invariant.js';

import { parse } from '../syntax/parse.js';
import { print } from '../syntax/print.js';

export interface Variant {
  readonly expr: Expr;
  readonly query: string;
  readonly timeMs: number;
}

export function variantsOf(expr: Expr, query: string, timeMs: number): Variant[] {
  const own = { expr, query, timeMs };
  let dependent = false;
  walk(expr, (node) => {
    if (node.kind === 'call' && varies(node.name)) dependent = true;
  });
  if (dependent) return [own];
  const fixed = print(fix(expr, timeMs));
  const reparsed = parse(fixed);
  const others =
    timeMs === 0 ? [-1000, 0, 1000] : [-10, 0, 0.2, 1, 10].map((n) => Math.trunc(n * timeMs));
  return [own, ...others.map((at) => ({ expr: reparsed, query: fixed, timeMs: at }))];
}

/**
 * Gives every selector and subquery without `@` the given time; the inside of a subquery follows the subquery's time.
 */
function fix(expr: Expr, timeMs: number): Expr {
  const seconds = timeMs / 1000;
  const at: At = { kind: 'time', seconds, text: seconds.toFixed(3) };
  switch (expr.kind) {
    case 'number':
    case 'string':
      return expr;
    case 'selector':
      return expr.at ? expr : { ...expr, at };
    case 'matrix':
      return expr.selector.at ? expr : { ...expr, selector: { ...expr.selector, at } };
    case 'subquery':
      return expr.at ? expr : { ...expr, at };
    case 'call':
      return {
        ...expr,
        args: expr.args.map((arg, i) => (expr.name === 'info' && i === 1 ? arg : fix(arg, timeMs))),
      };
    case 'aggregate':
      return {
        ...expr,
        expr: fix(expr.expr, timeMs),
        ...(expr.param ? { param: fix(expr.param, timeMs) } : {}),
      };
    case 'binary':
      return { ...expr, left: fix(expr.left, timeMs), right: fix(expr.right, timeMs) };
    case 'unary':
    case 'paren':
      return { ...expr, expr: fix(expr.expr, timeMs) };
  }
}

function varies(name: string): boolean {
  return timeDependent.has(name) || /^(start|end|range|step)$/.test(name);
}
