/** The public interface of chaos/: read a drill and its scenarios, plan a game day, run it. */
export { type Drill, drillFileName, readDrill } from './system/drill-file.js';
export { bundledDrill, findDrill } from './system/bundled.js';
export { ownScenarios, type ReadScenario, readScenarios } from './scenarios/read.js';
export type { Scenario } from './scenarios/schema.js';
export {
  defaultAllowanceMs,
  defaultStateFolder,
  defaultTimeScale,
  type GameDayOptions,
} from './gameday/options.js';
export { type GameDayOutcome, type GameDayView, runGameDay } from './gameday/gameday.js';
export { type ReportPaths, writeReport } from './gameday/report-folder.js';
