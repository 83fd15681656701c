/** What watches a system during a drill: scrapes it, evaluates rules, and tells a receiver what fires and resolves. */
import type { RuleGroup } from '../../slo/index.js';
import type { AmSilence } from '../routing/alertmanager-api.js';
import type { AmConfig } from '../routing/config.js';

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

/** The user's alertmanager.yml under test: routes as written, every receiver a sink on loopback. */
export interface AlertmanagerOptions {
  file: string;
  /** As read already; absent: it is read from the file. */
  config?: AmConfig;
  /** Group waits, intervals and repeats are multiplied by it: 1/240. */
  timeScale: number;
  /** The moment at which time intervals and silences are judged; default: the drill's own. */
  pretendedMs?: number;
  /** Those of production: the ones in force at that moment are in force all along. */
  silences?: readonly AmSilence[];
}

/** What a receiver's integration speaks, as `<integration>_configs` in alertmanager.yml. */
export const integrations = ['webhook', 'pagerduty', 'opsgenie', 'slack', 'email'] as const;
export type Integration = (typeof integrations)[number];

export interface WatchOptions {
  targets: readonly Target[];
  /** Evaluated beside those in `ruleFiles`. */
  groups?: readonly RuleGroup[];
  ruleFiles?: readonly string[];
  scrapeIntervalMs: number;
  /** For groups that name no interval of their own. */
  evaluationIntervalMs: number;
  /** For the one receiver of all; without meaning beside `alertmanager`. */
  grouping?: Partial<Grouping>;
  /** The user's own routing instead of one receiver for all. */
  alertmanager?: AlertmanagerOptions;
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
  /**
   * It resolved, and no receiver was told so: `send_resolved: false`, or inhibited by then, of which Alertmanager tells
   * no end. It came from the rules' side.
   */
  untold?: true;
  /** The receiver of the Alertmanager's configuration that was notified; absent where there is one for all. */
  receiver?: string;
  /** How it came. */
  integration?: Integration;
  /** By which an incident is found again: PagerDuty's dedup_key, OpsGenie's alias. */
  dedupKey?: string;
  /** OpsGenie's priority, PagerDuty's severity. */
  priority?: string;
  /** Slack's channel, or the addresses of an email. */
  to?: string;
}

/** Where an alert stands on its way from its rule to somebody's pager. */
export interface Standing {
  /**
   * `firing` is not yet notified, for no reason that can be named: grouping, delivery. `no-data`: the rule is
   * evaluated, and a metric that it needs has no series (`by`).
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
  /** In words: the alert that inhibits it, the time interval that mutes it, the silence. */
  by?: string;
  /** Where its route leads. */
  receivers?: readonly string[];
  /** When the rule's expression became true, and when the rule fired; of the latest time that it did. */
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
   * How far the alert with these labels has come, now or since `sinceMs`; `receiver` is the one that was expected to be
   * notified. Absent where the watch cannot tell.
   */
  standing?(
    labels: Readonly<Record<string, string>>,
    receiver?: string,
    sinceMs?: number,
  ): Promise<Standing>;
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
