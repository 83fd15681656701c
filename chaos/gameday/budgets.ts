/** The error budgets that the run and each of its scenarios spent, by the events that the rules counted. */
import type { Watch } from '../../alerts/watch/index.js';
import { formatDurationMs } from '../../base/duration.js';
import type { DrillEvent } from '../../runbooks/events.js';
import type { BudgetRecord } from '../../runbooks/record.js';
import { budgetMinutes } from '../../slo/budget/state.js';
import { budgetRatio, type Slo, sloNames } from '../../slo/index.js';
import type { Timing } from '../runner/context.js';

export interface Events {
  bad: number;
  total: number;
}

export async function eventsOf(
  watch: Watch,
  slo: Slo,
  timing: Timing,
  startMs: number,
  endMs: number,
): Promise<Events> {
  const range = formatDurationMs(Math.max(1, Math.round(endMs - startMs)));
  const sum = async (series: string): Promise<number> => {
    const selector = `${series}{${sloNames.sloLabel}="${slo.id}"}[${range}]`;
    const samples = await watch.query(`sum(sum_over_time(${selector}))`, endMs).catch(() => []);
    return samples[0]?.value ?? 0;
  };
  return {
    bad: await sum(sloNames.badIncrease(timing.stepMs)),
    total: await sum(sloNames.totalIncrease(timing.stepMs)),
  };
}

export async function budgetOf(
  watch: Watch,
  slo: Slo,
  timing: Timing,
  startMs: number,
  endMs: number,
): Promise<BudgetRecord> {
  const { bad, total } = await eventsOf(watch, slo, timing, startMs, endMs);
  const allowed = total * budgetRatio(slo.objective);
  const periodMs = slo.period.days * 86_400_000 * timing.timeScale;
  const share = (endMs - startMs) / periodMs;
  return {
    slo: slo.id,
    service: slo.service,
    objective: slo.objective,
    total,
    bad,
    spentRatio: allowed > 0 ? bad / allowed : 0,
    spentOfPeriodRatio: allowed > 0 ? (bad / allowed) * share : 0,
  };
}

/** Share of the whole period's budget, if the run's traffic continued over the (scaled) period. */
export const periodShare = (
  events: Events,
  run: Events,
  slo: Slo,
  timing: Timing,
  runMs: number,
): number => {
  const periodMs = slo.period.days * 86_400_000 * timing.timeScale;
  const periodTotal = run.total * (periodMs / Math.max(1, runMs));
  const allowed = periodTotal * budgetRatio(slo.objective);
  return allowed > 0 ? events.bad / allowed : 0;
};

/** Each SLO's spent budget since `fromMs`, during a day; SLOs without a recorded event are left out. */
export async function budgetEvents(
  watch: Pick<Watch, 'query'>,
  slos: readonly Slo[],
  timing: Timing,
  fromMs: number,
  nowMs: number,
): Promise<DrillEvent[]> {
  const range = formatDurationMs(Math.max(1, Math.round(nowMs - fromMs)));
  const sums = async (series: string): Promise<Map<string, number>> => {
    const by = `sum by (${sloNames.sloLabel}) (sum_over_time(${series}[${range}]))`;
    const samples = await watch.query(by, nowMs);
    return new Map(samples.map((s) => [s.labels[sloNames.sloLabel] ?? '', s.value]));
  };
  const bad = await sums(sloNames.badIncrease(timing.stepMs));
  const totals = await sums(sloNames.totalIncrease(timing.stepMs));
  return slos.flatMap((slo): DrillEvent[] => {
    const total = totals.get(slo.id);
    if (!total) return [];
    const events = { bad: bad.get(slo.id) ?? 0, total };
    return [
      {
        kind: 'budget',
        atMs: nowMs,
        slo: slo.id,
        spentOfPeriod: periodShare(events, events, slo, timing, nowMs - fromMs),
        budgetMinutes: budgetMinutes(slo),
      },
    ];
  });
}
