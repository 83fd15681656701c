/** The labels that an expression's result can have, which are those that a template may use. */
import { type Expr, isSetOperator } from '../../slo/promql/syntax/ast.js';
import { typeOf } from '../../slo/promql/syntax/types.js';

/** Exactly these labels at most (`only`), or any labels except these. */
export type LabelSet =
  { kind: 'only'; names: ReadonlySet<string> } | { kind: 'not'; names: ReadonlySet<string> };

const only = (names: Iterable<string>): LabelSet => ({ kind: 'only', names: new Set(names) });
const anyBut = (names: Iterable<string>): LabelSet => ({ kind: 'not', names: new Set(names) });

export const mayHave = (set: LabelSet, name: string): boolean =>
  set.kind === 'only' ? set.names.has(name) : !set.names.has(name);

/** The labels that either side may have. */
function union(a: LabelSet, b: LabelSet): LabelSet {
  if (a.kind === 'only' && b.kind === 'only') return only([...a.names, ...b.names]);
  if (a.kind === 'not' && b.kind === 'not')
    return anyBut([...a.names].filter((n) => b.names.has(n)));
  const [has, lacks] = a.kind === 'only' ? [a, b] : [b, a];
  return anyBut([...lacks.names].filter((n) => !has.names.has(n)));
}

/** The labels of `set` that are among `names`. */
const restrict = (set: LabelSet, names: readonly string[]): LabelSet =>
  only(names.filter((n) => mayHave(set, n)));

function without(set: LabelSet, names: readonly string[]): LabelSet {
  return set.kind === 'only'
    ? only([...set.names].filter((n) => !names.includes(n)))
    : anyBut([...set.names, ...names]);
}

export function labelsOf(expr: Expr): LabelSet {
  switch (expr.kind) {
    case 'number':
    case 'string':
      return only([]);
    case 'selector':
      return anyBut([]);
    case 'matrix':
      return labelsOf(expr.selector);
    case 'subquery':
    case 'paren':
      return labelsOf(expr.expr);
    case 'unary':
      return without(labelsOf(expr.expr), ['__name__']);
    case 'call':
      return labelsOfCall(expr);
    case 'aggregate': {
      const inner = labelsOf(expr.expr);
      // These aggregations choose some of the series and keep their labels.
      if (/^(topk|bottomk|limitk|limit_ratio)$/.test(expr.op)) return inner;
      const kept = expr.without
        ? without(inner, [...expr.grouping, '__name__'])
        : restrict(inner, expr.grouping);
      const counted = expr.op === 'count_values' ? expr.param : undefined;
      return counted?.kind === 'string' ? union(kept, only([counted.value])) : kept;
    }
    case 'binary':
      return labelsOfBinary(expr);
  }
}

function labelsOfCall(expr: Extract<Expr, { kind: 'call' }>): LabelSet {
  const [first] = expr.args;
  switch (expr.name) {
    case 'absent':
    case 'absent_over_time': {
      const inner = first?.kind === 'matrix' ? first.selector : first;
      if (inner?.kind !== 'selector') return only([]);
      // The result of absent() has only the labels that its matchers compare for equality.
      const equal = inner.matchers.filter((m) => m.op === '=' && m.name !== '__name__');
      return only(equal.map((m) => m.name));
    }
    case 'vector':
    case 'scalar':
    case 'time':
      return only([]);
    case 'label_replace':
    case 'label_join': {
      const [, target] = expr.args;
      const inner = first ? labelsOf(first) : only([]);
      return target?.kind === 'string' ? union(inner, only([target.value])) : anyBut([]);
    }
    case 'info':
      return anyBut([]);
    case 'histogram_quantile': {
      const vector = expr.args[1];
      return vector ? without(labelsOf(vector), ['le', '__name__']) : anyBut([]);
    }
    default: {
      const vector = expr.args.find((a) => typeOf(a) === 'vector' || typeOf(a) === 'matrix');
      if (!vector) return only([]);
      const kept = /^(last|first)_over_time$|^sort/.test(expr.name);
      return kept ? labelsOf(vector) : without(labelsOf(vector), ['__name__']);
    }
  }
}

function labelsOfBinary(expr: Extract<Expr, { kind: 'binary' }>): LabelSet {
  const { left, right, matching } = expr;
  if (!matching) {
    const vector = typeOf(left) === 'vector' ? left : right;
    return typeOf(vector) === 'vector' ? labelsOf(vector) : only([]);
  }
  if (isSetOperator(expr.op)) {
    return expr.op === 'or' ? union(labelsOf(left), labelsOf(right)) : labelsOf(left);
  }
  const many = matching.cardinality === 'one-to-many' ? right : left;
  if (matching.cardinality !== 'one-to-one') {
    return union(labelsOf(many), only(matching.include));
  }
  const both = labelsOf(left);
  if (matching.on) return restrict(both, matching.labels);
  // Two vectors that match have the same labels, so the bound of either side holds for both.
  const other = labelsOf(right);
  const result = without(both, matching.labels);
  return other.kind === 'only' && result.kind === 'not'
    ? restrict(result, [...other.names])
    : result;
}
