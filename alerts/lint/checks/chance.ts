/** Finds pages on an error ratio that a single failure reaches when traffic is low, without a minimum of events. */
import type { Expr } from '../../../slo/promql/index.js';
import { withoutParens } from '../../../slo/promql/syntax/ast.js';
import { type BurnWindow, type Slo, standardAlerting } from '../../../slo/spec/model.js';
import { falsePagesAt } from '../../../slo/rules/false-pages.js';
import { ownQueries } from '../../../slo/rules/own-queries.js';
import { sloNames } from '../../../slo/index.js';
import { parseDurationMs } from '../../../base/duration.js';
import { type Check, metricOf, numberIn } from '../context.js';
import { type LintFile, type LintRule, placeOfField } from '../source.js';

/** Names that our own rules and Sloth's record. */
const burnName = /^slo:sli_error:ratio_rate(\w+)$/;

/** False pages a year that a healthy service may cause before lint reports the alert. */
const pagesMax = 1;
/** Assumed where no Prometheus was asked: the traffic of many internal services. */
const exampleEventsPerHour = 20;

interface Burn {
  slo: string;
  factor: number;
  budget: number;
  windows: number[];
}

export const chanceChecks: Check = (rule, options, say) => {
  if (rule.kind !== 'alert' || !rule.expr) return;
  if ((rule.labels.slo_severity ?? rule.labels.sloth_severity ?? rule.labels.severity) !== 'page')
    return;
  const burns = armsOf(rule.expr).map(burnOf);
  if (burns.length === 0 || burns.some((b) => b === undefined)) return;
  const known = burns as Burn[];
  const slo = known[0]?.slo ?? '';
  const measured = options.eventsPerHour?.get(slo);
  // Skipped where the Prometheus has no data yet, or where it is unclear whether the SLO counts requests or moments.
  if (measured === undefined && (options.eventsPerHour || !countsEvents(rule, slo))) return;
  const rate = measured ?? exampleEventsPerHour;
  const pages = falsePages(known, rate);
  if (pages <= pagesMax) return;
  const many = pages >= 10 ? Math.round(pages) : Number(pages.toPrecision(2));
  const events = `${Number(rate.toPrecision(3))} events an hour`;
  const at = measured === undefined ? `${events} (none were measured)` : `its ${events}`;
  say('alert/chance-page', placeOfField(rule, 'alert'), {
    message: `at ${at} ${rule.name} has ${many} false pages a year`,
    fix: 'give its SLO alerting.falsePagesPerYear: 1, which changes nothing for services with much traffic',
  });
};

/** Whether the SLO counts events; an SLO of probes or moments always has many of them. */
function countsEvents(rule: LintRule, slo: string): boolean {
  let bySlo = counters.get(rule.file);
  if (!bySlo) {
    const own = rule.file.rules.filter((r) => r.name === sloNames.counterSeen && r.expr);
    bySlo = new Map(own.map((r) => [r.labels[sloNames.sloLabel] ?? '', r.text]));
    counters.set(rule.file, bySlo);
  }
  const text = bySlo.get(slo);
  return text !== undefined && ownQueries(text).bad.length > 0;
}

/** The expression of each SLO's recorded counter, by file, so that each file is searched only once. */
const counters = new WeakMap<LintFile, Map<string, string>>();

const armsOf = (expr: Expr): Expr[] => flat(expr, 'or');

function flat(expr: Expr, op: 'or' | 'and'): Expr[] {
  const inner = withoutParens(expr);
  if (inner.kind !== 'binary' || inner.op !== op) return [inner];
  return [...flat(inner.left, op), ...flat(inner.right, op)];
}

/** The burn that an arm of the expression asks for; undefined where the arm has any other condition beside it. */
function burnOf(arm: Expr): Burn | undefined {
  const burn: Burn = { slo: '', factor: 0, budget: 0, windows: [] };
  for (const part of flat(arm, 'and')) {
    if (part.kind !== 'binary' || part.op !== '>') return undefined;
    const left = withoutParens(part.left);
    const bound = factorAndBudget(part.right);
    if (left.kind !== 'selector' || bound === undefined) return undefined;
    const window = parseDurationMs(burnName.exec(metricOf(left) ?? '')?.[1] ?? '');
    if (window === undefined) return undefined;
    burn.windows.push(window);
    Object.assign(burn, bound);
    burn.slo = left.matchers.find((m) => m.name === 'slo' || m.name === 'sloth_id')?.value ?? '';
  }
  return burn.windows.length > 0 ? burn : undefined;
}

/** Reads `(14.4 * 0.001)`, a factor and the budget, as our rules and Sloth's write them. */
function factorAndBudget(expr: Expr): { factor: number; budget: number } | undefined {
  const inner = withoutParens(expr);
  if (inner.kind !== 'binary' || inner.op !== '*') return undefined;
  const [factor, budget] = [numberIn(inner.left), numberIn(inner.right)];
  return factor === undefined || budget === undefined || budget <= 0 || budget >= 1
    ? undefined
    : { factor, budget };
}

function falsePages(burns: readonly Burn[], eventsPerHour: number): number {
  const budget = Math.min(...burns.map((b) => b.budget));
  const windows = burns.map(({ factor, windows }): BurnWindow => {
    return {
      severity: 'page',
      factor,
      longMs: Math.max(...windows),
      shortMs: Math.min(...windows),
    };
  });
  const slo: Slo = {
    id: '',
    service: '',
    name: '',
    objective: 100 * (1 - budget),
    period: { days: 30 },
    sli: { kind: 'events', bad: '', total: '' },
    groupBy: [],
    maxGroups: 1,
    labels: {},
    alerting: { ...standardAlerting(''), windows },
  };
  return falsePagesAt(slo, eventsPerHour);
}
