/** Finds metrics, labels and recording rules that do not exist, and labels without bounds. */
import type { Expr } from '../../../slo/promql/index.js';
import { editDistance, suggest } from '../../../base/suggest.js';
import { targetLabels } from '../catalogue.js';
import {
  type Check,
  eachNode,
  editOf,
  type LintOptions,
  metricOf,
  placeOfNode,
  selectorsIn,
  spanOfName,
} from '../context.js';
import type { VectorSelector } from '../../../slo/promql/syntax/ast.js';
import type { LintRule } from '../source.js';

/** Programs that expose names with colons, which otherwise are those of recording rules. */
const ofPrograms = /^(:tensorflow|vllm|sglang|lmcache):/;

export const metricChecks: Check = (rule, options, say) => {
  eachNode(rule, (node) => {
    if (node.kind !== 'selector') return;
    const name = metricOf(node);
    if (name === undefined || options.recorded.has(name)) return;
    const span = spanOfName(rule, node, name);
    if (name.includes(':')) {
      if (options.catalogue.find(name) || ofPrograms.test(name)) return;
      const near = suggest(name, options.recorded.keys());
      say('promql/unrecorded', placeOfNode(rule, span), {
        message: `${name} is recorded by no rule in these files`,
        fix: near ? `did you mean ${near}?` : 'add the recording rule, or lint its file as well',
      });
      return;
    }
    if (options.catalogue.find(name)) return;
    const near = options.catalogue.suggest(name);
    // Without a complete list of metrics, only a name that is nearly a known one counts as a mistake.
    if (!options.catalogue.complete && !(near && isNear(name, near))) return;
    say('promql/unknown-metric', placeOfNode(rule, span), {
      message: `no metric is called ${name}`,
      fix: near ? `did you mean ${near}?` : 'see /api/v1/label/__name__/values of Prometheus',
    });
  });
};

/** Whether `name` looks like a typing error of `near`, not like another metric of its family or a plural. */
const isNear = (name: string, near: string): boolean =>
  name.length >= 10 &&
  Math.abs(name.length - near.length) <= 1 &&
  sharedStart(name, near) >= 4 &&
  editDistance(name, near) <= 2 &&
  name.replaceAll('s', '') !== near.replaceAll('s', '');

function sharedStart(a: string, b: string): number {
  let i = 0;
  while (i < a.length && a[i] === b[i]) i++;
  return i;
}

export const labelChecks: Check = (rule, options, say) => {
  eachNode(rule, (node) => {
    if (node.kind === 'selector') {
      const labels = labelsOfMetric(node, options);
      if (!labels) return;
      for (const { name } of node.matchers) unknown(node, name, labels, metricOf(node) ?? '');
    } else if (node.kind === 'aggregate' && !node.without) {
      const below = selectorsIn(node.expr).map((s) => labelsOfMetric(s, options));
      if (below.some((l) => l === undefined) || makesLabels(node.expr)) return;
      const labels = new Set(below.flatMap((l) => [...(l ?? [])]));
      for (const name of node.grouping) unknown(node, name, labels, '');
    }
  });

  function unknown(node: Expr, name: string, labels: ReadonlySet<string>, metric: string): void {
    if (labels.has(name) || targetLabels.has(name)) return;
    const near = suggest(name, labels);
    const span = spanOfName(rule, node, name);
    const edit = near && span !== node ? editOf(rule, span, near) : undefined;
    say('promql/unknown-label', placeOfNode(rule, span), {
      message:
        metric === '' ? `no metric in it has a label ${name}` : `${metric} has no label ${name}`,
      fix: near ? `did you mean ${near}?` : `it has ${[...labels].sort().join(', ') || 'none'}`,
      edit,
    });
  }
};

const makesLabels = (expr: Expr): boolean => {
  if (expr.kind === 'call' && /^(label_replace|label_join|info)$/.test(expr.name)) return true;
  if (expr.kind === 'aggregate' && expr.op === 'count_values') return true;
  return children(expr).some(makesLabels);
};

