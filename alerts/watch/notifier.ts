/**
 * An Alertmanager's part between rules and pagers. Alerts take their routes and form groups. A group waits for further
 * alerts, is sent whole whenever one of its alerts changes, and is repeated after a while. Held alerts are left out.
 */
import type { Clock, Timer } from '../../base/clock.js';
import type { Grouping } from './model.js';
import type { WebhookAlert, WebhookPayload } from './webhook-payload.js';

export interface AlertUpdate {
  /** Equal for equal labels. */
  key: string;
  labels: Record<string, string>;
  annotations: Record<string, string>;
  startsAtMs: number;
  /** Absent while the alert fires. */
  endsAtMs?: number;
}

export interface TakenRoute {
  /** Key of the route as Alertmanager writes it: `{}/{severity="page"}`. */
  key: string;
  receiver: string;
  grouping: Grouping;
}

/** One integration of a receiver. */
export interface Outlet {
  /** Number among all integrations of the configuration. */
  number: number;
  sendsResolved: boolean;
}

/** Decides who is notified: one receiver for all alerts, or a user's configuration. */
export interface Routes {
  routesOf(labels: Readonly<Record<string, string>>): readonly TakenRoute[];
  outletsOf(receiver: string): readonly Outlet[];
  /** Whether the route holds the alert back now, because it is inhibited, silenced or muted. */
  isHeld(alert: AlertUpdate, route: TakenRoute, firing: Iterable<AlertUpdate>): boolean;
}

/** Sends all alerts to one receiver with one grouping. */
export function oneRoute(grouping: Grouping): Routes {
  const route: TakenRoute = { key: '{}', receiver: 'firedrill', grouping };
  const outlets = [{ number: 0, sendsResolved: true }];
  return { routesOf: () => [route], outletsOf: () => outlets, isHeld: () => false };
}

/** The last notification of a group at an outlet. */
interface Said {
  firing: ReadonlySet<string>;
  resolved: ReadonlySet<string>;
  atMs: number;
}

interface Group {
  key: string;
  route: TakenRoute;
  labels: Record<string, string>;
  alerts: Map<string, AlertUpdate>;
  timer: Timer;
}

const groupsMax = 10_000;
/** Maximum number of remembered notifications. */
const saidMax = 100_000;

export class Notifier {
  readonly #clock: Clock;
  readonly #routes: Routes;
  readonly #deliver: (payload: WebhookPayload, outlet: Outlet) => void;
  readonly #groups = new Map<string, Group>();
  /** The last notification by group and outlet; kept after a group ends, as in Alertmanager's notification log. */
  readonly #said = new Map<string, Said>();
  /** All firing alerts, notified or not, because an alert inhibits others even if nobody is notified of it. */
  readonly #firing = new Map<string, AlertUpdate>();

  constructor(
    clock: Clock,
    routes: Routes,
    deliver: (payload: WebhookPayload, outlet: Outlet) => void,
  ) {
    this.#clock = clock;
    this.#routes = routes;
    this.#deliver = deliver;
  }

  get firing(): Iterable<AlertUpdate> {
    return this.#firing.values();
  }

