/** result.json: the result of a game day for programs; small, in seconds, and documented in RESULT.md. */
import * as z from 'zod';
import type { HintRecord } from '../hint-record.js';
import { UserError } from '../../base/errors.js';
import { parseJson } from '../../base/json-text.js';
import { wordsOf } from '../../base/yaml.js';
import { pagerTally } from '../pager.js';
import { ruleText } from '../words.js';
import { outcomeKinds } from '../record.js';
import type {
  ClientTotals,
  ExpectationRecord,
  GameDayRecord,
  MeasureRecord,
  RunbookProofRecord,
  ScenarioRecord,
} from '../record.js';

const seconds = z.number();
const text = z.string();
const verdict = z.enum(['PASS', 'FAIL', 'INCONCLUSIVE', 'ABORTED']);

const client = z.strictObject({
  requests: z.number(),
  errors: z.number(),
  /** Milliseconds. */
  p50: z.number(),
  p95: z.number(),
  p99: z.number(),
});

const measure = z.strictObject({
  name: text,
  bound: text,
  unit: text,
  value: z.number().nullable(),
  held: z.boolean(),
});

const expectedAlert = z.strictObject({
  name: text,
  labels: z.record(text, text),
  severity: text,
  deadlineSeconds: seconds,
  /** From the fault's confirmation to the receiver's notification; null if the alert never arrived. */
  firedAfterSeconds: seconds.nullable(),
  /** Computed from the rule; null if there is no theory. */
  theoreticalSeconds: seconds.nullable(),
  inTime: z.boolean(),
  /** The named outcome; absent in results from before outcomes existed. */
  outcome: z.enum(outcomeKinds).optional(),
  /** Follows the alert's name: `fired as a ticket, expected a page`. */
  outcomeText: text.optional(),
  /** The theoretical range in seconds, and whether the alert fired within it; null if there is no theory. */
  theory: z
    .strictObject({ earliestSeconds: seconds, latestSeconds: seconds, within: z.boolean() })
    .nullable()
    .optional(),
  /** From the end of the rollback; null if the alert never resolved, or need not. */
  resolvedAfterSeconds: seconds.nullable(),
});

const pager = z.strictObject({
  expected: z.number(),
  allowed: z.number(),
  unexpected: z.number(),
  outside: z.number(),
});

const alert = z.strictObject({
  name: text,
  severity: text,
  labels: z.record(text, text),
  at: text,
});

const scenario = z.strictObject({
  id: text,
  title: text,
  failureMode: text.optional(),
  verdict,
  reasons: z.array(text),
  startedAt: text,
  durationSeconds: seconds,
  hypothesis: z.strictObject({
    title: text,
    before: z.array(measure),
    during: z.array(measure),
    after: z.array(measure),
  }),
  faults: z.array(
    z.strictObject({
      kind: text,
      target: text,
      startedAt: text,
      /** The time when the fault was confirmed; null if it never was. */
      confirmedAt: text.nullable(),
      endedAt: text.nullable(),
      effect: z.number(),
      effectUnit: text,
    }),
  ),
  expectedAlerts: z.array(expectedAlert),
  unexpectedAlerts: z.array(alert),
  pages: pager.optional(),
  tickets: pager.optional(),
  /** Callers failed for a while, and nobody was paged. */
  silentFailures: z
    .array(
      z.strictObject({
        route: text,
        seconds,
        errors: z.number(),
        requests: z.number(),
        /** PromQL, or the query of a probe. */
        rule: text.nullable(),
      }),
    )
    .optional(),
  /** Hints that the team was given. */
  hints: z.array(z.strictObject({ afterSeconds: seconds, text, by: text.nullable() })).optional(),
  /** The proof of the scenario's runbook (--prove-runbooks). */
  runbook: z
    .strictObject({
      page: text,
      asked: z.number(),
      answeredOtherwise: z.number(),
      steps: z.array(z.strictObject({ command: text, code: z.union([z.number(), text]) })),
      endedAfterSeconds: seconds.nullable(),
      pages: z.array(text).optional(),
      why: text.optional(),
    })
    .optional(),
  rollback: z.strictObject({
    done: z.boolean(),
    leftBehind: z.array(text),
    died: z.array(text).optional(),
  }),
  checks: z.array(z.strictObject({ name: text, held: z.boolean(), detail: text })),
  arms: z.array(
    z.strictObject({
      name: text,
      amplificationDuring: z.number(),
      amplificationAfter: z.number(),
      struck: z.number().optional(),
      failed: z.number().optional(),
      recoveredAfterSeconds: seconds.nullable(),
      verdict: z.enum(['recovered', 'metastable']),
    }),
  ),
  client,
});

