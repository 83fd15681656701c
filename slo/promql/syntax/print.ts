/** Prints a tree as text on one line. */
import { labelName, metricNameLabel, quote } from '../labels.js';
import type {
  Aggregate,
  At,
  Binary,
  Duration,
  Expr,
  Matching,
  MatrixSelector,
  Subquery,
  VectorSelector,
} from './ast.js';
import { isSetOperator } from './ast.js';

export function print(expr: Expr): string {
  switch (expr.kind) {
    case 'number':
      return expr.text;
    case 'string':
      return quote(expr.value);
    case 'selector':
      return `${printSelector(expr)}${printModifiers(expr)}`;
    case 'matrix':
      return printMatrix(expr);
    case 'subquery':
      return `${print(expr.expr)}${printSubqueryRange(expr)}`;
    case 'call':
      return `${expr.name}(${expr.args.map(print).join(', ')})`;
    case 'aggregate':
      return `${printAggregateHead(expr)}(${aggregateArguments(expr).map(print).join(', ')})`;
    case 'binary':
      return `${print(expr.left)} ${printOperator(expr)} ${print(expr.right)}`;
    case 'unary':
      return `${expr.op}${print(expr.expr)}`;
    case 'paren':
      return `(${print(expr.expr)})`;
  }
}

function printSelector(selector: VectorSelector): string {
  const matchers = selector.matchers
    .filter((m) => !(selector.name !== undefined && m.name === metricNameLabel && m.op === '='))
    .map((m) =>
      m.name === metricNameLabel && m.op === '=' && !/^[a-zA-Z_:][\w:]*$/.test(m.value)
        ? quote(m.value)
        : `${labelName(m.name)}${m.op}${quote(m.value)}`,
    );
  const braces = matchers.length > 0 ? `{${matchers.join(', ')}}` : '';
  return `${selector.name ?? ''}${braces}` || '{}';
}

function printModifiers(modified: {
  at?: At;
  offset?: Duration;
  extension?: VectorSelector['extension'];
}): string {
  const extension = modified.extension ? ` ${modified.extension}` : '';
  const at = modified.at ? ` @ ${printAt(modified.at)}` : '';
  const offset = modified.offset ? ` offset ${printOffset(modified.offset)}` : '';
  return `${extension}${at}${offset}`;
}

function printAt(at: At): string {
  return at.kind === 'time' ? at.text : `${at.kind}()`;
}

function printMatrix({ selector, range }: MatrixSelector): string {
  return `${printSelector(selector)}[${printDuration(range)}]${printModifiers(selector)}`;
}

export function printSubqueryRange(subquery: Subquery): string {
  const step = subquery.step ? printDuration(subquery.step) : '';
  return `[${printDuration(subquery.range)}:${step}]${printModifiers(subquery)}`;
}

/** A computed duration after `offset` needs parentheses, or its operator would belong to the expression. */
function printOffset(duration: Duration): string {
  const text = printDuration(duration);
  if (duration.kind === 'binary') return `(${text})`;
  if (duration.kind === 'unary' && duration.operand.kind === 'binary')
    return `${duration.op}(${printDuration(duration.operand)})`;
  return text;
}

export function printDuration(duration: Duration): string {
  switch (duration.kind) {
    case 'seconds':
      return duration.text;
    case 'step':
    case 'range':
      return `${duration.kind}()`;
    case 'paren':
      return `(${printDuration(duration.operand)})`;
    case 'unary':
      return `${duration.op}${printDuration(duration.operand)}`;
    case 'min_of':
    case 'max_of':
      return `${duration.kind}(${printDuration(duration.left)}, ${printDuration(duration.right)})`;
    case 'binary':
      return `${printDuration(duration.left)} ${duration.op} ${printDuration(duration.right)}`;
  }
}

export function aggregateArguments(aggregate: Aggregate): Expr[] {
  return aggregate.param ? [aggregate.param, aggregate.expr] : [aggregate.expr];
}

/** `sum by (pod) ` with a space after it, or `sum`. */
export function printAggregateHead(aggregate: Aggregate): string {
  if (!aggregate.grouped || (!aggregate.without && aggregate.grouping.length === 0))
    return aggregate.op;
  const labels = aggregate.grouping.map(labelName).join(', ');
  return `${aggregate.op} ${aggregate.without ? 'without' : 'by'} (${labels}) `;
}

export function printOperator(binary: Binary): string {
  const bool = binary.bool ? ' bool' : '';
  const matching = binary.matching ? printMatching(binary, binary.matching) : '';
  return `${binary.op}${bool}${matching}`;
}

function printMatching(binary: Binary, matching: Matching): string {
  const parts: string[] = [];
  const grouped = matching.cardinality === 'many-to-one' || matching.cardinality === 'one-to-many';
  const matched = matching.on || matching.labels.length > 0;
  if (matched || (grouped && !isSetOperator(binary.op))) {
    parts.push(`${matching.on ? 'on' : 'ignoring'} (${matching.labels.map(labelName).join(', ')})`);
  }
  if (grouped) {
    const side = matching.cardinality === 'many-to-one' ? 'group_left' : 'group_right';
    parts.push(`${side} (${matching.include.map(labelName).join(', ')})`);
  }
  const { fillLeft, fillRight } = matching;
  if (fillLeft !== undefined && Object.is(fillLeft, fillRight))
    parts.push(`fill (${number(fillLeft)})`);
  else {
    if (fillLeft !== undefined) parts.push(`fill_left (${number(fillLeft)})`);
    if (fillRight !== undefined) parts.push(`fill_right (${number(fillRight)})`);
  }
  return parts.map((p) => ` ${p}`).join('');
}

function number(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (value === Infinity) return 'Inf';
  return value === -Infinity ? '-Inf' : String(value);
}
