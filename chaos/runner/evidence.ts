/** Evidence on alerts that the verdict needs in addition to notifications; asked of the watch at a scenario's end. */
import { askJson } from '../system/ask.js';
import type { ProcessEvent } from '../system/model.js';
import type { Expected } from '../scenarios/schema.js';
import type { AlertingRule } from '../../slo/rules/model.js';
import type { Firing } from '../../runbooks/record.js';
import { fulfils } from './firings.js';
import { gapOf, lostOf } from './gaps.js';
import type { Evidence } from './judge.js';
import type { Stretch } from './measure.js';
import { type Moment, momentOf } from './not-before.js';
import { reachedOf } from './reached.js';
import type { OutcomeFacts } from './outcome.js';
import type { ScenarioRun } from './run-scenario.js';
import { failures, type Unsteady } from './steady.js';
import { tellUnscraped } from './unscraped.js';

export async function gatherEvidence(
  run: ScenarioRun,
  firings: readonly Firing[],
  stretch: Stretch,
): Promise<
  Pick<
    Evidence,
    'rules' | 'sightings' | 'gaps' | 'reached' | 'moments' | 'trouble' | 'notBack' | 'blind'
  > & {
    processEvents: ProcessEvent[];
  }
> {
  const { groups } = run.context;
  await run.sightings.look(run.nowMs);
  const url = `${run.context.system.admin}/events`;
  const processEvents = await askJson<ProcessEvent[]>(url).catch(() => []);
  const rules = groups.flatMap((g) => g.rules).filter((r) => r.kind === 'alert');
  const { mustFire } = run.scenario.expect;
  const gaps: OutcomeFacts['gap'][] = [];
  const reached: (string | undefined)[] = [];
  for (const wanted of mustFire) {
    gaps.push(await gapFor(run, wanted, firings, stretch));
    reached.push(await reachedBy(run, wanted, firings));
  }
  return {
    rules,
    sightings: run.sightings.all,
    gaps,
    reached,
    moments: momentsOf(run, firings, processEvents),
    processEvents,
    trouble: run.sightings.trouble,
    notBack: await notBackOf(run),
    blind: await Promise.all(mustFire.map((wanted) => blindEnd(run, wanted, firings))),
  };
}

/** Causes, if the system is not steady in the second half of the recovery; empty without a recovery. */
async function notBackOf({ phases, scenario, sources, context }: ScenarioRun): Promise<Unsteady[]> {
  const recovery = phases.findLast((p) => p.kind === 'recovery');
  if (!recovery) return [];
  const { startMs, endMs } = recovery;
  const found = failures(scenario, { startMs: (startMs + endMs) / 2, endMs }, sources);
  await tellUnscraped(context.watch, (workload, text) => {
    found.push({ why: `${workload}: ${text}` });
  });
  return found;
}

/** An earlier scenario of the same day may have made the alert fire, too. */
const firingIn = (
  { injectedMs = Infinity }: Pick<ScenarioRun, 'injectedMs'>,
  wanted: Expected,
  firings: readonly Firing[],
): Firing | undefined => firings.find((f) => f.firedAtMs >= injectedMs && fulfils(f, wanted));

/** The rule of an alert that did not arrive; undefined if it arrived, or if nothing was injected. */
function silentRule(
  run: ScenarioRun,
  wanted: Expected,
  firings: readonly Firing[],
): AlertingRule | undefined {
  if (run.injectedMs === undefined || firingIn(run, wanted, firings)) return undefined;
  return run.context.groups
    .flatMap((g) => g.rules)
    .find(
      (r): r is AlertingRule =>
        r.kind === 'alert' &&
        r.alert === wanted.alert &&
        (r.labels.severity ?? wanted.severity) === wanted.severity,
    );
}

/** The nearest that the condition came to its threshold, from the injection to the fault's end. */
async function reachedBy(
  run: ScenarioRun,
  wanted: Expected,
  firings: readonly Firing[],
): Promise<string | undefined> {
  const rule = silentRule(run, wanted, firings);
  const { watch, timing } = run.context;
  if (!rule || run.injectedMs === undefined) return undefined;
  const endMs = run.phases.findLast((p) => p.kind === 'fault')?.endMs ?? run.nowMs;
  const stepMs = timing.evaluationIntervalMs;
  return reachedOf(rule.expr, { watch, startMs: run.injectedMs, endMs, stepMs });
}

/** Asked only if the alert did not arrive: an alert that arrived had its data. */
async function gapFor(
  run: ScenarioRun,
  wanted: Expected,
  firings: readonly Firing[],
  { startMs, endMs }: Stretch,
): Promise<OutcomeFacts['gap']> {
  const { groups, watch } = run.context;
  const rule = silentRule(run, wanted, firings);
  if (!rule) return undefined;
  const always = await gapOf(rule.expr, { watch, groups, startMs, endMs });
  if (always !== undefined) return { what: always, underFault: false };
  const fault = run.phases.findLast((p) => p.kind === 'fault');
  if (!fault) return undefined;
  // An aborted fault was on for too short a time to see any.
  if (fault.endMs - fault.startMs < 4 * run.context.timing.scrapeIntervalMs) return undefined;
  // In the fault's second half, scrapes from before the fault are no longer visible.
  const halfMs = (fault.startMs + fault.endMs) / 2;
  const half = { watch, groups, startMs: halfMs, endMs: fault.endMs };
  const before = { watch, groups, startMs, endMs: fault.startMs };
  const lost = (await gapOf(rule.expr, half)) ?? (await lostOf(rule.expr, before, half));
  return lost === undefined ? undefined : { what: lost, underFault: true };
}

/** Data that the rule of a received alert had before the fault, and has no more in the recovery: it ends without it. */
async function blindEnd(
  run: ScenarioRun,
  wanted: Expected,
  firings: readonly Firing[],
): Promise<string | undefined> {
  const { context, phases } = run;
  const [baseline] = phases;
  const recovery = phases.findLast((p) => p.kind === 'recovery');
  const own = firingIn(run, wanted, firings);
  if (!baseline || !recovery || !own || wanted.resolveWithin === undefined) return undefined;
  const { groups, watch, timing } = context;
  const rule = groups
    .flatMap((g) => g.rules)
    .find(
      (r) =>
        r.kind === 'alert' &&
        r.alert === own.name &&
        (r.labels.severity ?? own.severity) === own.severity,
    );
  const { startMs, endMs } = recovery;
  const lengthMs = Math.max((endMs - startMs) / 2, 3 * timing.scrapeIntervalMs);
  if (!rule) return undefined;
  const end = await gapOf(rule.expr, { watch, groups, startMs: endMs - lengthMs, endMs });
  if (end === undefined) return undefined;
  const before = { watch, groups, startMs: baseline.startMs, endMs: baseline.endMs };
  return (await gapOf(rule.expr, before)) === undefined ? end : undefined;
}

function momentsOf(
  run: ScenarioRun,
  firings: readonly Firing[],
  events: readonly ProcessEvent[],
): (Moment | undefined)[] {
  const { mustFire } = run.scenario.expect;
  const { injectedMs } = run;
  if (injectedMs === undefined || mustFire.every((w) => w.notBefore === undefined)) return [];
  const faults = run.injections.map((i) => i.record);
  return mustFire.map((wanted) => momentOf(wanted, { injectedMs, events, firings, faults }));
}
