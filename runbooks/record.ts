/**
 * What a game day measured, as one plain value: reports, postmortems and runbooks are pure functions of it. Everything
 * here survives JSON.stringify (it is written beside the report as record.json). Times are milliseconds since the
 * epoch (`atMs`), lengths are real milliseconds (`Ms`): what the time scale made of the nominal ones.
 */

import type { AlertCoverage } from '../alerts/coverage/index.js';

export type Verdict = 'PASS' | 'FAIL' | 'INCONCLUSIVE' | 'ABORTED';

export interface GameDayRecord {
  /** Of this type; grows when a field changes its meaning. */
  version: 1;
  /** `2026-11-26T06-12-01-ab12`: also the folder's name of a kept report. */
  id: string;
  title: string;
  /** The command line that ran it, without the path of node. */
  command: string;
  firedrillVersion: string;
  startedMs: number;
  endedMs: number;
  /** The worst of the scenarios'. */
  verdict: Verdict;
  exitCode: number;
  timeScale: TimeScale;
  /** What of the rules and the routing is not as in production, a sentence each. */
  remarks?: string[];
  measurement: Measurement;
  load: LoadRecord;
  system: SystemRecord;
  /** In the order in which they ran. */
  scenarios: ScenarioRecord[];
  /** Over the whole run, for plots. */
  series: SeriesRecord[];
  /** Every alert that reached the receiver, expected or not, in the order of `firedAtMs`. */
  alerts: AlertRecord[];
  /** In the order of `atMs`. */
  timeline: TimelineEvent[];
  /** One for each SLO. */
  budgets: BudgetRecord[];
  /** Which alerts this run proved to fire; absent in records of before there was such a table. */
  coverage?: AlertCoverage[];
  machine: { platform: string; cpus: number; memoryBytes: number; node: string };
}

/** Windows, intervals, `for` and the scenarios' own durations are multiplied by `factor`; nothing else changes. */
export interface TimeScale {
  factor: number;
  /** `1/240`, or `1`. */
  text: string;
  /** What an hour of the rules' text takes, in milliseconds. */
  hourMs: number;
  /** Why this one. */
  why?: string;
}

export interface Measurement {
  kind: 'prometheus' | 'embedded';
  /** Why this one: `asked for by --prometheus embedded`. */
  why?: string;
  /** `2.42.0`; absent where embedded. */
  prometheusVersion?: string;
  alertmanagerVersion?: string;
  scrapeIntervalMs: number;
  /** Of the rules that page. */
  evaluationIntervalMs: number;
  /** Where alerts were judged, where Prometheus and Alertmanager ran already: `at Alertmanager's API: ...`. */
  judgedAt?: string;
  /** Receivers of theirs that were notified meanwhile, beside the drill's own. */
  toldBesides?: string[];
  /** Added to a deadline for what no time scale shortens: grouping, delivery to the receiver. */
  deliveryAllowanceMs: number;
}

export interface LoadRecord {
  kind: 'k6' | 'embedded' | 'locust' | 'existing';
  version?: string;
  /** Open model: this many requests are begun each second whatever the answers take. */
  requestsPerSecond: number;
  /** Latency is counted from the moment a request was due, so waiting is not left out. */
  measuredFrom: 'intended start' | 'request start';
  /** Requests that were due and not begun, since the driver could not keep up. */
  dropped: number;
  total: ClientTotals;
}

/** What the client saw: the system's own metrics play no part in it. */
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
    /** What it calls. */
    calls: string[];
    identity?: string;
  }[];
  /** Processes that were started, such as `cart proxy`. */
  processes: { name: string; kind: string; pid: number; ports: Record<string, number> }[];
  /** Absent without mTLS. */
  certificateLifetimeMs?: number;
  /** What the system has to say beside what every system has. */
  sections?: ReportSection[];
}

