/**
 * Runs the same trigger under several policies, one after the other, and measures how far attempts exceed requests and
 * whether the system recovers by itself after the trigger. A system that does not recover is metastable: the overload
 * sustains itself.
 */
import type { ArmRecord } from '../../runbooks/record.js';
import type { Arms } from '../scenarios/schema.js';
import type { Injection } from './injection.js';
import type { Stretch } from './measure.js';
import { proveByArm } from './prove.js';
import type { ScenarioRun } from './run-scenario.js';

/** Goodput is measured over windows of this length. */
const windowMs = 1000;
const stepMs = 250;
/** The time limit for a policy to reach the proxies, and for goodput to recover between arms. */
const settleLimitMs = 40_000;

interface Counts {
  requests: number;
  tries: number;
}

export async function runArms(run: ScenarioRun): Promise<void> {
  const { arms } = run.scenario;
  if (!arms) return;
  for (const arm of arms.runs) {
    const startMs = run.nowMs;
    const stretch = { name: arm.name, startMs, endMs: Infinity, confirmedMs: undefined };
    run.armStretches.push(stretch);
    const isSettled = await runArm(run, arms, arm, run.armStretches.length - 1);
    stretch.endMs = run.nowMs;
    if (isSettled || arm === arms.runs.at(-1)) continue;
    const seconds = settleLimitMs / 1000;
    const why = `goodput was not back ${seconds} s after '${arm.name}': the next is not run`;
    run.unsteady.push({ why });
    return;
  }
}

/** The time when the effect of the last injection was confirmed; undefined if one was not confirmed. */
function allConfirmed(injections: readonly Injection[]): number | undefined {
  const times = injections.map((i) => i.record.confirmedMs ?? Infinity);
  const last = Math.max(...times);
  return Number.isFinite(last) ? last : undefined;
}

/** Resolves to whether goodput had recovered at the arm's end, so that the next arm can begin. */
async function runArm(
  run: ScenarioRun,
  arms: Arms,
  arm: Arms['runs'][number],
  index: number,
): Promise<boolean> {
  // All arms use the baseline's goodput, because the damage of an earlier arm is no reference for the next arm.
  const injectedMs = (run.injectedMs ?? run.nowMs) - run.context.load.lagMs;
  const baselineMs = Math.max(2 * windowMs, run.real(run.scenario.baseline));
  const before = goodput(run, arms, { startMs: injectedMs - baselineMs, endMs: injectedMs });
  const held: Injection[] = [];
  await run.phase('injection', arm.name, async () => {
    for (const fault of arm.faults) held.push(await run.inject(fault));
    // A policy takes a moment to reach the proxies.
    await run.wait(500, `${arm.name}: policy rolls out`, true);
  });
  const counts = (): Promise<Counts> => countsOf(run, arms);

  const start = await counts();
  const { during, triggers } = await underTrigger(run, arms, arm.name, held);
  const middle = await counts();
  run.whenConfirmed?.();
  run.whenConfirmed = undefined;
  const confirmedMs = allConfirmed([...held, ...triggers]);
  if (confirmedMs !== undefined) run.armStretches[index]!.confirmedMs = confirmedMs;

  let late = middle;
  const after = await run.phase('recovery', arm.name, async () => {
    const lengthMs = run.real(arms.observeFor);
    await run.wait(lengthMs / 2, `${arm.name}: trigger gone`, true);
    late = await counts();
    await run.wait(lengthMs / 2, `${arm.name}: trigger gone`, true);
  });
  const end = await counts();
  await run.wait(run.context.load.lagMs, `${arm.name}: the last answers come in`, true);
  const last = { startMs: Math.max(after.startMs, after.endMs - 2 * windowMs), endMs: after.endMs };
  const backMs = recoveredAt(run, arms, after, before);
  const record: ArmRecord = {
    name: arm.name,
    description: arm.description,
    triggerStartMs: during.startMs,
    triggerEndMs: during.endMs,
    amplificationDuring: amplification(start, middle),
    amplificationAfter: amplification(late, end),
    ...seenOf(run, arms, triggers, during),
    goodputBefore: before,
    goodputAfter: goodput(run, arms, last),
    ...(backMs !== undefined && { recoveredAfterMs: backMs - during.endMs }),
    verdict: backMs === undefined ? 'metastable' : 'recovered',
  };
  run.arms.push(record);
  if (index === 0) await proveByArm(run, record, held);

  await run.phase('rollback', arm.name, async () => {
    for (const injection of held.toReversed()) await run.endInjection(injection);
  });
  return settled(run, arms, arm.name, before * arms.goodput.backTo);
}

