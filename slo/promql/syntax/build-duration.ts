/** Builds durations in brackets and after `offset`: literals, and sums of them. */
import type { SyntaxNode } from '@lezer/common';
import type { Duration } from './ast.js';
import { PromqlError } from './error.js';
import { childNodes } from './child-nodes.js';
import { maxSeconds } from './literals.js';
import type { Builder } from './parse.js';

export function buildDuration(
  builder: Builder,
  node: SyntaxNode,
  rule: { mustBePositive?: boolean },
): Duration {
  const duration = build(builder, node);
  if (duration.kind === 'seconds') {
    if (!Number.isFinite(duration.seconds))
      throw new PromqlError('duration out of range', duration);
    if (rule.mustBePositive && duration.seconds <= 0) {
      throw new PromqlError('duration must be greater than 0', duration);
    }
  }
  return duration;
}

function build(builder: Builder, node: SyntaxNode): Duration {
  const span = { from: node.from, to: node.to };
  const parts = childNodes(node);
  const text = builder.slice(node);
  if (node.name === 'NumberDurationLiteralInDurationContext') {
    const seconds = builder.number(node);
    if (Math.abs(seconds) > maxSeconds) throw new PromqlError('duration out of range', span);
    return { kind: 'seconds', seconds, text, ...span };
  }
  const [first, second, third] = parts;
  switch (first?.name) {
    case 'DurationStep':
      return { kind: 'step', ...span };
    case 'DurationRange':
      return { kind: 'range', ...span };
    case 'DurationMinOf':
    case 'DurationMaxOf':
      return {
        kind: first.name === 'DurationMinOf' ? 'min_of' : 'max_of',
        left: build(builder, second as SyntaxNode),
        right: build(builder, third as SyntaxNode),
        ...span,
      };
    case 'UnaryOp':
      return signed(builder.slice(first) as '+' | '-', build(builder, second as SyntaxNode), span);
    default:
  }
  if (parts.length === 3) {
    const op = builder.slice(second as SyntaxNode) as '+' | '/' | '%';
    const [left, right] = [
      build(builder, first as SyntaxNode),
      build(builder, third as SyntaxNode),
    ];
    if ((op === '/' || op === '%') && right.kind === 'seconds' && right.seconds === 0) {
      throw new PromqlError(`${op === '/' ? 'division' : 'modulo'} by zero`, second as SyntaxNode);
    }
    return rebalance({ kind: 'binary', op, left, right, ...span });
  }
  const operand = build(builder, first as SyntaxNode);
  // Only parentheses in the text add a level; the others are nodes of the grammar.
  return text.startsWith('(') && first?.from !== node.from
    ? { kind: 'paren', operand, ...span }
    : operand;
}

function signed(op: '+' | '-', operand: Duration, span: { from: number; to: number }): Duration {
  if (operand.kind === 'seconds') {
    const seconds = op === '-' ? -operand.seconds : operand.seconds;
    return { kind: 'seconds', seconds, text: `${op === '-' ? '-' : ''}${operand.text}`, ...span };
  }
  return { kind: 'unary', op, operand, ...span };
}

/** A sign binds less tightly than a power: `-2^2` is `-(2^2)`. */
function rebalance(duration: Extract<Duration, { kind: 'binary' }>): Duration {
  const { left, right, op, from, to } = duration;
  if (op !== '^' || left.kind !== 'seconds' || !left.text.startsWith('-')) return duration;
  const bare = { ...left, seconds: -left.seconds, text: left.text.slice(1), from: left.from + 1 };
  const power: Duration = { kind: 'binary', op, left: bare, right, from: bare.from, to };
  return { kind: 'unary', op: '-', operand: power, from, to };
}
