/** The verdict as a pure function of the measurements: each of its rules is a line here, and a row in its test. */
import { wakes } from '../../runbooks/pager.js';
import type {
  AlertRef,
  ArmRecord,
  CheckRecord,
  DeathRecord,
  ExpectationRecord,
  FaultRecord,
  Firing,
  LatenessRecord,
  MeasureRecord,
  SilenceRecord,
  TheoryRecord,
  Verdict,
} from '../../runbooks/record.js';
import { deathText, silenceText } from '../../runbooks/words.js';
import type { Scenario } from '../scenarios/schema.js';
import type { AlertingRule } from '../../slo/rules/model.js';
import { tooFewStruck, unmetArms } from './arm-claims.js';
import { fulfils, matches, receivedMs } from './firings.js';
import { tooBusy } from './lateness.js';
import type { Moment } from './not-before.js';
import { type OutcomeFacts, outcomeOf, ownFirings } from './outcome.js';
import type { Sighting } from './sightings.js';
import type { Unsteady } from './steady.js';
import { firedSighting, withheldOf, withheldOutcome } from './withheld.js';

export interface ArmStretch {
  name: string;
  startMs: number;
  endMs: number;
  /** The time when the trigger's effect was confirmed in this arm. */
  confirmedMs: number | undefined;
}

export interface Evidence {
  scenario: Scenario;
  /** The factor for nominal durations, and the allowance added to the deadlines of alerts. */
  scale: number;
  allowanceMs: number;
  /**
   * The start of the scenario's own baseline: alerts that fired before `injectedMs` and still fire are listed
   * separately.
   */
  injectedMs: number | undefined;
  confirmedMs: number | undefined;
  rollbackEndMs: number | undefined;
  /** Stretches of the arms, for expectations bound to one arm. */
  armStretches: ArmStretch[];
  firings: readonly Firing[];
  /** All loaded rules, and the last known state of the expected alerts. */
  rules: readonly AlertingRule[];
  sightings: readonly Sighting[];
  /** By the alert's place in `mustFire`: the reason why it has no data, and the event that it must not precede. */
  gaps: readonly OutcomeFacts['gap'][];
  moments: readonly (Moment | undefined)[];
  /** By the alert's place in `mustFire`: how near its condition came to its threshold. */
  reached?: readonly (string | undefined)[];
  /** The reason why nobody could be notified, such as an Alertmanager that ended. */
  trouble: string | undefined;
  faults: readonly FaultRecord[];
  before: readonly MeasureRecord[];
  /** Other obstacles to a steady state: a paging alert that fires, an SLO without data. */
  notSteady: readonly Unsteady[];
  during: readonly MeasureRecord[];
  after: readonly MeasureRecord[];
  /** By the alert's place in `mustFire`: the data that it no longer had when it ended. */
  blind?: readonly (string | undefined)[];
  /** Causes, if `after` does not hold. */
  notBack: readonly Unsteady[];
  checks: readonly CheckRecord[];
  arms: readonly ArmRecord[];
  /** By the alert's place in `mustFire`. */
  theories: readonly (TheoryRecord | undefined)[];
  load: { requests: number; due: number; failure: string | undefined };
  abort: string | undefined;
  /** The fault that could not be injected, and the reason: the scenario ended there. */
  notInjected?: string | undefined;
  interrupted: boolean;
  lateness: LatenessRecord;
  scrapeIntervalMs: number;
  residue: readonly string[];
  /** Stretches in which callers failed and nobody was paged. */
  silences: readonly SilenceRecord[];
  /** Processes that ended without a fault of the scenario as the cause. */
  dead: readonly DeathRecord[];
}

export interface Judgement {
  verdict: Verdict;
  reasons: string[];
  expectations: ExpectationRecord[];
  allowed: AlertRef[];
  unexpected: AlertRef[];
  alreadyFiring: AlertRef[];
}

/** Below this share of the due requests, the load counts as not run. */
const loadShare = 0.9;

