/**
 * The proof that an alert fires: in which drill it reached which receiver, and after how long. Can be stored as JSON.
 */

export interface AlertProof {
  scenario: string;
  /** The game day's id. */
  run: string;
  /** When the receiver got the notification. */
  atMs: number;
  /** Milliseconds from the moment at which the fault was seen to work until the receiver got the notification. */
  afterMs: number;
  /** The receiver that was notified, where the routing names receivers. */
  receiver?: string;
  /** Whether the scenario expected the alert. */
  expected: boolean;
  /** The runbook page that ended the incident, where one was followed. */
  endedBy?: string;
}

/**
 * `proven`: the alert reached a receiver during a drill. `never`: it could have fired, and no drill made it fire.
 * `cannot`: a metric that it needs had no series during the drill, which is also true of a counter that appears with
 * its first event.
 */
export type CoverageState = 'proven' | 'never' | 'cannot';

export interface AlertCoverage {
  alert: string;
  severity: string;
  state: CoverageState;
  /** A hash of the rule as it was evaluated, at the run's time scale; absent in a history of an earlier version. */
  rule?: string;
  /** The alert was proven before its rule changed, and not since. */
  changed?: boolean;
  /** The first proof of the run. */
  proof?: AlertProof;
  /** Metrics of the expression that have no series: the reason why the alert cannot fire. */
  missing?: string[];
  /** Selectors that matched nothing although their metrics exist: a possible reason why the alert did not fire. */
  unmatched?: string[];
}

/** The coverage that one game day measured. */
export interface CoverageRun {
  run: string;
  atMs: number;
  system: string;
  /** Real milliseconds for one millisecond of production; only runs at the same scale are compared. */
  timeScale: number;
  /** Scenarios whose fault was seen to work. */
  scenarios: string[];
  /** By scenario; absent in a history of an earlier version. */
  drills?: Record<string, { verdict: string; failureMode?: string }>;
  alerts: AlertCoverage[];
}

export const keyOf = (alert: { alert: string; severity: string }): string =>
  `${alert.alert} ${alert.severity}`;
