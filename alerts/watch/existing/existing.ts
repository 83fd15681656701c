/**
 * A watch that asks a running Prometheus and Alertmanager and changes nothing in them. Alerts are judged at the most
 * exact available place: a webhook route that leads to the drill, else Alertmanager's API, else Prometheus's.
 */
import { type Access, fetchWith } from '../../../base/access.js';
import { type Clock, realClock } from '../../../base/clock.js';
import { exitCode, messageOf, UserError, whyUnanswered } from '../../../base/errors.js';
import { PrometheusClient } from '../../../slo/budget/prometheus.js';
import { type AmAlert, AlertmanagerApi } from '../../routing/alertmanager-api.js';
import { AlertmanagerSightings } from '../alertmanager-sightings.js';
import type { ActiveAlert, Watch } from '../model.js';
import { activeAlerts, getJson, isReady, knownRules, versionText } from '../prometheus-api.js';
import { endsEveryMs, endsGraceMs, Receiver } from '../receiver.js';
import { Sightings, standingOf, type StandingSource } from '../standing.js';
import { drillReceiver } from './drill-route.js';
import { Seeing } from './seeing.js';
import { requestsOf, undelivered } from './undelivered.js';

export interface ExistingOptions {
  prometheus: Access;
  alertmanager?: Access;
  /** Name of the receiver whose webhook leads to this drill. */
  receiver?: string;
  /** Address at which that webhook listens; absent: there is no webhook. */
  listen?: { host: string; port: number };
}

/** Where alerts were judged, for the report. */
export const judgedAt = {
  webhook: 'at a webhook route of the Alertmanager that leads to the drill',
  alertmanager: "at Alertmanager's API: group_wait is not yet over when an alert is seen there",
  prometheus: "at Prometheus's API: nothing is known of routes, silences and inhibition",
} as const;
export type JudgedAt = keyof typeof judgedAt;

export interface ExistingWatch extends Watch {
  judgedAt: JudgedAt;
  /** Receivers other than the drill that were notified meanwhile; empty where they are not known. */
  toldBesides(): string[];
}

const readyLimitMs = 10_000;
const pollMs = 1000;

/** Throws a UserError if Prometheus or Alertmanager does not answer. */
export async function startExisting(
  options: ExistingOptions,
  evaluationIntervalMs: number,
  clock: Clock = realClock,
): Promise<ExistingWatch> {
  const { prometheus, alertmanager } = options;
  const ask = fetchWith(prometheus);
  const api = alertmanager && new AlertmanagerApi(alertmanager.url, fetchWith(alertmanager));
  const version = await versionOf(prometheus, api);
  const where = await placeOf(options, api);
  const drill = options.receiver ?? drillReceiver;
  const receiver = new Receiver(clock, [], drill);
  const ending: (() => unknown)[] = [() => receiver.close()];
  const { host, port } = options.listen ?? { host: '127.0.0.1', port: 0 };
  await receiver.listen({ host, port }).catch((error: unknown) => {
    const text = `nobody can listen at ${host}:${port} for the drill's webhook: ${messageOf(error)}`;
    throw new UserError(text, exitCode.environment);
  });
  const client = new PrometheusClient(prometheus.url, readyLimitMs, ask);
  const sightings = new Sightings();
  const toldTo = new Set<string>();
  const sinceMs = clock.nowMs();
  // Of a webhook that leads to the drill it is seen whether it is told.
  const judging = where === 'alertmanager' ? alertmanager : undefined;
  const requests = judging && (await requestsOf(judging));
  const told = (alerts: readonly AmAlert[]): void => {
    for (const { status, startsAt, receivers } of alerts) {
      if (status.state !== 'active' || Date.parse(startsAt) < sinceMs) continue;
      for (const { name } of receivers) if (name !== drill) toldTo.add(name);
    }
  };
  if (api) {
    const sights = new AlertmanagerSightings(api, sightings, undefined, clock, told);
    ending.push(() => sights.stop());
  }
  const active = () => activeAlerts(prometheus.url, ask);
  ending.push(await follow({ where, api, active, receiver, clock, evaluationIntervalMs }));
  const source: StandingSource = {
    nowMs: () => clock.nowMs(),
    stepMs: evaluationIntervalMs,
    notifications: receiver.notifications,
    sightings,
    telling: undefined,
    rules: () => knownRules(prometheus.url, ask),
    hasSeries: async (expr) => (await client.query(expr, clock.nowMs())).length > 0,
    queryRange: (expr, start, end, step) => client.range(expr, start, end, step),
  };
  return {
    kind: 'prometheus',
    version,
    judgedAt: where,
    url: prometheus.url,
    query: (expr, timeMs = clock.nowMs()) => client.query(expr, timeMs),
    queryRange: source.queryRange,
    alerts: active,
    standing: (labels, wanted, sinceMs) => standingOf(source, labels, wanted, sinceMs),
    trouble: async () =>
      (await troubleOf(prometheus, alertmanager)) ??
      (judging && requests && undelivered(requests, await requestsOf(judging))),
    notifications: receiver.notifications,
    onNotification: (listener) => receiver.onNotification(listener),
    setTargets: () =>
      Promise.reject(new UserError('nothing is changed in a Prometheus that runs already')),
    toldBesides: () => [...toldTo].sort(),
    stop: async () => {
      await Promise.all(ending.splice(0).map((end) => end()));
    },
  };
}

