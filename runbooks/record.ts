/**
 * The measurements of a game day as one plain value: reports, postmortems and runbooks are pure functions of it.
 * Everything here survives JSON.stringify (the report's folder contains it as record.json). Times (`atMs`) are
 * milliseconds since the epoch; durations (`Ms`) are real milliseconds, after the time scale.
 */
import type { AlertCoverage } from '../alerts/coverage/index.js';
import type { HintRecord } from './hint-record.js';

export type Verdict = 'PASS' | 'FAIL' | 'INCONCLUSIVE' | 'ABORTED';

export interface GameDayRecord {
  /** The version of this type; it grows when a field changes its meaning. */
  version: 1;
  /** `2026-11-26T06-12-01-ab12`: also the name of a kept report's folder. */
  id: string;
  title: string;
  /** The command line of the run, without the path of node. */
  command: string;
  /** The people of the day by role, as the drill names them. */
  roles?: { facilitator?: string | undefined; responders: string[]; observers: string[] };
  firedrillVersion: string;
  startedMs: number;
  endedMs: number;
  /** The worst verdict of the scenarios. */
  verdict: Verdict;
  exitCode: number;
  timeScale: TimeScale;
  /** Differences of the rules and the routing from production, one sentence each. */
  remarks?: string[];
  measurement: Measurement;
  load: LoadRecord;
  system: SystemRecord;
  /** In the order in which they ran. */
  scenarios: ScenarioRecord[];
  /** Series over the whole run, for plots. */
  series: SeriesRecord[];
  /** Every alert that reached the receiver, expected or not, in the order of `firedAtMs`. */
  alerts: AlertRecord[];
  /** In the order of `atMs`. */
  timeline: TimelineEvent[];
  /** One for each SLO. */
  budgets: BudgetRecord[];
  /** The alerts that this run proved to fire; absent in records from before this table existed. */
  coverage?: AlertCoverage[];
  machine: { platform: string; cpus: number; memoryBytes: number; node: string };
}

/** Windows, intervals, `for` and the scenarios' own durations are multiplied by `factor`; nothing else changes. */
export interface TimeScale {
  factor: number;
  /** `1/240`, or `1`. */
  text: string;
  /** Real milliseconds for an hour in the rules' text. */
  hourMs: number;
  /** The reason for this time scale. */
  why?: string;
}

export interface Measurement {
  kind: 'prometheus' | 'embedded';
  /** The reason for this choice: `asked for by --prometheus embedded`. */
  why?: string;
  /** `2.42.0`; absent for the embedded engine. */
  prometheusVersion?: string;
  alertmanagerVersion?: string;
  scrapeIntervalMs: number;
  /** The interval of the paging rules. */
  evaluationIntervalMs: number;
  /** The source of verdicts on alerts, if Prometheus and Alertmanager ran already: `at Alertmanager's API: ...`. */
  judgedAt?: string;
  /** Production receivers that were notified during the run, in addition to the drill's own. */
  toldBesides?: string[];
  /** Added to a deadline for delays that the time scale does not shorten: grouping, delivery to the receiver. */
  deliveryAllowanceMs: number;
}

export interface LoadRecord {
  kind: 'k6' | 'embedded' | 'locust' | 'existing';
  version?: string;
  /** Open model: this many requests are begun each second, regardless of the answers' latency. */
  requestsPerSecond: number;
  /** Latency counts from the time when a request was due, so that waiting is included. */
  measuredFrom: 'intended start' | 'request start';
  /** Requests that were due and not begun, because the driver could not keep up. */
  dropped: number;
  total: ClientTotals;
}

/** The client's measurements: the system's own metrics are not used. */
export interface ClientTotals {
  requests: number;
  errors: number;
  p50Ms: number;
  p95Ms: number;
  p99Ms: number;
  /** By route of the client's profile, such as `checkout`. */
  routes: Record<string, { requests: number; errors: number; p95Ms: number }>;
}

export interface SystemRecord {
  name: string;
  /** Absent without mTLS. */
  trustDomain?: string;
  services: {
    name: string;
    namespace: string;
    replicas: number;
    /** The services that it calls. */
    calls: string[];
    identity?: string;
  }[];
  /** Processes that the run started, such as `cart proxy`. */
  processes: { name: string; kind: string; pid: number; ports: Record<string, number> }[];
  /** Absent without mTLS. */
  certificateLifetimeMs?: number;
  /** Sections of this system in addition to those of every system. */
  sections?: ReportSection[];
}

