/** What watches a system during a drill: scrapes it, evaluates rules, and tells a receiver what fires and resolves. */
import type { RuleGroup } from '../../slo/index.js';

export interface Target {
  job: string;
  /** Where metrics are fetched: `http://127.0.0.1:4191/metrics`. */
  url: string;
  /** The `instance` label; default host and port of the URL. */
  instance?: string;
  /** Added to every series of the target. */
  labels?: Record<string, string>;
}

/** How alerts are gathered into notifications, as in an Alertmanager's route. */
export interface Grouping {
  /** Labels by which alerts share a notification; `['...']` is each alert by itself. */
  by: readonly string[];
  waitMs: number;
  intervalMs: number;
  repeatMs: number;
}

export interface WatchOptions {
  targets: readonly Target[];
  /** Evaluated beside those in `ruleFiles`. */
  groups?: readonly RuleGroup[];
  ruleFiles?: readonly string[];
  scrapeIntervalMs: number;
  /** For groups that name no interval of their own. */
  evaluationIntervalMs: number;
  grouping?: Partial<Grouping>;
  externalLabels?: Record<string, string>;
  /** One line for each step of starting and stopping. */
  say?: (line: string) => void;
}

export interface Notification {
  /** Wall time at which the receiver had it: what a person's pager would show. */
  receivedMs: number;
  status: 'firing' | 'resolved';
  labels: Record<string, string>;
  annotations: Record<string, string>;
  startsAtMs: number;
  /** Where it is resolved. */
  endsAtMs?: number;
  /** The receiver of the Alertmanager's configuration that was notified; absent where there is one for all. */
  receiver?: string;
}

/** Where an alert stands on its way from its rule to somebody's pager. */
export interface Standing {
  /** `firing` is not yet notified, for no reason that can be named: grouping, delivery. */
  state:
    | 'no-rule'
    | 'inactive'
    | 'pending'
    | 'firing'
    | 'inhibited'
    | 'muted'
    | 'silenced'
    | 'routed-elsewhere'
    | 'notified';
  /** In words: the alert that inhibits it, the time interval that mutes it, the silence. */
  by?: string;
  /** Where its route leads. */
  receivers?: readonly string[];
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
  /** Time in milliseconds and value. */
  points: [number, number][];
}

export interface Watch {
  readonly kind: WatchKind;
  /** `Prometheus 2.42.0, Alertmanager 0.25.0`, or `embedded`. */
  readonly version: string;
  /** The API of a real Prometheus, for people; undefined where there is none. */
  readonly url: string | undefined;
  query(expr: string, timeMs?: number): Promise<Sample[]>;
  queryRange(expr: string, startMs: number, endMs: number, stepMs: number): Promise<SampleSeries[]>;
  /** Pending and firing ones, now. */
  alerts(): Promise<ActiveAlert[]>;
  /**
   * How far the alert with these labels has come, now; `receiver` is the one that was expected to be notified. Absent
   * where the watch cannot tell.
   */
  standing?(labels: Readonly<Record<string, string>>, receiver?: string): Promise<Standing>;
  /** Why nobody would be notified of anything now: `Alertmanager ended`; undefined where all of it answers. */
  trouble?(): Promise<string | undefined>;
  /** Everything that the receiver got so far, oldest first; the last 10,000. */
  readonly notifications: readonly Notification[];
  /** Calls back with each notification from now on; returns how to stop that. */
  onNotification(listener: (notification: Notification) => void): () => void;
  /** Replaces the targets: what is gone becomes stale, what is new is scraped from now on. */
  setTargets(targets: readonly Target[]): Promise<void>;
  stop(): Promise<void>;
}

export const watchKinds = ['prometheus', 'embedded'] as const;
export type WatchKind = (typeof watchKinds)[number];

export const standardGrouping: Grouping = {
  by: ['...'],
  waitMs: 50,
  intervalMs: 250,
  repeatMs: 4 * 3_600_000,
};

/** The `instance` label of a target. */
export const instanceOf = (target: Target): string => target.instance ?? new URL(target.url).host;
