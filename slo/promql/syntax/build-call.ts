/** Builds function calls and aggregations. */
import type { SyntaxNode } from '@lezer/common';
import type { Aggregate, AggregateOperator, Expr } from './ast.js';
import { PromqlError } from './error.js';
import { childNodes } from './child-nodes.js';
import type { Builder } from './parse.js';

function argumentsOf(builder: Builder, node: SyntaxNode): Expr[] {
  return childNodes(node.getChild('FunctionCallBody')).map((child) => builder.expr(child));
}

export function buildCall(builder: Builder, node: SyntaxNode): Expr {
  const name = builder.slice(node.getChild('FunctionIdentifier') as SyntaxNode);
  return { kind: 'call', name, args: argumentsOf(builder, node), from: node.from, to: node.to };
}

const parametric = new Set([
  'bottomk',
  'count_values',
  'limit_ratio',
  'limitk',
  'quantile',
  'topk',
]);

export function buildAggregate(builder: Builder, node: SyntaxNode): Aggregate {
  const span = { from: node.from, to: node.to };
  const opNode = node.getChild('AggregateOp') as SyntaxNode;
  const op = builder.slice(opNode).toLowerCase() as AggregateOperator;
  const modifier = node.getChild('AggregateModifier');
  const args = argumentsOf(builder, node);
  const wanted = parametric.has(op) ? 2 : 1;
  if (args.length === 0)
    throw new PromqlError('no arguments for aggregate expression provided', span);
  if (args.length !== wanted) {
    throw new PromqlError(
      `wrong number of arguments for aggregate expression provided, expected ${wanted}, got ${args.length}`,
      span,
    );
  }
  const expr = args.at(-1) as Expr;
  return {
    kind: 'aggregate',
    op,
    expr,
    ...(wanted === 2 ? { param: args[0] as Expr } : {}),
    grouping: modifier ? groupingLabels(builder, modifier.getChild('GroupingLabels')) : [],
    without: modifier?.getChild('Without') != null,
    grouped: modifier !== null,
    ...span,
  };
}

export function groupingLabels(builder: Builder, node: SyntaxNode | null): string[] {
  return childNodes(node).map((child) => {
    if (child.name === 'QuotedLabelName') return builder.string(child.firstChild as SyntaxNode);
    const name = builder.slice(child);
    if (/^(without|inf|nan)$/i.test(name)) {
      throw new PromqlError(
        `unexpected ${name} among labels; a label of that name is quoted`,
        child,
      );
    }
    return name;
  });
}