/** Of a system's own making: the shop's payments. */
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
  /** Why it is run and what is learnt, in Markdown. */
  description: string;
  /** F1 to F7 and the like of the failure modes, where it is one. */
  failureMode?: string;
  /** The YAML file, relative to the package where it is one of ours. */
  file: string;
  startedMs: number;
  endedMs: number;
  blastRadius: string;
  hypothesis: {
    title: string;
    before: MeasureRecord[];
    /** Measured while the fault was on, where the scenario says that it holds throughout. */
    during: MeasureRecord[];
    after: MeasureRecord[];
  };
  phases: PhaseRecord[];
  faults: FaultRecord[];
  /** When the first fault's effect was seen; deadlines count from here. */
  confirmedMs?: number;
  /** When callers began to see errors, by the client or the proxies; theory counts from here. */
  onsetMs?: number;
  expectations: ExpectationRecord[];
  /** Allowed by name (`mayFire`): consequences such as the ticket beside a page. */
  allowed: AlertRef[];
  /** Neither expected nor allowed: each makes the scenario fail. */
  unexpected: AlertRef[];
  /** What fired before the injection, set apart. */
  alreadyFiring: AlertRef[];
  /** Further claims of the scenario: `no request failed`, `new configuration did not roll out`. */
  checks: CheckRecord[];
  /** Of a retry storm: the policy under test and its control, under the same trigger. */
  arms: ArmRecord[];
  abort?: { condition: string; atMs: number };
  rollback: {
    done: boolean;
    startedMs?: number;
    endedMs?: number;
    residue: string[];
    /** What died without a fault of the scenario that took it: processes, injection points that no longer answered. */
    dead?: DeathRecord[];
  };
  client: ClientTotals;
  /** Absent where every failure of callers paged somebody. */
  silences?: SilenceRecord[];
  /** How late the runner's own timers came: above some tens of milliseconds the machine was too busy to judge. */
  lateness?: LatenessRecord;
  /** The scenario's runbook held against it, where that was asked for. */
  runbookProof?: RunbookProofRecord;
  /** Share of each SLO's budget that this scenario spent. */
  budgetSpent: { slo: string; ratio: number; bad?: number; total?: number }[];
  /** File name of the runbook that the scenario names, such as `certificate-expiry`. */
  runbook: string;
  verdict: Verdict;
  /** A sentence each: why it is not a PASS, worst first. Empty for a PASS. */
  reasons: string[];
}

/** Whether the page says what is wrong, and whether doing what it says ends it. */
export interface RunbookProofRecord {
  page: string;
  /** Each query and command of its Diagnosis. */
  diagnosis: {
    asked: string;
    /** Answered otherwise under the fault than before it. */
    differs: boolean;
    /** Why it was not answered each time. */
    why?: string;
  }[];
  mitigation: {
    /** In the page's order, with how each ended and the last line that it said. */
    steps: { command: string; code: number | string; said?: string }[];
    /** From the first step on until the alerts had ended and the system was steady; absent where it never was. */
    endedAfterMs?: number;
    /** Pages that came meanwhile, of following it: a restart is felt too. */
    pages?: string[];
    /** Why no step was taken, or why its end proves nothing. */
    why?: string;
  };
  /** Commands with a word that only a person can fill in. */
  open?: string[];
}

/** Callers failed for a while, and nobody was paged. */
export interface SilenceRecord {
  /** Of the client's profile. */
  route: string;
  startMs: number;
  failedMs: number;
  errors: number;
  requests: number;
  /** Who was notified at all. */
  told: 'nobody' | 'a ticket';
  /** What each SLO counted meanwhile; no ratio where it had no events. */
  slos: { slo: string; badRatio?: number }[];
  /** The smallest rule that would have seen it: on what callers' proxies counted, or on a probe. */
  rule?: { expr: string; afterMs?: number; probe?: string };
}

export interface LatenessRecord {
  p50Ms: number;
  p95Ms: number;
  maxMs: number;
  /** Share of the time in which something that could run waited for a CPU; absent where the kernel does not say. */
  cpuPressure?: number;
}

export type PhaseKind = 'baseline' | 'injection' | 'fault' | 'rollback' | 'recovery';

export interface PhaseRecord {
  kind: PhaseKind;
  /** Which arm, where the scenario has several. */
  arm?: string;
  startMs: number;
  endMs: number;
  client: ClientTotals;
}

/** One bound of a steady state, as it was measured. */
export interface MeasureRecord {
  name: string;
  source: 'client' | 'promql';
  /** The query, or the client's measure such as `errorRatio`. */
  expr: string;
  /** `<= 0.01`. */
  bound: string;
  unit: string;
  /** Undefined where there was no data, which never holds. */
  value?: number;
  held: boolean;
}

export interface FaultRecord {
  id: string;
  /** `identity-freeze`, `kill`, `delay`, ... */
  kind: string;
  /** `controller`, `payment`, `checkout proxy`. */
  target: string;
  /** The services that it strikes; whoever calls these is hurt. Absent in records of older days. */
  struck?: string[];
  description: string;
  requestedMs: number;
  /** When its effect was first seen. */
  confirmedMs?: number;
  endedMs?: number;
  /** What its own counter moved by; 0 is no effect, and no verdict comes of it. */
  effect: number;
  /** What one of `effect` is: `certificate requests refused`. */
  effectUnit: string;
  undo: 'done' | 'lapsed' | 'failed' | 'none';
}

export interface DeathRecord {
  /** Of a process or an injection point. */
  name: string;
  /** When the process ended; absent where it was only found not to answer. */
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

/** Each thing that can become of an alert that must fire; the first is the only good one. */
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
  'nobody-watching',
  'not-injected',
] as const;
export type OutcomeKind = (typeof outcomeKinds)[number];

