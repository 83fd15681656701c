/** The metrics that an expression needs to have a value at all; without one of them the alert cannot fire. */
import { type Expr, parse, PromqlError, type VectorSelector } from '../../slo/promql/index.js';
import { print } from '../../slo/promql/syntax/print.js';
import type { RuleGroup } from '../../slo/rules/model.js';

export interface Need {
  possible: boolean;
  /** Metrics without a series, which make a value impossible. */
  missing: string[];
}

const nothing: Need = { possible: true, missing: [] };
/** Prometheus makes these series from the rules themselves. */
const ownMetrics = new Set(['ALERTS', 'ALERTS_FOR_STATE']);

/** The expressions that record each metric, by the metric's name. */
export function recordsOf(groups: readonly RuleGroup[]): Map<string, string[]> {
  const records = new Map<string, string[]>();
  for (const rule of groups.flatMap((g) => g.rules)) {
    if (rule.kind !== 'record') continue;
    records.set(rule.record, [...(records.get(rule.record) ?? []), rule.expr]);
  }
  return records;
}

/**
 * The metrics that `expr` needs. `has` says whether a metric has series; `records` are the expressions of recorded
 * metrics. An expression that does not parse needs nothing.
 */
export function needOf(
  expr: string,
  has: (metric: string) => boolean,
  records: ReadonlyMap<string, readonly string[]>,
): Need {
  /** Recorded metrics that can have a value. */
  const able = new Set<string>();
  /** The needs of the others in one walk: rules that read each other many times are walked once, circles are cut. */
  const unable = new Map<string, Need>();
  const ofText = (text: string): Need => {
    const tree = treeOf(text);
    return tree ? ofTree(tree) : nothing;
  };
  const ofMetric = (name: string): Need => {
    if (ownMetrics.has(name) || has(name)) return nothing;
    const recorded = records.get(name);
    const lacking = { possible: false, missing: [name] };
    if (!recorded || able.has(name)) return recorded ? nothing : lacking;
    const before = unable.get(name);
    if (before) return before;
    unable.set(name, lacking);
    const needs = recorded.map(ofText);
    // The inputs exist although the recording rule has no value: its selectors matched nothing.
    if (needs.some((n) => n.possible)) {
      able.add(name);
      return nothing;
    }
    const need = all(needs);
    unable.set(name, need);
    return need;
  };
  const ofTree = (node: Expr): Need => {
    switch (node.kind) {
      case 'selector':
        return node.name === undefined ? nothing : ofMetric(node.name);
      case 'matrix':
        return ofTree(node.selector);
      case 'call':
        return node.name.startsWith('absent') ? nothing : all(node.args.map(ofTree));
      case 'binary': {
        if (node.op === 'unless') return ofTree(node.left);
        const sides = [ofTree(node.left), ofTree(node.right)];
        if (node.op !== 'or') return all(sides);
        return sides.some((s) => s.possible) ? nothing : all(sides);
      }
      default:
        return 'expr' in node ? ofTree(node.expr) : nothing;
    }
  };
  // A metric that was cut in a circle may be able by one that the walk found able later.
  for (;;) {
    const before = able.size;
    unable.clear();
    const need = ofText(expr);
    if (need.possible || able.size === before) return need;
  }
}

const all = (needs: readonly Need[]): Need => ({
  possible: needs.every((n) => n.possible),
  missing: [...new Set(needs.flatMap((n) => n.missing))],
});

function treeOf(text: string): Expr | undefined {
  try {
    return parse(text);
  } catch (error) {
    if (error instanceof PromqlError) return undefined;
    throw error;
  }
}

/**
 * The selectors in `expr` that have label matchers, as texts without offsets. Recorded metrics are followed down to
 * the scraped ones.
 */
export function selectorsOf(
  expr: string,
  records: ReadonlyMap<string, readonly string[]>,
): string[] {
  const found = new Set<string>();
  const seen = new Set<string>();
  const visit = (node: Expr): void => {
    if (node.kind === 'selector') return take(node);
    if (node.kind === 'matrix') return take(node.selector);
    if (node.kind === 'call' && node.name.startsWith('absent')) return;
    if (node.kind === 'call') return node.args.forEach(visit);
    if (node.kind === 'binary') {
      visit(node.left);
      return visit(node.right);
    }
    if ('expr' in node) visit(node.expr);
  };
  const take = (selector: VectorSelector): void => {
    const { kind, name, matchers, from, to } = selector;
    const recorded = name === undefined ? undefined : records.get(name);
    if (recorded && name !== undefined && !seen.has(name)) {
      seen.add(name);
      for (const tree of recorded.map(treeOf)) if (tree) visit(tree);
      return;
    }
    if (name === undefined || ownMetrics.has(name) || recorded) return;
    if (matchers.some((m) => m.name !== '__name__')) {
      found.add(print({ kind, name, matchers, from, to }));
    }
  };
  const tree = treeOf(expr);
  if (tree) visit(tree);
  return [...found];
}
