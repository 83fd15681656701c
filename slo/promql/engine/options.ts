/** Options of evaluation, most of which Prometheus has as well. */

export interface EngineOptions {
  /** How far back an instant selector looks for a sample; Prometheus' `--query.lookback-delta`. */
  lookbackMs?: number;
  /** The step of a subquery that sets none; Prometheus' global evaluation interval. */
  subqueryStepMs?: number;
  /** Prometheus' feature `promql-delayed-name-removal`. */
  delayedNameRemoval?: boolean;
  /** Prometheus' feature `type-and-unit-labels`. */
  typeAndUnitLabels?: boolean;
  /** Prometheus' feature `use-start-timestamps`: a counter's start time shows a reset. */
  startTimestamps?: boolean;
  /** Ranges include both their ends, as before Prometheus 3. */
  closedRanges?: boolean;
  /** A query with more samples than this in one result is refused. */
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
