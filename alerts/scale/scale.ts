/**
 * Scales Prometheus rule files to a drill's time scale: multiplies every duration in them, recording rules included,
 * and reports every constant that cannot be scaled with its place.
 */
import type { Place, Problem } from '../../base/errors.js';
import type { RuleGroup } from '../../slo/index.js';
import { parse } from '../../slo/promql/index.js';
import { print } from '../../slo/promql/syntax/print.js';
import { checkExpr } from '../rules/engine.js';
import { type ReadGroup, type ReadRule, readRuleFiles } from '../rules/read.js';
import { ExpressionScaler, type Remark } from './expression.js';
import { power, type Quantity } from './quantity.js';

export interface ScaleOptions {
  /** Above 0, at most 1. */
  timeScale: number;
  /**
   * Scrape interval of the drill, in milliseconds: ranges must hold four scrapes, and groups are not evaluated more
   * often.
   */
  scrapeIntervalMs?: number;
  /** Default step of subqueries in unscaled milliseconds: Prometheus's global evaluation interval. Default 1m. */
  subqueryStepMs?: number;
}

export interface RuleRemark extends Problem {
  place: Place;
  kind: Remark['kind'];
  /** The alert or the recorded metric. */
  rule: string;
}

export interface ScaledRules {
  groups: RuleGroup[];
  /** Constants that stand for a time and were not changed, and ranges too short for a dependable result. */
  unscalable: RuleRemark[];
  /** Constants that were scaled together with the ranges of their other side. */
  adjusted: RuleRemark[];
  /** Alerts and recorded metrics that compare a time reported by the system with the clock. */
  byTheClock: ReadonlySet<string>;
}

/** Throws a UserError with every mistake in the files and its place. */
export function scaleRuleFiles(files: readonly string[], options: ScaleOptions): ScaledRules {
  return scaleReadGroups(readRules(files), options);
}

export const readRules = (files: readonly string[]): ReadGroup[] =>
  readRuleFiles(files, { checkExpr });

export function scaleReadGroups(read: readonly ReadGroup[], options: ScaleOptions): ScaledRules {
  if (options.timeScale === 1) {
    const groups = read.map(asWritten);
    return { groups, unscalable: [], adjusted: [], byTheClock: new Set() };
  }
  const recorded = quantitiesOf(read, options);
  const remarks: RuleRemark[] = [];
  const byTheClock = new Set<string>();
  const groups = read.map((group) =>
    scaledGroup(group, options, { recorded, remarks, byTheClock }),
  );
  return {
    groups,
    unscalable: remarks.filter((r) => r.kind !== 'adjusted'),
    adjusted: remarks.filter((r) => r.kind === 'adjusted'),
    byTheClock,
  };
}

const asWritten = (group: ReadGroup): RuleGroup => ({
  name: group.name,
  ...(group.intervalMs === undefined ? {} : { intervalMs: group.intervalMs }),
  ...(group.queryOffsetMs === undefined ? {} : { queryOffsetMs: group.queryOffsetMs }),
  ...(group.limit === 0 ? {} : { limit: group.limit }),
  rules: group.rules.map((r) => r.rule),
});

function scalerFor(
  options: ScaleOptions,
  recorded: ReadonlyMap<string, Quantity>,
): ExpressionScaler {
  const { timeScale, scrapeIntervalMs, subqueryStepMs = 60_000 } = options;
  return new ExpressionScaler({
    timeScale,
    subqueryStepMs,
    recorded,
    ...(scrapeIntervalMs === undefined ? {} : { scrapeIntervalMs }),
  });
}

/** Rounds of inference, because a rule may read metrics that rules further down or in other groups record. */
const roundsMax = 8;

function quantitiesOf(
  read: readonly ReadGroup[],
  options: ScaleOptions,
): ReadonlyMap<string, Quantity> {
  const rules = read.flatMap((g) => g.rules.map((r) => r.rule));
  let recorded = new Map<string, Quantity>();
  for (let round = 0; round < roundsMax; round++) {
    const next = new Map<string, Quantity>();
    for (const rule of rules) {
      if (rule.kind !== 'record') continue;
      const { quantity } = scalerFor(options, recorded).scaled(parse(rule.expr));
      next.set(rule.record, quantity.kind === 'constant' ? power(0) : quantity);
    }
    const settled = JSON.stringify([...next]) === JSON.stringify([...recorded]);
    recorded = next;
    if (settled) break;
  }
  return recorded;
}

interface Pass {
  recorded: ReadonlyMap<string, Quantity>;
  remarks: RuleRemark[];
  byTheClock: Set<string>;
}

function scaledGroup(
  group: ReadGroup,
  options: ScaleOptions,
  { recorded, remarks, byTheClock }: Pass,
): RuleGroup {
  const { timeScale, scrapeIntervalMs = 0 } = options;
  const scaled = (ms: number): number => (ms === 0 ? 0 : Math.max(1, Math.round(ms * timeScale)));
  const written = asWritten(group);
  return {
    ...written,
    ...(written.intervalMs === undefined
      ? {}
      : { intervalMs: Math.max(scaled(written.intervalMs), scrapeIntervalMs) }),
    ...(written.queryOffsetMs === undefined
      ? {}
      : { queryOffsetMs: scaled(written.queryOffsetMs) }),
    rules: group.rules.map((read) => {
      const { rule } = read;
      const scaler = scalerFor(options, recorded);
      const expr = print(scaler.scaled(parse(rule.expr)).expr);
      remarks.push(...scaler.remarks.map((remark) => placed(read, remark)));
      if (scaler.byTheClock) byTheClock.add(nameOf(read));
      if (rule.kind === 'record') return { ...rule, expr };
      remarks.push(...templateRemarks(read));
      return {
        ...rule,
        expr,
        forMs: scaled(rule.forMs),
        keepFiringForMs: scaled(rule.keepFiringForMs),
      };
    }),
  };
}

const nameOf = ({ rule }: ReadRule): string => (rule.kind === 'alert' ? rule.alert : rule.record);

const placed = (read: ReadRule, { kind, span, message }: Remark): RuleRemark => ({
  kind,
  place: read.placeInExpr(span.from),
  rule: nameOf(read),
  message: `${nameOf(read)}: ${message}`,
});

/** A query in a template is text for people and is not rewritten. */
function templateRemarks(read: ReadRule): RuleRemark[] {
  if (read.rule.kind !== 'alert') return [];
  const texts = Object.entries({ ...read.rule.labels, ...read.rule.annotations });
  return texts
    .filter(([, text]) => /\bquery\s*["`][^"`]*\[\d/.test(text))
    .map(([name]) => ({
      kind: 'left',
      place: read.place,
      rule: nameOf(read),
      message: `${nameOf(read)}: not scaled: the query in the template of ${name}`,
    }));
}

/** Makes names distinct: groups of different files may share a name, groups of one file may not. */
export function withDistinctNames<G extends { name: string }>(groups: readonly G[]): G[] {
  const seen = new Map<string, number>();
  return groups.map((group) => {
    const count = (seen.get(group.name) ?? 0) + 1;
    seen.set(group.name, count);
    return count === 1 ? group : { ...group, name: `${group.name} (${count})` };
  });
}
