/** Parses text into a checked tree. */
import type { SyntaxNode } from '@lezer/common';
import type { Expr, Matcher, MatchOperator, VectorSelector } from './ast.js';
import { buildAggregate, buildCall } from './build-call.js';
import { applyPostfix } from './postfix.js';
import { climb, flatten } from './precedence.js';
import { checkTypes } from './check.js';
import { childNodes } from './child-nodes.js';
import { PromqlError } from './error.js';
import { withinLimits } from './limits.js';
import { maxSeconds, parseNumber, parseString } from './literals.js';
import { prepareNames } from './names.js';
import { refuseDeepBrackets, refuseSyntax } from './refuse.js';
import { treeOf } from './tree.js';

export interface ParseOptions {
  /** Prometheus' feature `promql-unquoted-utf8-names`. */
  readonly unquotedNames?: boolean;
}

/** The checked tree: the text parses, every function exists, and every operand has a fitting type. */
export function parse(text: string, { unquotedNames = false }: ParseOptions = {}): Expr {
  if (text.trim() === '') throw new PromqlError('no expression found in input', { from: 0, to: 0 });
  const whole = { from: 0, to: text.length };
  return withinLimits(whole, () => {
    refuseDeepBrackets(text);
    const tree = treeOf(prepareNames(text, unquotedNames));
    refuseSyntax(tree, text);
    const top = tree.topNode.firstChild;
    if (!top) throw new PromqlError('no expression found in input', whole);
    const expr = new Builder(text).expr(top);
    checkTypes(expr);
    return expr;
  });
}

/** Parses a metric name and matchers, as in a selector: `up{job="a"}`. */
export function parseSelector(text: string): VectorSelector {
  const expr = parse(text);
  if (expr.kind !== 'selector' || expr.offset || expr.at || expr.extension) {
    throw new PromqlError('expected a series selector', { from: 0, to: text.length });
  }
  return expr;
}

export class Builder {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  slice(node: SyntaxNode): string {
    return this.text.slice(node.from, node.to);
  }

  expr(node: SyntaxNode): Expr {
    return climb(this, flatten(this, node));
  }

  operand(node: SyntaxNode, postfixes: readonly SyntaxNode[]): Expr {
    let result = this.primary(node);
    for (const postfix of postfixes) result = applyPostfix(this, result, postfix);
    return result;
  }

  private primary(node: SyntaxNode): Expr {
    const span = { from: node.from, to: node.to };
    switch (node.name) {
      case 'NumberDurationLiteral':
        return { kind: 'number', value: this.number(node), text: this.slice(node), ...span };
      case 'StringLiteral':
        return { kind: 'string', value: this.string(node), text: this.slice(node), ...span };
      case 'ParenExpr':
        return { kind: 'paren', expr: this.expr(node.firstChild as SyntaxNode), ...span };
      case 'VectorSelector':
        return this.selector(node);
      case 'FunctionCall':
        return buildCall(this, node);
      case 'AggregateExpr':
        return buildAggregate(this, node);
      default:
        throw new PromqlError(`unexpected ${node.name}`, span);
    }
  }

  number(node: SyntaxNode): number {
    const value = parseNumber(this.slice(node));
    if (value !== undefined) {
      const text = this.slice(node);
      if (/^[+-]?\s*(inf|nan)$/i.test(text)) return value;
      const isDuration = /^(?!0x).*[smhdwy]$/i.test(text);
      if (Math.abs(value) <= (isDuration ? maxSeconds : Number.MAX_VALUE)) return value;
      throw new PromqlError(`${isDuration ? 'duration' : 'number'} out of range`, node);
    }
    throw new PromqlError(
      `bad number or duration syntax: ${JSON.stringify(this.slice(node))}`,
      node,
    );
  }

  string(node: SyntaxNode): string {
    const value = parseString(this.slice(node));
    if (value !== undefined) return value;
    const mark = this.slice(node)[0];
    const ended = node.to - node.from > 1 && this.slice(node).endsWith(mark as string);
    throw new PromqlError(
      ended ? 'unknown escape sequence in a string' : 'unterminated quoted string',
      node,
    );
  }

  private selector(node: SyntaxNode): VectorSelector {
    const span = { from: node.from, to: node.to };
    const identifier = node.getChild('Identifier');
    const name = identifier ? this.slice(identifier) : undefined;
    const matchers: Matcher[] = [];
    for (const child of childNodes(node.getChild('LabelMatchers')))
      matchers.push(this.matcher(child));
    if (name !== undefined) {
      if (/^atan2$/i.test(name)) throw new PromqlError('unexpected operator atan2', span);
      const other = matchers.find((m) => m.name === '__name__');
      if (other) {
        throw new PromqlError(
          `metric name must not be set twice: ${JSON.stringify(name)} or ${JSON.stringify(other.value)}`,
          span,
        );
      }
      matchers.push({ name: '__name__', op: '=', value: name });
    }
    // A name that only a feature allows is kept as if it stood in quotes, which need no feature.
    const isPlain = name !== undefined && /^[\w:]+$/.test(name);
    return { kind: 'selector', name: isPlain ? name : undefined, matchers, ...span };
  }

  private matcher(node: SyntaxNode): Matcher {
    if (node.name === 'QuotedLabelName') {
      return { name: '__name__', op: '=', value: this.string(node.firstChild as SyntaxNode) };
    }
    const left = node.firstChild as SyntaxNode;
    const name =
      left.name === 'QuotedLabelName'
        ? this.string(left.firstChild as SyntaxNode)
        : this.slice(left);
    const op = this.slice(node.getChild('MatchOp') as SyntaxNode) as MatchOperator;
    return { name, op, value: this.string(node.lastChild as SyntaxNode) };
  }
}