export const resultSchema = z.strictObject({
  /** Grows when a field changes its meaning. */
  version: z.literal(1),
  id: text,
  title: text,
  firedrillVersion: text,
  verdict,
  exitCode: z.number(),
  startedAt: text,
  durationSeconds: seconds,
  /** The factor for the rules' times, such as 1/240. */
  timeScale: text,
  timeScaleWhy: text.optional(),
  /** Differences of the rules and the routing from production. */
  remarks: z.array(text).optional(),
  engine: z.enum(['prometheus', 'embedded']),
  load: z.enum(['k6', 'embedded', 'locust', 'existing']),
  client,
  /** The pages and tickets that people would have received. */
  pages: pager.optional(),
  tickets: pager.optional(),
  budgets: z.array(
    z.strictObject({
      slo: text,
      objective: z.number(),
      total: z.number(),
      bad: z.number(),
      spentOfPeriod: z.number(),
    }),
  ),
  scenarios: z.array(scenario),
});

export type GameDayResult = z.infer<typeof resultSchema>;

const inSeconds = (ms: number): number => Math.round(ms) / 1000;
const secondsOrNull = (ms: number | undefined): number | null =>
  ms === undefined ? null : inSeconds(ms);

const limitMs = 8.64e15;
const instant = (ms: number): string =>
  new Date(Math.max(-limitMs, Math.min(limitMs, ms))).toISOString();
const instantOrNull = (ms: number | undefined): string | null =>
  ms === undefined ? null : instant(ms);

export function resultOf(record: GameDayRecord): GameDayResult {
  return {
    version: 1,
    id: record.id,
    title: record.title,
    firedrillVersion: record.firedrillVersion,
    verdict: record.verdict,
    exitCode: record.exitCode,
    startedAt: instant(record.startedMs),
    durationSeconds: inSeconds(record.endedMs - record.startedMs),
    timeScale: record.timeScale.text,
    ...(record.timeScale.why !== undefined && { timeScaleWhy: record.timeScale.why }),
    ...(record.remarks && { remarks: record.remarks }),
    engine: record.measurement.kind,
    load: record.load.kind,
    client: clientOf(record.load.total),
    ...pagerTally(record),
    budgets: record.budgets.map(({ slo, objective, total, bad, spentOfPeriodRatio }) => ({
      slo,
      objective,
      total,
      bad,
      spentOfPeriod: spentOfPeriodRatio,
    })),
    scenarios: record.scenarios.map((s) => scenarioOf(record, s)),
  };
}

const clientOf = ({
  requests,
  errors,
  p50Ms,
  p95Ms,
  p99Ms,
}: ClientTotals): GameDayResult['client'] => ({
  requests,
  errors,
  p50: p50Ms,
  p95: p95Ms,
  p99: p99Ms,
});

