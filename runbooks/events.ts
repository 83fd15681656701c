/**
 * The events of a game day as types: one JSON object per line in `events.jsonl`, written as they happen. A view of a
 * drill (live or replayed) is made from them; the events of an old report are derived from its record.
 */
import * as z from 'zod';
import { type Place, UserError } from '../base/errors.js';
import { parseJson } from '../base/json-text.js';
import { wordsOf } from '../base/yaml.js';
import type {
  ExpectationRecord,
  FaultRecord,
  GameDayRecord,
  ScenarioRecord,
  TheoryRecord,
} from './record.js';
import { outcomeKinds } from './record.js';

const text = z.string();
const labels = z.record(text, text);
const verdict = z.enum(['PASS', 'FAIL', 'INCONCLUSIVE', 'ABORTED']);
/** Milliseconds since the epoch. */
const atMs = z.number();
const began = z.enum(['started', 'ended']);

export const drillEventSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('day'),
    atMs,
    state: began,
    title: text,
    scenarios: z.array(text).optional(),
    verdict: verdict.optional(),
  }),
  z.strictObject({
    kind: z.literal('scenario'),
    atMs,
    scenario: text,
    state: began,
    title: text,
    verdict: verdict.optional(),
    reasons: z.array(text).optional(),
  }),
  z.strictObject({
    kind: z.literal('phase'),
    atMs,
    scenario: text,
    phase: z.enum(['baseline', 'injection', 'fault', 'rollback', 'recovery']),
    arm: text.optional(),
    state: began,
  }),
  z.strictObject({
    kind: z.literal('fault'),
    atMs,
    scenario: text,
    id: text,
    fault: text,
    target: text,
    /** The services that the fault strikes, as the guard counts them; absent in older events. */
    struck: z.array(text).optional(),
    state: z.enum(['put', 'confirmed', 'removed']),
    /** For `put`: time after the last renewal until the fault is rolled back by itself, if its owner dies. */
    leaseMs: z.number().optional(),
  }),
  z.strictObject({
    kind: z.literal('expectation'),
    atMs,
    scenario: text,
    alert: text,
    severity: text,
    labels,
    /**
     * `armed`: its deadline starts now. `withheld`: the alert fired, and was hidden as the scenario expects. `missed`:
     * the verdict at the end, for an alert that was not in time.
     */
    state: z.enum(['armed', 'notified', 'withheld', 'missed']),
    deadlineAtMs: atMs.optional(),
    /** For `armed`: the alert or silence that must hide it, so that nobody is notified. Absent in older events. */
    withheld: z.strictObject({ how: z.enum(['inhibited', 'silenced']), by: text }).optional(),
    /** Counted from the confirmation; for `notified` and `withheld`. */
    afterMs: z.number().optional(),
    outcome: z.enum(outcomeKinds).optional(),
    text: text.optional(),
  }),
  z.strictObject({
    kind: z.literal('alert'),
    atMs,
    alert: text,
    severity: text,
    labels,
    state: z.enum(['notified', 'resolved']),
    receiver: text.optional(),
  }),
  z.strictObject({
    /** Computed from the rule and the measured disturbance: repeatedly while the alert is awaited, and when judged. */
    kind: z.literal('theory'),
    atMs,
    scenario: text,
    alert: text,
    severity: text,
    labels,
    /** Of the expectation: the same alert may be awaited in two arms. Absent in older events. */
    armedAtMs: atMs.optional(),
    earliestAtMs: atMs,
    latestAtMs: atMs,
    /** Absent while the alert is awaited. */
    within: z.boolean().optional(),
  }),
  z.strictObject({
    kind: z.literal('system'),
    atMs,
    name: text,
    services: z.array(text),
    dependencies: z.array(text),
    calls: z.array(z.strictObject({ from: text, to: text })),
  }),
  z.strictObject({
    /** The second that ended at `atMs`: the requests that were due in it, as their callers saw them. */
    kind: z.literal('load'),
    atMs,
    requests: z.number(),
    errors: z.number(),
    p95Ms: z.number(),
  }),
  z.strictObject({
    kind: z.literal('measure'),
    atMs,
    scenario: text,
    when: z.enum(['before', 'during', 'after']),
    name: text,
    bound: text,
    value: z.number().optional(),
    held: z.boolean(),
  }),
  z.strictObject({ kind: z.literal('abort'), atMs, scenario: text, condition: text }),
  z.strictObject({
    /** How close an abort condition is to aborting; at most once a second while a fault is active. */
    kind: z.literal('distance'),
    atMs,
    scenario: text,
    condition: text,
    /** Absent if there is no data. */
    value: z.number().optional(),
    above: z.number().optional(),
    below: z.number().optional(),
    /** Real milliseconds: how long the condition has held, and how long it must hold to abort. */
    heldMs: z.number(),
    forMs: z.number(),
  }),
  z.strictObject({
    kind: z.literal('budget'),
    atMs,
    slo: text,
    spentOfPeriod: z.number(),
    /** The whole error budget as minutes in which everything fails, in production time. */
    budgetMinutes: z.number().optional(),
  }),
  z.strictObject({
    /** A person's answer to a page; without `alert`, to the last one before it. */
    kind: z.literal('acknowledgement'),
    atMs,
    by: text,
    alert: text.optional(),
  }),
  z.strictObject({
    kind: z.literal('scenario-record'),
    atMs,
    scenario: text,
    /** A `ScenarioRecord`. */
    record: z.unknown(),
  }),
  z.strictObject({
    kind: z.literal('day-record'),
    atMs,
    /** A `GameDayRecord` without its scenarios, which have their own events. */
    record: z.unknown(),
    /** The budget of each scenario, in the scenarios' order. */
    budgetSpent: z.array(z.array(z.unknown())),
    /** The facts for runbooks that are not in the record. */
    shared: z.unknown(),
  }),
  z.strictObject({
    kind: z.literal('note'),
    atMs,
    source: text,
    subject: text,
    text,
    scenario: text.optional(),
  }),
]);