export function judge(evidence: Evidence): Judgement {
  const { scenario } = evidence;
  const alreadyFiring = firingBefore(evidence);
  const expectations = scenario.expect.mustFire.map((wanted, i) =>
    expectation(evidence, wanted, i),
  );
  const { others, unexpected } = sorted(evidence);
  const aborted = abortReasons(evidence);
  // A system that answers nothing after the rollback is broken, however busy the machine is.
  const isDead = evidence.notBack.some((u) => u.certain);
  const inconclusive = [
    ...inconclusiveReasons(evidence),
    ...expectations.filter((e) => isEnvironment(e)).flatMap(expectationReasons),
    ...(isDead ? [] : expectations.flatMap((e, i) => blindReasons(e, evidence.blind?.[i]))),
  ];
  // A machine that cannot keep time makes an alert late, but does not turn a page into a ticket.
  const timely = expectations.filter((e) => !isEnvironment(e) && !isStructural(e));
  // The cause comes before its consequences.
  const deaths = evidence.dead.map((death) => deathText(death, evidence.faults));
  const structural = [
    ...expectations.filter(isStructural).flatMap(expectationReasons),
    ...evidence.residue.map((r) => `left behind: ${r}`),
    ...(isDead ? [...deaths, ...notBackReasons(evidence)] : []),
  ];
  const timing = [
    ...(isDead ? [] : deaths),
    ...timely.flatMap(expectationReasons),
    // One line a name, for however many series it fired.
    ...new Set(unexpected.map((f) => `${f.name} fired (${f.severity}) and was not expected`)),
    ...silenceReasons(evidence),
    ...measureReasons(evidence),
    ...(isDead ? [] : notBackReasons(evidence)),
    ...(evidence.injectedMs === undefined ? [] : unmetArms(evidence)),
    ...evidence.checks.filter((c) => !c.held).map((c) => `${c.name}: ${c.detail}`),
  ];
  const failed = [...structural, ...timing];
  const busy = tooBusy(evidence.lateness, evidence.scrapeIntervalMs);
  if (busy !== undefined && structural.length === 0 && timing.length + inconclusive.length > 0) {
    const why = `this machine was too busy to judge: ${busy}`;
    inconclusive[isCauseKnown(evidence) ? 'push' : 'unshift'](why);
  }
  return {
    verdict: verdictOf(aborted, inconclusive, failed),
    // If a run was aborted or cannot judge, its failures follow the decisive reason. An interrupted run had no time for
    // its checks, so it only reports its remains.
    reasons: evidence.interrupted
      ? [...aborted, ...evidence.residue.map((r) => `left behind: ${r}`)]
      : [...aborted, ...inconclusive, ...failed],
    expectations,
    allowed: others.filter((f) => !unexpected.includes(f)).map(refOf),
    unexpected: unexpected.map(refOf),
    alreadyFiring: alreadyFiring.map(refOf),
  };
}

/**
 * A metric, a process or a watch that is not there is not there on a quiet machine either, and a fault whose counter
 * stood still struck nothing.
 */
const isCauseKnown = (evidence: Evidence): boolean => {
  const { blind = [], trouble, notInjected, faults, before, notSteady } = evidence;
  return (
    trouble !== undefined ||
    notInjected !== undefined ||
    blind.some((gap) => gap !== undefined) ||
    faults.some((f) => f.effect === 0 || f.lapsedBy !== undefined) ||
    before.some((m) => m.source === 'promql' && m.value === undefined) ||
    notSteady.some((u) => u.certain)
  );
};

const verdictOf = (
  aborted: readonly string[],
  inconclusive: readonly string[],
  failed: readonly string[],
): Verdict => {
  if (aborted.length > 0) return 'ABORTED';
  if (inconclusive.length > 0) return 'INCONCLUSIVE';
  return failed.length > 0 ? 'FAIL' : 'PASS';
};

/** Alerts that fired before the injection and still fired then; they prove nothing. */
export function firingBefore({
  firings,
  injectedMs,
}: Pick<Evidence, 'firings' | 'injectedMs'>): Firing[] {
  if (injectedMs === undefined) return [];
  return firings.filter(
    (f) =>
      f.firedAtMs < injectedMs && (f.resolvedAtMs === undefined || f.resolvedAtMs >= injectedMs),
  );
}

const freshOf = ({ firings, injectedMs }: Evidence): Firing[] =>
  firings.filter((f) => injectedMs !== undefined && f.firedAtMs >= injectedMs);

