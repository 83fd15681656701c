/** The number of events that an SLO sees: from its rules if Prometheus has loaded them, else from its own counters. */
import { totalIncrease } from '../rules/names.js';
import { planOf } from '../rules/plan.js';
import { classicHistogram } from '../rules/increments.js';
import { fillWindow, isBareSelector } from '../spec/query.js';
import type { Slo } from '../spec/model.js';
import type { PrometheusClient } from './prometheus.js';

/** Events an hour over the last day, by the SLO's id; SLOs without data are left out. */
export async function eventsPerHour(
  slos: readonly Slo[],
  prometheus: PrometheusClient,
  atMs: number,
): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  for (const slo of slos) {
    const plan = planOf(slo);
    const perStep = `avg_over_time(${totalIncrease(plan.stepMs)}${plan.selector}[1d])`;
    const recorded = await prometheus.scalar(`sum(${perStep})`, atMs);
    const raw = rateOf(slo);
    const rate =
      recorded === undefined
        ? raw && (await prometheus.scalar(raw, atMs))
        : recorded / (plan.stepMs / 1000);
    if (typeof rate === 'number' && rate > 0) found.set(slo.id, rate * 3600);
  }
  return found;
}

/** Expression for the events a second of the SLO's own counters; undefined if it has none. */
function rateOf(slo: Slo): string | undefined {
  const { sli } = slo;
  const total =
    sli.kind === 'events'
      ? sli.total
      : sli.kind === 'latency' && !sli.native
        ? classicHistogram(sli.histogram, sli.matchers, sli.threshold).total
        : undefined;
  if (total === undefined) return undefined;
  return isBareSelector(total) ? `sum(rate(${total}[1d]))` : `sum(${fillWindow(total, '1d')})`;
}
