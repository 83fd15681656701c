/**
 * A game day's record as events, and back: events.jsonl contains all input of terminal, report and postmortem. A
 * scenario's record is written when the scenario ends, and the day's record when the day ends.
 */
import { UserError } from '../base/errors.js';
import type { DrillEvent } from './events.js';
import type { GameDayRecord, ScenarioRecord } from './record.js';
import { parseRecord } from './record-schema.js';
import type { SharedFacts } from './report/files.js';

export const scenarioRecordEvent = (record: ScenarioRecord): DrillEvent => ({
  kind: 'scenario-record',
  atMs: record.endedMs,
  scenario: record.id,
  record,
});

/** Contains the facts of scenarios that are only known at the day's end. */
export const dayRecordEvent = (record: GameDayRecord, shared: SharedFacts): DrillEvent => ({
  kind: 'day-record',
  atMs: record.endedMs,
  record: { ...record, scenarios: [] },
  budgetSpent: record.scenarios.map((s) => s.budgetSpent),
  shared,
});

/** Throws a UserError if the day was cut off before its end. */
export function recordedIn(
  file: string,
  events: readonly DrillEvent[],
): { record: GameDayRecord; shared: SharedFacts } {
  const day = events.findLast((e) => e.kind === 'day-record');
  if (!day) {
    const message = `${file}: the day was cut off before its end: there is nothing to report`;
    throw new UserError({ message, expected: 'the event day-record' });
  }
  const scenarios = events
    .filter((e) => e.kind === 'scenario-record')
    .map((e, i) => ({ ...(e.record as ScenarioRecord), budgetSpent: day.budgetSpent[i] ?? [] }));
  const record = { ...(day.record as GameDayRecord), scenarios };
  return { record: parseRecord(file, JSON.stringify(record)), shared: day.shared as SharedFacts };
}
