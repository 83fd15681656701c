/** The state of an error budget, for the rolling window and the calendar month, as a share, in events and in time. */
import { exitCode, UserError } from '../../base/errors.js';
import { budgetRatio, type Slo } from '../spec/model.js';
import { formatDurationMs, parseDurationMs } from '../../base/duration.js';
import { errorRatio, totalPrefix } from '../rules/names.js';
import {
  coarseStepMs,
  type CompileOptions,
  type Plan,
  planOf,
  scaled,
  type Series,
} from '../rules/plan.js';
import type { Corrected, Correction } from './corrections.js';
import { type Forecast, forecastOf } from './forecast.js';
import { type Incident, incidentsOf, narrow } from './incidents.js';
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
  /** The group with the least budget left, of an SLO by groups; over the period by which the budget is kept. */
  worst?: { group: string; remaining: number };
  /** Whether the rules recorded any step in the last hour; false: nothing shows how the service is. */
  measured: boolean;
  incidents: Incident[];
  forecast: Forecast;
  /** Bad and total events of each bucket, oldest first. */
  buckets: Bucket[];
  /** Times of the rolling window and the month whose events are not in any of the figures above. */
  corrections: Corrected[];
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
  corrections?: readonly Correction[];
}

/** Number of buckets in the period: one for each hour of 30 days. */
const bucketsOfPeriod = 720;
/** Number of incidents, the costliest, whose times are exact to a step; a report lists no more. */
const narrowedMax = 10;

export interface BudgetStates {
  states: BudgetState[];
  /** The errors of SLOs for which Prometheus has no data. */
  missing: UserError[];
}

/** Reads the results of several SLOs' rules: one without data hides no other. */
export async function budgetStates(
  slos: readonly Slo[],
  prometheus: PrometheusClient,
  optionsOf: (slo: Slo) => StateOptions,
): Promise<BudgetStates> {
  const found: BudgetStates = { states: [], missing: [] };
  for (const slo of slos) {
    try {
      found.states.push(await budgetState(slo, prometheus, optionsOf(slo)));
    } catch (error) {
      if (!(error instanceof UserError) || error.exitCode !== exitCode.inconclusive) throw error;
      found.missing.push(error);
    }
  }
  return found;
}

/** Reads the results of one SLO's rules. Throws a UserError if they recorded nothing. */
export async function budgetState(
  slo: Slo,
  prometheus: PrometheusClient,
  options: StateOptions,
): Promise<BudgetState> {
  const { atMs } = options;
  const { measured, ...step } = await lastHour(planOf(slo, options), prometheus, atMs);
  const plan = planOf(slo, { ...options, ...step });
  const periodMs = scaled(plan, plan.periodMs);
  const monthMs = Math.max(monthStart(atMs), atMs - 31 * 86_400_000);
  const firstMs = Math.min(atMs - periodMs, monthMs);
  const corrections = (options.corrections ?? []).filter(
    (c) => c.endMs > firstMs && c.startMs < atMs,
  );
  const { without, corrected, spans } = await correctorOf(plan, prometheus, corrections, atMs);
  const spent = async (startMs: number): Promise<Spending | undefined> => {
    const events = await eventsOf(plan.coarse, plan, prometheus, startMs, atMs);
    if (!events) return undefined;
    const { bad, total } = await without(events, startMs, atMs);
    // The counters may come from different programs, so the bad events may exceed the total; the ratio is at most 1.
    return spending(plan.budget, startMs, atMs, bad, Math.max(bad, total));
  };
  const rolling = await spent(atMs - periodMs);
  if (!rolling) {
    throw new UserError(
      `${prometheus.url} holds no events of ${slo.id} (are its rules loaded, and evaluated for some minutes?)`,
      exitCode.inconclusive,
    );
  }
  const month = (await spent(monthMs)) ?? rolling;
  const hourly = `${errorRatio(3_600_000)}${plan.selector}`;
  const ratio = await prometheus.scalar(`max(${hourly})`, atMs);
  const bucketMs = periodMs / bucketsOfPeriod;
  const buckets = await bucketsOf(plan.coarse, plan, prometheus, atMs - periodMs, atMs, bucketMs);
  for (const bucket of buckets) {
    Object.assign(bucket, await without(bucket, bucket.startMs, bucket.endMs));
  }
  const incidents = incidentsOf(buckets, plan.budget, rolling.total);
  const { sli } = slo;
  const stepMs = scaled(plan, sli.kind === 'slices' ? sli.lengthMs : plan.stepMs);
  for (const incident of incidents.slice(0, narrowedMax)) {
    const { startMs, endMs } = incident;
    const steps = await bucketsOf(plan.fine, plan, prometheus, startMs, endMs, stepMs);
    const counted = steps.filter(
      (s) => !corrections.some((c) => s.endMs > c.startMs && s.startMs < c.endMs),
    );
    narrow(incident, counted, plan.budget);
  }
  return {
    slo,
    atMs,
    rolling,
    month,
    burnRate: ratio === undefined ? undefined : ratio / plan.budget,
    measured,
    ...(slo.groupBy.length > 0
      ? await worstOf(plan, prometheus, spans, slo.period.calendar ? month : rolling)
      : {}),
    incidents,
    forecast: forecastOf(buckets, plan.budget, rolling, periodMs / 30),
    buckets,
    corrections: await corrected(firstMs),
  };
}

