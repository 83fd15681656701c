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
import {
  type ActiveAlert,
  standardGrouping,
  type Target,
  type Watch,
  type WatchOptions,
} from './model.js';
import { alertmanagerConfig, prometheusConfig, targetsFile } from './prometheus-config.js';
import { Receiver } from './receiver.js';
import { runFolder } from './run-folder.js';

/** Time for both to come up on a busy machine. */
const readyWithinMs = 60_000;
const pollMs = 50;

/**
 * How long before an alert is sent again, and a quarter of how long Alertmanager believes in it without that. Short,
 * so that what fires before Alertmanager was discovered is not told a minute late.
 */
const resendDelay = '10s';

/** A free port may be taken before it is used: others are tried, and it is said which was busy. */
const startsMax = 3;

export async function startPrometheus(
  options: WatchOptions,
  clock: Clock = realClock,
): Promise<Watch> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await startOnce(options, clock);
    } catch (error) {
      const busy = /listen tcp (\S+): bind: address already in use/.exec(messageOf(error))?.[1];
      if (busy === undefined || attempt >= startsMax) throw error;
      options.say?.(`${busy} was taken meanwhile; trying other ports`);
    }
  }
}

async function startOnce(options: WatchOptions, clock: Clock): Promise<Watch> {
  const paths = {
    prometheus: requireTool('prometheus'),
    alertmanager: requireTool('alertmanager'),
  };
  const say = options.say ?? (() => undefined);
  const folder = runFolder();
  const receiver = new Receiver(clock);
  const children: GuardedChild[] = [];
  let stopping: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    stopping ??= (async () => {
      await Promise.all(children.map((child) => child.stop()));
      await receiver.close();
      rmSync(folder, { recursive: true, force: true });
    })();
    return stopping;
  };

  try {
    const webhook = await receiver.listen();
    const targets = join(folder, 'targets.json');
    const rules = join(folder, 'rules.yaml');
    const alertmanagerPort = await freePort();
    const port = await freePort();
    mkdirSync(join(folder, 'alertmanager'));
    writeFileWhole(targets, targetsFile(options.targets));
    writeFileWhole(rules, ruleFileText(options.groups ?? []));
    const files = { rules: [rules], targets };
    const config = join(folder, 'prometheus.yml');
    writeFileWhole(config, prometheusConfig(options, files, alertmanagerPort));
    const routes = join(folder, 'alertmanager.yml');
    const grouping = { ...standardGrouping, ...options.grouping };
    writeFileWhole(routes, alertmanagerConfig(webhook, grouping));

    const alertmanager = startGuarded('alertmanager', paths.alertmanager, [
      `--config.file=${routes}`,
      `--storage.path=${join(folder, 'alertmanager')}`,
      `--web.listen-address=127.0.0.1:${alertmanagerPort}`,
      '--cluster.listen-address=',
      '--log.level=warn',
    ]);
    const prometheus = startGuarded('prometheus', paths.prometheus, [
      `--config.file=${config}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      `--rules.alert.resend-delay=${resendDelay}`,
      '--scrape.discovery-reload-interval=100ms',
      '--log.level=warn',
    ]);
    children.push(alertmanager, prometheus);

    const client = new PrometheusClient(`http://127.0.0.1:${port}`);
    const readyUntil = clock.nowMs() + readyWithinMs;
    const alertmanagerUrl = `http://127.0.0.1:${alertmanagerPort}`;
    await until(alertmanager, readyUntil, clock, () => isReady(alertmanagerUrl));
    await until(prometheus, readyUntil, clock, () => isReady(client.url));
    await until(prometheus, readyUntil, clock, () => hasDiscovered(client.url, options.targets));
    const version = await versionsOf(client.url, alertmanagerUrl);
    say(`${version}, at ${client.url}`);

    return {
      kind: 'prometheus',
      version,
      url: client.url,
      query: (expr, timeMs = clock.nowMs()) => client.query(expr, timeMs),
      queryRange: (expr, startMs, endMs, stepMs) => client.range(expr, startMs, endMs, stepMs),
      alerts: () => activeAlerts(client.url),
      notifications: receiver.notifications,
      onNotification: (listener) => receiver.onNotification(listener),
      setTargets(next: readonly Target[]) {
        writeFileWhole(targets, targetsFile(next));
        return Promise.resolve();
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
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

async function getJson(url: string): Promise<unknown> {
  const response = await fetch(url, { signal: AbortSignal.timeout(5000) });
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  return response.json();
}

const isReady = async (url: string): Promise<boolean> =>
  (await fetch(`${url}/-/ready`, { signal: AbortSignal.timeout(2000) })).ok;

/** Prometheus looks for its targets and for Alertmanager every five seconds; before that alerts would be dropped. */
async function hasDiscovered(url: string, targets: readonly Target[]): Promise<boolean> {
  const managers = (await getJson(`${url}/api/v1/alertmanagers`)) as {
    data: { activeAlertmanagers: unknown[] };
  };
  const active = (await getJson(`${url}/api/v1/targets?state=active`)) as {
    data: { activeTargets: unknown[] };
  };
  return (
    managers.data.activeAlertmanagers.length > 0 &&
    active.data.activeTargets.length >= targets.length
  );
}

async function versionsOf(prometheusUrl: string, alertmanagerUrl: string): Promise<string> {
  const info = (await getJson(`${prometheusUrl}/api/v1/status/buildinfo`)) as {
    data: { version: string };
  };
  const status = (await getJson(`${alertmanagerUrl}/api/v2/status`)) as {
    versionInfo: { version: string };
  };
  return `Prometheus ${info.data.version}, Alertmanager ${status.versionInfo.version}`;
}

async function activeAlerts(url: string): Promise<ActiveAlert[]> {
  let answer: unknown;
  try {
    answer = await getJson(`${url}/api/v1/alerts`);
  } catch (error) {
    const text = `Prometheus at ${url} does not say its alerts: ${messageOf(error)}`;
    throw new UserError(text, exitCode.environment);
  }
  const { alerts } = (
    answer as {
      data: {
        alerts: {
          labels: Record<string, string>;
          annotations: Record<string, string>;
          state: 'pending' | 'firing';
          activeAt: string;
          value: string;
        }[];
      };
    }
  ).data;
  return alerts.map((alert) => ({
    state: alert.state,
    labels: alert.labels,
    annotations: alert.annotations,
    activeAtMs: Date.parse(alert.activeAt),
    value: Number(alert.value),
  }));
}
