/**
 * What an SLO counts, as queries to break it down by: read out of the rule that records its counters, which is in the
 * rule file, in a Prometheus that evaluates it, and in what an SLO compiles to, all alike.
 */
import { type Expr, parse, walk } from '../promql/index.js';
import { counterLabel } from './names.js';

export interface OwnQueries {
  /** Bad events a second by their own labels, and by instance; empty where the counters do not tell. */
  bad: string[];
  /** Whether what is counted is there at all, by job. */
  present: string[];
}

type Selector = Extract<Expr, { kind: 'selector' }>;

interface CounterText {
  role: string;
  text: string;
  /** Where it is a series of Prometheus's own. */
  selector?: Selector;
}

/** At most so many rows of an answer: a page is no database. */
const rows = 10;

/** `expr` is that of the rule `slo:counter:last`. */
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

/** The counters that a rule records; none where it is another rule. */
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
  // The good ones of a classic histogram carry the bucket's bound, which the total does not have.
  return [
    (grouping) => {
      const bounded = grouping.replace('(instance, pod)', '(instance, pod, le)');
      return `(${rate(total)(bounded)} - ${rate(good)(bounded)})`;
    },
  ];
}
