/**
 * What an Alertmanager does between rules and a pager, for one route: alerts are gathered in groups, a group waits for
 * company, is sent whole when something in it changed, and is sent again after a while.
 */
import type { Clock, Timer } from '../../base/clock.js';
import type { Grouping } from './model.js';
import type { WebhookAlert, WebhookPayload } from './receiver.js';

export interface AlertUpdate {
  /** Equal for the same labels. */
  key: string;
  labels: Record<string, string>;
  annotations: Record<string, string>;
  startsAtMs: number;
  /** Absent while it fires. */
  endsAtMs?: number;
}

interface Group {
  key: string;
  labels: Record<string, string>;
  alerts: Map<string, AlertUpdate>;
  timer: Timer;
  /** What was said last: firing alerts and resolved ones, by key and start. */
  saidFiring: Set<string>;
  saidResolved: Set<string>;
  saidMs: number | undefined;
}

const groupsMax = 10_000;

export class Notifier {
  readonly #clock: Clock;
  readonly #grouping: Grouping;
  readonly #deliver: (payload: WebhookPayload) => void;
  readonly #groups = new Map<string, Group>();

  constructor(clock: Clock, grouping: Grouping, deliver: (payload: WebhookPayload) => void) {
    this.#clock = clock;
    this.#grouping = grouping;
    this.#deliver = deliver;
  }

  update(alerts: readonly AlertUpdate[]): void {
    for (const alert of alerts) {
      const labels = this.#groupLabels(alert.labels);
      const key = JSON.stringify(Object.entries(labels).sort());
      let group = this.#groups.get(key);
      if (!group) {
        // What is over before anybody was told of it is no news.
        if (alert.endsAtMs !== undefined || this.#groups.size >= groupsMax) continue;
        group = this.#open(key, labels, alert);
      }
      group.alerts.set(alert.key, alert);
    }
  }

  stop(): void {
    for (const group of this.#groups.values()) group.timer.cancel();
    this.#groups.clear();
  }

  #groupLabels(labels: Record<string, string>): Record<string, string> {
    const { by } = this.#grouping;
    if (by.includes('...')) return labels;
    return Object.fromEntries(Object.entries(labels).filter(([name]) => by.includes(name)));
  }

  #open(key: string, labels: Record<string, string>, first: AlertUpdate): Group {
    const late = this.#clock.nowMs() - first.startsAtMs >= this.#grouping.waitMs;
    const group: Group = {
      key,
      labels,
      alerts: new Map(),
      timer: this.#clock.after(late ? 0 : this.#grouping.waitMs, () => this.#flush(group)),
      saidFiring: new Set(),
      saidResolved: new Set(),
      saidMs: undefined,
    };
    this.#groups.set(key, group);
    return group;
  }

  #flush(group: Group): void {
    const alerts = [...group.alerts.values()];
    const id = (a: AlertUpdate): string => `${a.startsAtMs} ${a.key}`;
    const firing = new Set(alerts.filter((a) => a.endsAtMs === undefined).map(id));
    const resolved = new Set(alerts.filter((a) => a.endsAtMs !== undefined).map(id));
    if (this.#isNews(group, firing, resolved)) {
      this.#deliver(payloadOf(group, alerts));
      group.saidFiring = firing;
      group.saidResolved = resolved;
      group.saidMs = this.#clock.nowMs();
    }
    for (const alert of alerts) {
      if (alert.endsAtMs !== undefined) group.alerts.delete(alert.key);
    }
    if (group.alerts.size === 0) {
      this.#groups.delete(group.key);
      return;
    }
    group.timer = this.#clock.after(this.#grouping.intervalMs, () => this.#flush(group));
  }

  #isNews(group: Group, firing: ReadonlySet<string>, resolved: ReadonlySet<string>): boolean {
    if (group.saidMs === undefined) return firing.size > 0;
    const subset = (now: ReadonlySet<string>, said: ReadonlySet<string>): boolean =>
      [...now].every((id) => said.has(id));
    if (!subset(firing, group.saidFiring)) return true;
    if (firing.size === 0) return group.saidFiring.size > 0;
    if (!subset(resolved, group.saidResolved)) return true;
    return this.#clock.nowMs() - group.saidMs >= this.#grouping.repeatMs;
  }
}

const time = (ms: number): string => new Date(ms).toISOString();

function payloadOf(group: Group, alerts: readonly AlertUpdate[]): WebhookPayload {
  const listed = alerts.map((alert): WebhookAlert => ({
    status: alert.endsAtMs === undefined ? 'firing' : 'resolved',
    labels: alert.labels,
    annotations: alert.annotations,
    startsAt: time(alert.startsAtMs),
    endsAt: alert.endsAtMs === undefined ? '0001-01-01T00:00:00Z' : time(alert.endsAtMs),
    generatorURL: '',
    fingerprint: fingerprint(alert.key),
  }));
  return {
    version: '4',
    groupKey: group.key,
    status: listed.some((a) => a.status === 'firing') ? 'firing' : 'resolved',
    receiver: 'firedrill',
    groupLabels: group.labels,
    commonLabels: common(listed.map((a) => a.labels)),
    commonAnnotations: common(listed.map((a) => a.annotations)),
    externalURL: '',
    alerts: listed,
  };
}

/** What all of them have alike. */
function common(maps: readonly Record<string, string>[]): Record<string, string> {
  const [first, ...rest] = maps;
  return Object.fromEntries(
    Object.entries(first ?? {}).filter(([name, value]) => rest.every((m) => m[name] === value)),
  );
}

/** FNV-1a in 64 bits, as Prometheus's fingerprints have. */
function fingerprint(text: string): string {
  let hash = 0xcbf29ce484222325n;
  for (const byte of Buffer.from(text)) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  }
  return hash.toString(16).padStart(16, '0');
}
