/** Finds rates of gauges, sums before rates, and ranges too short to hold enough samples. */
import { formatDurationMs } from '../../../base/duration.js';
import type { Expr } from '../../../slo/promql/index.js';
import {
  type Check,
  eachNode,
  editOf,
  metricOf,
  numberIn,
  placeOfNode,
  textOf,
} from '../context.js';
import type { LintRule } from '../source.js';

const ofCounters = new Set(['rate', 'irate', 'increase', 'resets']);
const ofGauges = new Set([
  'delta',
  'idelta',
  'deriv',
  'predict_linear',
  'double_exponential_smoothing',
]);
const needScrapes = new Set([...ofCounters, ...ofGauges, 'changes']);

export const rateChecks: Check = (rule, options, say) => {
  eachNode(rule, (node) => {
    if (node.kind !== 'call') return;
    const range = node.args.find((a) => a.kind === 'matrix' || a.kind === 'subquery');
    if (!range) return;
    if (range.kind === 'subquery') return sumFirst(node, range);
    const name = metricOf(range.selector);
    if (name === undefined) return;
    const recorded = options.recorded.get(name);
    if (recorded?.expr?.kind === 'aggregate' && ofCounters.has(node.name) && isRaw(recorded)) {
      say('promql/rate-of-sum', placeOfNode(rule, node), {
        message: `${node.name} of ${name}, which records ${recorded.expr.op} of counters`,
        fix: `record ${recorded.expr.op}(${node.name}(…)) instead`,
      });
      return;
    }
    const { type, certain } = options.catalogue.typeOf(name);
    if (ofCounters.has(node.name) && type === 'gauge') {
      say('promql/rate-of-gauge', placeOfNode(rule, node), {
        message: `${node.name} of ${name}, which ${certain ? 'is' : 'by its name is'} a gauge`,
        fix:
          node.name === 'rate' || node.name === 'irate'
            ? 'deriv() is the slope of a gauge'
            : 'delta() is the change of a gauge',
      });
    }
    if (ofGauges.has(node.name) && type === 'counter') {
      say('promql/delta-of-counter', placeOfNode(rule, node), {
        message: `${node.name} of ${name}, which ${certain ? 'is' : 'by its name is'} a counter`,
        fix: 'rate() and increase() know restarts',
      });
    }
    shortWindow(node, range);
  });

  /** Finds `rate(sum(x)[5m:])`, a rate over a subquery of a sum. */
  function sumFirst(
    call: Extract<Expr, { kind: 'call' }>,
    range: Extract<Expr, { kind: 'subquery' }>,
  ) {
    if (!ofCounters.has(call.name)) return;
    let inner = range.expr;
    while (inner.kind === 'paren') inner = inner.expr;
    if (inner.kind !== 'aggregate') return;
    const window = rule.text.slice(range.range.from, range.range.to);
    const plain =
      inner.expr.kind === 'selector' && inner.op === 'sum' && !range.offset && !range.at;
    const modifier = grouping(inner);
    const better = plain
      ? `sum${modifier}(${call.name}(${textOf(rule, inner.expr)}[${window}]))`
      : undefined;
    const jumps = `the ${inner.op} falls and the ${call.name} jumps`;
    say('promql/rate-of-sum', placeOfNode(rule, call), {
      message: `${call.name} of a ${inner.op}: when one process restarts, ${jumps}`,
      fix: better ?? `take the ${call.name} first, then the ${inner.op}`,
      edit: better === undefined ? undefined : editOf(rule, call, better),
    });
  }

  function shortWindow(
    call: Extract<Expr, { kind: 'call' }>,
    range: Extract<Expr, { kind: 'matrix' }>,
  ) {
    if (!needScrapes.has(call.name) || range.range.kind !== 'seconds') return;
    const name = metricOf(range.selector);
    const recorded = name === undefined ? undefined : options.recorded.get(name);
    const intervalMs = recorded ? (recorded.intervalMs ?? 0) : options.scrapeIntervalMs;
    const ms = Math.round(range.range.seconds * 1000);
    if (ms >= 4 * intervalMs) return;
    const wanted = formatDurationMs(4 * intervalMs);
    const { from, to, text } = range.range;
    say('promql/short-window', placeOfNode(rule, range.range), {
      message: `[${text}] holds fewer than four samples at one every ${formatDurationMs(intervalMs)}`,
      fix: `at least ${wanted}`,
      edit: editOf(rule, { from, to }, wanted),
    });
  }
};

const grouping = (node: Extract<Expr, { kind: 'aggregate' }>): string =>
  node.grouped ? ` ${node.without ? 'without' : 'by'} (${node.grouping.join(', ')}) ` : '';

/** Whether a recording rule aggregates counters without a rate. */
function isRaw(recording: LintRule): boolean {
  const { expr } = recording;
  if (expr?.kind !== 'aggregate' || expr.expr.kind !== 'selector') return false;
  const name = metricOf(expr.expr);
  return name !== undefined && /_(total|count|sum|bucket)$/.test(name);
}

const happened = new RegExp(
  '(requests?|errors?|failures?|failed|dropped|rejected|retries|restarts?|evictions?|timeouts?|hits|misses|' +
    'events|exceptions?)_total$',
);

export const rawCounterChecks: Check = (rule, options, say) => {
  if (rule.kind !== 'alert') return;
  eachNode(rule, (node, parents) => {
    if (node.kind !== 'selector' || node.offset) return;
    const name = metricOf(node);
    if (name === undefined || options.recorded.has(name)) return;
    const { type, certain } = options.catalogue.typeOf(name);
    // Many gauges end in `_total`; a name that says that something happened belongs to a counter.
    if (type !== 'counter' || !(certain || happened.test(name))) return;
    let compared = false;
    for (const parent of parents.toReversed()) {
      if (parent.kind === 'call' || parent.kind === 'matrix' || parent.kind === 'subquery') return;
      // Differences and shares of counters are usually deliberate; a count counts series.
      if (parent.kind === 'aggregate' && /^(count|group)$/.test(parent.op)) return;
      if (parent.kind !== 'binary') continue;
      if (compared && parent.op === 'and') return;
      if (['and', 'or', 'unless'].includes(parent.op)) break;
      if (!/[<>=]/.test(parent.op)) return;
      // `> 0` beside another condition asks whether there were any events at all.
      compared = true;
      if (numberIn(parent.right) !== 0) break;
    }
    if (!compared) return;
    say('promql/raw-counter', placeOfNode(rule, node), {
      message: `${name} is a counter that is compared directly`,
      fix: `compare its rate(${name}[5m]), or increase() over a window`,
    });
  });
};
