/** The state of an error budget, for the rolling window and the calendar month, as a share, in events and in time. */
import { exitCode, UserError } from '../../base/errors.js';
import { budgetRatio, type Slo } from '../spec/model.js';
import { formatDurationMs } from '../../base/duration.js';
import { errorRatio } from '../rules/names.js';
import { type CompileOptions, type Plan, planOf, scaled } from '../rules/plan.js';
import { type Forecast, forecastOf } from './forecast.js';
import { type Incident, incidentsOf } from './incidents.js';
import type { PrometheusClient } from './prometheus.js';

export interface Spending {
  startMs: number;
  endMs: number;
  bad: number;
  total: number;
  /** Share of bad events, 0 to 1. */
  errorRatio: number;
  /** Remaining share of the budget of these events; below 0 when overspent. */
  remaining: number;
  /** Number of further bad events that the budget allows. */
  remainingEvents: number;
  /** The same as minutes of complete failure at the window's traffic. */
  remainingMinutes: number;
}

export interface BudgetState {
  slo: Slo;
  atMs: number;
  rolling: Spending;
  /** Since the first of the month, in UTC. */
  month: Spending;
  /** Burn rate over the last hour; undefined without traffic. */
  burnRate: number | undefined;
  incidents: Incident[];
  forecast: Forecast;
  /** Bad and total events of each bucket, oldest first. */
  buckets: Bucket[];
}

export interface Bucket {
  startMs: number;
  endMs: number;
  bad: number;
  total: number;
}

const monthStart = (timeMs: number): number => {
  const date = new Date(timeMs);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), 1);
};

export interface StateOptions extends CompileOptions {
  atMs: number;
}

/** Number of buckets in the period: one for each hour of 30 days. */
const bucketsOfPeriod = 720;

/** Reads the results of one SLO's rules. Throws a UserError if they recorded nothing. */
export async function budgetState(
  slo: Slo,
  prometheus: PrometheusClient,
  options: StateOptions,
): Promise<BudgetState> {
  const plan = planOf(slo, options);
  const { atMs } = options;
  const periodMs = scaled(plan, plan.periodMs);
  const rolling = await spendingOf(plan, prometheus, atMs - periodMs, atMs);
  if (!rolling) {
    throw new UserError(
      `${prometheus.url} holds no events of ${slo.id} (are its rules loaded, and evaluated for some minutes?)`,
      exitCode.inconclusive,
    );
  }
  const startMs = Math.max(monthStart(atMs), atMs - 31 * 86_400_000);
  const month = (await spendingOf(plan, prometheus, startMs, atMs)) ?? rolling;
  const hourly = `${errorRatio(3_600_000)}${plan.selector}`;
  const ratio = await prometheus.scalar(`max(${hourly})`, atMs);
  const buckets = await bucketsOf(plan, prometheus, atMs, periodMs);
  return {
    slo,
    atMs,
    rolling,
    month,
    burnRate: ratio === undefined ? undefined : ratio / plan.budget,
    incidents: incidentsOf(buckets, plan.budget, rolling.total),
    forecast: forecastOf(buckets, plan.budget, rolling, periodMs / 30),
    buckets,
  };
}

/** The range of the given length; like the rules' ranges, it never counts a step twice. */
const range = (ms: number): string => `[${formatDurationMs(Math.max(1, Math.round(ms) - 1))}]`;

async function spendingOf(
  plan: Plan,
  prometheus: PrometheusClient,
  startMs: number,
  endMs: number,
): Promise<Spending | undefined> {
  const sum = (name: string): Promise<number | undefined> =>
    prometheus.scalar(
      `sum(sum_over_time(${name}${plan.selector}${range(endMs - startMs)}))`,
      endMs,
    );
  const total = await sum(plan.coarse.total);
  const bad = await sum(plan.coarse.bad);
  if (total === undefined || bad === undefined) return undefined;
  // The counters may come from different programs, so the bad events may exceed the total; the ratio is at most 1.
  return spending(plan.budget, startMs, endMs, bad, Math.max(bad, total));
}

export function spending(
  budget: number,
  startMs: number,
  endMs: number,
  bad: number,
  total: number,
): Spending {
  const allowed = budget * total;
  const remaining = allowed > 0 ? 1 - bad / allowed : 1;
  return {
    startMs,
    endMs,
    bad,
    total,
    errorRatio: total > 0 ? bad / total : 0,
    remaining,
    remainingEvents: allowed - bad,
    remainingMinutes: (remaining * budget * (endMs - startMs)) / 60_000,
  };
}

async function bucketsOf(
  plan: Plan,
  prometheus: PrometheusClient,
  atMs: number,
  periodMs: number,
): Promise<Bucket[]> {
  const bucketMs = periodMs / bucketsOfPeriod;
  const read = async (name: string): Promise<Map<number, number>> => {
    const query = `sum(sum_over_time(${name}${plan.selector}${range(bucketMs)}))`;
    const series = await prometheus.range(query, atMs - periodMs + bucketMs, atMs, bucketMs);
    return new Map(series[0]?.points.map(([time, value]) => [Math.round(time), value]));
  };
  const bad = await read(plan.coarse.bad);
  const total = await read(plan.coarse.total);
  return [...total].map(([endMs, events]) => ({
    startMs: endMs - bucketMs,
    endMs,
    bad: bad.get(endMs) ?? 0,
    total: events,
  }));
}

/** Explains in one sentence why the rolling and the calendar figure differ. */
export function differenceText(state: BudgetState): string {
  const { rolling, month } = state;
  const days = (ms: number): string => `${(ms / 86_400_000).toFixed(1)} days`;
  const before = rolling.bad - month.bad;
  if (month.startMs <= rolling.startMs) {
    return `The month so far (${days(month.endMs - month.startMs)}) reaches back further than the rolling window.`;
  }
  const share = rolling.bad > 0 ? (before / rolling.bad) * 100 : 0;
  return (
    `Rolling window: ${days(rolling.endMs - rolling.startMs)}; calendar month so far: ` +
    `${days(month.endMs - month.startMs)}. ${share.toFixed(0)}% of the window's bad events ` +
    `(${Math.round(before)}) are older than the month.`
  );
}

/** Minutes of complete failure that a period's budget allows. */
export const budgetMinutes = (slo: Slo): number =>
  budgetRatio(slo.objective) * slo.period.days * 1440;