/** A system's own section, such as the shop's payments. */
export interface ReportSection {
  title: string;
  rows: { name: string; value: string | number }[];
  /** Shown among the first figures of the report. */
  figure?: { name: string; value: string | number; note: string };
}

export interface ScenarioRecord {
  /** `certificate-expiry`. */
  id: string;
  title: string;
  /** The scenario's purpose and lesson, in Markdown. */
  description: string;
  /** The failure mode, such as F1 to F7, if the scenario is one. */
  failureMode?: string;
  /** The YAML file; a built-in file's path is relative to the package. */
  file: string;
  startedMs: number;
  endedMs: number;
  blastRadius: string;
  hypothesis: {
    title: string;
    before: MeasureRecord[];
    /** Measures while the fault was active, if the scenario claims that they hold throughout. */
    during: MeasureRecord[];
    after: MeasureRecord[];
  };
  phases: PhaseRecord[];
  faults: FaultRecord[];
  /** The time when the first fault was confirmed; deadlines count from it. */
  confirmedMs?: number;
  /** The time when callers began to see errors, by the client or the proxies; theory counts from it. */
  onsetMs?: number;
  expectations: ExpectationRecord[];
  /** Alerts allowed by name (`mayFire`): consequences such as the ticket beside a page. */
  allowed: AlertRef[];
  /** Alerts neither expected nor allowed: each makes the scenario fail. */
  unexpected: AlertRef[];
  /** Alerts that fired before the injection, listed separately. */
  alreadyFiring: AlertRef[];
  /** Additional claims of the scenario: `no request failed`, `new configuration did not roll out`. */
  checks: CheckRecord[];
  /** For a retry storm: the policy under test and its control, under the same trigger. */
  arms: ArmRecord[];
  abort?: { condition: string; atMs: number };
  rollback: {
    done: boolean;
    startedMs?: number;
    endedMs?: number;
    residue: string[];
    /** Processes and injection points that died without a fault of the scenario as the cause. */
    dead?: DeathRecord[];
  };
  client: ClientTotals;
  /** Absent if every failure of callers paged somebody. */
  silences?: SilenceRecord[];
  /** How late the runner's own timers ran: above some tens of milliseconds, the machine was too busy to judge. */
  lateness?: LatenessRecord;
  /** Hints that the team was given, in order; absent if none was needed. */
  hints?: HintRecord[];
  /** The proof of the scenario's runbook, if the user asked for it. */
  runbookProof?: RunbookProofRecord;
  /** Share of each SLO's error budget that this scenario spent. */
  budgetSpent: { slo: string; ratio: number; bad?: number; total?: number }[];
  /** File name of the runbook that the scenario names, such as `certificate-expiry`. */
  runbook: string;
  verdict: Verdict;
  /** The reasons against a PASS, one sentence each, worst first. Empty for a PASS. */
  reasons: string[];
}

/** Whether the page identifies the fault, and whether following its steps ends the fault. */
export interface RunbookProofRecord {
  page: string;
  /** Each query and command of the page's Diagnosis. */
  diagnosis: {
    asked: string;
    /** The answer under the fault differs from the answers before it. */
    differs: boolean;
    /** The reason for a missing answer. */
    why?: string;
  }[];
  mitigation: {
    /** In the page's order, with each command's exit and its last line of output. */
    steps: { command: string; code: number | string; said?: string }[];
    /** From the first step until the alerts had ended and the system was steady; absent if it never was. */
    endedAfterMs?: number;
    /** Paging alerts that the steps themselves caused, because a restart also affects callers. */
    pages?: string[];
    /** The reason why no step was taken, or why the end of the fault proves nothing. */
    why?: string;
  };
  /** Commands with a placeholder that only a person can fill in. */
  open?: string[];
}

