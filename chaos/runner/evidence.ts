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

export async function gatherEvidence(
  run: ScenarioRun,
  firings: readonly Firing[],
  stretch: Stretch,
): Promise<
  Pick<Evidence, 'rules' | 'sightings' | 'gaps' | 'reached' | 'moments' | 'trouble'> & {
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
  };
}

/** The rule of an alert that did not arrive; undefined if it arrived, or if nothing was injected. */
function silentRule(
  run: ScenarioRun,
  wanted: Expected,
  firings: readonly Firing[],
): AlertingRule | undefined {
  if (run.injectedMs === undefined || firings.some((f) => fulfils(f, wanted))) return undefined;
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
  // In the fault's second half, scrapes from before the fault are no longer visible.
  const halfMs = (fault.startMs + fault.endMs) / 2;
  const half = { watch, groups, startMs: halfMs, endMs: fault.endMs };
  const before = { watch, groups, startMs, endMs: fault.startMs };
  const lost = (await gapOf(rule.expr, half)) ?? (await lostOf(rule.expr, before, half));
  return lost === undefined ? undefined : { what: lost, underFault: true };
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
