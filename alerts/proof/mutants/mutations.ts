/** Small edits of a rule; each is a typical mistake that a test should notice. */
import { formatDurationMs } from '../../../base/duration.js';
import type { AlertingRule, Rule } from '../../../slo/index.js';
import {
  type Expr,
  metricNameLabel,
  parse,
  print,
  PromqlError,
  typeOf,
  walk,
} from '../../../slo/promql/index.js';
import { isComparison } from '../../../slo/promql/syntax/ast.js';
import type {
  Aggregate,
  Binary,
  BinaryOperator,
  ComparisonOperator,
  Duration,
  VectorSelector,
} from '../../../slo/promql/syntax/ast.js';

const mutationKinds = [
  'for',
  'keep_firing_for',
  'threshold',
  'comparison',
  'set operator',
  'matcher',
  'window',
  'aggregation',
  'grouping',
  'join',
] as const;
export type MutationKind = (typeof mutationKinds)[number];

export interface Mutation {
  kind: MutationKind;
  /** The edit for people: `range [5m] -> [10m]`. */
  change: string;
  rule: Rule;
}

/** Every edit of the rule in the order of its text, except edits that Prometheus would refuse to load. */
export function mutationsOf(rule: Rule): Mutation[] {
  const mutations = rule.kind === 'alert' ? durationsOf(rule) : [];
  const root = parse(rule.expr);
  const original = print(root);
  const seen = new Set([original]);
  for (const { kind, change, from, to } of editsOf(root)) {
    const expr = print(replaced(root, from, to));
    // Two edits may give the same text; an edit that changes nothing is not a mutant.
    if (seen.has(expr) && expr === original) continue;
    if (!loads(expr)) continue;
    seen.add(expr);
    mutations.push({ kind, change, rule: { ...rule, expr } });
  }
  return mutations;
}

function loads(expr: string): boolean {
  try {
    parse(expr);
    return true;
  } catch (error) {
    if (error instanceof PromqlError) return false;
    throw error;
  }
}

function durationsOf(rule: AlertingRule): Mutation[] {
  const mutations: Mutation[] = [];
  const add = (kind: 'for' | 'keep_firing_for', ms: number, to: number): void => {
    const field = kind === 'for' ? 'forMs' : 'keepFiringForMs';
    const became = to === 0 ? 'removed' : `-> ${formatDurationMs(to)}`;
    mutations.push({
      kind,
      change: `${kind} ${formatDurationMs(ms)} ${became}`,
      rule: { ...rule, [field]: to },
    });
  };
  for (const [kind, ms] of [
    ['for', rule.forMs],
    ['keep_firing_for', rule.keepFiringForMs],
  ] as const) {
    if (ms === 0) continue;
    add(kind, ms, 0);
    add(kind, ms, 2 * ms);
    if (ms >= 2000) add(kind, ms, wholeSeconds(ms / 2));
  }
  return mutations;
}

const wholeSeconds = (ms: number): number => Math.max(1000, Math.round(ms / 1000) * 1000);

/** A node of the tree and its replacement. */
interface Edit {
  kind: MutationKind;
  change: string;
  from: Expr;
  to: Expr;
}

function editsOf(root: Expr): Edit[] {
  const edits: Edit[] = [];
  walk(root, (node, parents) => {
    switch (node.kind) {
      case 'binary':
        edits.push(...operatorEdits(node), ...joinEdits(node));
        break;
      case 'number':
        edits.push(...thresholdEdits(node, parents));
        break;
      case 'selector':
        edits.push(...matcherEdits(node), ...offsetEdits(node));
        break;
      case 'matrix':
      case 'subquery':
        edits.push(...windowEdits(node));
        break;
      case 'aggregate':
        edits.push(...aggregateEdits(node));
        break;
      case 'call':
      case 'string':
      case 'unary':
      case 'paren':
        break;
    }
  });
  return edits;
}

const turned: Record<ComparisonOperator, ComparisonOperator> = {
  '>': '<',
  '<': '>',
  '>=': '<',
  '<=': '>',
  '==': '!=',
  '!=': '==',
};
const otherSet = { and: 'or', or: 'and', unless: 'and' } as const;

function operatorEdits(node: Binary): Edit[] {
  const { op } = node;
  const to = isComparison(op) ? turned[op] : otherSet[op as keyof typeof otherSet];
  if (to === undefined) return [];
  const kind = isComparison(op) ? 'comparison' : 'set operator';
  return [
    { kind, change: `${op} -> ${to}`, from: node, to: { ...node, op: to as BinaryOperator } },
  ];
}

