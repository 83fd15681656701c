/** What rules need of the world: a query engine to ask, and a place for what they record. */
import type { Histogram } from '../../slo/promql/index.js';
import type { Labels } from '../../slo/promql/index.js';

export interface RuleSample {
  labels: Labels;
  value: number;
  histogram?: Histogram;
}

/** A rule that cannot be evaluated: the data do not allow it, or its expression is wrong. */
export class RuleError extends Error {}

export interface RuleWorld {
  /** An instant query; a scalar is one sample without labels. Throws a RuleError. */
  query(expr: string, timeMs: number): RuleSample[];
  append(sample: RuleSample, timeMs: number): void;
  /** The series ended. */
  appendStale(labels: Labels, timeMs: number): void;
  externalLabels: Readonly<Record<string, string>>;
  externalUrl: string;
}
