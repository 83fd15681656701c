/** Builds the parts after a selector: a range, `offset`, `@`, `anchored`, `smoothed`. */
import type { SyntaxNode } from '@lezer/common';
import type { At, Expr } from './ast.js';
import { buildDuration } from './build-duration.js';
import { PromqlError } from './error.js';
import type { Builder } from './parse.js';

export function applyPostfix(builder: Builder, inner: Expr, node: SyntaxNode): Expr {
  switch (node.name) {
    case 'MatrixSelector':
      return matrix(builder, inner, node);
    case 'SubqueryExpr':
      return subquery(builder, inner, node);
    case 'OffsetExpr':
      return modified(inner, node, 'offset modifier', (target) => {
        if ('offset' in target) throw new PromqlError('offset may not be set multiple times', node);
        return { offset: buildDuration(builder, node.lastChild as SyntaxNode, {}) };
      });
    case 'StepInvariantExpr':
      return modified(inner, node, '@ modifier', (target) => {
        if ('at' in target)
          throw new PromqlError('@ <timestamp> may not be set multiple times', node);
        return { at: at(builder, node) };
      });
    default:
      return extended(builder, inner, node);
  }
}

function matrix(builder: Builder, inner: Expr, node: SyntaxNode): Expr {
  if (inner.kind !== 'selector') {
    throw new PromqlError('ranges only allowed for vector selectors', {
      from: inner.to,
      to: node.to,
    });
  }
  if (inner.offset) throw new PromqlError('no offset modifiers allowed before range', node);
  if (inner.at) throw new PromqlError('no @ modifiers allowed before range', node);
  const range = buildDuration(builder, node.lastChild as SyntaxNode, { mustBePositive: true });
  return { kind: 'matrix', selector: inner, range, from: inner.from, to: node.to };
}

function subquery(builder: Builder, inner: Expr, node: SyntaxNode): Expr {
  const [range, step] = node.getChildren('DurationExpr');
  return {
    kind: 'subquery',
    expr: inner,
    range: buildDuration(builder, range as SyntaxNode, { mustBePositive: true }),
    ...(step ? { step: buildDuration(builder, step, { mustBePositive: true }) } : {}),
    from: inner.from,
    to: node.to,
  };
}

/** A modifier of a range selector belongs to its instant selector. */
function modified(
  inner: Expr,
  node: SyntaxNode,
  what: string,
  modifier: (target: Expr) => object,
): Expr {
  const span = { from: inner.from, to: node.to };
  if (inner.kind === 'matrix') {
    const selector = { ...inner.selector, ...modifier(inner.selector) };
    return { ...inner, selector, ...span };
  }
  if (inner.kind === 'selector' || inner.kind === 'subquery') {
    return { ...inner, ...modifier(inner), ...span };
  }
  throw new PromqlError(
    `${what} must be preceded by an instant vector selector or range vector selector or a subquery`,
    span,
  );
}

function extended(builder: Builder, inner: Expr, node: SyntaxNode): Expr {
  const word = builder.slice(node.lastChild as SyntaxNode).toLowerCase();
  const span = { from: inner.from, to: node.to };
  if (inner.kind !== 'matrix' && inner.kind !== 'selector') {
    throw new PromqlError(`${word} modifier must be preceded by a selector`, span);
  }
  const target = inner.kind === 'matrix' ? inner.selector : inner;
  if (target.extension) {
    throw new PromqlError(`${word} cannot be combined with ${target.extension}`, node);
  }
  return modified(inner, node, word, () => ({ extension: word }));
}

function at(builder: Builder, node: SyntaxNode): At {
  const literal = node.getChild('NumberDurationLiteral', 'At');
  if (!literal) {
    const word = node.getChild('AtModifierPreprocessors')?.firstChild?.name;
    return { kind: word === 'AtStart' ? 'start' : 'end' };
  }
  const seconds = builder.number(literal);
  if (!Number.isFinite(seconds) || Math.abs(seconds) >= 2 ** 63 / 1000) {
    throw new PromqlError('timestamp out of bounds for @ modifier', literal);
  }
  return { kind: 'time', seconds, text: builder.slice(literal) };
}