/** Removes one matching label; `on()` without labels matches everything with everything, and is tried as well. */
function joinEdits(node: Binary): Edit[] {
  const { matching } = node;
  if (!matching) return [];
  const word = matching.on ? 'on' : 'ignoring';
  return matching.labels.map((label) => ({
    kind: 'join',
    change: `${word} (${matching.labels.join(', ')}) without ${label}`,
    from: node,
    to: {
      ...node,
      matching: { ...matching, labels: matching.labels.filter((l) => l !== label) },
    },
  }));
}

/** Changes numbers on the scalar side of a comparison: the bound, or a factor of it. */
function thresholdEdits(node: Expr & { kind: 'number' }, parents: readonly Expr[]): Edit[] {
  let child: Expr = node;
  for (const parent of parents.toReversed()) {
    if (parent.kind === 'binary' && isComparison(parent.op)) {
      if (typeOf(child) !== 'scalar') return [];
      const to = node.value === 0 ? [0.5] : [node.value * 1.25, node.value * 0.8];
      return to.map((value) => ({
        kind: 'threshold',
        change: `threshold ${node.text} -> ${numberText(value)}`,
        from: node,
        to: { ...node, value, text: numberText(value) },
      }));
    }
    const scalarSoFar =
      parent.kind === 'paren' || parent.kind === 'unary' || parent.kind === 'binary';
    if (!scalarSoFar || typeOf(parent) !== 'scalar') return [];
    child = parent;
  }
  return [];
}

/** Rounds away binary fractions: 0.05 * 0.8 becomes `0.04`. */
const numberText = (value: number): string => String(Number(value.toPrecision(12)));

function matcherEdits(node: VectorSelector): Edit[] {
  return node.matchers
    .filter((m) => m.name !== metricNameLabel)
    .map((matcher) => ({
      kind: 'matcher',
      change: `matcher ${matcher.name}${matcher.op}"${matcher.value}" dropped`,
      from: node,
      to: { ...node, matchers: node.matchers.filter((m) => m !== matcher) },
    }));
}

function offsetEdits(node: VectorSelector): Edit[] {
  if (node.offset?.kind !== 'seconds') return [];
  const { offset, ...rest } = node;
  return [{ kind: 'window', change: `offset ${offset.text} dropped`, from: node, to: rest }];
}

function windowEdits(node: Expr & { kind: 'matrix' | 'subquery' }): Edit[] {
  const { range } = node;
  if (range.kind !== 'seconds') return [];
  return [2, 0.5].map((factor) => {
    const text = formatDurationMs(wholeSeconds(range.seconds * factor * 1000));
    const to: Duration = { ...range, seconds: range.seconds * factor, text };
    return {
      kind: 'window',
      change: `range [${range.text}] -> [${text}]`,
      from: node,
      to: { ...node, range: to },
    };
  });
}

const otherAggregate: Partial<Record<Aggregate['op'], Aggregate['op']>> = {
  sum: 'max',
  max: 'min',
  min: 'max',
  avg: 'max',
  count: 'sum',
};

function aggregateEdits(node: Aggregate): Edit[] {
  const edits: Edit[] = [];
  const op = otherAggregate[node.op];
  if (op !== undefined) {
    edits.push({
      kind: 'aggregation',
      change: `${node.op} -> ${op}`,
      from: node,
      to: { ...node, op },
    });
  }
  const word = node.without ? 'without' : 'by';
  for (const label of node.grouping) {
    const grouping = node.grouping.filter((l) => l !== label);
    edits.push({
      kind: 'grouping',
      change: `${node.op} ${word} (${node.grouping.join(', ')}) without ${label}`,
      from: node,
      to: { ...node, grouping },
    });
  }
  return edits;
}

/** The tree with one node replaced; all other nodes are shared. */
function replaced(root: Expr, from: Expr, to: Expr): Expr {
  if (root === from) return to;
  const go = (child: Expr): Expr => replaced(child, from, to);
  switch (root.kind) {
    case 'number':
    case 'string':
    case 'selector':
      return root;
    case 'matrix':
      return { ...root, selector: go(root.selector) as VectorSelector };
    case 'subquery':
    case 'unary':
    case 'paren':
      return { ...root, expr: go(root.expr) };
    case 'call':
      return { ...root, args: root.args.map(go) };
    case 'aggregate':
      return {
        ...root,
        expr: go(root.expr),
        ...(root.param && { param: go(root.param) }),
      };
    case 'binary':
      return { ...root, left: go(root.left), right: go(root.right) };
  }
}
