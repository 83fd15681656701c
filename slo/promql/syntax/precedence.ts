/**
 * Assigns operands to operators. In the grammar a range, `offset` or `@` may follow a whole operation, and the rest is
 * then nested wrongly; so an operation is split into its words and built again.
 */
import type { SyntaxNode } from '@lezer/common';
import type { Expr } from './ast.js';
import { buildBinary } from './build-binary.js';
import type { Builder } from './parse.js';

type Word =
  | { readonly kind: 'operand'; readonly node: SyntaxNode; readonly postfixes: SyntaxNode[] }
  | { readonly kind: 'sign'; readonly op: '+' | '-'; readonly from: number }
  /** The node holds the operator and its modifiers; its operands are ignored here. */
  | { readonly kind: 'operator'; readonly node: SyntaxNode };

const postfixNames = new Set([
  'MatrixSelector',
  'SubqueryExpr',
  'OffsetExpr',
  'StepInvariantExpr',
  'AnchoredExpr',
  'SmoothedExpr',
]);

export function flatten(builder: Builder, node: SyntaxNode, words: Word[] = []): Word[] {
  if (node.name === 'BinaryExpr') {
    flatten(builder, node.firstChild as SyntaxNode, words);
    words.push({ kind: 'operator', node });
    return flatten(builder, node.lastChild as SyntaxNode, words);
  }
  if (node.name === 'UnaryExpr') {
    const op = builder.slice(node.firstChild as SyntaxNode) as '+' | '-';
    words.push({ kind: 'sign', op, from: node.from });
    return flatten(builder, node.lastChild as SyntaxNode, words);
  }
  if (postfixNames.has(node.name)) {
    flatten(builder, node.firstChild as SyntaxNode, words);
    const last = words.at(-1);
    if (last?.kind === 'operand') last.postfixes.push(node);
    return words;
  }
  words.push({ kind: 'operand', node, postfixes: [] });
  return words;
}

const levels: Record<string, number> = {
  Or: 1,
  And: 2,
  Unless: 2,
  Add: 4,
  Sub: 4,
  Mul: 5,
  Div: 5,
  Mod: 5,
  Atan2: 5,
  Pow: 6,
};
/** Comparisons, and operators that cut histograms. */
const comparisonLevel = 3;
/** A sign binds as tightly as a product: `-2^2` is `-(2^2)`, `-a * b` is `(-a) * b`. */
const signLevel = 5;

export function climb(builder: Builder, words: readonly Word[]): Expr {
  let at = 0;

  const prefix = (): Expr => {
    const word = words[at++] as Word;
    if (word.kind === 'sign') return signed(word.op, word.from, operation(signLevel + 1));
    if (word.kind === 'operator') throw new Error('an operator without an operand before it');
    return number(word);
  };

  /** The grammar reads `-1` as one literal, whose sign binds less tightly than a power after it. */
  const number = (word: Extract<Word, { kind: 'operand' }>): Expr => {
    const { node } = word;
    const text = builder.slice(node);
    if (node.name !== 'NumberDurationLiteral' || !/^[+-]/.test(text)) {
      return builder.operand(node, word.postfixes);
    }
    const bare = text.slice(1).trimStart();
    const from = node.to - bare.length;
    const value = builder.number(node) * (text.startsWith('-') ? -1 : 1);
    const literal: Expr = { kind: 'number', value, text: bare, from, to: node.to };
    return signed(text[0] as '+' | '-', node.from, operation(signLevel + 1, literal));
  };

  const operation = (least: number, first?: Expr): Expr => {
    let left = first ?? prefix();
    for (;;) {
      const word = words[at];
      if (word?.kind !== 'operator') return left;
      const name = word.node.firstChild?.nextSibling?.name ?? '';
      const level = levels[name] ?? comparisonLevel;
      if (level < least) return left;
      at++;
      const right = operation(name === 'Pow' ? level : level + 1);
      left = buildBinary(builder, word.node, left, right);
    }
  };

  return operation(0);
}

/** The sign of a number becomes part of the number. */
function signed(op: '+' | '-', from: number, operand: Expr): Expr {
  if (operand.kind !== 'number') return { kind: 'unary', op, expr: operand, from, to: operand.to };
  if (op === '+') return { ...operand, text: `+${operand.text}`, from };
  const bare = operand.text.replace(/^\+/, '');
  const text = bare.startsWith('-') ? bare.slice(1) : `-${bare}`;
  return { ...operand, value: -operand.value, text, from };
}
