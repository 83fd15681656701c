/** Which alerts were proven to fire: by a drill, at a receiver, after so many seconds. Survives JSON. */

export interface AlertProof {
  scenario: string;
  /** The game day's id. */
  run: string;
  /** At the receiver. */
  atMs: number;
  /** From the moment at which the fault was seen to work, to receipt. */
  afterMs: number;
  /** Who was notified, where the routing names receivers. */
  receiver?: string;
  /** Whether the scenario asked for it. */
  expected: boolean;
  /** The page that ended it, where it was followed. */
  endedBy?: string;
}

/**
 * `proven`: it reached a receiver during a drill. `never`: it could have, and no drill made it. `cannot`: a metric that
 * it needs had no series during the drill. A counter that is born with its first event looks like that too.
 */
export type CoverageState = 'proven' | 'never' | 'cannot';

export interface AlertCoverage {
  alert: string;
  severity: string;
  state: CoverageState;
  /** The first of the run. */
  proof?: AlertProof;
  /** Metrics of its expression of which no series exists: why it cannot fire. */
  missing?: string[];
  /** Selectors that nothing matched, though their metrics exist: why it may not have. */
  unmatched?: string[];
}

/** What one game day came to. */
export interface CoverageRun {
  run: string;
  atMs: number;
  system: string;
  /** Real milliseconds for one of production: only runs of one scale are set side by side. */
  timeScale: number;
  /** Those whose fault was seen to work. */
  scenarios: string[];
  alerts: AlertCoverage[];
}

export const keyOf = (alert: { alert: string; severity: string }): string =>
  `${alert.alert} ${alert.severity}`;