/** Splits firings beyond the expected ones: all of them, and those that fail the scenario. */
function sorted(evidence: Evidence): { others: Firing[]; unexpected: Firing[] } {
  const { mustFire, mayFire, mustNotFire, nothingElse } = evidence.scenario.expect;
  const fresh = freshOf(evidence);
  // An alert that only another receiver got was expected: its expectation says where it went.
  const isExpected = (f: Firing): boolean =>
    mustFire.some(
      ({ receiver, ...anywhere }) =>
        fulfils(f, { ...anywhere, receiver }) ||
        (fulfils(f, anywhere) && !fresh.some((other) => fulfils(other, { ...anywhere, receiver }))),
    );
  const isAllowed = (f: Firing): boolean =>
    mayFire.some(
      (allowed) => matches(f, allowed) && (!allowed.onlyWhenScaled || evidence.scale !== 1),
    );
  const others = fresh.filter((f) => !isExpected(f));
  const forbidden = fresh.filter((f) =>
    mustNotFire.some((not) => matches(f, not) && inArm(evidence, f, not.arm)),
  );
  const counts = (f: Firing): boolean =>
    nothingElse === 'all' || (nothingElse === 'page' && wakes(f.severity));
  const unexpected = [
    ...forbidden,
    ...others.filter((f) => !forbidden.includes(f) && !isAllowed(f) && counts(f)),
  ];
  return { others, unexpected };
}

/** The alert is wrong as written, even on the quietest machine. */
const isStructural = (e: ExpectationRecord): boolean => e.outcome?.certain === true;

/** The alert is not at fault: nothing could have fired it, or nobody could have been notified. */
const isEnvironment = (e: ExpectationRecord): boolean =>
  e.outcome?.kind === 'nobody-watching' ||
  e.outcome?.kind === 'already-firing' ||
  e.outcome?.kind === 'already-pending' ||
  e.outcome?.kind === 'no-data';

type Wanted = Scenario['expect']['mustFire'][number];

const refOf = (f: Firing): AlertRef => ({
  name: f.name,
  labels: f.labels,
  severity: f.severity,
  firedAtMs: f.firedAtMs,
});

function inArm(
  evidence: Evidence,
  firing: Pick<Firing, 'firedAtMs'>,
  arm: string | undefined,
): boolean {
  if (arm === undefined) return true;
  const stretch = evidence.armStretches.find((s) => s.name === arm);
  return (
    stretch !== undefined && firing.firedAtMs >= stretch.startMs && firing.firedAtMs < stretch.endMs
  );
}

/** Whether any fault was put: one that could not be injected asks no alert anything. */
const isAsked = ({ notInjected, confirmedMs }: Evidence): boolean =>
  notInjected === undefined || confirmedMs !== undefined;

