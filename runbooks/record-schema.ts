/**
 * Reads and checks `record.json`: the shape is that of record.ts, so that an old or broken file is rejected at once.
 */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import * as z from 'zod';
import { UserError } from '../base/errors.js';
import { parseJson } from '../base/json-text.js';
import { wordsOf } from '../base/yaml.js';
import { type GameDayRecord, outcomeKinds } from './record.js';

const text = z.string();
const number = z.number();
const labels = z.record(text, text);
const verdict = z.enum(['PASS', 'FAIL', 'INCONCLUSIVE', 'ABORTED']);

const totals = z.looseObject({
  requests: number,
  errors: number,
  p50Ms: number,
  p95Ms: number,
  p99Ms: number,
  routes: z.record(text, z.looseObject({ requests: number, errors: number, p95Ms: number })),
});

const measures = z.array(
  z.looseObject({
    name: text,
    source: text,
    expr: text,
    bound: text,
    unit: text,
    value: number.nullish(),
    held: z.boolean(),
  }),
);

const alertRef = z.looseObject({ name: text, labels, severity: text, firedAtMs: number });

const expectation = z.looseObject({
  name: text,
  labels,
  severity: text,
  deadlineMs: number,
  firedAfterMs: number.optional(),
  receivedAfterMs: number.optional(),
  inTime: z.boolean(),
  outcome: z.looseObject({ kind: z.enum(outcomeKinds), text }).optional(),
  theory: z
    .looseObject({
      exactMs: number,
      earliestMs: number,
      latestMs: number,
      evaluationIntervalMs: number,
      within: z.boolean(),
      basis: text,
    })
    .optional(),
  resolve: z
    .looseObject({ withinMs: number, resolvedAfterMs: number.optional(), inTime: z.boolean() })
    .optional(),
});

const silence = z.looseObject({
  route: text,
  startMs: number,
  failedMs: number,
  errors: number,
  requests: number,
  told: z.enum(['nobody', 'a ticket']),
  slos: z.array(z.looseObject({ slo: text, badRatio: number.optional() })),
  rule: z
    .looseObject({ expr: text, afterMs: number.optional(), probe: text.optional() })
    .optional(),
});

const runbookProof = z.looseObject({
  page: text,
  diagnosis: z.array(z.looseObject({ asked: text, differs: z.boolean(), why: text.optional() })),
  mitigation: z.looseObject({
    steps: z.array(
      z.looseObject({ command: text, code: z.union([number, text]), said: text.optional() }),
    ),
    endedAfterMs: number.optional(),
    pages: z.array(text).optional(),
    why: text.optional(),
  }),
  open: z.array(text).optional(),
});

const fault = z.looseObject({
  id: text,
  kind: text,
  target: text,
  struck: z.array(text).optional(),
  description: text,
  requestedMs: number,
  confirmedMs: number.optional(),
  endedMs: number.optional(),
  effect: number,
  effectUnit: text,
  undo: text,
  lapsedBy: text.optional(),
});

const arm = z.looseObject({
  name: text,
  description: text,
  triggerStartMs: number,
  triggerEndMs: number,
  amplificationDuring: number,
  amplificationAfter: number,
  struck: number.optional(),
  failed: number.optional(),
  goodputBefore: number,
  goodputAfter: number,
  recoveredAfterMs: number.optional(),
  verdict: z.enum(['recovered', 'metastable']),
});