/**
 * Waits until goodput has recovered, so that the next arm begins from a steady state; resolves to whether it recovered.
 */
async function settled(
  run: ScenarioRun,
  arms: Arms,
  name: string,
  least: number,
): Promise<boolean> {
  let isBack = false;
  await run.phase('recovery', name, async () => {
    const limitMs = run.nowMs + settleLimitMs;
    while (!isBack && run.nowMs < limitMs) {
      await run.wait(stepMs, `${name}: settling`, false);
      const endMs = run.nowMs - run.context.load.lagMs;
      isBack = goodput(run, arms, { startMs: endMs - windowMs, endMs }) >= least;
    }
  });
  return isBack;
}

/** Runs the trigger for the duration in the scenario. */
async function underTrigger(
  run: ScenarioRun,
  arms: Arms,
  name: string,
  held: readonly Injection[],
): Promise<{ during: Stretch; triggers: Injection[] }> {
  const triggers: Injection[] = [];
  const during = await run.phase('fault', name, async () => {
    for (const fault of arms.trigger) triggers.push(await run.inject(fault));
    // The arm's deadlines start here, so that a live view shows them while they run.
    run.whenConfirmed = () => {
      const fromMs = allConfirmed([...held, ...triggers]);
      if (fromMs === undefined) return;
      run.whenConfirmed = undefined;
      run.live.arm(name, fromMs, run.armStretches.at(-1)?.startMs);
    };
    run.whenConfirmed();
    await run.wait(run.real(arms.triggerFor), `${name}: trigger on`, true);
    for (const trigger of triggers.toReversed()) await run.endInjection(trigger);
  });
  return { during, triggers };
}

/** The number of requests that the trigger struck, and the failures among the route's due requests in that time. */
function seenOf(
  run: ScenarioRun,
  arms: Arms,
  triggers: readonly Injection[],
  { startMs, endMs }: Stretch,
): Pick<ArmRecord, 'struck' | 'failed'> {
  const due = run.sources.points.between(startMs, endMs, arms.goodput.route);
  return {
    struck: triggers.reduce((sum, { record }) => sum + record.effect, 0),
    failed: due.filter((p) => !p.ok).length,
  };
}

async function countsOf(run: ScenarioRun, arms: Arms): Promise<Counts> {
  const read = async (name: string): Promise<number> => {
    const [service = '', counter = ''] = name.split('.');
    return (await run.context.system.counters(service))[counter] ?? 0;
  };
  return {
    requests: await read(arms.amplification.requests),
    tries: await read(arms.amplification.tries),
  };
}

const amplification = (from: Counts, to: Counts): number =>
  to.requests === from.requests ? 0 : (to.tries - from.tries) / (to.requests - from.requests);

/** Successful answers per second that ended in the stretch. */
function goodput(run: ScenarioRun, arms: Arms, stretch: Stretch): number {
  const { startMs, endMs } = stretch;
  const good = run.sources.points
    .endedBetween(startMs, endMs, arms.goodput.route)
    .filter((p) => p.ok);
  return good.length / ((endMs - startMs) / 1000);
}

/** The time from which goodput had recovered and stayed so; undefined if it had not by the end. */
function recoveredAt(
  run: ScenarioRun,
  arms: Arms,
  after: Stretch,
  before: number,
): number | undefined {
  let backMs: number | undefined;
  for (let endMs = after.startMs + windowMs; endMs <= after.endMs; endMs += stepMs) {
    const good = goodput(run, arms, { startMs: endMs - windowMs, endMs });
    if (good < before * arms.goodput.backTo) backMs = undefined;
    else backMs ??= endMs - windowMs;
  }
  return backMs;
}
