/** Finds comparisons that never or always hold, quantiles without buckets, and invalid patterns. */
import type { Expr } from '../../../slo/promql/index.js';
import { isComparison, type VectorSelector } from '../../../slo/promql/syntax/ast.js';
import {
  type Check,
  eachNode,
  editOf,
  metricOf,
  numberIn,
  placeOfNode,
  selectorsIn,
  textOf,
} from '../context.js';
import { labelsOf, mayHave } from '../labels.js';
import { mirrored, rangeOf, verdictOf } from '../ranges.js';
import type { LintRule } from '../source.js';

export const comparisonChecks: Check = (rule, options, say) => {
  eachNode(rule, (node, parents) => {
    if (node.kind !== 'binary') return;
    if (node.op === 'and' && parents.at(-1)?.kind !== 'binary') contradictions(node);
    if (node.op === 'and' && isOtherBinary(parents.at(-1))) contradictions(node);
    if (!isComparison(node.op)) return;
    const [left, right] = [
      rangeOf(node.left, options.catalogue),
      rangeOf(node.right, options.catalogue),
    ];
    const verdict = verdictOf(node.op, left, right);
    const text = textOf(rule, node).replaceAll(/\s+/g, ' ');
    if (verdict === 'never') {
      say('promql/never-true', placeOfNode(rule, node), {
        message: `${shortened(text)} holds for no value`,
        fix: adviceOn(node) ?? `the left side is ${words(left)}, the right side ${words(right)}`,
      });
    } else if (
      verdict === 'always' &&
      rule.kind === 'alert' &&
      !node.bool &&
      !isGuard(node, parents) &&
      !chooses(node)
    ) {
      say('promql/always-true', placeOfNode(rule, node), {
        message: `${shortened(text)} holds for every value`,
        fix: `the left side is ${words(left)}, the right side ${words(right)}`,
      });
    }
  });

  /** Finds `x > 5 and x < 3`: the same expression compared with two bounds that exclude each other. */
  function contradictions(top: Extract<Expr, { kind: 'binary' }>): void {
    const bounds = new Map<string, { min: number; max: number }>();
    for (const part of conjuncts(top)) {
      if (part.kind !== 'binary' || !isComparison(part.op) || part.op === '!=' || part.bool)
        continue;
      const rightNumber = numberIn(part.right);
      const number = rightNumber ?? numberIn(part.left);
      if (number === undefined) continue;
      const side = rightNumber === undefined ? part.right : part.left;
      const op = rightNumber === undefined ? mirrored[part.op] : part.op;
      const key = textOf(rule, side).replaceAll(/\s+/g, '');
      const bound = bounds.get(key) ?? { min: -Infinity, max: Infinity };
      // Whether a bound is inclusive matters only where both bounds are equal; that case is not reported.
      if (op !== '<' && op !== '<=') bound.min = Math.max(bound.min, number);
      if (op !== '>' && op !== '>=') bound.max = Math.min(bound.max, number);
      bounds.set(key, bound);
      if (bound.min <= bound.max) continue;
      say('promql/never-true', placeOfNode(rule, part), {
        message: `${shortened(key)} cannot be above ${bound.min} and below ${bound.max} at once`,
        fix: 'for either, write or',
      });
      return;
    }
  }
};

/** Each of these has a value as soon as there is a series: `count(job_failed) > 0` asks for nothing else. */
const ofExistence = new Set([
  'absent',
  'absent_over_time',
  'count',
  'count_over_time',
  'group',
  'present_over_time',
  // NaN, unless there is exactly one series.
  'scalar',
]);

/** Whether the choice of series below the comparison decides, so that the comparison itself may always hold. */
function chooses(node: Extract<Expr, { kind: 'binary' }>): boolean {
  const within = (e: Expr): boolean => {
    switch (e.kind) {
      case 'binary':
        return (
          (isComparison(e.op) && !e.bool) ||
          e.op === 'and' ||
          e.op === 'unless' ||
          within(e.left) ||
          within(e.right)
        );
      case 'call':
        return ofExistence.has(e.name) || e.args.some(within);
      case 'aggregate':
        return ofExistence.has(e.op) || within(e.expr);
      case 'paren':
      case 'unary':
      case 'subquery':
        return within(e.expr);
      default:
        return false;
    }
  };
  return within(node.left) || within(node.right);
}

