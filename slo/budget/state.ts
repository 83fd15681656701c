/** How an error budget stands: rolling and calendar side by side, in per cent, in events and in time. */
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
  /** Share of events that were bad. */
  errorRatio: number;
  /** Share of the budget of these events that is left; below 0 when overspent. */
  remaining: number;
  /** Bad events that may still happen. */
  remainingEvents: number;
  /** The same as minutes in which everything fails, at the traffic of the window. */
  remainingMinutes: number;
}

export interface BudgetState {
  slo: Slo;
  atMs: number;
  rolling: Spending;
  /** Since the first of the month, UTC. */
  month: Spending;
  /** Burn rate over the last hour; undefined where there is no traffic. */
  burnRate: number | undefined;
  incidents: Incident[];
  forecast: Forecast;
  /** Bad and total events by the bucket, oldest first. */
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

/** How many buckets the period is looked at in: an hour each for 30 days. */
const bucketsOfPeriod = 720;

/** Reads what the rules of one SLO recorded. Throws a UserError where they recorded nothing. */
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

/** The range that ends with the given length and, as in the rules, never counts a step twice. */
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
  // Counters of different programs: no more than all events can be bad.
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

/** Why the rolling and the calendar figure differ, in a sentence. */
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

/** The minutes of complete failure that a period's budget allows. */
export const budgetMinutes = (slo: Slo): number =>
  budgetRatio(slo.objective) * slo.period.days * 1440;