/** Whether steps were recorded in the last hour, and their length, which `generate --step` chose. */
async function lastHour(
  plan: Plan,
  prometheus: PrometheusClient,
  atMs: number,
): Promise<{ measured: boolean; stepMs?: number }> {
  const steps = `{__name__=~"${totalPrefix}.+",${plan.selector.slice(1)}`;
  const hour = formatDurationMs(scaled(plan, 3_600_000));
  const found = await prometheus.query(`last_over_time(${steps}[${hour}])`, atMs);
  const lengths = found.flatMap(
    ({ labels }) => parseDurationMs(labels.__name__?.slice(totalPrefix.length) ?? '') ?? [],
  );
  return {
    measured: found.length > 0,
    ...(lengths.length > 0 ? { stepMs: Math.min(...lengths) } : {}),
  };
}

/** The range of the given length; like the rules' ranges, it never counts a step twice. */
const range = (ms: number): string => `[${formatDurationMs(Math.max(1, Math.round(ms) - 1))}]`;

type Events = Pick<Bucket, 'bad' | 'total'>;

/** The events of the steps in (`startMs`, `endMs`]; undefined if there is none. */
async function eventsOf(
  series: Series,
  plan: Plan,
  prometheus: PrometheusClient,
  startMs: number,
  endMs: number,
): Promise<Events | undefined> {
  const sum = (name: string): Promise<number | undefined> =>
    prometheus.scalar(
      `sum(sum_over_time(${name}${plan.selector}${range(endMs - startMs)}))`,
      endMs,
    );
  const total = await sum(series.total);
  const bad = await sum(series.bad);
  return total === undefined || bad === undefined ? undefined : { bad, total };
}

/** Takes the events of corrections out of others. */
async function correctorOf(
  plan: Plan,
  prometheus: PrometheusClient,
  corrections: readonly Correction[],
  atMs: number,
) {
  // The figures hold coarse steps, each with the base steps before it; of those, and no others, the events are taken.
  const coarse = `max(timestamp(${plan.coarse.total}${plan.selector}))`;
  const last = corrections.length > 0 ? await prometheus.scalar(coarse, atMs) : undefined;
  const lastMs = last === undefined ? atMs : last * 1000;
  const coarseMs = plan.fine === plan.coarse ? 1 : scaled(plan, coarseStepMs);
  const heldUntil = (ms: number): number =>
    lastMs - Math.max(0, Math.ceil((lastMs - ms) / coarseMs)) * coarseMs;
  const spanOf = (c: Correction, startMs: number, endMs: number): [number, number] => [
    Math.max(heldUntil(startMs), c.startMs),
    Math.min(heldUntil(endMs), c.endMs),
  ];
  /** By the base steps, so exact to a step. */
  const out = async (c: Correction, startMs: number, endMs: number): Promise<Events> => {
    const [from, to] = spanOf(c, startMs, endMs);
    const events = to > from ? await eventsOf(plan.fine, plan, prometheus, from, to) : undefined;
    return events ?? { bad: 0, total: 0 };
  };
  return {
    /** The times of the corrections within others. */
    spans: (startMs: number, endMs: number): [number, number][] =>
      corrections.map((c) => spanOf(c, startMs, endMs)).filter(([from, to]) => to > from),
    async without(events: Events, startMs: number, endMs: number): Promise<Events> {
      let { bad, total } = events;
      for (const c of corrections) {
        const less = await out(c, startMs, endMs);
        bad = Math.max(0, bad - less.bad);
        total = Math.max(0, total - less.total);
      }
      return { bad, total };
    },
    async corrected(startMs: number): Promise<Corrected[]> {
      const all: Corrected[] = [];
      for (const c of corrections) all.push({ ...c, ...(await out(c, startMs, atMs)) });
      return all;
    },
  };
}

/** The group with the least budget left; without corrected times, like all figures. */
async function worstOf(
  plan: Plan,
  prometheus: PrometheusClient,
  spans: (startMs: number, endMs: number) => [number, number][],
  { startMs, endMs }: Spending,
): Promise<Pick<BudgetState, 'worst'>> {
  const by = plan.slo.groupBy;
  const sum = (series: string, from: number, to: number): string =>
    `sum by (${by.join(', ')}) (sum_over_time(${series}${plan.selector}${range(to - from)} @ ${to / 1000}))`;
  const events = (side: keyof Series): string => {
    const all = sum(plan.coarse[side], startMs, endMs);
    const less = spans(startMs, endMs).map(([from, to]) => sum(plan.fine[side], from, to));
    return `(${[all, ...less.map((s) => `(${s} or 0 * ${all})`)].join(' - ')})`;
  };
  const share = `clamp_max(${events('bad')} / (${events('total')} > 0), 1)`;
  const [worst] = await prometheus.query(`topk(1, ${share} >= 0)`, endMs);
  if (!worst) return {};
  const group = by.map((label) => `${label}="${worst.labels[label] ?? ''}"`).join(', ');
  return { worst: { group, remaining: 1 - worst.value / plan.budget } };
}

/** The share of good events as text. */
export const achievedText = ({ total, errorRatio }: Spending): string =>
  total > 0 ? `${((1 - errorRatio) * 100).toFixed(4)}%` : 'no events';

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
  of: Series,
  plan: Plan,
  prometheus: PrometheusClient,
  startMs: number,
  untilMs: number,
  bucketMs: number,
): Promise<Bucket[]> {
  const read = async (name: string): Promise<Map<number, number>> => {
    const query = `sum(sum_over_time(${name}${plan.selector}${range(bucketMs)}))`;
    const series = await prometheus.range(query, startMs + bucketMs, untilMs, bucketMs);
    return new Map(series[0]?.points.map(([time, value]) => [Math.round(time), value]));
  };
  const bad = await read(of.bad);
  const total = await read(of.total);
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