function expectation(evidence: Evidence, wanted: Wanted, i: number): ExpectationRecord {
  const { scale, allowanceMs, rollbackEndMs } = evidence;
  const arm = evidence.armStretches.find((s) => s.name === wanted.arm);
  const confirmedMs = arm ? arm.confirmedMs : evidence.confirmedMs;
  const deadlineMs = wanted.within * scale + allowanceMs;
  const theory = evidence.theories[i];
  const facts: OutcomeFacts = {
    wanted,
    injectedMs: isAsked(evidence) ? evidence.injectedMs : undefined,
    confirmedMs,
    deadlineMs,
    rules: evidence.rules,
    inStretch: (f) => inArm(evidence, f, wanted.arm),
    firings: evidence.firings,
    sightings: evidence.sightings,
    notBefore: evidence.moments[i],
    gap: evidence.gaps[i],
    reached: evidence.reached?.[i],
    trouble: evidence.trouble,
    theory,
  };
  const own = ownFirings(facts);
  const [first] = own;
  const withheld = withheldOf(wanted);
  const sighting = withheld && firedSighting(wanted, evidence.sightings, evidence.injectedMs);
  const after = (ms: number | undefined): number | undefined =>
    ms === undefined || confirmedMs === undefined ? undefined : ms - confirmedMs;
  const receivedAfterMs = after(first && receivedMs(first, wanted.receiver));
  const firedAfterMs = after(sighting?.firingAtMs ?? first?.firedAtMs);
  const ends = sighting ? [sighting.endedAtMs] : own.map((f) => f.resolvedAtMs);
  const resolve = resolveRecord(evidence, wanted, ends, rollbackEndMs);
  const times = {
    deadlineMs,
    firedMs: firedAfterMs,
    receivedMs: receivedAfterMs,
    rollbackEndMs: after(rollbackEndMs),
  };
  const hidden = withheld && withheldOutcome(withheld, sighting, times);
  const isHidden = hidden !== undefined && hidden.kind === withheld?.how && !hidden.certain;
  const countsMs = withheld ? (isHidden ? firedAfterMs : undefined) : receivedAfterMs;
  return {
    name: wanted.alert,
    labels: wanted.labels,
    severity: wanted.severity,
    ...(wanted.receiver !== undefined && { receiver: wanted.receiver }),
    deadlineMs,
    ...(firedAfterMs !== undefined && { firedAfterMs }),
    ...(receivedAfterMs !== undefined && { receivedAfterMs }),
    inTime: countsMs !== undefined && countsMs <= deadlineMs,
    ...(withheld && { withheld }),
    outcome: hidden ?? outcomeOf(facts),
    ...(theory && {
      theory: {
        ...theory,
        ...(wanted.mayMissTheory !== undefined && { mayMiss: wanted.mayMissTheory }),
      },
    }),
    ...(resolve && { resolve }),
  };
}