interface Following {
  where: JudgedAt;
  api: AlertmanagerApi | undefined;
  active: () => Promise<ActiveAlert[]>;
  receiver: Receiver;
  clock: Clock;
  evaluationIntervalMs: number;
}

/**
 * Feeds the receiver with what no webhook brings: all alerts, or only their ends. Resolves to a function that stops
 * feeding.
 */
async function follow(parts: Following): Promise<() => void> {
  const { where, api, active, receiver, clock, evaluationIntervalMs } = parts;
  if (where === 'webhook') {
    const graceMs = endsGraceMs(evaluationIntervalMs);
    const ends = clock.every(endsEveryMs, () => {
      if (!receiver.awaitsEnds) return;
      active().then(
        (alerts) => receiver.end(alerts, clock.nowMs(), graceMs),
        () => undefined,
      );
    });
    return () => ends.cancel();
  }
  const seeing = new Seeing(where === 'alertmanager' ? api : undefined, active, receiver, clock);
  const timer = clock.every(pollMs, () => void seeing.look());
  await seeing.look();
  return () => timer.cancel();
}

async function versionOf(prometheus: Access, api: AlertmanagerApi | undefined): Promise<string> {
  let info: { data?: { version?: string } };
  try {
    const url = `${prometheus.url}/api/v1/status/buildinfo`;
    info = (await getJson(url, fetchWith(prometheus))) as { data?: { version?: string } };
  } catch (error) {
    const text = `no Prometheus answers at ${prometheus.url}: ${whyUnanswered(error)}`;
    throw new UserError(text, exitCode.environment);
  }
  const own = `Prometheus ${versionText(info.data?.version)}`;
  return api ? `${own}, Alertmanager ${versionText((await api.status()).version)}` : own;
}

/** The most exact place that is available. */
async function placeOf(
  { receiver = drillReceiver, listen }: ExistingOptions,
  api: AlertmanagerApi | undefined,
): Promise<JudgedAt> {
  if (!api) return 'prometheus';
  const isThere = (await api.receivers()).includes(receiver);
  return isThere && listen ? 'webhook' : 'alertmanager';
}

async function troubleOf(
  prometheus: Access,
  alertmanager: Access | undefined,
): Promise<string | undefined> {
  for (const [name, access] of Object.entries({
    Prometheus: prometheus,
    Alertmanager: alertmanager,
  })) {
    if (!access) continue;
    const good = await isReady(access.url, fetchWith(access)).catch(() => false);
    if (!good) return `${name} at ${access.url} does not answer`;
  }
  return undefined;
}
