/** A real incident as found in Prometheus, Alertmanager and Git: plain values, each with its source. */

export interface Incident {
  version: 1;
  title: string;
  fromMs: number;
  toMs: number;
  /** Milliseconds between two samples of firing alerts; shorter firings may be missed. */
  stepMs: number;
  prometheus: { url: string; version?: string };
  alertmanager?: { url: string; version: string };
  /** Alerts grouped like their notifications. */
  groups: AlertGroup[];
  /** For example, `the routes of the Alertmanager's configuration as it is now`. */
  groupedBy: string;
  /** Notifications that Alertmanager counted; absent if nobody scrapes it. */
  notifications?: { integration: string; count: number; failed: number }[];
  silences: SilenceFact[];
  graphs: RuleGraph[];
  commits: Commit[];
  budgets: BudgetFact[];
  /** The missing measurements, and the reason for each. */
  notMeasured: { what: string; why: string }[];
}

export interface AlertGroup {
  /** `CartErrors`, or several names. */
  names: string[];
  severity: string;
  /** Labels by which the alerts are grouped, with their values. */
  by: Record<string, string>;
  /** Receivers in the routes; absent if the routes are unknown. */
  receivers?: string[];
  /** Number of series. */
  alerts: number;
  /**
   * The label that distinguishes the alerts, preferably workloads before addresses; the first eight values, and their
   * number.
   */
  of: { label: string; values: string[]; count: number } | undefined;
  /** The start of the alert that was active first. */
  activeAtMs: number;
  firedAtMs: number;
  /** The alert fired already at the start of the queried time. */
  firedBefore: boolean;
  /** The end of the last alert; absent if it still fires. */
  endedAtMs?: number;
  /** How often an alert of the group began to fire. */
  times: number;
  summary?: string;
  runbook?: string;
}

export interface SilenceFact {
  startMs: number;
  endMs: number;
  matchers: string;
  comment: string;
}

export interface RuleGraph {
  alert: string;
  /** The plotted expression: the rule's left side, for its worst series. */
  expr: string;
  op?: string;
  threshold?: number;
  points: [number, number][];
}

export interface Commit {
  atMs: number;
  hash: string;
  subject: string;
  /** The change lies before the incident: one of the last that may have led to it. */
  before: boolean;
  repository: string;
}

export interface BudgetFact {
  slo: string;
  bad: number;
  total: number;
  /** `0.999`; absent if it is not recorded. */
  objective?: number;
  /** Bad events divided by the bad events that the whole period allows. */
  spentOfPeriod?: number;
  periodDays?: number;
  source: string;
}