const children = (expr: Expr): readonly Expr[] => {
  switch (expr.kind) {
    case 'call':
      return expr.args;
    case 'aggregate':
    case 'unary':
    case 'paren':
    case 'subquery':
      return [expr.expr];
    case 'binary':
      return [expr.left, expr.right];
    default:
      return [];
  }
};

function labelsOfMetric(
  node: Extract<Expr, { kind: 'selector' }>,
  options: LintOptions,
): ReadonlySet<string> | undefined {
  const name = metricOf(node);
  if (name === undefined || options.recorded.has(name)) return undefined;
  return options.catalogue.find(name)?.labels;
}

/** Labels whose values grow with users, requests or input: each value makes a series and an alert of its own. */
const unboundedLabels = new RegExp(
  `^(${[
    'user|user_?id|userid|username|email|customer_?id|account_?id|session|session_?id',
    'request_?id|trace_?id|span_?id|order_?id|cart_?id|path|url|uri|query|ip',
    'client_?ip|remote_?addr|src_?ip|referer|user_agent|token|uuid|guid|message',
    'error_message|timestamp',
  ].join('|')})$`,
  'i',
);

/** In Mimir, Loki and Tempo the label `user` is a tenant. */
const ofTenants = /^(cortex|loki|tempo|mimir)_/;

export const unboundedChecks: Check = (rule, options, say) => {
  eachNode(rule, (node, parents) => {
    if (node.kind !== 'aggregate' || node.without) return;
    for (const name of node.grouping) {
      if (!unboundedLabels.test(name) || isBounded(node, parents, name, rule, options)) continue;
      if (name === 'user' && selectorsIn(node).every((s) => ofTenants.test(metricOf(s) ?? '')))
        continue;
      const span = spanOfName(rule, node, name);
      say('promql/unbounded-label', placeOfNode(rule, span), {
        message: `grouped by ${name}, which has no bounds: each value is a series and an alert`,
        fix: 'group by a route or a class instead, or keep the largest with topk',
      });
    }
  });
  for (const [label, text] of Object.entries(rule.labels)) {
    const used = /\$labels\.(\w+)|\.Labels\.(\w+)/g;
    for (const match of text.matchAll(used)) {
      const name = match[1] ?? match[2] ?? '';
      if (!unboundedLabels.test(name)) continue;
      if (rule.expr && selectorsIn(rule.expr).some((s) => chooses(s, name))) continue;
      say('promql/unbounded-label', rule.document.placeOfKey([...rule.path, 'labels', label]), {
        message: `the label ${label} takes its value from ${name}, which has no bounds`,
        fix: 'put it into an annotation',
      });
    }
  }
};

/** Whether the selector names the values of a label that it wants. */
const chooses = ({ matchers }: VectorSelector, label: string): boolean =>
  matchers.some(
    ({ name, op, value }) =>
      name === label && (op === '=' || (op === '=~' && !/^\.[*+]$/.test(value))),
  );

/**
 * Whether an aggregation keeps only the largest series or chosen values of the label, or a join keeps only those or
 * the series of a bounded recording rule.
 */
function isBounded(
  node: Expr,
  parents: readonly Expr[],
  label: string,
  rule: LintRule,
  options: LintOptions,
): boolean {
  if (parents.some((p) => p.kind === 'aggregate' && /^(topk|bottomk|limitk)$/.test(p.op))) {
    return true;
  }
  if (selectorsIn(node).every((s) => chooses(s, label))) return true;
  return parents.some((parent) => {
    if (parent.kind !== 'binary' || parent.op === 'or' || parent.op === 'unless') return false;
    const isLeft = node.from < parent.right.from;
    const other = isLeft ? parent.right : parent.left;
    const selectors = selectorsIn(other);
    return (
      selectors.length > 0 &&
      selectors.every((selector) => {
        if (chooses(selector, label)) return true;
        const name = metricOf(selector);
        const recording = name === undefined ? undefined : options.recorded.get(name);
        return recording !== undefined && recording !== rule;
      })
    );
  });
}
