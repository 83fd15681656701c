/** The public interface of runbooks/: the record of a game day, and the pages that are made from a record. */
export type {
  AlertRecord,
  BudgetRecord,
  ExpectationRecord,
  FaultRecord,
  GameDayRecord,
  OutcomeKind,
  ScenarioRecord,
  Verdict,
} from './record.js';
export { parseRecord, readRecord } from './record-schema.js';
export { type DrillEvent, drillEvents, parseEvents } from './events.js';
export { type GameDayResult, parseResult, resultOf } from './report/result.js';
export { gameDayFiles, type SharedFacts } from './report/files.js';
export { gameDayJunit } from './report/junit.js';