/** Every firing must have ended; the end of the last one counts. */
function resolveRecord(
  { scale, allowanceMs }: Evidence,
  { resolveWithin }: Wanted,
  all: readonly (number | undefined)[],
  rollbackEndMs: number | undefined,
): ExpectationRecord['resolve'] {
  if (resolveWithin === undefined) return undefined;
  const withinMs = resolveWithin * scale + allowanceMs;
  const ends = all.filter((ms) => ms !== undefined);
  const open = ends.length < all.length;
  const resolvedAfterMs =
    open || ends.length === 0 || rollbackEndMs === undefined
      ? undefined
      : Math.max(0, Math.max(...ends) - rollbackEndMs);
  return {
    withinMs,
    ...(resolvedAfterMs !== undefined && { resolvedAfterMs }),
    inTime: resolvedAfterMs !== undefined && resolvedAfterMs <= withinMs,
  };
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

function expectationReasons(e: ExpectationRecord): string[] {
  const name = `${e.name} (${e.severity})`;
  if (e.outcome?.kind === 'not-injected') return [];
  if (e.receivedAfterMs === undefined && !e.inTime)
    return [`${name} ${e.outcome?.text ?? 'did not fire'}`];
  const reasons: string[] = [];
  if (!e.inTime) reasons.push(`${name} ${e.outcome?.text ?? 'came too late'}`);
  const missed = theoryMiss(e);
  if (missed !== undefined && e.theory?.mayMiss === undefined) reasons.push(`${name} ${missed}`);
  if (e.resolve && !e.resolve.inTime) {
    const { resolvedAfterMs, withinMs } = e.resolve;
    const when =
      resolvedAfterMs === undefined
        ? 'did not resolve'
        : `resolved after ${seconds(resolvedAfterMs)}`;
    reasons.push(`${name} ${when}, where ${seconds(withinMs)} were allowed`);
  }
  return reasons;
}

/** An alert whose data ended resolves, however its system is. */
const blindReasons = ({ name, severity, resolve }: ExpectationRecord, gap?: string): string[] =>
  gap !== undefined && resolve?.inTime
    ? [
        `${name} (${severity}) resolved because its data ended (${gap}): nobody knows whether it is over`,
      ]
    : [];

/** How far a fired alert lies outside of its theoretical range, with a grace of one evaluation interval. */
function theoryMiss({ theory, firedAfterMs }: ExpectationRecord): string | undefined {
  if (!theory || theory.within || firedAfterMs === undefined) return undefined;
  const { earliestMs, latestMs } = theory;
  const early = firedAfterMs < earliestMs;
  const by = early ? earliestMs - firedAfterMs : firedAfterMs - latestMs;
  return (
    `fired after ${seconds(firedAfterMs)}, ${seconds(by)} ${early ? 'earlier' : 'later'} than expected ` +
    `(${seconds(earliestMs)} to ${seconds(latestMs)}: ${theory.basis})`
  );
}

/** Callers failed and nobody was paged: unless the scenario gives a reason, the rules are blind. */
function silenceReasons({ scenario, silences }: Evidence): string[] {
  if (scenario.expect.mayBeSilent !== undefined) return [];
  return silences.map((s) => `silent failure: ${silenceText(s)}`);
}

function abortReasons(evidence: Evidence): string[] {
  if (evidence.interrupted) return ['interrupted'];
  return evidence.abort === undefined ? [] : [evidence.abort];
}

function inconclusiveReasons(evidence: Evidence): string[] {
  const reasons: string[] = [];
  for (const m of evidence.before) {
    if (!m.held) reasons.push(`not steady before the injection: ${measureText(m)}`);
  }
  reasons.push(...evidence.notSteady.map(({ why }) => `not steady before the injection: ${why}`));
  if (evidence.trouble !== undefined) {
    const isTold = evidence.firings.some((f) => f.firedAtMs >= (evidence.injectedMs ?? Infinity));
    const lost = isTold ? 'not watched to the end' : 'nobody could be notified of anything';
    reasons.push(`${lost}: ${evidence.trouble}`);
  }
  const { load } = evidence;
  if (load.failure !== undefined) reasons.unshift(`the load ended: ${load.failure}`);
  if (evidence.injectedMs === undefined) {
    return reasons.length > 0 ? reasons : ['nothing was injected'];
  }
  if (load.failure === undefined && load.requests < load.due * loadShare) {
    reasons.push(`the load did not run: ${load.requests} of ${Math.round(load.due)} requests`);
  }
  return [...reasons, ...faultReasons(evidence), ...tooFewStruck(evidence)];
}

/** Kinds that slow only what a sidecar or relay has to hold back. */
const limits: ReadonlySet<string> = new Set(['throttle', 'bandwidth']);

function faultReasons(evidence: Evidence): string[] {
  const { scenario, faults, abort, notInjected, interrupted } = evidence;
  // The scenario ended before the others could have an effect.
  if (notInjected !== undefined) return [notInjected];
  const reasons: string[] = [];
  for (const fault of faults) {
    const { id, kind, target, effect, effectUnit, lapsedBy } = fault;
    if (effect === 0) {
      const unasked = limits.has(kind)
        ? '; is any answer longer than one piece?'
        : target.includes('/')
          ? '; does a route of the load lead there?'
          : '';
      const why = lapsedBy ?? `0 ${effectUnit}${unasked}`;
      reasons.push(`${id} had no effect on ${target}: ${why}`);
    } else if (lapsedBy !== undefined) {
      reasons.push(`${id} was over before it was rolled back: ${lapsedBy}`);
    }
    if (fault.undo === 'lapsed' && lapsedBy === undefined) {
      reasons.push(`${id} lapsed before it was rolled back`);
    }
  }
  // A stopped run had no time for these checks.
  if (abort !== undefined || interrupted) return reasons;
  for (const { id } of scenario.faults) {
    if (!faults.some((f) => f.id === id)) {
      reasons.push(`the fault ${id} was never put: the fault phase ended before it was due`);
    }
  }
  if (faults.length === 0 && scenario.faults.length === 0) reasons.push('nothing was injected');
  return reasons;
}

const measureText = (m: MeasureRecord): string =>
  `${m.name} is ${m.value === undefined ? 'without data' : Number(m.value.toPrecision(4))}, expected ${m.bound}`;

function measureReasons(evidence: Evidence): string[] {
  if (evidence.injectedMs === undefined) return [];
  return evidence.during
    .filter((m) => !m.held)
    .map((m) => `not steady under the fault: ${measureText(m)}`);
}

function notBackReasons({ injectedMs, after, notBack }: Evidence): string[] {
  const missed = after.filter((m) => !m.held).map(measureText);
  if (injectedMs === undefined || missed.length === 0) return [];
  // The cause comes first.
  return [...notBack.map(({ why }) => why), ...missed].map(
    (why) => `not steady after the rollback: ${why}`,
  );
}
