/** Adds the theoretical detection time of each alert that must fire, computed from the measured disturbance. */
import { wakes } from '../../runbooks/pager.js';
import type { Firing, TheoryRecord } from '../../runbooks/record.js';
import { type Slo, sloNames } from '../../slo/index.js';
import { formatDurationMs } from '../../base/duration.js';
import type { AlertingRule, RuleGroup } from '../../slo/rules/model.js';
import { fillQuery } from '../scenarios/query.js';
import type { Expected } from '../scenarios/schema.js';
import { fulfils, isBlip } from './firings.js';
import type { ScenarioRun } from './run-scenario.js';
import { onsetOfSlo } from './onset.js';
import { firedSighting, withheldOf } from './withheld.js';
import { forBand, ratioBand, sloBand, type TheoryContext, theoryRecord } from './theory.js';

export async function theoriesOf(
  run: ScenarioRun,
  confirmedMs: number | undefined,
  firings: readonly Firing[],
): Promise<{ theories: (TheoryRecord | undefined)[]; onsetMs: number | undefined }> {
  const onsetMs = firstErrorMs(run);
  if (confirmedMs === undefined) return { theories: [], onsetMs };
  const theories: (TheoryRecord | undefined)[] = [];
  for (const wanted of run.scenario.expect.mustFire) {
    const arm = run.armStretches.find((s) => s.name === wanted.arm);
    const zeroMs = arm?.confirmedMs ?? confirmedMs;
    const fresh = firings.filter(
      (f) => f.firedAtMs >= (run.injectedMs ?? Infinity) && fulfils(f, wanted),
    );
    const own = fresh.find((f) => !isBlip(f, zeroMs)) ?? hiddenFiring(run, wanted);
    // The failures behind a firing that resolved before the fault took effect are not the fault's.
    const blips = fresh.filter((f) => isBlip(f, zeroMs));
    const sinceMs = Math.max(run.injectedMs ?? 0, ...blips.map((f) => f.resolvedAtMs ?? 0));
    theories.push(await theoryFor(run, wanted, own, zeroMs, { sinceMs }).catch(() => undefined));
  }
  return { theories, onsetMs };
}

/** The firing of an alert that must fire without a notification, as its rule was seen. */
function hiddenFiring(run: ScenarioRun, wanted: Expected): Pick<Firing, 'firedAtMs'> | undefined {
  if (!withheldOf(wanted)) return undefined;
  const sighting = firedSighting(wanted, run.sightings.all, run.injectedMs);
  return sighting && { firedAtMs: sighting.firingAtMs };
}

/** The time of the first failed answer: counters show failures from then on. */
function firstErrorMs(run: ScenarioRun, sinceMs = run.injectedMs): number | undefined {
  if (sinceMs === undefined) return undefined;
  let first = Infinity;
  for (const point of run.sources.points.all()) {
    const endMs = point.atMs + point.ms;
    if (!point.ok && endMs >= sinceMs && endMs < first) first = endMs;
  }
  return Number.isFinite(first) ? first : undefined;
}

/**
 * `nowMs`: while the alert is awaited; the theory then rests on the disturbance so far. `sinceMs`: earlier failures are
 * not the fault's.
 */
export async function theoryFor(
  run: ScenarioRun,
  wanted: Expected,
  firing: Pick<Firing, 'firedAtMs'> | undefined,
  confirmedMs: number,
  { sinceMs, nowMs }: { sinceMs?: number; nowMs?: number } = {},
): Promise<TheoryRecord | undefined> {
  const onsetMs = await onsetOf(run, wanted, confirmedMs, sinceMs ?? run.injectedMs);
  if (onsetMs === undefined || wanted.theory === 'none') return undefined;
  const { group, rule } = ruleOf(run.context.groups, wanted);
  const { timing } = run.context;
  const evaluationIntervalMs = group?.intervalMs ?? timing.evaluationIntervalMs;
  const context: TheoryContext = {
    timeScale: timing.timeScale,
    stepMs: timing.stepMs,
    scrapeIntervalMs: timing.scrapeIntervalMs,
    evaluationIntervalMs,
  };
  const stepRealMs = timing.stepMs * timing.timeScale;
  // Steps are recorded up to a scrape and an evaluation after the events that they count.
  const seenMs = nowMs === undefined ? undefined : nowMs - stepRealMs - timing.scrapeIntervalMs;
  if (seenMs !== undefined && seenMs < onsetMs + stepRealMs && wanted.theory !== 'for') return;
  const faultEndMs = run.phases.find((p) => p.kind === 'fault')?.endMs;
  const untilMs = firing?.firedAtMs ?? seenMs ?? faultEndMs ?? 0;
  let found;
  if (wanted.theory === 'for') found = forBand(rule, context);
  else if (wanted.theory === 'slo') found = await sloTheory(run, wanted, onsetMs, untilMs, context);
  else
    found = await ratioTheory(
      run,
      wanted.theory,
      { onsetMs, untilMs, forMs: rule?.forMs ?? 0 },
      context,
    );
  if (!found) return undefined;
  return theoryRecord(
    found.band,
    onsetMs - confirmedMs,
    firing === undefined ? undefined : firing.firedAtMs - confirmedMs,
    evaluationIntervalMs,
    found.basis,
  );
}

