/**
 * Queries that break down an SLO's events. They are derived from the rule that records the SLO's counters, so they can
 * be made from a rule file, from a Prometheus that evaluates the rule, or from a compiled SLO.
 */
import { type Expr, walk } from '../promql/syntax/ast.js';
import { parse } from '../promql/syntax/parse.js';
import { counterLabel } from './names.js';

export interface OwnQueries {
  /** Bad events a second by their own labels, and by instance; empty if the counters do not allow it. */
  bad: string[];
  /** Queries that show by job whether the counted series exist. */
  present: string[];
}

type Selector = Extract<Expr, { kind: 'selector' }>;

interface CounterText {
  role: string;
  text: string;
  /** The selector, if the counter is a plain series of Prometheus. */
  selector?: Selector;
}

/** Maximum number of rows in an answer, because a page shows only a few. */
const rows = 10;

/** `expr` is the expression of the rule `slo:counter:last`. */
export function ownQueries(expr: string): OwnQueries {
  const counters = countersIn(expr);
  const bad = badRates(counters);
  return {
    bad: bad.flatMap((rate) => [
      `topk(${rows}, ${rate('without (instance, pod)')} > 0)`,
      `topk(${rows}, ${rate('by (instance)')} > 0)`,
    ]),
    present: of(counters, 'total').map(({ text, selector }) =>
      selector ? `count by (job) (${text})` : text,
    ),
  };
}

/** The counters that a rule records; empty for any other rule. */
function countersIn(expr: string): CounterText[] {
  const counters: CounterText[] = [];
  walk(parse(expr), (node) => {
    if (node.kind !== 'call' || node.name !== 'label_replace') return;
    const [of, label, role] = node.args;
    if (label?.kind !== 'string' || label.value !== counterLabel) return;
    if (!of || role?.kind !== 'string') return;
    const text = expr.slice(of.from, of.to).replaceAll(/\s+/g, ' ');
    counters.push({
      role: role.value,
      text,
      ...(of.kind === 'selector' ? { selector: of } : {}),
    });
  });
  return counters;
}

const of = (counters: readonly CounterText[], role: string): CounterText[] =>
  counters.filter((c) => c.role.replace(/\d+$/, '') === role);

type Rate = (grouping: string) => string;

function badRates(counters: readonly CounterText[]): Rate[] {
  const rate =
    (...counters: CounterText[]): Rate =>
    (grouping) =>
      `sum ${grouping} (${counters.map(({ text }) => `rate(${text}[5m])`).join(' unless ')})`;
  const series = (role: string): CounterText[] =>
    of(counters, role).filter((c) => c.selector !== undefined);
  const bad = series('bad');
  if (bad.length > 0) return bad.map((b) => rate(b));
  const [total] = series('total');
  const [good] = series('good');
  if (!total || !good) return [];
  const name = (c: CounterText): string => c.selector?.name ?? '';
  if (name(total) === name(good)) {
    return [rate(total, good)];
  }
  // The good events of a classic histogram have the bucket's bound as a label, which the total lacks.
  return [
    (grouping) => {
      const bounded = grouping.replace('(instance, pod)', '(instance, pod, le)');
      return `(${rate(total)(bounded)} - ${rate(good)(bounded)})`;
    },
  ];
}
