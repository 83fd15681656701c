/**
 * What happens in a game day, as typed events: one JSON object a line in `events.jsonl`, written as they happen. A view
 * of a drill (live, or played again) is made from them; an old report's record says the same ones.
 */
import { z } from 'zod';
import { messageOf, UserError } from '../base/errors.js';
import type { ExpectationRecord, FaultRecord, GameDayRecord, ScenarioRecord } from './record.js';
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
    /** The services that it strikes, as the guard counts them; absent in events of older days. */
    struck: z.array(text).optional(),
    state: z.enum(['put', 'confirmed', 'removed']),
    /** Of `put`: it is rolled back by itself so long after the last renewal, if whoever put it dies. */
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
     * `armed`: from now on its deadline runs. `withheld`: it fired, and was hidden as it must be. `missed`: judged at
     * the end, and not in time.
     */
    state: z.enum(['armed', 'notified', 'withheld', 'missed']),
    deadlineAtMs: atMs.optional(),
    /** From the confirmation; of `notified` and `withheld`. */
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
    /** By the rule's arithmetic; known when the scenario is judged. */
    kind: z.literal('theory'),
    atMs,
    scenario: text,
    alert: text,
    severity: text,
    labels,
    earliestAtMs: atMs,
    latestAtMs: atMs,
    within: z.boolean(),
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
    /** The second that ended then: requests that were due in it, as their callers saw them. */
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
    /** How far an abort condition is from being met; at most once a second while a fault is on. */
    kind: z.literal('distance'),
    atMs,
    scenario: text,
    condition: text,
    /** Absent: there is no data. */
    value: z.number().optional(),
    above: z.number().optional(),
    below: z.number().optional(),
    /** For how long the condition has held, and for how long it must hold to abort; real. */
    heldMs: z.number(),
    forMs: z.number(),
  }),
  z.strictObject({
    kind: z.literal('budget'),
    atMs,
    slo: text,
    spentOfPeriod: z.number(),
    /** The whole budget as minutes in which everything fails, in production time. */
    budgetMinutes: z.number().optional(),
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
    /** A `GameDayRecord` without its scenarios, which have events of their own. */
    record: z.unknown(),
    /** Of each scenario, in their order. */
    budgetSpent: z.array(z.array(z.unknown())),
    /** Beside the record, what runbooks are filled with. */
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

/** Of a record of any age, in the order of time. */
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
    ...record.budgets.map(({ slo, spentOfPeriodRatio }): DrillEvent => {
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
    ...s.expectations.flatMap((e): DrillEvent[] => {
      if (from === undefined) return [];
      const { name: alert, severity, labels: wanted, receivedAfterMs, deadlineMs, outcome } = e;
      const own = { kind: 'expectation' as const, scenario, alert, severity, labels: wanted };
      const armed: DrillEvent = {
        ...own,
        atMs: from,
        state: 'armed',
        deadlineAtMs: from + deadlineMs,
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
      return [armed, ...told, ...(hidden ? [hidden] : []), ...missed];
    }),
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

/** Which fault it is, and on which services. */
export const faultWords = ({ id, kind: fault, target, struck }: FaultRecord) => ({
  id,
  fault,
  target,
  ...(struck && { struck }),
});

/** Of an alert that had to fire and to be hidden, and was. */
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

/** Lines as they were written; a last one that was cut by a crash is passed over, any other mistake is told. */
export function parseEvents(file: string, jsonl: string): DrillEvent[] {
  const lines = jsonl.split('\n');
  return lines.flatMap((line, i) => {
    if (line.trim() === '') return [];
    const place = { file, line: i + 1, column: 1 };
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch (error) {
      if (i === lines.length - 1) return [];
      throw new UserError({ place, message: `no JSON: ${messageOf(error)}` });
    }
    const parsed = drillEventSchema.safeParse(value);
    if (parsed.success) return [parsed.data];
    const [issue] = parsed.error.issues;
    throw new UserError({ place, message: `${issue?.path.join('.')}: ${issue?.message}` });
  });
}
