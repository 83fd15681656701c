/** Prometheus rules as values: what generators make, what writers print and what evaluators run. */

export interface RecordingRule {
  kind: 'record';
  record: string;
  expr: string;
  labels: Record<string, string>;
}

export interface AlertingRule {
  kind: 'alert';
  alert: string;
  expr: string;
  /** Pending this long before it fires. */
  forMs: number;
  keepFiringForMs: number;
  labels: Record<string, string>;
  annotations: Record<string, string>;
}

export type Rule = RecordingRule | AlertingRule;

export interface RuleGroup {
  name: string;
  /** Absent: the evaluator's global interval. */
  intervalMs?: number;
  /** Evaluated as of so long ago. */
  queryOffsetMs?: number;
  /** More alerts or series of a rule than this is an error of the rule; absent or 0: no limit. */
  limit?: number;
  /** Evaluated in order; a rule sees what the ones above it recorded in the same evaluation. */
  rules: Rule[];
}