async function onsetOf(
  run: ScenarioRun,
  wanted: Expected,
  confirmedMs: number,
  sinceMs: number | undefined,
): Promise<number | undefined> {
  if (wanted.since === 'confirmed') return confirmedMs;
  if (wanted.since === 'first-error') return firstErrorOf(run, wanted, sinceMs);
  const faultEndMs = run.phases.find((p) => p.kind === 'fault')?.endMs ?? run.nowMs;
  const samples = await run.context.watch.query(wanted.since.promql, faultEndMs);
  const values = samples.map((s) => s.value).filter((v) => Number.isFinite(v));
  return values.length === 0 ? undefined : Math.min(...values) * 1000;
}

/** The time of the first failure among the SLO's own requests, if the alert belongs to an SLO. */
async function firstErrorOf(
  run: ScenarioRun,
  wanted: Expected,
  sinceMs: number | undefined,
): Promise<number | undefined> {
  const slo = run.context.slos.find((s) => sloOf(s, wanted));
  if (!slo || sinceMs === undefined) return firstErrorMs(run, sinceMs);
  const { stepMs, timeScale, scrapeIntervalMs } = run.context.timing;
  const own = await onsetOfSlo(slo, {
    watch: run.context.watch,
    points: run.sources.points.all(),
    sinceMs,
    endMs: run.phases.findLast((p) => p.kind === 'fault')?.endMs ?? run.nowMs,
    stepMs,
    stepRealMs: stepMs * timeScale,
    scrapeIntervalMs,
  });
  return own ?? firstErrorMs(run, sinceMs);
}

/** The alert's rule, for its `for` and its group's interval. */
function ruleOf(
  groups: readonly RuleGroup[],
  wanted: Expected,
): { group?: RuleGroup; rule?: AlertingRule } {
  for (const group of groups) {
    for (const rule of group.rules) {
      if (rule.kind !== 'alert' || rule.alert !== wanted.alert) continue;
      if ((rule.labels.severity ?? 'none') === wanted.severity) return { group, rule };
    }
  }
  return {};
}

async function sloTheory(
  run: ScenarioRun,
  wanted: Expected,
  onsetMs: number,
  untilMs: number,
  context: TheoryContext,
): ReturnType<typeof ratioTheory> {
  const slo = run.context.slos.find((s) => sloOf(s, wanted));
  if (!slo) return undefined;
  const { stepMs } = context;
  const stepRealMs = stepMs * context.timeScale;
  const sum = async (series: string, startMs: number, endMs: number): Promise<number> => {
    const range = formatDurationMs(Math.max(1, Math.round(endMs - startMs)));
    const expr = `sum(sum_over_time(${series}{${sloNames.sloLabel}="${slo.id}"}[${range}]))`;
    const [sample] = await run.context.watch.query(expr, endMs);
    return sample?.value ?? 0;
  };
  const bad = sloNames.badIncrease(stepMs);
  const total = sloNames.totalIncrease(stepMs);
  // Steps are recorded up to a scrape and an evaluation after the events that they count.
  const endMs = Math.max(untilMs, onsetMs + stepRealMs) + stepRealMs + context.scrapeIntervalMs;
  const sinceMs = Math.max(run.context.watchedSinceMs, onsetMs - 60_000);
  const events = await sum(total, onsetMs, endMs);
  const eventsBefore = await sum(total, sinceMs, onsetMs);
  if (events === 0 || eventsBefore === 0) return undefined;
  const ratePer = (count: number, ms: number): number => count / Math.max(1, ms);
  return sloBand(
    slo,
    wakes(wanted.severity) ? 'page' : 'ticket',
    {
      baseline: (await sum(bad, sinceMs, onsetMs)) / eventsBefore,
      errorRatio: (await sum(bad, onsetMs, endMs)) / events,
      trafficRatio: ratePer(events, endMs - onsetMs) / ratePer(eventsBefore, onsetMs - sinceMs),
      historyMs: onsetMs - run.context.watchedSinceMs,
    },
    context,
  );
}

const sloOf = (slo: Slo, wanted: Expected): boolean =>
  wanted.labels[sloNames.sloLabel] === slo.id ||
  (wanted.labels[sloNames.sloLabel] === undefined && slo.alerting.name === wanted.alert);

async function ratioTheory(
  run: ScenarioRun,
  theory: { ratio: number; windows: number[]; value: string },
  { onsetMs, untilMs, forMs }: { onsetMs: number; untilMs: number; forMs: number },
  context: TheoryContext,
): Promise<ReturnType<typeof sloBand>> {
  const { timeScale, scrapeIntervalMs } = context;
  const query = fillQuery(theory.value, timeScale, scrapeIntervalMs, untilMs - onsetMs);
  const [sample] = await run.context.watch.query(query, untilMs);
  if (!sample || !Number.isFinite(sample.value)) return undefined;
  // Ranges are at least four scrapes; see alerts/library/entry.ts.
  const windows = theory.windows.map((w) => Math.max(w * timeScale, 4 * scrapeIntervalMs));
  return ratioBand(theory.ratio, windows, { baseline: 0, value: sample.value }, forMs, context);
}
