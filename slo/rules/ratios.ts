/** Stage two: the error ratio of every window as a ratio of sums, and the burn rates from it. */
import { budgetRatio, objectiveRatio } from '../spec/model.js';
import type { RecordingRule } from './model.js';
import { guardedWindows } from './false-pages.js';
import * as names from './names.js';
import { coarseStepMs, isFine, type Plan, ratioWindows, sumOver } from './plan.js';
import { record } from './steps.js';

/** Clamped to 1, because bad and total may come from different programs, one of which may be down. */
const atMostAll = (bad: string, total: string): string =>
  `clamp_max(\n  ${bad}\n  /\n  ${total},\n  1\n)`;

function ratioOver(plan: Plan, windowMs: number): string {
  const series = isFine(windowMs) ? plan.fine : plan.coarse;
  return atMostAll(sumOver(plan, series.bad, windowMs), sumOver(plan, series.total, windowMs));
}

/** Bad events of a window divided by the events that the period's mean traffic would bring in it. */
function weightedRatioOver(plan: Plan, windowMs: number): string {
  const series = isFine(windowMs) ? plan.fine : plan.coarse;
  const steps = windowMs / coarseStepMs;
  return `${sumOver(plan, series.bad, windowMs)}\n/\n(${names.meanTotal(coarseStepMs)}${plan.selector} * ${steps} > 0)`;
}

const alertWindows = (plan: Plan): number[] =>
  [...new Set(plan.windows.flatMap((w) => [w.shortMs, w.longMs]))].sort((a, b) => a - b);

function ratiosOf(plan: Plan, fine: boolean): RecordingRule[] {
  const rules = ratioWindows(plan)
    .filter((w) => isFine(w) === fine)
    .map((w) => record(plan, names.errorRatio(w), ratioOver(plan, w)));
  rules.push(...guardSums(plan, fine));
  if (!plan.slo.alerting.trafficWeighted) return rules;
  const weighted = alertWindows(plan)
    .filter((w) => isFine(w) === fine)
    .map((w) => record(plan, names.weightedRatio(w), weightedRatioOver(plan, w)));
  return [...rules, ...weighted];
}

function guardSums(plan: Plan, fine: boolean): RecordingRule[] {
  const series = fine ? plan.fine : plan.coarse;
  return guardedWindows(plan)
    .filter((w) => isFine(w) === fine)
    .flatMap((w) =>
      (['bad', 'total'] as const).map((side) =>
        record(plan, names.eventSum(side, w), sumOver(plan, series[side], w)),
      ),
    );
}

/** Rules at the base interval, which pages read. */
export function fineRatioRules(plan: Plan): RecordingRule[] {
  const current = `${names.errorRatio(300_000)}${plan.selector} / ${plan.budget}`;
  return [...ratiosOf(plan, true), record(plan, names.currentBurnMetric, current)];
}

/** Rules at the coarse interval, for days and the whole period. */
export function coarseRatioRules(plan: Plan): RecordingRule[] {
  const mean = plan.slo.alerting.trafficWeighted
    ? [
        record(
          plan,
          names.meanTotal(coarseStepMs),
          sumOver(plan, plan.coarse.total, plan.periodMs).replace('sum_', 'avg_'),
        ),
      ]
    : [];
  return [...mean, ...ratiosOf(plan, false), ...monthRules(plan)];
}

/**
 * The ratio from the start of the month, in UTC, to the last full hour. `@ end()` is the moment of evaluation even
 * inside the subquery, so an hour counts only if its month is the current one.
 */
function monthRules(plan: Plan): RecordingRule[] {
  if (plan.slo.period.calendar !== 'month' || plan.scale !== 1) return [];
  const month = `${names.monthMetric}${plan.selector}`;
  const hour = (series: string): string => sumOver(plan, series, 3_600_000);
  const sum = (series: string): string =>
    `sum_over_time((\n  ${hour(series)}\n  and on () (${month} == on () ${month} @ end())\n)[31d:1h])`;
  return [
    record(plan, names.monthMetric, 'year() * 12 + month()'),
    record(plan, names.monthRatioMetric, atMostAll(sum(plan.coarse.bad), sum(plan.coarse.total))),
  ];
}

/** The recorded error ratio that the budget is kept by. */
export const periodRatio = ({ slo, scale, periodMs }: Plan): string =>
  slo.period.calendar === 'month' && scale === 1
    ? names.monthRatioMetric
    : names.errorRatio(periodMs);

/** The objective and the state of the budget, for dashboards and people. */
export function metadataRules(plan: Plan): RecordingRule[] {
  const { slo } = plan;
  return [
    record(plan, names.objectiveRatioMetric, `vector(${objectiveRatio(slo.objective)})`),
    record(plan, names.errorBudgetMetric, `vector(${budgetRatio(slo.objective)})`),
    record(plan, names.periodDaysMetric, `vector(${slo.period.days})`),
    record(plan, names.periodBurnMetric, `${periodRatio(plan)}${plan.selector} / ${plan.budget}`),
    record(plan, names.budgetRemainingMetric, `1 - ${names.periodBurnMetric}${plan.selector}`),
    { ...record(plan, names.infoMetric, 'vector(1)'), labels: infoLabels(plan) },
  ];
}

function infoLabels(plan: Plan): Record<string, string> {
  const { slo } = plan;
  return {
    ...slo.labels,
    ...plan.labels,
    [names.serviceLabel]: slo.service,
    name: slo.name,
    objective: String(slo.objective),
    period: slo.period.calendar ?? `${slo.period.days}d`,
    ...(slo.owner === undefined ? {} : { [names.ownerLabel]: slo.owner }),
    ...(plan.scaleText === undefined ? {} : { [names.timeScaleLabel]: plan.scaleText }),
  };
}
