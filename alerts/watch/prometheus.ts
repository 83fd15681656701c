/** A watch by a real Prometheus and Alertmanager, started as processes that end with this one. */
import { mkdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { type GuardedChild, startGuarded } from '../../base/child.js';
import { type Clock, realClock, sleep } from '../../base/clock.js';
import { exitCode, messageOf, UserError } from '../../base/errors.js';
import { requireTool } from '../../base/tools.js';
import { writeFileWhole } from '../../base/write-file.js';
import { PrometheusClient } from '../../slo/budget/prometheus.js';
import { ruleFileText } from '../../slo/index.js';
import { AlertmanagerApi, toSilenceMatcher } from '../routing/alertmanager-api.js';
import { AlertmanagerSightings } from './alertmanager-sightings.js';
import { standardGrouping, type Target, type Watch, type WatchOptions } from './model.js';
import { type OwnAlertmanager, OwnRoutes, readOwnAlertmanager, tellingOf } from './own-routes.js';
import { activeAlerts, hasDiscovered, isReady, knownRules, versionsOf } from './prometheus-api.js';
import {
  alertmanagerConfig,
  fallbackField,
  type Files,
  prometheusConfig,
  targetsFile,
} from './prometheus-config.js';
import { endsEveryMs, endsGraceMs, Receiver } from './receiver.js';
import { runFolder } from './run-folder.js';
import { Sightings, standingOf, type StandingSource } from './standing.js';
import { type SinkAddresses, sunkConfig } from './sunk-config.js';

/** Time for both programs to start on a busy machine. */
const readyWithinMs = 60_000;
const pollMs = 50;

/**
 * Prometheus repeats an alert after this time, and Alertmanager resolves it after four times as long without a
 * repetition. It is short so that alerts that fired before Alertmanager was discovered are not a minute late.
 */
const resendDelay = '3s';
/** Several resend delays, after which Alertmanager knows every alert that fires from the start. */
const heardWithinMs = 12_000;

function alertmanagerText(
  options: WatchOptions,
  own: OwnAlertmanager | undefined,
  sinks: SinkAddresses,
): string {
  if (own) return `${JSON.stringify(sunkConfig(own.config, own.file, sinks), undefined, 2)}\n`;
  const grouping = { ...standardGrouping, ...options.grouping };
  return alertmanagerConfig(`${sinks.http}/webhook`, grouping);
}

/**
 * Another program may take a free port before it is used; then another port is tried, and the busy one is reported.
 */
const startsMax = 3;

/** Whether this machine's Prometheus is older than version 3, so that it is only found out once. */
let isOlder = false;

export async function startPrometheus(
  options: WatchOptions,
  clock: Clock = realClock,
): Promise<Watch> {
  let fallback = !isOlder;
  const own = options.alertmanager && readOwnAlertmanager(options.alertmanager);
  for (const remark of own?.remarks ?? []) options.say?.(remark);
  for (let attempt = 1; ; attempt++) {
    try {
      return await startOnce(options, own, clock, fallback);
    } catch (error) {
      if (fallback && messageOf(error).includes(`field ${fallbackField} not found`)) {
        isOlder = true;
        fallback = false;
        continue;
      }
      const busy = /listen tcp (\S+): bind: address already in use/.exec(messageOf(error))?.[1];
      if (busy === undefined || attempt >= startsMax) throw error;
      options.say?.(`${busy} was taken meanwhile; trying other ports`);
    }
  }
}

async function startOnce(
  options: WatchOptions,
  own: OwnAlertmanager | undefined,
  clock: Clock,
  fallback: boolean,
): Promise<Watch> {
  const programs = {
    prometheus: requireTool('prometheus'),
    alertmanager: requireTool('alertmanager'),
  };
  const folder = runFolder();
  const receiver = new Receiver(clock, own?.sinks);
  const ending: (() => unknown)[] = [];
  let stopping: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    stopping ??= (async () => {
      await Promise.all(ending.map((end) => end()));
      await receiver.close();
      rmSync(folder, { recursive: true, force: true });
    })();
    return stopping;
  };
  try {
    const ports = { alertmanager: await freePort(), prometheus: await freePort() };
    const texts = {
      alertmanager: alertmanagerText(options, own, await receiver.listen()),
      prometheus: (files: Files) => prometheusConfig(options, files, ports.alertmanager, fallback),
    };
    const targets = writeFiles(folder, options, texts);
    const started = startPrograms(folder, programs, ports);
    ending.push(...Object.values(started).map((child) => () => child.stop()));
    const urls = {
      prometheus: `http://127.0.0.1:${ports.prometheus}`,
      alertmanager: `http://127.0.0.1:${ports.alertmanager}`,
    };
    await untilUp(started, urls, options.targets, clock);
    await untilHeard(urls, clock);
    await putSilences(new AlertmanagerApi(urls.alertmanager), own, clock);
    const version = await versionsOf(urls.prometheus, urls.alertmanager);
    options.say?.(`${version}, at ${urls.prometheus}`);
    const parts = { options, own, receiver, clock, urls, started, ending };
    return { ...watchOver(parts), version, setTargets: (next) => setTargets(targets, next), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/**
 * Waits until Alertmanager knows all firing alerts. An alert that fired before Alertmanager was discovered inhibits
 * nothing until it is sent again, so a drill that began earlier would page where production does not.
 */
async function untilHeard(urls: Both<string>, clock: Clock): Promise<void> {
  const api = new AlertmanagerApi(urls.alertmanager);
  const end = clock.nowMs() + heardWithinMs;
  while (clock.nowMs() < end) {
    const firing = (await activeAlerts(urls.prometheus)).filter((a) => a.state === 'firing');
    const known = await api.alerts();
    const isKnown = (labels: Readonly<Record<string, string>>): boolean =>
      known.some((alert) => Object.entries(labels).every(([k, v]) => alert.labels[k] === v));
    if (firing.every(({ labels }) => isKnown(labels))) return;
    await sleep(pollMs);
  }
}

/** Longer than any drill, because Alertmanager refuses a silence that is over. */
const silenceForMs = 7 * 86_400_000;

async function putSilences(
  api: AlertmanagerApi,
  own: OwnAlertmanager | undefined,
  clock: Clock,
): Promise<void> {
  const startsAt = new Date(clock.nowMs()).toISOString();
  const endsAt = new Date(clock.nowMs() + silenceForMs).toISOString();
  for (const { matchers, comment, createdBy } of own?.silences ?? []) {
    // Alertmanager requires both.
    const words = { comment: comment || 'no comment', createdBy: createdBy || 'nobody' };
    await api.createSilence({
      matchers: matchers.map(toSilenceMatcher),
      startsAt,
      endsAt,
      ...words,
    });
  }
}

function setTargets(file: string, targets: readonly Target[]): Promise<void> {
  writeFileWhole(file, targetsFile(targets));
  return Promise.resolve();
}

/** Returns the path of the targets' file, which Prometheus watches. */
function writeFiles(
  folder: string,
  options: WatchOptions,
  texts: { alertmanager: string; prometheus: (files: Files) => string },
): string {
  const targets = join(folder, 'targets.json');
  const rules = join(folder, 'rules.yaml');
  mkdirSync(join(folder, 'alertmanager'));
  writeFileWhole(targets, targetsFile(options.targets));
  writeFileWhole(rules, ruleFileText(options.groups ?? []));
  writeFileWhole(join(folder, 'prometheus.yml'), texts.prometheus({ rules: [rules], targets }));
  writeFileWhole(join(folder, 'alertmanager.yml'), texts.alertmanager);
  return targets;
}

type Both<T> = Record<'prometheus' | 'alertmanager', T>;

function startPrograms(
  folder: string,
  programs: Both<string>,
  ports: Both<number>,
): Both<GuardedChild> {
  const alertmanager = startGuarded('alertmanager', programs.alertmanager, [
    `--config.file=${join(folder, 'alertmanager.yml')}`,
    `--storage.path=${join(folder, 'alertmanager')}`,
    `--web.listen-address=127.0.0.1:${ports.alertmanager}`,
    '--cluster.listen-address=',
    '--log.level=warn',
  ]);
  const prometheus = startGuarded('prometheus', programs.prometheus, [
    `--config.file=${join(folder, 'prometheus.yml')}`,
    `--storage.tsdb.path=${join(folder, 'data')}`,
    `--web.listen-address=127.0.0.1:${ports.prometheus}`,
    `--rules.alert.resend-delay=${resendDelay}`,
    '--scrape.discovery-reload-interval=100ms',
    '--log.level=warn',
  ]);
  return { alertmanager, prometheus };
}

async function untilUp(
  { alertmanager, prometheus }: Both<GuardedChild>,
  urls: Both<string>,
  targets: readonly Target[],
  clock: Clock,
): Promise<void> {
  const readyUntil = clock.nowMs() + readyWithinMs;
  await until(alertmanager, readyUntil, clock, () => isReady(urls.alertmanager));
  await until(prometheus, readyUntil, clock, () => isReady(urls.prometheus));
  await until(prometheus, readyUntil, clock, () => hasDiscovered(urls.prometheus, targets));
}

interface WatchParts {
  options: WatchOptions;
  own: OwnAlertmanager | undefined;
  receiver: Receiver;
  clock: Clock;
  urls: Both<string>;
  started: Both<GuardedChild>;
  /** Functions to call when the watch stops. */
  ending: (() => unknown)[];
}

/** The watch over two running programs. */
function watchOver(parts: WatchParts): Omit<Watch, 'version' | 'setTargets' | 'stop'> {
  const { options, own, receiver, clock, urls, started, ending } = parts;
  const client = new PrometheusClient(urls.prometheus);
  const sightings = new Sightings();
  const routes = own && new OwnRoutes(own, clock);
  const api = new AlertmanagerApi(urls.alertmanager);
  const sights = new AlertmanagerSightings(api, sightings, routes, clock);
  const source: StandingSource = {
    nowMs: () => clock.nowMs(),
    stepMs: options.evaluationIntervalMs,
    notifications: receiver.notifications,
    sightings,
    telling: own && tellingOf(own),
    rules: () => knownRules(client.url),
    hasSeries: async (expr) => (await client.query(expr, clock.nowMs())).length > 0,
    queryRange: (expr, startMs, endMs, stepMs) => client.range(expr, startMs, endMs, stepMs),
  };
  const graceMs = endsGraceMs(options.evaluationIntervalMs);
  const ends = clock.every(endsEveryMs, () => {
    if (!receiver.awaitsEnds) return;
    // Another check reports a Prometheus that does not answer.
    activeAlerts(client.url).then(
      (active) => receiver.end(active, clock.nowMs(), graceMs),
      () => undefined,
    );
  });
  ending.push(
    () => sights.stop(),
    () => ends.cancel(),
  );
  const alive = [
    new Liveness('Prometheus', started.prometheus, client.url),
    new Liveness('Alertmanager', started.alertmanager, urls.alertmanager),
  ];
  return {
    kind: 'prometheus',
    url: client.url,
    query: (expr, timeMs = clock.nowMs()) => client.query(expr, timeMs),
    queryRange: source.queryRange,
    standing: (labels, wanted, sinceMs) => standingOf(source, labels, wanted, sinceMs),
    trouble: () => troubleOf(alive),
    alerts: () => activeAlerts(client.url),
    notifications: receiver.notifications,
    onNotification: (listener) => receiver.onNotification(listener),
  };
}

/** A port that is free now. Another program may still take it, in which case the start fails with a message. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}

/** Checks whether a program still runs and answers. */
class Liveness {
  readonly name: string;
  readonly #child: GuardedChild;
  readonly #url: string;
  #ended = false;

  constructor(name: string, child: GuardedChild, url: string) {
    this.name = name;
    this.#child = child;
    this.#url = url;
    void child.exited.then(() => (this.#ended = true));
  }

  async trouble(): Promise<string | undefined> {
    if (!this.#ended && (await isReady(this.#url).catch(() => false))) return undefined;
    const last = this.#child.lastWords().split('\n').at(-1) ?? '';
    const words = last === '' ? '' : `: ${last}`;
    return `${this.name} ${this.#ended ? 'ended' : 'does not answer'}${words}`;
  }
}

async function troubleOf(programs: readonly Liveness[]): Promise<string | undefined> {
  const found = await Promise.all(programs.map((program) => program.trouble()));
  return found.find((text) => text !== undefined);
}

/** Polls until the answer is true; throws a UserError if the process ends or the time is over. */
async function until(
  child: GuardedChild,
  untilMs: number,
  clock: Clock,
  ask: () => Promise<boolean>,
): Promise<void> {
  let ended = false;
  void child.exited.then(() => (ended = true));
  for (;;) {
    if (await ask().catch(() => false)) return;
    if (ended || clock.nowMs() > untilMs) {
      const what = ended
        ? 'ended before it was ready'
        : `was not ready in ${readyWithinMs / 1000} s`;
      throw new UserError(`${child.name} ${what}: ${child.lastWords()}`, exitCode.environment);
    }
    await sleep(pollMs);
  }
}