/**
 * Whether another condition stands beside it: `count(y) > 0` in `x / count(y) < 0.5 and count(y) > 0` does no harm.
 */
const isGuard = (node: Expr, parents: readonly Expr[]): boolean =>
  parents.some((p) => p.kind === 'binary' && p.op === 'and' && node.from >= p.right.from);

const isOtherBinary = (parent: Expr | undefined): boolean =>
  parent?.kind === 'binary' && parent.op !== 'and';

function conjuncts(expr: Expr): Expr[] {
  if (expr.kind === 'paren') return conjuncts(expr.expr);
  // With other labels than all, the two sides are different series: `x > 5 and on (job) x < 3` may hold.
  if (expr.kind !== 'binary' || expr.op !== 'and' || isBySomeLabels(expr)) return [expr];
  return [...conjuncts(expr.left), ...conjuncts(expr.right)];
}

const isBySomeLabels = ({ matching }: Extract<Expr, { kind: 'binary' }>): boolean =>
  matching !== undefined && (matching.on || matching.labels.length > 0);

/** Specific advice for frequent mistakes. */
function adviceOn(node: Extract<Expr, { kind: 'binary' }>): string | undefined {
  const left = node.left.kind === 'paren' ? node.left.expr : node.left;
  if (left.kind === 'aggregate' && left.op === 'count' && numberIn(node.right) === 0) {
    return 'a count of nothing gives no series: write absent(…), or … or vector(0)';
  }
  return undefined;
}

const words = ({ min, max }: { min: number; max: number }): string => {
  if (min === max) return `always ${min}`;
  if (max === Infinity) return min === -Infinity ? 'anything' : `at least ${min}`;
  return min === -Infinity ? `at most ${max}` : `between ${min} and ${max}`;
};

export const shortened = (text: string): string =>
  text.length > 80 ? `${text.slice(0, 77)}…` : text;

export const quantileChecks: Check = (rule, _options, say) => {
  eachNode(rule, (node) => {
    if (node.kind !== 'call' || node.name !== 'histogram_quantile') return;
    const vector = node.args[1];
    // Native histograms have no series `_bucket`: their buckets are within the samples.
    const isBucket = (s: VectorSelector): boolean => /_bucket(:|$)/.test(metricOf(s) ?? '');
    if (!vector || !selectorsIn(vector).some(isBucket) || mayHave(labelsOf(vector), 'le')) return;
    say('promql/no-le', placeOfNode(rule, vector), {
      message: 'histogram_quantile over buckets without the label le',
      fix: 'add le to the by (…) below it',
    });
  });
};

const regexCharacters = /[\\^$.|?*+()[\]{}]/;

export const regexChecks: Check = (rule, _options, say) => {
  eachNode(rule, (node) => {
    if (node.kind !== 'selector') return;
    for (const matcher of node.matchers) {
      const isRegex = matcher.op === '=~' || matcher.op === '!~';
      if (!isRegex || matcher.value === '' || regexCharacters.test(matcher.value)) continue;
      const written = `${matcher.name}${matcher.op}"${matcher.value}"`;
      const op = matcher.op === '=~' ? '=' : '!=';
      const better = `${matcher.name}${op}"${matcher.value}"`;
      const at = textOf(rule, node).indexOf(written);
      const span = at < 0 ? node : { from: node.from + at, to: node.from + at + written.length };
      say('promql/needless-regex', placeOfNode(rule, span), {
        message: `${written} is a pattern without special characters`,
        fix: better,
        edit: at < 0 ? undefined : editOf(rule, span, better),
      });
    }
  });
};

/** Whether the metric's name says that the expression is about latency. */
export const isLatency = (rule: LintRule, node: Expr): boolean =>
  /latency|duration|response_time|_seconds|_ms\b|_ms_/i.test(textOf(rule, node));
