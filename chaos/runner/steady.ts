/**
 * Obstacles to a steady baseline other than its measures: a paging alert that fires already, or an SLO without data.
 */
import { wakes } from '../../runbooks/pager.js';
import type { Scenario } from '../scenarios/schema.js';
import type { RunContext } from './context.js';
import { firingsOf, fulfils } from './firings.js';
import { gapOf } from './gaps.js';
import { exprText, type Sources, type Stretch, valueOf } from './measure.js';

export interface Unsteady {
  /** One sentence without a full stop. */
  why: string;
  /** It would be so on a quiet machine, too. */
  certain?: true;
}

/** Empty if faults may be injected now. */
export async function notSteady(
  context: Pick<RunContext, 'watch' | 'groups' | 'system' | 'timing'>,
  scenario: Scenario,
  stretch: Stretch,
  sources: Sources,
): Promise<Unsteady[]> {
  const certain = (list: string[]): Unsteady[] => list.map((why) => ({ why, certain: true }));
  return [
    ...certain(await gone(context)),
    ...certain(await withoutData(context, scenario, stretch)),
    ...certain(await blindAborts(scenario, stretch, sources)),
    ...failures(scenario, stretch, sources),
    // At a smaller scale a busy machine may be the reason.
    ...firing(context, scenario).map((why) => ({
      why,
      ...(context.timing.timeScale === 1 && { certain: true as const }),
    })),
  ];
}

/** Processes that ended before, by themselves or by a fault, and did not return. */
async function gone({ system }: Pick<RunContext, 'system'>): Promise<string[]> {
  await system.refresh().catch(() => undefined);
  const absent = system.description.processes.filter((p) => p.pid === 0);
  return absent.map((p) => `${p.name} does not run`);
}

/** The most common failures, if there are too many: `status 404 at home` is easier to fix than `errors is 1`. */
export function failures(
  { hypothesis }: Scenario,
  { startMs, endMs }: Stretch,
  { points }: Pick<Sources, 'points'>,
): Unsteady[] {
  const seen = points.between(startMs, endMs);
  const failed = seen.filter((p) => !p.ok);
  const most = Math.min(
    ...hypothesis.measures.map((m) => (m.client === 'errorRatio' ? (m.atMost ?? 1) : 1)),
  );
  if (failed.length <= most * seen.length) return [];
  const kinds = new Map<string, number>();
  for (const { route, status = 0, failure = 'no-answer' } of failed) {
    const how = failure === 'status' ? `status ${status}` : failure.replace('-', ' ');
    const kind = `${how} at ${route}`;
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  const told = [...kinds].sort((a, b) => b[1] - a[1]).slice(0, 3);
  const list = told.map(([kind, count]) => `${count} times ${kind}`).join(', ');
  const why = `${failed.length} of ${seen.length} requests failed: ${list}`;
  return [{ why, ...(failed.length === seen.length && { certain: true }) }];
}

/** An abort condition without data before the fault protects nobody, or ends the drill for no reason. */
async function blindAborts(
  { abort }: Scenario,
  stretch: Stretch,
  sources: Sources,
): Promise<string[]> {
  const blind: string[] = [];
  for (const condition of abort.filter((c) => c.noData === 'abort')) {
    const value = await valueOf(condition, stretch, sources).catch(() => undefined);
    if (value === undefined) {
      blind.push(`the abort condition '${condition.name}' has no data: ${exprText(condition)}`);
    }
  }
  return blind;
}

/** A paging alert that fires before the drill cannot be told from one that the drill causes. */
function firing({ watch }: Pick<RunContext, 'watch'>, { expect }: Scenario): string[] {
  if (expect.alreadyFiring === 'allowed') return [];
  const open = firingsOf(watch.notifications).filter((f) => f.resolvedAtMs === undefined);
  const counts = open.filter(
    (f) => wakes(f.severity) || expect.mustFire.some((wanted) => fulfils(f, wanted)),
  );
  return [...new Set(counts.map((f) => `${f.name} (${f.severity}) fires already`))];
}

/** SLOs without data among those whose alerts must fire: under load their events exist now, or never will. */
async function withoutData(
  { watch, groups }: Pick<RunContext, 'watch' | 'groups'>,
  { expect }: Scenario,
  { startMs, endMs }: Stretch,
): Promise<string[]> {
  const found: string[] = [];
  for (const wanted of expect.mustFire) {
    for (const rule of groups.flatMap((group) => group.rules)) {
      if (rule.kind !== 'alert' || rule.alert !== wanted.alert) continue;
      if (rule.labels.slo === undefined || rule.labels.severity !== wanted.severity) continue;
      const gap = await gapOf(rule.expr, { watch, groups, startMs, endMs });
      if (gap !== undefined) found.push(`${wanted.alert} has no data to fire on: ${gap}`);
    }
  }
  return found;
}