export type DrillEvent = z.infer<typeof drillEventSchema>;

/** The events of a record of any version, in the order of time. */
export function drillEvents(record: GameDayRecord): DrillEvent[] {
  const { title, startedMs, endedMs, verdict: came, scenarios } = record;
  const events: DrillEvent[] = [
    {
      kind: 'day',
      atMs: startedMs,
      state: 'started',
      title,
      scenarios: scenarios.map((s) => s.id),
    },
    ...scenarios.flatMap(ofScenario),
    ...record.alerts.flatMap(({ name, severity, labels: own, receivedAtMs, resolvedAtMs }) => {
      const alert = { kind: 'alert' as const, alert: name, severity, labels: own };
      const told: DrillEvent = { ...alert, atMs: receivedAtMs, state: 'notified' };
      return resolvedAtMs === undefined
        ? [told]
        : [told, { ...alert, atMs: resolvedAtMs, state: 'resolved' as const }];
    }),
    ...record.timeline
      .filter((e) => e.source !== 'alert')
      .map(({ atMs: at, source, subject, text: said, scenario }): DrillEvent => {
        const note = { kind: 'note' as const, atMs: at, source, subject, text: said };
        return { ...note, ...(scenario !== undefined && { scenario }) };
      }),
    // Without events nothing was measured, which is not a budget of which nothing is spent.
    ...record.budgets
      .filter(({ total }) => total > 0)
      .map(({ slo, spentOfPeriodRatio }): DrillEvent => {
        return { kind: 'budget', atMs: endedMs, slo, spentOfPeriod: spentOfPeriodRatio };
      }),
  ];
  const ordered = events.toSorted((a, b) => a.atMs - b.atMs);
  return [...ordered, { kind: 'day', atMs: endedMs, state: 'ended', title, verdict: came }];
}

function ofScenario(s: ScenarioRecord): DrillEvent[] {
  const scenario = s.id;
  const from = s.confirmedMs;
  return [
    { kind: 'scenario', atMs: s.startedMs, scenario, state: 'started', title: s.title },
    ...s.phases.flatMap(({ kind: phase, arm, startMs, endMs }): DrillEvent[] => {
      const own = { kind: 'phase' as const, scenario, phase, ...(arm !== undefined && { arm }) };
      return [
        { ...own, atMs: startMs, state: 'started' },
        { ...own, atMs: endMs, state: 'ended' },
      ];
    }),
    ...s.faults.flatMap((f): DrillEvent[] => {
      const own = { kind: 'fault' as const, scenario, ...faultWords(f) };
      return [
        { ...own, atMs: f.requestedMs, state: 'put' },
        ...(f.confirmedMs === undefined
          ? []
          : [{ ...own, atMs: f.confirmedMs, state: 'confirmed' as const }]),
        ...(f.endedMs === undefined
          ? []
          : [{ ...own, atMs: f.endedMs, state: 'removed' as const }]),
      ];
    }),
    ...(from === undefined ? [] : s.expectations.flatMap((e) => ofExpectation(s, from, e))),
    ...(s.abort
      ? [
          {
            kind: 'abort' as const,
            atMs: s.abort.atMs,
            scenario,
            condition: s.abort.condition,
          },
        ]
      : []),
    {
      kind: 'scenario',
      atMs: s.endedMs,
      scenario,
      state: 'ended',
      title: s.title,
      verdict: s.verdict,
      reasons: s.reasons,
    },
  ];
}