/** Callers failed for a while, and nobody was paged. */
export interface SilenceRecord {
  route: string;
  startMs: number;
  failedMs: number;
  errors: number;
  requests: number;
  /** The most severe notification that was sent. */
  told: 'nobody' | 'a ticket';
  /** Each SLO's ratio in this time; absent if it had no events. */
  slos: { slo: string; badRatio?: number }[];
  /** Paging alerts that fired and reached nobody, or else the smallest rule that would have fired. */
  fired?: string[];
  rule?: { expr: string; afterMs?: number; probe?: string };
}

export interface LatenessRecord {
  p50Ms: number;
  p95Ms: number;
  maxMs: number;
  /** Share of the time in which a task waited for a CPU; absent if the kernel does not report it. */
  cpuPressure?: number;
}

export type PhaseKind = 'baseline' | 'injection' | 'fault' | 'rollback' | 'recovery';

export interface PhaseRecord {
  kind: PhaseKind;
  /** The arm, if the scenario has several. */
  arm?: string;
  startMs: number;
  endMs: number;
  client: ClientTotals;
}

/** One measured bound of a steady state. */
export interface MeasureRecord {
  name: string;
  source: 'client' | 'promql';
  /** The query, or the client's measure such as `errorRatio`. */
  expr: string;
  /** `<= 0.01`. */
  bound: string;
  unit: string;
  /** Undefined if there was no data; the bound then does not hold. */
  value?: number;
  held: boolean;
}

export interface FaultRecord {
  id: string;
  /** `identity-freeze`, `kill`, `delay`, ... */
  kind: string;
  /** `controller`, `payment`, `checkout proxy`. */
  target: string;
  /** The services that the fault strikes; their callers are affected. Absent in older records. */
  struck?: string[];
  description: string;
  requestedMs: number;
  /** The time when its effect was first seen. */
  confirmedMs?: number;
  endedMs?: number;
  /** The increase of the fault's own counter; 0 means no effect, and then there is no verdict. */
  effect: number;
  /** The unit of `effect`: `certificate requests refused`. */
  effectUnit: string;
  undo: 'done' | 'lapsed' | 'failed' | 'none';
  /** The holder's reason for the lapse, if it has one. */
  lapsedBy?: string;
}

export interface DeathRecord {
  /** The name of a process or an injection point. */
  name: string;
  /** The end of the process; absent if it only stopped answering. */
  atMs?: number;
  /** `ended with 1: Error: read ECONNRESET`. */
  how?: string;
}

export interface AlertRef {
  name: string;
  labels: Record<string, string>;
  severity: string;
  firedAtMs: number;
}

/** Each possible outcome of an alert that must fire; only the first is good. */
export const outcomeKinds = [
  'notified',
  'late',
  'too-early',
  'pending',
  'wrong-severity',
  'wrong-label',
  'routed-elsewhere',
  'not-withheld',
  'inhibited',
  'muted',
  'silenced',
  'not-delivered',
  'rule-missing',
  'no-data',
  'inactive',
  'already-firing',
  'already-pending',
  'nobody-watching',
  'not-injected',
] as const;
export type OutcomeKind = (typeof outcomeKinds)[number];

export interface OutcomeRecord {
  kind: OutcomeKind;
  /** Follows the alert's name, without a full stop: `fired as a ticket, expected a page`. */
  text: string;
  /** The outcome does not depend on the machine's load: true for a ticket instead of a page, not for a late page. */
  certain?: boolean;
}

export interface ExpectationRecord {
  name: string;
  /** Labels that the alert must at least have. */
  labels: Record<string, string>;
  severity: string;
  /** From confirmation to receipt, scaled, including the allowance. */
  deadlineMs: number;
  /** The rule's evaluation, counted from `confirmedMs`; undefined if it never fired. */
  firedAfterMs?: number;
  /** The receiver's notification, counted from `confirmedMs`; the deadline applies to it. */
  receivedAfterMs?: number;
  inTime: boolean;
  /** The receiver that must be notified, if the scenario names one. */
  receiver?: string;
  /**
   * The alert or silence that must hide this alert, so that nobody is notified; `in time` then means that the rule
   * fired in time.
   */
  withheld?: { how: 'inhibited' | 'silenced'; by: string };
  /** Absent in records from before outcomes existed. */
  outcome?: OutcomeRecord;
  theory?: TheoryRecord;
  /** Undefined if the alert need not resolve. Counted from the end of the rollback. */
  resolve?: { withinMs: number; resolvedAfterMs?: number; inTime: boolean };
}

