/** The syntax tree of a PromQL expression; each node has its place in the text. */

export type ValueType = 'scalar' | 'vector' | 'matrix' | 'string';

/** Characters `from` (inclusive) to `to` (exclusive) of the text, counted from 0. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

export type MatchOperator = '=' | '!=' | '=~' | '!~';

export interface Matcher {
  readonly name: string;
  readonly op: MatchOperator;
  readonly value: string;
}

/** A duration in seconds, possibly computed: `5m`, `step() * 2`, `max_of(1m, range() / 10)`. */
export type Duration = Span &
  (
    | { readonly kind: 'seconds'; readonly seconds: number; readonly text: string }
    | { readonly kind: 'step' }
    | { readonly kind: 'range' }
    | { readonly kind: 'paren'; readonly operand: Duration }
    | { readonly kind: 'unary'; readonly op: '+' | '-'; readonly operand: Duration }
    | {
        readonly kind: 'binary';
        readonly op: '+' | '-' | '*' | '/' | '%' | '^';
        readonly left: Duration;
        readonly right: Duration;
      }
    | {
        readonly kind: 'min_of' | 'max_of';
        readonly left: Duration;
        readonly right: Duration;
      }
  );

/** The `@` modifier: a time in seconds, or the query's own start or end. */
export type At =
  | { readonly kind: 'time'; readonly seconds: number; readonly text: string }
  | { readonly kind: 'start' | 'end' };

export interface NumberLiteral extends Span {
  readonly kind: 'number';
  readonly value: number;
  /** The number as written, if it was: `5m`, `0x1F`. */
  readonly text: string;
}

export interface StringLiteral extends Span {
  readonly kind: 'string';
  readonly value: string;
  /** The text as written, with its quotes. */
  readonly text: string;
}

export interface VectorSelector extends Span {
  readonly kind: 'selector';
  /** The name written in front of the braces; it is also among the matchers. */
  readonly name: string | undefined;
  readonly matchers: readonly Matcher[];
  readonly offset?: Duration;
  readonly at?: At;
  readonly extension?: 'anchored' | 'smoothed';
}

export interface MatrixSelector extends Span {
  readonly kind: 'matrix';
  readonly selector: VectorSelector;
  readonly range: Duration;
}

export interface Subquery extends Span {
  readonly kind: 'subquery';
  readonly expr: Expr;
  readonly range: Duration;
  /** Absent: the engine's default interval. */
  readonly step?: Duration;
  readonly offset?: Duration;
  readonly at?: At;
}

export interface Call extends Span {
  readonly kind: 'call';
  readonly name: string;
  readonly args: readonly Expr[];
}

export const aggregateOperators = [
  'avg',
  'bottomk',
  'count',
  'count_values',
  'group',
  'limit_ratio',
  'limitk',
  'max',
  'min',
  'quantile',
  'stddev',
  'stdvar',
  'sum',
  'topk',
] as const;
export type AggregateOperator = (typeof aggregateOperators)[number];

export interface Aggregate extends Span {
  readonly kind: 'aggregate';
  readonly op: AggregateOperator;
  readonly expr: Expr;
  /** The k of `topk`, the quantile of `quantile`, or the label of `count_values`. */
  readonly param?: Expr;
  readonly grouping: readonly string[];
  readonly without: boolean;
  /** Whether `by` or `without` was written. */
  readonly grouped: boolean;
}

export type ArithmeticOperator = '+' | '-' | '*' | '/' | '%' | '^' | 'atan2';
export type ComparisonOperator = '==' | '!=' | '>' | '<' | '>=' | '<=';
export type SetOperator = 'and' | 'or' | 'unless';
/** Operators that cut a histogram at a value and keep the part below or above it. */
export type TrimOperator = '</' | '>/';
export type BinaryOperator = ArithmeticOperator | ComparisonOperator | SetOperator | TrimOperator;

export type Cardinality = 'one-to-one' | 'many-to-one' | 'one-to-many' | 'many-to-many';

export interface Matching {
  readonly cardinality: Cardinality;
  readonly on: boolean;
  readonly labels: readonly string[];
  /** Labels copied from the "one" side by `group_left` and `group_right`. */
  readonly include: readonly string[];
  readonly fillLeft?: number;
  readonly fillRight?: number;
}

export interface Binary extends Span {
  readonly kind: 'binary';
  readonly op: BinaryOperator;
  readonly left: Expr;
  readonly right: Expr;
  readonly bool: boolean;
  /** Present only for an operator between two vectors. */
  readonly matching?: Matching;
}

export interface Unary extends Span {
  readonly kind: 'unary';
  readonly op: '+' | '-';
  readonly expr: Expr;
}

export interface Paren extends Span {
  readonly kind: 'paren';
  readonly expr: Expr;
}

export type Expr =
  | NumberLiteral
  | StringLiteral
  | VectorSelector
  | MatrixSelector
  | Subquery
  | Call
  | Aggregate
  | Binary
  | Unary
  | Paren;

export function isComparison(op: BinaryOperator): op is ComparisonOperator {
  return op === '==' || op === '!=' || op === '>' || op === '<' || op === '>=' || op === '<=';
}

export function isSetOperator(op: BinaryOperator): op is SetOperator {
  return op === 'and' || op === 'or' || op === 'unless';
}

export function withoutParens(expr: Expr): Expr {
  let inner = expr;
  while (inner.kind === 'paren') inner = inner.expr;
  return inner;
}

/** The direct children of an expression, in the order of the text. */
export function childrenOf(expr: Expr): readonly Expr[] {
  switch (expr.kind) {
    case 'number':
    case 'string':
    case 'selector':
      return [];
    case 'matrix':
      return [expr.selector];
    case 'subquery':
    case 'unary':
    case 'paren':
      return [expr.expr];
    case 'call':
      return expr.args;
    case 'aggregate':
      return expr.param ? [expr.param, expr.expr] : [expr.expr];
    case 'binary':
      return [expr.left, expr.right];
  }
}

/** Calls `visit` for every node, parents first. */
export function walk(expr: Expr, visit: (expr: Expr, parents: readonly Expr[]) => void): void {
  const parents: Expr[] = [];
  const go = (node: Expr): void => {
    visit(node, parents);
    parents.push(node);
    for (const child of childrenOf(node)) go(child);
    parents.pop();
  };
  go(expr);
}
