/** Public interface of alerts/coverage. */
export { coverageOf, type CoverageInput } from './coverage.js';
export { coverageFile, keepCoverage, readCoverage, standNow } from './history.js';
export type { AlertCoverage, AlertProof, CoverageRun } from './model.js';
export { coverageMarkdown, coverageSummary, coverageText, reasonOf } from './table.js';
export { type Regression, regressionsOf } from './trend.js';