/** `from`: the fault's confirmation. */
function ofExpectation(s: ScenarioRecord, from: number, e: ExpectationRecord): DrillEvent[] {
  const scenario = s.id;
  const { name: alert, severity, labels: wanted, receivedAfterMs, deadlineMs, outcome } = e;
  const { withheld } = e;
  const own = { kind: 'expectation' as const, scenario, alert, severity, labels: wanted };
  const armed: DrillEvent = {
    ...own,
    atMs: from,
    state: 'armed',
    deadlineAtMs: from + deadlineMs,
    ...(withheld && { withheld }),
  };
  const told: DrillEvent[] =
    receivedAfterMs === undefined
      ? []
      : [
          {
            ...own,
            atMs: from + receivedAfterMs,
            state: 'notified',
            afterMs: receivedAfterMs,
          },
        ];
  const { theory } = e;
  const expected: DrillEvent[] = theory
    ? [theoryEvent({ scenario, alert, severity, labels: wanted }, s.endedMs, from, theory)]
    : [];
  const hidden = withheldEvent(s, e);
  const missed: DrillEvent[] = e.inTime
    ? []
    : [
        {
          ...own,
          atMs: s.endedMs,
          state: 'missed',
          ...(outcome && { outcome: outcome.kind, text: outcome.text }),
        },
      ];
  return [armed, ...told, ...(hidden ? [hidden] : []), ...expected, ...missed];
}

/** The fault's kind, target and struck services. */
export const faultWords = ({ id, kind: fault, target, struck }: FaultRecord) => ({
  id,
  fault,
  target,
  ...(struck && { struck }),
});

/** `fromMs`: the confirmation, from which the theory counts. */
export const theoryEvent = (
  alert: { scenario: string; alert: string; severity: string; labels: Record<string, string> },
  atMs: number,
  fromMs: number,
  {
    earliestMs,
    latestMs,
    within,
  }: Pick<TheoryRecord, 'earliestMs' | 'latestMs'> & { within?: boolean },
): DrillEvent => ({
  ...alert,
  kind: 'theory',
  atMs,
  armedAtMs: fromMs,
  earliestAtMs: fromMs + earliestMs,
  latestAtMs: fromMs + latestMs,
  ...(within !== undefined && { within }),
});

/** The event of an alert that had to fire and be hidden, and did so. */
export function withheldEvent(
  { id, confirmedMs }: Pick<ScenarioRecord, 'id' | 'confirmedMs'>,
  e: ExpectationRecord,
): DrillEvent | undefined {
  const { name: alert, severity, labels: wanted, firedAfterMs, outcome, inTime, withheld } = e;
  if (!withheld || !inTime || confirmedMs === undefined || firedAfterMs === undefined)
    return undefined;
  return {
    kind: 'expectation',
    atMs: confirmedMs + firedAfterMs,
    scenario: id,
    alert,
    severity,
    labels: wanted,
    state: 'withheld',
    afterMs: firedAfterMs,
    ...(outcome && { outcome: outcome.kind, text: outcome.text }),
  };
}

/** Parses lines as written; skips a last line that a crash cut short, and throws on any other mistake. */
export function parseEvents(file: string, jsonl: string): DrillEvent[] {
  const lines = jsonl.split('\n');
  return lines.flatMap((text, i) => {
    const isCut = i === lines.length - 1 && !isJson(text);
    return text.trim() === '' || isCut ? [] : [parseEvent({ file, line: i + 1, column: 1 }, text)];
  });
}

/** Parses one whole line. Throws a UserError with its place. */
export function parseEvent(place: Place, line: string): DrillEvent {
  const value = parseJson(place.file, line, 'an event of a drill', place.line);
  const parsed = drillEventSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new UserError({
    place,
    message: `${issue?.path.join('.')}: ${issue ? wordsOf(issue) : ''}`,
  });
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