/** The computed range in which the multi-window rule must fire, counted from `confirmedMs` like `firedAfterMs`. */
export interface TheoryRecord {
  exactMs: number;
  earliestMs: number;
  latestMs: number;
  /** One interval of the rule's group: the tolerance of the requirement. */
  evaluationIntervalMs: number;
  /** Whether `firedAfterMs` lies between earliest and latest, or within one evaluation interval of either. */
  within: boolean;
  /** The scenario's reason to allow a firing outside of that range. */
  mayMiss?: string;
  /** `errors step from 0% to 41% 812 ms after confirmation; 3x over 1h and 5m`. */
  basis: string;
}

export interface CheckRecord {
  name: string;
  held: boolean;
  /** The measured value. */
  detail: string;
}

export interface ArmRecord {
  name: string;
  description: string;
  triggerStartMs: number;
  triggerEndMs: number;
  /** Attempts that reached the dependency per request of a client, during the trigger and after it. */
  amplificationDuring: number;
  amplificationAfter: number;
  /** Requests that the trigger struck, by its own counters, and failed requests of the goodput's route in that time. */
  struck?: number;
  failed?: number;
  /** Successful requests per second before the trigger, and after it. */
  goodputBefore: number;
  goodputAfter: number;
  /** From the trigger's end until goodput had recovered; undefined if it never did: metastable. */
  recoveredAfterMs?: number;
  verdict: 'recovered' | 'metastable';
}

/** One firing at the receivers; a second firing of the same alert is another. */
export interface Firing {
  name: string;
  labels: Record<string, string>;
  annotations: Record<string, string>;
  severity: string;
  /** Time of the rule's evaluation. */
  firedAtMs: number;
  /** Time of the first receiver's notification. */
  receivedAtMs: number;
  /** Time of each receiver's first notification, if the routing names receivers. */
  receipts?: Record<string, number>;
  /** Absent if it fired to the end. */
  resolvedAtMs?: number;
}

export interface AlertRecord extends Firing {
  /** The scenario during which it fired. */
  scenario?: string;
  expected: boolean;
  /** Facts for the runbook, gathered while the alert fired. */
  facts: RunbookFact[];
  /** Answers to the queries of its runbook while it fired (null: refused); for the first firing of its name. */
  answers?: Record<string, RunbookAnswer[] | null>;
  /** File name of the built-in runbook for it, such as `slo-burn`; absent if there is none. */
  runbook?: string;
}

/** `{name: 'certificate', value: 'payment.retail..., expired 3 s ago', command: 'firedrill identity ...'}`. */
export interface RunbookFact {
  name: string;
  value: string;
  /** A command that shows the fact. */
  command?: string;
}

/** One series that a query returned. */
export interface RunbookAnswer {
  labels: Record<string, string>;
  value: number;
}

export interface SeriesRecord {
  /** Lines of one panel are drawn together. */
  panel: 'success' | 'latency' | 'retries' | 'burn' | 'load' | 'certificates';
  /** `checkout`: the line's name. */
  name: string;
  unit: 'ratio' | 'ms' | 'per second' | 'x' | 's';
  /** The measuring side. */
  source: 'client' | 'proxies';
  /** [atMs, value]; a gap is a point with null. */
  points: [number, number | null][];
  /** Values with a meaning, such as the burn rates at which an alert fires. */
  thresholds?: { at: number; text: string }[];
}

export interface TimelineEvent {
  atMs: number;
  source: 'runner' | 'controller' | 'proxy' | 'certificate' | 'deployment' | 'alert' | 'client';
  /** `payment proxy`, `CheckoutAvailability`. */
  subject: string;
  text: string;
  scenario?: string;
  /** Whether the event belongs in a short timeline. */
  major: boolean;
}

export interface BudgetRecord {
  slo: string;
  service: string;
  objective: number;
  total: number;
  bad: number;
  /** Bad events divided by the bad events that the objective allows for these events: 1 is the whole budget. */
  spentRatio: number;
  /** Share of the whole period's budget that was spent, if the run's traffic continued. */
  spentOfPeriodRatio: number;
}
