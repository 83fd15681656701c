/** Builds operators between two expressions, with their matching. */
import type { SyntaxNode } from '@lezer/common';
import type { Binary, BinaryOperator, Expr, Matching } from './ast.js';
import { isComparison, isSetOperator } from './ast.js';
import { groupingLabels } from './build-call.js';
import { PromqlError } from './error.js';
import type { Builder } from './parse.js';
import { typeOf } from './types.js';

/** `node` holds the operator between the operands and its modifiers. */
export function buildBinary(builder: Builder, node: SyntaxNode, left: Expr, right: Expr): Binary {
  const operator = node.firstChild?.nextSibling as SyntaxNode;
  const op = builder.slice(operator).toLowerCase() as BinaryOperator;
  const bool = node.getChild('BoolModifier') !== null;
  const clause = node.getChild('MatchingModifierClause');
  const fill = node.getChild('FillModifier');
  const span = { from: left.from, to: right.to };

  if (bool && !isComparison(op)) {
    throw new PromqlError('bool modifier can only be used on comparison operators', operator);
  }
  const scalars = typeOf(left) === 'scalar' && typeOf(right) === 'scalar';
  if (isComparison(op) && !bool && scalars) {
    throw new PromqlError('comparisons between scalars must use BOOL modifier', span);
  }
  if (isSetOperator(op) && (typeOf(left) === 'scalar' || typeOf(right) === 'scalar')) {
    throw new PromqlError(`set operator "${op}" not allowed in binary scalar expression`, operator);
  }
  const vectors = typeOf(left) === 'vector' && typeOf(right) === 'vector';
  if (!vectors && clause && clause.getChild('GroupingLabels')?.firstChild) {
    throw new PromqlError('vector matching only allowed between instant vectors', clause);
  }
  if (!vectors && fill) {
    throw new PromqlError('filling in missing series only allowed between instant vectors', fill);
  }
  const matching = vectors ? buildMatching(builder, op, clause, fill) : undefined;
  return { kind: 'binary', op, left, right, bool, ...(matching ? { matching } : {}), ...span };
}

function buildMatching(
  builder: Builder,
  op: BinaryOperator,
  clause: SyntaxNode | null,
  fill: SyntaxNode | null,
): Matching {
  const [labels, included] = clause?.getChildren('GroupingLabels') ?? [];
  const groupLeft = clause?.getChild('GroupLeft') ?? null;
  const groupRight = clause?.getChild('GroupRight') ?? null;
  const on = clause?.getChild('On') != null;
  const matched = labels ? groupingLabels(builder, labels) : [];
  const include = included ? groupingLabels(builder, included) : [];
  if (isSetOperator(op)) {
    if (groupLeft || groupRight) {
      throw new PromqlError(`no grouping allowed for "${op}" operation`, clause as SyntaxNode);
    }
    if (fill)
      throw new PromqlError('filling in missing series not allowed for set operators', fill);
  }
  for (const name of on ? include : []) {
    if (!matched.includes(name)) continue;
    throw new PromqlError(
      `label "${name}" must not occur in ON and GROUP clause at once`,
      clause as SyntaxNode,
    );
  }
  const grouped = groupLeft ? 'many-to-one' : groupRight ? 'one-to-many' : 'one-to-one';
  return {
    cardinality: isSetOperator(op) ? 'many-to-many' : grouped,
    on,
    labels: matched,
    include,
    ...fillValues(builder, fill),
  };
}

function fillValues(builder: Builder, node: SyntaxNode | null): Partial<Matching> {
  const value = (name: string): number | undefined => {
    const literal = node?.getChild(name)?.getChild('NumberDurationLiteral');
    return literal ? builder.number(literal) : undefined;
  };
  const both = value('FillClause');
  const [left, right] = [value('FillLeftClause') ?? both, value('FillRightClause') ?? both];
  return {
    ...(left === undefined ? {} : { fillLeft: left }),
    ...(right === undefined ? {} : { fillRight: right }),
  };
}
