/** Formats an expression: on one line if it fits, otherwise one operand a line, indented. */
import type { Binary, Expr } from './ast.js';
import { parse } from './parse.js';
import {
  aggregateArguments,
  print,
  printAggregateHead,
  printOperator,
  printSubqueryRange,
} from './print.js';

const widthMax = 80;

export function format(expr: Expr, width = widthMax): string {
  return block(expr, 0, width).join('\n');
}

/** The formatted expression, with its comments above it. */
export function formatText(text: string, width = widthMax): string {
  const comments = commentsOf(text).map((c) => `${c}\n`);
  return `${comments.join('')}${format(parse(text), width)}\n`;
}

const token = /"(?:\\[^]|[^"\\])*"|'(?:\\[^]|[^'\\])*'|`[^`]*`|(#[^\n]*)|[^]/g;

function commentsOf(text: string): string[] {
  return [...text.matchAll(token)].flatMap((m) => (m[1] ? [m[1].trimEnd()] : []));
}

/** The lines of an expression. Each line has its indent relative to `depth`; the first has none. */
function block(expr: Expr, depth: number, width: number): string[] {
  const line = print(expr);
  if (depth * 2 + line.length <= width) return [line];
  switch (expr.kind) {
    case 'call':
      return wrapped(`${expr.name}(`, expr.args, ')', depth, width);
    case 'aggregate':
      return wrapped(`${printAggregateHead(expr)}(`, aggregateArguments(expr), ')', depth, width);
    case 'paren':
      return wrapped('(', [expr.expr], ')', depth, width);
    case 'subquery':
      return withSuffix(block(expr.expr, depth, width), printSubqueryRange(expr));
    case 'unary':
      return withPrefix(block(expr.expr, depth, width), expr.op);
    case 'binary':
      return operands(expr, depth, width);
    case 'selector':
    case 'matrix':
      return selectorLines(line);
    default:
      return [line];
  }
}

function wrapped(
  open: string,
  parts: readonly Expr[],
  close: string,
  depth: number,
  width: number,
): string[] {
  if (parts.length === 0) return [`${open}${close}`];
  const inner = parts.flatMap((part, i) => {
    const lines = block(part, depth + 1, width);
    return i < parts.length - 1 ? withSuffix(lines, ',') : lines;
  });
  return [open, ...inner.map((l) => `  ${l}`), close];
}

function operands(binary: Binary, depth: number, width: number): string[] {
  const [first, ...rest] = block(binary.right, depth, width) as [string, ...string[]];
  return [...block(binary.left, depth, width), `${printOperator(binary)} ${first}`, ...rest];
}

/** One matcher a line. */
function selectorLines(line: string): string[] {
  const match = /^([\w:]*)\{(.*)\}([^}]*)$/s.exec(line);
  const matchers = match?.[2]?.match(/(?:[^",]|"(?:[^"\\]|\\.)*")+/g);
  if (!match || !matchers || matchers.length < 2) return [line];
  return [
    `${match[1] as string}{`,
    ...matchers.map((m) => `  ${m.trim()},`),
    `}${match[3] as string}`,
  ];
}

function withSuffix(lines: string[], suffix: string): string[] {
  return [...lines.slice(0, -1), `${lines.at(-1) as string}${suffix}`];
}

function withPrefix(lines: string[], prefix: string): string[] {
  return [`${prefix}${lines[0] as string}`, ...lines.slice(1)];
}
