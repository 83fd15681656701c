/** The verdict, as a pure function of what was measured: every rule of it is a line here, and a row in its test. */
import type {
  AlertRef,
  ArmRecord,
  CheckRecord,
  ExpectationRecord,
  FaultRecord,
  LatenessRecord,
  MeasureRecord,
  TheoryRecord,
  Verdict,
} from '../../runbooks/record.js';
import type { Scenario } from '../scenarios/schema.js';
import { type Firing, matches } from './firings.js';
import { tooBusy } from './lateness.js';

export interface ArmStretch {
  name: string;
  startMs: number;
  endMs: number;
  /** When the trigger's effect was seen in this arm. */
  confirmedMs: number | undefined;
}

export interface Evidence {
  scenario: Scenario;
  /** What a nominal duration is multiplied by, and what is added to deadlines of alerts. */
  scale: number;
  allowanceMs: number;
  /** When the scenario's own baseline began: what fired before `injectedMs` and still does is set apart. */
  injectedMs: number | undefined;
  confirmedMs: number | undefined;
  rollbackEndMs: number | undefined;
  /** Stretches of the arms, for expectations bound to one. */
  armStretches: ArmStretch[];
  firings: readonly Firing[];
  faults: readonly FaultRecord[];
  before: readonly MeasureRecord[];
  during: readonly MeasureRecord[];
  after: readonly MeasureRecord[];
  checks: readonly CheckRecord[];
  arms: readonly ArmRecord[];
  /** By the alert's place in `mustFire`. */
  theories: readonly (TheoryRecord | undefined)[];
  load: { requests: number; due: number; failure: string | undefined };
  abort: string | undefined;
  interrupted: boolean;
  lateness: LatenessRecord;
  scrapeIntervalMs: number;
  residue: readonly string[];
}

export interface Judgement {
  verdict: Verdict;
  reasons: string[];
  expectations: ExpectationRecord[];
  allowed: AlertRef[];
  unexpected: AlertRef[];
  alreadyFiring: AlertRef[];
}

/** Below this share of the requests that were due, the load is held not to have run. */
const loadShare = 0.9;

export function judge(evidence: Evidence): Judgement {
  const { scenario, injectedMs } = evidence;
  const alreadyFiring =
    injectedMs === undefined
      ? []
      : evidence.firings.filter(
          (f) =>
            f.firedAtMs < injectedMs &&
            (f.resolvedAtMs === undefined || f.resolvedAtMs >= injectedMs),
        );
  const fresh = evidence.firings.filter(
    (f) => injectedMs !== undefined && f.firedAtMs >= injectedMs,
  );
  const expectations = scenario.expect.mustFire.map((wanted, i) =>
    expectation(evidence, wanted, fresh, evidence.theories[i]),
  );
  const isExpected = (f: Firing): boolean =>
    scenario.expect.mustFire.some((wanted) => matches(f, severe(wanted)));
  const isAllowed = (f: Firing): boolean =>
    scenario.expect.mayFire.some(
      (allowed) => matches(f, allowed) && (!allowed.onlyWhenScaled || evidence.scale !== 1),
    );
  const { nothingElse } = scenario.expect;
  const others = fresh.filter((f) => !isExpected(f));
  const forbidden = fresh.filter((f) =>
    scenario.expect.mustNotFire.some((not) => matches(f, not) && inArm(evidence, f, not.arm)),
  );
  const counts = (f: Firing): boolean =>
    nothingElse === 'all' || (nothingElse === 'page' && f.severity === 'page');
  const unexpected = [
    ...forbidden,
    ...others.filter((f) => !forbidden.includes(f) && !isAllowed(f) && counts(f)),
  ];

  const aborted = abortReasons(evidence);
  const inconclusive = inconclusiveReasons(evidence);
  const failed = [
    ...expectations.flatMap(expectationReasons),
    ...unexpected.map((f) => `${f.name} fired (${f.severity}) and was not expected`),
    ...measureReasons(evidence),
    ...armReasons(evidence),
    ...evidence.checks.filter((c) => !c.held).map((c) => `${c.name}: ${c.detail}`),
    ...evidence.residue.map((r) => `left behind: ${r}`),
  ];
  const busy = tooBusy(evidence.lateness, evidence.scrapeIntervalMs);
  if (busy !== undefined && failed.length + inconclusive.length > 0) {
    inconclusive.unshift(`this machine was too busy to judge: ${busy}`);
  }
  const verdict: Verdict =
    aborted.length > 0
      ? 'ABORTED'
      : inconclusive.length > 0
        ? 'INCONCLUSIVE'
        : failed.length > 0
          ? 'FAIL'
          : 'PASS';
  return {
    verdict,
    // What failed in a run that was aborted or cannot judge is told too, after the reason that counts.
    reasons: [...aborted, ...inconclusive, ...failed],
    expectations,
    allowed: others.filter((f) => !unexpected.includes(f)).map(refOf),
    unexpected: unexpected.map(refOf),
    alreadyFiring: alreadyFiring.map(refOf),
  };
}

type Wanted = Scenario['expect']['mustFire'][number];

const severe = (wanted: Wanted): { alert: string; labels: Record<string, string> } => ({
  alert: wanted.alert,
  labels: { severity: wanted.severity, ...wanted.labels },
});