export interface OutcomeRecord {
  kind: OutcomeKind;
  /** After the alert's name, without a full stop: `fired as a ticket, expected a page`. */
  text: string;
  /** It is so on the quietest of machines: a ticket in a page's place, and no late page. */
  certain?: boolean;
}

export interface ExpectationRecord {
  name: string;
  /** What it must at least carry. */
  labels: Record<string, string>;
  severity: string;
  /** From confirmation to receipt, scaled, the allowance included. */
  deadlineMs: number;
  /** By the rule's evaluation, after `confirmedMs`; undefined where it never fired. */
  firedAfterMs?: number;
  /** At the receiver, after `confirmedMs`: what the deadline is held against. */
  receivedAfterMs?: number;
  inTime: boolean;
  /** The receiver that must be notified, where the scenario names one. */
  receiver?: string;
  /** Nobody must be notified of it, since this hides it; in time is then that it fired by its rule in time. */
  withheld?: { how: 'inhibited' | 'silenced'; by: string };
  /** Absent in records of before there were outcomes. */
  outcome?: OutcomeRecord;
  theory?: TheoryRecord;
  /** Undefined where it need not. Counted from the end of the rollback. */
  resolve?: { withinMs: number; resolvedAfterMs?: number; inTime: boolean };
}

/** When the multi-window rule must fire by arithmetic, counted like `firedAfterMs` from `confirmedMs`. */
export interface TheoryRecord {
  exactMs: number;
  earliestMs: number;
  latestMs: number;
  /** One interval of the rule's group: the bar is at most this far from theory. */
  evaluationIntervalMs: number;
  /** Whether `firedAfterMs` lies between earliest and latest, one evaluation interval of grace on either side. */
  within: boolean;
  /** The reason why the scenario lets it fire outside of that. */
  mayMiss?: string;
  /** `errors step from 0% to 41% 812 ms after confirmation; 3x over 1h and 5m`. */
  basis: string;
}

export interface CheckRecord {
  name: string;
  held: boolean;
  /** What was measured. */
  detail: string;
}

export interface ArmRecord {
  name: string;
  description: string;
  triggerStartMs: number;
  triggerEndMs: number;
  /** Tries that reached the dependency for each request of a client, while the trigger lasted and after it. */
  amplificationDuring: number;
  amplificationAfter: number;
  /** Successful requests a second before, and once the trigger was gone. */
  goodputBefore: number;
  goodputAfter: number;
  /** From the trigger's end until goodput was back; undefined where it never was: metastable. */
  recoveredAfterMs?: number;
  verdict: 'recovered' | 'metastable';
}

/** One firing at the receiver; a second firing of the same alert is a record of its own. */
export interface AlertRecord {
  name: string;
  labels: Record<string, string>;
  annotations: Record<string, string>;
  severity: string;
  /** As the rule's evaluation saw it. */
  firedAtMs: number;
  /** At the receiver. */
  receivedAtMs: number;
  /** By receiver, where the routing names them. */
  receipts?: Record<string, number>;
  /** Absent where it fired to the end. */
  resolvedAtMs?: number;
  /** During which scenario it fired. */
  scenario?: string;
  expected: boolean;
  /** Facts for the runbook, gathered while it fired. */
  facts: RunbookFact[];
  /** What the queries of its runbook returned while it fired (null: refused); of the first firing of its name. */
  answers?: Record<string, RunbookAnswer[] | null>;
  /** File name of our runbook for it, such as `slo-burn`; absent where there is none. */
  runbook?: string;
}

/** `{name: 'certificate', value: 'payment.retail..., expired 3 s ago', command: 'firedrill identity ...'}`. */
export interface RunbookFact {
  name: string;
  value: string;
  /** What a person can run to see it. */
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
  /** Who measured. */
  source: 'client' | 'proxies';
  /** [atMs, value]; a gap is a point with null. */
  points: [number, number | null][];
  /** Values at which something happens, such as the burns at which an alert fires. */
  thresholds?: { at: number; text: string }[];
}

export interface TimelineEvent {
  atMs: number;
  source: 'runner' | 'controller' | 'proxy' | 'certificate' | 'deployment' | 'alert' | 'client';
  /** `payment proxy`, `CheckoutAvailability`. */
  subject: string;
  text: string;
  scenario?: string;
  /** Worth a line in a short timeline. */
  major: boolean;
}

export interface BudgetRecord {
  slo: string;
  service: string;
  objective: number;
  total: number;
  bad: number;
  /** Bad events over what the objective allows of these events: 1 is all of it. */
  spentRatio: number;
  /** Share of the whole period's budget that went, at the traffic of the run carried on. */
  spentOfPeriodRatio: number;
}