  update(alerts: readonly AlertUpdate[]): void {
    for (const alert of alerts) {
      if (alert.endsAtMs === undefined) this.#firing.set(alert.key, alert);
      else this.#firing.delete(alert.key);
      for (const route of this.#routes.routesOf(alert.labels)) this.#put(alert, route);
    }
  }

  stop(): void {
    for (const group of this.#groups.values()) group.timer.cancel();
    this.#groups.clear();
    this.#said.clear();
  }

  #put(alert: AlertUpdate, route: TakenRoute): void {
    const labels = groupLabels(alert.labels, route.grouping.by);
    const key = `${route.key}:${labelSet(labels)}`;
    const id = `${route.receiver} ${key}`;
    let group = this.#groups.get(id);
    if (!group) {
      // Resolved alerts also open a group: their end may not have been sent, if the group was held back.
      if (this.#groups.size >= groupsMax) return;
      group = this.#open(id, { key, route, labels }, alert);
    }
    group.alerts.set(alert.key, alert);
  }

  #open(
    id: string,
    { key, route, labels }: Pick<Group, 'key' | 'route' | 'labels'>,
    first: AlertUpdate,
  ): Group {
    const { waitMs } = route.grouping;
    const late = this.#clock.nowMs() - first.startsAtMs > waitMs;
    const group: Group = {
      key,
      route,
      labels,
      alerts: new Map(),
      timer: this.#clock.after(late ? 0 : waitMs, () => this.#flush(id, group)),
    };
    this.#groups.set(id, group);
    return group;
  }

  #flush(id: string, group: Group): void {
    const all = [...group.alerts.values()];
    const told = all.filter((a) => !this.#routes.isHeld(a, group.route, this.#firing.values()));
    for (const outlet of this.#routes.outletsOf(group.route.receiver)) {
      this.#tell(id, group, outlet, told);
    }
    for (const alert of all) {
      if (alert.endsAtMs !== undefined) group.alerts.delete(alert.key);
    }
    if (group.alerts.size === 0) {
      this.#groups.delete(id);
      return;
    }
    const { intervalMs } = group.route.grouping;
    group.timer = this.#clock.after(intervalMs, () => this.#flush(id, group));
  }

  #tell(id: string, group: Group, outlet: Outlet, alerts: readonly AlertUpdate[]): void {
    const firing = alerts.filter((a) => a.endsAtMs === undefined);
    const now: Said = {
      firing: new Set(firing.map((a) => a.key)),
      resolved: new Set(alerts.filter((a) => a.endsAtMs !== undefined).map((a) => a.key)),
      atMs: this.#clock.nowMs(),
    };
    const said = `${outlet.number} ${id}`;
    if (alerts.length === 0 || !isNews(now, this.#said.get(said), outlet, group.route)) return;
    // Reinserted as the newest entry, so that the first entry is the oldest and can be dropped.
    this.#said.delete(said);
    this.#said.set(said, now);
    if (this.#said.size > saidMax) this.#said.delete(this.#said.keys().next().value as string);
    const sent = outlet.sendsResolved ? alerts : firing;
    if (sent.length > 0) this.#deliver(payloadOf(group, sent), outlet);
  }
}

function isNews(now: Said, said: Said | undefined, outlet: Outlet, route: TakenRoute): boolean {
  if (said === undefined) return now.firing.size > 0;
  const subset = (a: ReadonlySet<string>, b: ReadonlySet<string>): boolean =>
    [...a].every((id) => b.has(id));
  if (!subset(now.firing, said.firing)) return true;
  if (now.firing.size === 0) return said.firing.size > 0;
  if (outlet.sendsResolved && !subset(now.resolved, said.resolved)) return true;
  // A notification's time is that of the receiver's answer, so it is repeated not at the repeat interval itself but at
  // the next group interval.
  return now.atMs - said.atMs > route.grouping.repeatMs;
}

function groupLabels(
  labels: Record<string, string>,
  by: readonly string[],
): Record<string, string> {
  if (by.includes('...')) return labels;
  return Object.fromEntries(Object.entries(labels).filter(([name]) => by.includes(name)));
}

/** Labels in the order of their names: `{a="b", c="d"}`. */
const labelSet = (labels: Record<string, string>): string =>
  `{${Object.entries(labels)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
    .join(', ')}}`;

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
    receiver: group.route.receiver,
    groupLabels: group.labels,
    commonLabels: common(listed.map((a) => a.labels)),
    commonAnnotations: common(listed.map((a) => a.annotations)),
    externalURL: '',
    alerts: listed,
  };
}

/** The entries that all maps share. */
function common(maps: readonly Record<string, string>[]): Record<string, string> {
  const [first, ...rest] = maps;
  return Object.fromEntries(
    Object.entries(first ?? {}).filter(([name, value]) => rest.every((m) => m[name] === value)),
  );
}

/** FNV-1a in 64 bits, as in Prometheus's fingerprints. */
function fingerprint(text: string): string {
  let hash = 0xcbf29ce484222325n;
  for (const byte of Buffer.from(text)) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  }
  return hash.toString(16).padStart(16, '0');
}