function scenarioOf(record: GameDayRecord, s: ScenarioRecord): GameDayResult['scenarios'][number] {
  const measured = (list: MeasureRecord[]) =>
    list.map(({ name, bound, unit, value, held }) => ({
      name,
      bound,
      unit,
      value: value ?? null,
      held,
    }));
  return {
    id: s.id,
    title: s.title,
    ...(s.failureMode === undefined ? {} : { failureMode: s.failureMode }),
    verdict: s.verdict,
    reasons: s.reasons,
    startedAt: instant(s.startedMs),
    durationSeconds: inSeconds(s.endedMs - s.startedMs),
    hypothesis: {
      title: s.hypothesis.title,
      before: measured(s.hypothesis.before),
      during: measured(s.hypothesis.during),
      after: measured(s.hypothesis.after),
    },
    faults: s.faults.map((f) => ({
      kind: f.kind,
      target: f.target,
      startedAt: instant(f.requestedMs),
      confirmedAt: instantOrNull(f.confirmedMs),
      endedAt: instantOrNull(f.endedMs),
      effect: f.effect,
      effectUnit: f.effectUnit,
    })),
    expectedAlerts: s.expectations.map(alertOf),
    unexpectedAlerts: s.unexpected.map(({ name, severity, labels, firedAtMs }) => ({
      name,
      severity,
      labels,
      at: instant(firedAtMs),
    })),
    ...pagerTally({ alerts: record.alerts.filter((a) => a.scenario === s.id), scenarios: [s] }),
    ...(s.silences && {
      silentFailures: s.silences.map((x) => ({
        route: x.route,
        seconds: inSeconds(x.failedMs),
        errors: x.errors,
        requests: x.requests,
        rule: x.rule ? ruleText(x) : null,
      })),
    }),
    ...(s.hints && { hints: s.hints.map(hintOf) }),
    ...(s.runbookProof && { runbook: proofOf(s.runbookProof) }),
    rollback: {
      done: s.rollback.done,
      leftBehind: s.rollback.residue,
      ...(s.rollback.dead && { died: s.rollback.dead.map((d) => d.name) }),
    },
    checks: s.checks.map(({ name, held, detail }) => ({ name, held, detail })),
    arms: s.arms.map((a) => ({
      name: a.name,
      amplificationDuring: a.amplificationDuring,
      amplificationAfter: a.amplificationAfter,
      ...(a.struck !== undefined && { struck: a.struck, failed: a.failed ?? 0 }),
      recoveredAfterSeconds: secondsOrNull(a.recoveredAfterMs),
      verdict: a.verdict,
    })),
    client: clientOf(s.client),
  };
}

const hintOf = ({ afterMs, text: told, by }: HintRecord) => ({
  afterSeconds: inSeconds(afterMs),
  text: told,
  by: by ?? null,
});

const proofOf = ({ page, diagnosis, mitigation }: RunbookProofRecord) => ({
  page,
  asked: diagnosis.length,
  answeredOtherwise: diagnosis.filter((d) => d.differs).length,
  steps: mitigation.steps.map(({ command, code }) => ({ command, code })),
  endedAfterSeconds: secondsOrNull(mitigation.endedAfterMs),
  ...(mitigation.pages && { pages: mitigation.pages }),
  ...(mitigation.why !== undefined && { why: mitigation.why }),
});

const alertOf = (e: ExpectationRecord) => ({
  name: e.name,
  labels: e.labels,
  severity: e.severity,
  deadlineSeconds: inSeconds(e.deadlineMs),
  // One that was hidden as it must be may be notified after the rollback: that is no detection.
  firedAfterSeconds: secondsOrNull(e.withheld && e.inTime ? undefined : e.receivedAfterMs),
  theoreticalSeconds: secondsOrNull(e.theory?.exactMs),
  inTime: e.inTime,
  ...(e.outcome && { outcome: e.outcome.kind, outcomeText: e.outcome.text }),
  theory: e.theory
    ? {
        earliestSeconds: inSeconds(e.theory.earliestMs),
        latestSeconds: inSeconds(e.theory.latestMs),
        within: e.theory.within,
      }
    : null,
  resolvedAfterSeconds: secondsOrNull(e.resolve?.resolvedAfterMs),
});

/** Reads a result back; a field that is unknown, missing or of another type is named by its path. */
export function parseResult(file: string, json: string): GameDayResult {
  const value = parseJson(file, json, 'the result.json of a game day');
  const parsed = resultSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new UserError(
    parsed.error.issues.map((i) => ({ message: `${file}: ${i.path.join('.')}: ${wordsOf(i)}` })),
  );
}