const scenario = z.looseObject({
  id: text,
  title: text,
  description: text,
  failureMode: text.optional(),
  file: text,
  startedMs: number,
  endedMs: number,
  blastRadius: text,
  hypothesis: z.looseObject({ title: text, before: measures, during: measures, after: measures }),
  phases: z.array(
    z.looseObject({
      kind: z.enum(['baseline', 'injection', 'fault', 'rollback', 'recovery']),
      arm: text.optional(),
      startMs: number,
      endMs: number,
      client: totals,
    }),
  ),
  faults: z.array(fault),
  confirmedMs: number.optional(),
  onsetMs: number.optional(),
  expectations: z.array(expectation),
  allowed: z.array(alertRef),
  unexpected: z.array(alertRef),
  alreadyFiring: z.array(alertRef),
  silences: z.array(silence).optional(),
  hints: z
    .array(z.looseObject({ atMs: number, afterMs: number, text, by: text.optional() }))
    .optional(),
  runbookProof: runbookProof.optional(),
  checks: z.array(z.looseObject({ name: text, held: z.boolean(), detail: text })),
  arms: z.array(arm),
  abort: z.looseObject({ condition: text, atMs: number }).optional(),
  rollback: z.looseObject({
    done: z.boolean(),
    startedMs: number.optional(),
    endedMs: number.optional(),
    residue: z.array(text),
  }),
  client: totals,
  budgetSpent: z.array(z.looseObject({ slo: text, ratio: number })),
  runbook: text,
  verdict,
  reasons: z.array(text),
});

const recordSchema = z.looseObject({
  version: z.literal(1),
  id: text,
  title: text,
  command: text,
  firedrillVersion: text,
  startedMs: number,
  endedMs: number,
  verdict,
  exitCode: number,
  timeScale: z.looseObject({ factor: number, text, hourMs: number, why: text.optional() }),
  remarks: z.array(text).optional(),
  measurement: z.looseObject({
    kind: z.enum(['prometheus', 'embedded']),
    scrapeIntervalMs: number,
    evaluationIntervalMs: number,
    deliveryAllowanceMs: number,
    judgedAt: text.optional(),
    toldBesides: z.array(text).optional(),
  }),
  load: z.looseObject({
    kind: z.enum(['k6', 'embedded', 'locust', 'existing']),
    requestsPerSecond: number,
    measuredFrom: text,
    dropped: number,
    total: totals,
  }),
  system: z.looseObject({
    name: text,
    trustDomain: text.optional(),
    services: z.array(z.looseObject({ name: text, replicas: number })),
    certificateLifetimeMs: number.optional(),
  }),
  scenarios: z.array(scenario),
  series: z.array(
    z.looseObject({
      panel: text,
      name: text,
      unit: text,
      source: text,
      points: z.array(z.tuple([number, number.nullable()])),
      thresholds: z.array(z.looseObject({ at: number, text })).optional(),
    }),
  ),
  alerts: z.array(
    z.looseObject({
      name: text,
      labels,
      annotations: labels,
      severity: text,
      firedAtMs: number,
      receivedAtMs: number,
      resolvedAtMs: number.optional(),
      scenario: text.optional(),
      expected: z.boolean(),
    }),
  ),
  timeline: z.array(
    z.looseObject({ atMs: number, source: text, subject: text, text, major: z.boolean() }),
  ),
  budgets: z.array(
    z.looseObject({
      slo: text,
      objective: number,
      total: number,
      bad: number,
      spentOfPeriodRatio: number,
    }),
  ),
  machine: z.looseObject({ platform: text, cpus: number, memoryBytes: number, node: text }),
});

/** Problems are named by file and path within the JSON, because line numbers of JSON do not help a reader. */
export function parseRecord(file: string, json: string): GameDayRecord {
  const value = parseJson(file, json, 'the record.json of a game day');
  const parsed = recordSchema.safeParse(value);
  if (!parsed.success) {
    throw new UserError(
      parsed.error.issues.slice(0, 5).map((issue) => ({
        message: `${file}: ${issue.path.length > 0 ? issue.path.join('.') : 'the file'}: ${wordsOf(issue)}`,
        expected: 'the record.json of a game day',
      })),
    );
  }
  return value as GameDayRecord;
}

/** Reads `record.json`, from its own path, its folder, or the `result.json` beside it. */
export function readRecord(path: string): GameDayRecord {
  const folder = existsSync(path) && statSync(path).isDirectory();
  const file = folder
    ? join(path, 'record.json')
    : basename(path) === 'result.json'
      ? join(dirname(path), 'record.json')
      : path;
  let json: string;
  try {
    json = readFileSync(file, 'utf8');
  } catch {
    throw new UserError({
      message: `${file} cannot be read`,
      expected: "a game day's report folder, or the record.json or result.json in it",
    });
  }
  return parseRecord(file, json);
}
