/** A real incident as it was found in Prometheus, Alertmanager and Git: plain values, each with where it is from. */

export interface Incident {
  version: 1;
  title: string;
  fromMs: number;
  toMs: number;
  /** Between two looks at what fired; what was shorter may have been missed. */
  stepMs: number;
  prometheus: { url: string; version?: string };
  alertmanager?: { url: string; version: string };
  /** Alerts as people saw them. */
  groups: AlertGroup[];
  /** `the routes of the Alertmanager's configuration as it is now`. */
  groupedBy: string;
  /** Notifications that Alertmanager counted; absent where nobody scrapes it. */
  notifications?: { integration: string; count: number; failed: number }[];
  silences: SilenceFact[];
  graphs: RuleGraph[];
  commits: Commit[];
  budgets: BudgetFact[];
  /** What is not here, and why. */
  notMeasured: { what: string; why: string }[];
}

export interface AlertGroup {
  /** `CartErrors`, or several names. */
  names: string[];
  severity: string;
  /** Labels by which they are one, with their values. */
  by: Record<string, string>;
  /** Whom the routes name; absent where nobody knows. */
  receivers?: string[];
  /** How many series. */
  alerts: number;
  /** What tells them apart, workloads rather than addresses; the first eight, and how many there are. */
  of: { label: string; values: string[]; count: number } | undefined;
  /** Of the one that was active first. */
  activeAtMs: number;
  firedAtMs: number;
  /** It fired already when the look begins. */
  firedBefore: boolean;
  /** When the last one ended; absent where it still fires. */
  endedAtMs?: number;
  /** How often one of them began to fire. */
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
  /** What is plotted: the rule's left side, the worst of its series. */
  expr: string;
  op?: string;
  threshold?: number;
  points: [number, number][];
}

export interface Commit {
  atMs: number;
  hash: string;
  subject: string;
  /** Before the incident: the last ones that could have led to it. */
  before: boolean;
  repository: string;
}

export interface BudgetFact {
  slo: string;
  bad: number;
  total: number;
  /** `0.999`; absent where it is not recorded. */
  objective?: number;
  /** Bad events over those that the whole period allows. */
  spentOfPeriod?: number;
  periodDays?: number;
  source: string;
}
