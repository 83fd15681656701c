/**
 * Interface of a watch, which observes a system during a drill: it scrapes, evaluates rules and notifies a receiver.
 */
import type { RuleGroup } from '../../slo/index.js';
import type { AmSilence } from '../routing/alertmanager-api.js';
import type { AmConfig } from '../routing/config.js';

export interface Target {
  job: string;
  /** URL of the metrics: `http://127.0.0.1:4191/metrics`. */
  url: string;
  /** The label `instance`; default: host and port of the URL. */
  instance?: string;
  /** Labels added to every series of the target. */
  labels?: Record<string, string>;
}

/** How alerts are grouped into notifications, as in a route of Alertmanager. */
export interface Grouping {
  /** Labels whose values alerts of one notification share; `['...']` notifies each alert alone. */
  by: readonly string[];
  waitMs: number;
  intervalMs: number;
  repeatMs: number;
}

/**
 * The user's alertmanager.yml under test: its routes as written, and every receiver replaced by a sink on loopback.
 */
export interface AlertmanagerOptions {
  file: string;
  /** The configuration, if it was already read; absent: it is read from the file. */
  config?: AmConfig;
  /** Factor for group waits, intervals and repeats, such as 1/240. */
  timeScale: number;
  /** The moment at which time intervals and silences are judged; default: the drill's own time. */
  pretendedMs?: number;
  /** Production's silences; those in force at that moment apply throughout the drill. */
  silences?: readonly AmSilence[];
}

/** Protocols of a receiver's integrations: `<integration>_configs` in alertmanager.yml. */
export const integrations = ['webhook', 'pagerduty', 'opsgenie', 'slack', 'email'] as const;
export type Integration = (typeof integrations)[number];

export interface WatchOptions {
  targets: readonly Target[];
  /** Rules evaluated beside those in `ruleFiles`. */
  groups?: readonly RuleGroup[];
  ruleFiles?: readonly string[];
  scrapeIntervalMs: number;
  /** Interval of groups that set none, in milliseconds. */
  evaluationIntervalMs: number;
  /** Grouping for the single receiver; ignored if `alertmanager` is given. */
  grouping?: Partial<Grouping>;
  /** The user's own routing; absent: one receiver for all alerts. */
  alertmanager?: AlertmanagerOptions;
  externalLabels?: Record<string, string>;
  /** Called with one line for each step of starting and stopping. */
  say?: (line: string) => void;
}

export interface Notification {
  /** Wall-clock time at which the receiver got the notification, as a pager would show it. */
  receivedMs: number;
  status: 'firing' | 'resolved';
  labels: Record<string, string>;
  annotations: Record<string, string>;
  startsAtMs: number;
  /** Present if the alert is resolved. */
  endsAtMs?: number;
  /**
   * The rules report that the alert resolved, but no receiver was notified, because of `send_resolved: false` or
   * because the alert was inhibited by then.
   */
  untold?: true;
  /** The notified receiver of Alertmanager's configuration; absent if there is only one for all. */
  receiver?: string;
  /** Protocol of the notification. */
  integration?: Integration;
  /** Key that identifies the incident: PagerDuty's dedup_key, OpsGenie's alias. */
  dedupKey?: string;
  /** OpsGenie's priority or PagerDuty's severity. */
  priority?: string;
  /** Slack's channel, or the addresses of an email. */
  to?: string;
}

/** How far an alert has come on its way from its rule to a pager. */
export interface Standing {
  /**
   * `firing`: not yet notified, without a known reason (grouping or delivery). `no-data`: the rule is evaluated, but a
   * metric that it needs has no series (`by`).
   */
  state:
    | 'no-rule'
    | 'no-data'
    | 'inactive'
    | 'pending'
    | 'firing'
    | 'inhibited'
    | 'muted'
    | 'silenced'
    | 'routed-elsewhere'
    | 'notified';
  /** The reason as text: the inhibiting alert, the muting time interval, or the silence. */
  by?: string;
  /** Receivers of the alert's routes. */
  receivers?: readonly string[];
  /** For a firing alert: the wait of its route before the first notification (`group_wait`), in milliseconds. */
  waitMs?: number;
  /** When the expression became true, and when the rule fired, at its latest firing. */
  activeAtMs?: number;
  firedAtMs?: number;
}

export interface ActiveAlert {
  state: 'pending' | 'firing';
  labels: Record<string, string>;
  annotations: Record<string, string>;
  activeAtMs: number;
  value: number;
}

export interface Sample {
  labels: Record<string, string>;
  value: number;
}

export interface SampleSeries {
  labels: Record<string, string>;
  /** Pairs of time in milliseconds and value. */
  points: [number, number][];
}

export interface Watch {
  readonly kind: WatchKind;
  /** `Prometheus 2.42.0, Alertmanager 0.25.0`, or `embedded`. */
  readonly version: string;
  /** Base URL of a real Prometheus, for people; undefined for an embedded watch. */
  readonly url: string | undefined;
  query(expr: string, timeMs?: number): Promise<Sample[]>;
  queryRange(expr: string, startMs: number, endMs: number, stepMs: number): Promise<SampleSeries[]>;
  /** The alerts that are pending or firing now. */
  alerts(): Promise<ActiveAlert[]>;
  /**
   * How far the alert with these labels has come, now or since `sinceMs`. `receiver` is the receiver expected to be
   * notified. Absent if the watch cannot tell.
   */
  standing?(
    labels: Readonly<Record<string, string>>,
    receiver?: string,
    sinceMs?: number,
  ): Promise<Standing>;
  /** The reason why nobody would be notified now, such as `Alertmanager ended`; undefined if all programs answer. */
  trouble?(): Promise<string | undefined>;
  /** The last 10,000 notifications, oldest first. */
  readonly notifications: readonly Notification[];
  /** Calls back with each new notification; returns a function that stops that. */
  onNotification(listener: (notification: Notification) => void): () => void;
  /** Replaces the targets: removed ones become stale, new ones are scraped from now on. */
  setTargets(targets: readonly Target[]): Promise<void>;
  stop(): Promise<void>;
}

const watchKinds = ['prometheus', 'embedded'] as const;
export type WatchKind = (typeof watchKinds)[number];

export const standardGrouping: Grouping = {
  by: ['...'],
  waitMs: 50,
  intervalMs: 250,
  repeatMs: 4 * 3_600_000,
};

/** The label `instance` of a target. */
export const instanceOf = (target: Target): string => target.instance ?? new URL(target.url).host;
