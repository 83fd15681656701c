/** Prometheus rules as values, for generators, writers and evaluators. */

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
  /** How long an alert is pending before it fires, in milliseconds. */
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
  /** The group is evaluated as of this long ago, in milliseconds. */
  queryOffsetMs?: number;
  /** Maximum number of alerts or series of a rule before it fails; absent or 0: no limit. */
  limit?: number;
  /** Rules in the order of evaluation; a rule sees the results of those above it. */
  rules: Rule[];
}