const refOf = (f: Firing): AlertRef => ({
  name: f.name,
  labels: f.labels,
  severity: f.severity,
  firedAtMs: f.firedAtMs,
});

function inArm(evidence: Evidence, firing: Firing, arm: string | undefined): boolean {
  if (arm === undefined) return true;
  const stretch = evidence.armStretches.find((s) => s.name === arm);
  return (
    stretch !== undefined && firing.firedAtMs >= stretch.startMs && firing.firedAtMs < stretch.endMs
  );
}

function expectation(
  evidence: Evidence,
  wanted: Wanted,
  fresh: readonly Firing[],
  theory: TheoryRecord | undefined,
): ExpectationRecord {
  const { scale, allowanceMs, rollbackEndMs } = evidence;
  const arm = evidence.armStretches.find((s) => s.name === wanted.arm);
  const confirmedMs = arm ? arm.confirmedMs : evidence.confirmedMs;
  const own = fresh.filter((f) => matches(f, severe(wanted)) && inArm(evidence, f, wanted.arm));
  const [first] = own;
  const deadlineMs = wanted.within * scale + allowanceMs;
  const after = (ms: number | undefined): number | undefined =>
    ms === undefined || confirmedMs === undefined ? undefined : ms - confirmedMs;
  const receivedAfterMs = after(first?.receivedAtMs);
  const firedAfterMs = after(first?.firedAtMs);
  const record: ExpectationRecord = {
    name: wanted.alert,
    labels: wanted.labels,
    severity: wanted.severity,
    deadlineMs,
    ...(firedAfterMs !== undefined && { firedAfterMs }),
    ...(receivedAfterMs !== undefined && { receivedAfterMs }),
    inTime: receivedAfterMs !== undefined && receivedAfterMs <= deadlineMs,
    ...(theory && { theory }),
  };
  if (wanted.resolveWithin !== undefined) {
    const withinMs = wanted.resolveWithin * scale + allowanceMs;
    // Every firing must be over; the last one's end counts.
    const open = own.some((f) => f.resolvedAtMs === undefined);
    const ends = own.flatMap((f) => (f.resolvedAtMs === undefined ? [] : [f.resolvedAtMs]));
    const resolvedAfterMs =
      open || ends.length === 0 || rollbackEndMs === undefined
        ? undefined
        : Math.max(0, Math.max(...ends) - rollbackEndMs);
    record.resolve = {
      withinMs,
      ...(resolvedAfterMs !== undefined && { resolvedAfterMs }),
      inTime: resolvedAfterMs !== undefined && resolvedAfterMs <= withinMs,
    };
  }
  return record;
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

function expectationReasons(e: ExpectationRecord): string[] {
  const name = `${e.name} (${e.severity})`;
  if (e.receivedAfterMs === undefined) return [`${name} did not fire`];
  const reasons: string[] = [];
  if (!e.inTime) {
    reasons.push(
      `${name} came after ${seconds(e.receivedAfterMs)}, later than its deadline of ${seconds(e.deadlineMs)}`,
    );
  }
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

/** What each arm was to show: the amplification while the trigger lasted, and whether it came back by itself. */
function armReasons(evidence: Evidence): string[] {
  return (evidence.scenario.arms?.runs ?? []).flatMap((wanted) => {
    const arm = evidence.arms.find((a) => a.name === wanted.name);
    if (!arm) return evidence.abort === undefined ? [`arm '${wanted.name}' did not run`] : [];
    const reasons: string[] = [];
    if (wanted.expect !== 'either' && arm.verdict !== wanted.expect) {
      reasons.push(`arm '${arm.name}' is ${arm.verdict}, expected ${wanted.expect}`);
    }
    const worst = Math.max(arm.amplificationDuring, arm.amplificationAfter);
    const { amplificationAtLeast: least, amplificationAtMost: most } = wanted;
    const tries = `arm '${arm.name}' made ${worst.toFixed(2)} tries for each request`;
    if (least !== undefined && worst < least) reasons.push(`${tries}, expected at least ${least}`);
    if (most !== undefined && worst > most) reasons.push(`${tries}, expected at most ${most}`);
    return reasons;
  });
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
  if (evidence.injectedMs === undefined) return reasons;
  const { load } = evidence;
  if (load.failure !== undefined) reasons.push(`the load ended: ${load.failure}`);
  else if (load.requests < load.due * loadShare) {
    reasons.push(`the load did not run: ${load.requests} of ${Math.round(load.due)} requests`);
  }
  for (const fault of evidence.faults) {
    if (fault.effect === 0) {
      reasons.push(`${fault.id} had no effect on ${fault.target}: 0 ${fault.effectUnit}`);
    }
    if (fault.undo === 'lapsed') reasons.push(`${fault.id} lapsed before it was taken back`);
  }
  return reasons;
}

const measureText = (m: MeasureRecord): string =>
  `${m.name} is ${m.value === undefined ? 'without data' : Number(m.value.toPrecision(4))}, expected ${m.bound}`;

function measureReasons(evidence: Evidence): string[] {
  if (evidence.injectedMs === undefined) return [];
  return [
    ...evidence.during
      .filter((m) => !m.held)
      .map((m) => `not steady under the fault: ${measureText(m)}`),
    ...evidence.after
      .filter((m) => !m.held)
      .map((m) => `not steady after the rollback: ${measureText(m)}`),
  ];
}
