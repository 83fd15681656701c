/** The watch by a real Prometheus and a real Alertmanager, started as processes that die with this one. */
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

/** Time for both to come up on a busy machine. */
const readyWithinMs = 60_000;
const pollMs = 50;

/**
 * How long before an alert is sent again, and a quarter of how long Alertmanager believes in it without that. Short,
 * so that what fires before Alertmanager was discovered is not told a minute late.
 */
const resendDelay = '3s';
/** Several of these: whatever fires from the start is known to Alertmanager by then. */
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

/** A free port may be taken before it is used: others are tried, and it is said which was busy. */
const startsMax = 3;

/** Whether the Prometheus here turned out to be one of before 3: it is asked once. */
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
 * What fired before Alertmanager was discovered was told to nobody, and inhibits nothing until it is sent again: a
 * drill that began meanwhile would page where production does not.
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

/** Longer than any drill; Alertmanager takes none that is over. */
const silenceForMs = 7 * 86_400_000;

async function putSilences(
  api: AlertmanagerApi,
  own: OwnAlertmanager | undefined,
  clock: Clock,
): Promise<void> {
  const startsAt = new Date(clock.nowMs()).toISOString();
  const endsAt = new Date(clock.nowMs() + silenceForMs).toISOString();
  for (const { matchers, comment, createdBy } of own?.silences ?? []) {
    // Alertmanager wants both.
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

/** Returns the file of targets, which Prometheus watches. */
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
  /** What is to be called when the watch stops. */
  ending: (() => unknown)[];
}

/** The watch over two programs that are up. */
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
    // Whether Prometheus answers is asked elsewhere.
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

/** A port that is free now; whoever asks for it next may still take it, and then the start fails and says so. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}

/** Whether a program still runs and answers. */
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

/** Asks until the answer is yes; a process that ended, or a bound that passed, is the user's error. */
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
