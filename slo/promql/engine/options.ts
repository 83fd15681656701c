/** How the engine evaluates, where Prometheus has a choice as well. */

export interface EngineOptions {
  /** How far back an instant selector looks for a sample; Prometheus' `--query.lookback-delta`. */
  lookbackMs?: number;
  /** The step of a subquery that names none; Prometheus' global evaluation interval. */
  subqueryStepMs?: number;
  /** Prometheus' feature `promql-delayed-name-removal`. */
  delayedNameRemoval?: boolean;
  /** Prometheus' feature `type-and-unit-labels`. */
  typeAndUnitLabels?: boolean;
  /** Prometheus' feature `use-start-timestamps`: a counter's own start tells of a reset. */
  startTimestamps?: boolean;
  /** Ranges hold both their ends, as before Prometheus 3. */
  closedRanges?: boolean;
  /** More samples than this in one result, and the query is refused. */
  samplesMax?: number;
}

export const defaultOptions: Required<EngineOptions> = {
  lookbackMs: 5 * 60_000,
  subqueryStepMs: 60_000,
  delayedNameRemoval: false,
  typeAndUnitLabels: false,
  startTimestamps: false,
  closedRanges: false,
  samplesMax: 50_000_000,
};
