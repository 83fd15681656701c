/** The interfaces that rules need: a query engine, and a store for recorded samples. */
import { histogramText } from '../../slo/promql/histogram/text.js';
import type { Histogram } from '../../slo/promql/index.js';
import type { Labels } from '../../slo/promql/index.js';

export interface RuleSample {
  labels: Labels;
  value: number;
  histogram?: Histogram;
}

/** The sample's value as templates have it. */
export const toldValue = ({ value, histogram }: RuleSample): number | string =>
  histogram ? histogramText(histogram) : value;

/** A rule cannot be evaluated, because of its data or its expression. */
export class RuleError extends Error {}

export interface RuleWorld {
  /** Runs an instant query; a scalar becomes one sample without labels. Throws a RuleError. */
  query(expr: string, timeMs: number): RuleSample[];
  append(sample: RuleSample, timeMs: number): void;
  /** Marks the end of the series. */
  appendStale(labels: Labels, timeMs: number): void;
  externalLabels: Readonly<Record<string, string>>;
  externalUrl: string;
}
