/**
 * Public interface of slo/: read SLOs, compile them to rules, write the rules, and compute expected detection times.
 */
export type { Alerting, AlertSettings, Period, Sli, Slo } from './spec/model.js';
export { budgetRatio, objectiveRatio } from './spec/model.js';
export { listFiles, type ReadOptions, readSlos, readSloText } from './spec/read.js';
export { readySlis } from './spec/mesh-slis.js';
export type { AlertingRule, RecordingRule, Rule, RuleGroup } from './rules/model.js';
export { compileSlo, compileSlos, stages } from './rules/compile.js';
export { coarseStepMs, type CompileOptions, defaultStepMs, planOf } from './rules/plan.js';
export {
  type AlertWindow,
  readWindowTable,
  standardWindows,
  withPageAbove,
} from './rules/windows.js';
export { groupsText, ruleFileText } from './rules/write.js';
export * as sloNames from './rules/names.js';
export { type Bounds, crossingMs, type ErrorStep, type Theory, theoryOf } from './rules/theory.js';
