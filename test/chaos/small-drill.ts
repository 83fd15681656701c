/**
 * The smallest system for a drill, within the test's own process: one service as numbers, a server that holds leases, a
 * client, and the embedded watch with real rules. A scenario takes six seconds; the whole runner is real.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AmSilence } from '../../alerts/routing/alertmanager-api.js';
import { startEmbedded } from '../../alerts/watch/embedded.js';
import { realClock } from '../../base/clock.js';
import { LoadPoints } from '../../chaos/load/points.js';
import type { RunContext } from '../../chaos/runner/context.js';
import { Journal } from '../../chaos/runner/journal.js';
import { ScenarioRun } from '../../chaos/runner/run-scenario.js';
import { readScenarioText } from '../../chaos/scenarios/read.js';
import type { System } from '../../chaos/system/model.js';
import type { DrillEvent } from '../../runbooks/events.js';
import type { ScenarioRecord } from '../../runbooks/record.js';
import type { RuleGroup } from '../../slo/index.js';
import type { AlertingRule } from '../../slo/rules/model.js';

export const errorsExpr =
  'sum(rate(requests_total{code="500"}[800ms])) / sum(rate(requests_total[800ms])) > 0.05';

export const cartErrors = (change: Partial<AlertingRule> = {}): AlertingRule => ({
  kind: 'alert',
  alert: 'CartErrors',
  expr: errorsExpr,
  forMs: 100,
  keepFiringForMs: 0,
  labels: { severity: 'page' },
  annotations: {},
  ...change,
});

export const scenarioText = (change: (text: string) => string = (t) => t): string =>
  change(`apiVersion: firedrill.dev/v1
kind: Scenario
id: dead-cart
title: Cart is killed
description: Cart is killed.
blastRadius: carts
runbook: killed-pod
baseline: 1s
hypothesis:
  title: well
  measures: [{ name: errors, client: errorRatio, atMost: 0.01 }]
faults:
  - { id: dead, kind: kill, target: cart }
fault: { atLeast: 1s500ms, atMost: 3s }
recovery: 4s
expect:
  mustFire:
    - { alert: CartErrors, within: 2s, resolveWithin: 4s, theory: for, mayMissTheory: a small rig }
abort: [{ name: down, client: p99Ms, above: 100000 }]
`);

export interface Mutation {
  rules?: AlertingRule[];
  alertmanager?: string;
  silences?: AmSilence[];
  scenario?: (text: string) => string;
  /** The fault is active, and no caller is affected. */
  harmless?: boolean;
  /** The effect is told by the second renewal of the lease only. */
  lateEffect?: boolean;
  /** The client stops when the fault begins. */
  noLoad?: boolean;
  /** Nothing is scraped while the fault is active. */
  unscraped?: boolean;
  /** The status of a DELETE of the lease. */
  undoStatus?: number;
  emit?: (event: DrillEvent) => void;
  guard?: RunContext['guard'];
  stopSwitch?: RunContext['stopSwitch'];
}

const scrapeMs = 100;
const requestEveryMs = 20;

/** Runs the drill and stops everything. */
export async function smallDrill(mutation: Mutation = {}): Promise<ScenarioRecord> {
  const folder = mkdtempSync(join(tmpdir(), 'firedrill-small-'));
  const leases = new Map<string, { id: string; effect: number }>();
  const counts = { ok: 0, failed: 0 };
  const points = new LoadPoints();
  const server = createServer((request, response) => {
    const answer = (status: number, value: unknown): void =>
      void response.writeHead(status).end(JSON.stringify(value));
    if (request.method === 'GET')
      return answer(200, mutation.lateEffect ? [] : [...leases.values()]);
    if (request.method === 'DELETE') {
      if (mutation.undoStatus !== undefined) return answer(mutation.undoStatus, {});
      leases.delete(decodeURIComponent((request.url ?? '').split('/').at(-1) as string));
      return answer(200, {});
    }
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      const { id } = JSON.parse(body) as { id: string };
      const known = leases.get(id);
      const isSeen = !mutation.harmless && (!mutation.lateEffect || known);
      const lease = { id, effect: isSeen ? 1 : 0 };
      leases.set(id, lease);
      answer(200, lease);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const admin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const client = setInterval(() => {
    const broken = leases.size > 0 && !mutation.harmless;
    if (leases.size > 0 && mutation.noLoad) return;
    counts[broken ? 'failed' : 'ok']++;
    points.add({ route: 'buy', atMs: Date.now() - 1, ms: 1, ok: !broken });
  }, requestEveryMs);
  const file = join(folder, 'alertmanager.yml');
  if (mutation.alertmanager !== undefined) writeFileSync(file, mutation.alertmanager);
  const groups: RuleGroup[] = [
    { name: 'cart', intervalMs: scrapeMs, rules: mutation.rules ?? [cartErrors()] },
  ];
  const watch = await startEmbedded(
    {
      targets: [{ job: 'cart', url: 'http://cart/metrics' }],
      groups,
      scrapeIntervalMs: scrapeMs,
      evaluationIntervalMs: scrapeMs,
      ...(mutation.alertmanager !== undefined && {
        alertmanager: { file, timeScale: 1 / 100, silences: mutation.silences ?? [] },
      }),
    },
    {
      fetchText: () =>
        mutation.unscraped && leases.size > 0
          ? Promise.reject(new Error('refused'))
          : Promise.resolve(
              '# TYPE requests_total counter\n' +
                `requests_total{code="200"} ${counts.ok}\nrequests_total{code="500"} ${counts.failed}\n`,
            ),
      direct: mutation.alertmanager === undefined,
    },
  );
  const journal = new Journal(folder, 'small', () => Date.now());
  const context = {
    clock: realClock,
    run: 'small',
    system: {
      admin,
      description: { processes: [], workloads: [{ name: 'cart', service: 'cart' }], relays: [] },
      refresh: () => Promise.resolve(),
      injectionPoints: () => [{ name: 'cart', url: admin }],
      counters: () => Promise.resolve({}),
    } as unknown as System,
    watch,
    watchedSinceMs: Date.now(),
    load: {
      kind: 'embedded',
      version: undefined,
      points,
      lagMs: 0,
      failure: undefined,
      requestsPerSecond: 1000 / requestEveryMs,
      due: (fromMs: number, toMs: number) => Math.max(0, toMs - fromMs) / requestEveryMs,
      stop: () => Promise.resolve(),
    },
    journal,
    slos: [],
    groups,
    timing: {
      timeScale: 1,
      stepMs: scrapeMs,
      scrapeIntervalMs: scrapeMs,
      evaluationIntervalMs: scrapeMs,
      allowanceMs: 1500,
    },
    signal: new AbortController().signal,
    stopSwitch: mutation.stopSwitch ?? (() => undefined),
    event: () => undefined,
    progress: () => undefined,
    ...(mutation.emit && { emit: mutation.emit }),
    ...(mutation.guard && { guard: mutation.guard }),
    local: {},
  } as RunContext;
  try {
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const read = readScenarioText('small.yaml', scenarioText(mutation.scenario));
    return await new ScenarioRun(context, read).run();
  } finally {
    clearInterval(client);
    await watch.stop();
    journal.close();
    server.closeAllConnections();
    await new Promise<void>((resolve) => server.close(() => resolve()));
    rmSync(folder, { recursive: true, force: true });
  }
}
