/**
 * Mistakes that only knowledge of a program reveals: renamed metrics, samples that arrive late, states with levels.
 */
import type { Expr } from '../../../slo/promql/index.js';
import { isComparison, type Matcher } from '../../../slo/promql/syntax/ast.js';
import { typeOf } from '../../../slo/promql/syntax/types.js';
import {
  type Check,
  eachNode,
  metricOf,
  numberIn,
  placeOfNode,
  selectorsIn,
  spanOfName,
  textOf,
} from '../context.js';
import { shortened } from './values.js';
import { cloudWatch, phased, renamed, renamedLabel, states } from '../known-metrics.js';

type Selector = Extract<Expr, { kind: 'selector' }>;

/** Reports renamed metrics, except those that the user's list or Prometheus has. */
export const renamedChecks: Check = (rule, options, say) => {
  eachNode(rule, (node, parents) => {
    if (node.kind !== 'selector') return;
    const name = metricOf(node);
    if (name === undefined || options.recorded.has(name) || options.catalogue.complete) return;
    const found = renamed(name);
    if (found && !options.catalogue.find(name) && !readsToo(rule.expr, found.now)) {
      say('promql/renamed-metric', placeOfNode(rule, spanOfName(rule, node, name)), {
        message: `${name} is an old name (${found.since})`,
        fix: `now ${found.now}`,
      });
    }
    const grouped = parents.flatMap((p) =>
      p.kind === 'aggregate' && !p.without ? p.grouping : [],
    );
    for (const label of new Set([...node.matchers.map((m) => m.name), ...grouped])) {
      const before = renamedLabel(name, label);
      if (!before) continue;
      say('promql/renamed-label', placeOfNode(rule, node), {
        message: `${name} no longer has the label ${label} (${before.since})`,
        fix: before.now === '' ? 'remove it' : `now ${before.now}`,
      });
    }
  });
};

/** Whether the expression also reads the new metric, as in `new or old`. */
const readsToo = (expr: Expr | undefined, now: string): boolean =>
  expr !== undefined && selectorsIn(expr).some((s) => metricOf(s) === /^\w+/.exec(now)?.[0]);

export const lateSampleChecks: Check = (rule, _options, say) => {
  if (rule.kind !== 'alert') return;
  const late = new Map<string, Selector>();
  eachNode(rule, (node, parents) => {
    if (node.kind !== 'selector' || node.offset || parents.some((p) => p.kind === 'matrix')) return;
    const name = metricOf(node);
    if (name !== undefined && cloudWatch.test(name) && !late.has(name)) late.set(name, node);
  });
  for (const [name, node] of late) {
    say('promql/late-samples', placeOfNode(rule, node), {
      message: `${name} of the CloudWatch exporter arrives ten minutes late, but a query looks back five`,
      fix: `${name} offset 10m, or set_timestamp: false in the exporter`,
    });
  }
};

/** Reports chained comparisons: `a != b > 0` compares the value of a, wherever `a != b` holds. */
export const chainedChecks: Check = (rule, _options, say) => {
  eachNode(rule, (node) => {
    if (node.kind !== 'binary' || !isComparison(node.op) || node.bool) return;
    const { left } = node;
    if (left.kind !== 'binary' || !isComparison(left.op) || left.bool) return;
    // A chain between two numbers is a range and works as meant: 3 <= x < 7 * 60.
    if (typeOf(left.left) === 'scalar' || typeOf(left.right) === 'scalar') return;
    const [of, right] = [left.left, node.right].map((e) => shortened(textOf(rule, e)));
    const second = `${of} ${node.op} ${right}`;
    say('promql/chained-comparison', placeOfNode(rule, node), {
      message: `${shortened(textOf(rule, left))} is compared again, with the value of its left side`,
      fix: `write two comparisons with and: ${second}`,
    });
  });
};

export const partsChecks: Check = (rule, _options, say) => {
  if (rule.kind !== 'alert') return;
  eachNode(rule, (node, parents) => {
    if (node.kind !== 'selector' || node.matchers.some((m) => m.name === 'phase')) return;
    const name = metricOf(node) ?? '';
    const parent = parents.at(-1);
    if (!phased.test(name) || parent?.kind !== 'binary' || !isComparison(parent.op)) return;
    say('promql/parts-compared', placeOfNode(rule, node), {
      message: `${name} has a series for each phase: none of them is the whole duration`,
      fix: `sum by (instance) (${name}), or choose a phase`,
    });
  });
};

/** Reports one alert for all levels of a state metric. */
export const stateChecks: Check = (rule, _options, say) => {
  if (rule.kind !== 'alert' || /warn|info|ticket/i.test(rule.labels.severity ?? '')) return;
  eachNode(rule, (node) => {
    if (node.kind !== 'binary' || node.left.kind !== 'selector') return;
    const levels = states[metricOf(node.left) ?? ''];
    const isAny = (node.op === '!=' || node.op === '>') && numberIn(node.right) === 0;
    if (!levels || !isAny) return;
    const words = levels.map((word, i) => `${i} is ${word}`).join(', ');
    say('promql/levels', placeOfNode(rule, node), {
      message: `${textOf(rule, node)} pages for ${levels[1]} just as for ${levels[2]}`,
      fix: `an alert for each: ${words}`,
    });
  });
};

/** Reports alerts on full file systems that include read-only ones, which are full by design. */
export const readOnlyChecks: Check = (rule, _options, say) => {
  if (rule.kind !== 'alert' || !rule.expr) return;
  const names = selectorsIn(rule.expr).map(metricOf);
  if (names.includes('node_filesystem_readonly')) return;
  eachNode(rule, (node) => {
    if (node.kind !== 'call' || node.name !== 'predict_linear') return;
    const [selector] = selectorsIn(node);
    const name = (selector && metricOf(selector)) ?? '';
    // A file system that is named is one that somebody writes to.
    const isNamed = ({ name, op, value }: Matcher): boolean =>
      name === 'mountpoint' && (op === '=' || (op === '=~' && !/\.[*+]/.test(value)));
    if (selector?.matchers.some(isNamed)) return;
    if (!/^node_filesystem_(avail_bytes|files_free|free_bytes)$/.test(name)) return;
    say('promql/read-only', placeOfNode(rule, node), {
      message: `read-only file systems are in ${name} too, and are full by design`,
      fix: 'and node_filesystem_readonly == 0',
    });
  });
};
