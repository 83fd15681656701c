/**
 * The smallest system for a drill, within the test's own process: one service as numbers, a server that holds leases, a
 * client, and the embedded watch with real rules. The whole runner is real. Six seconds of a scenario pass in a moment,
 * because time is simulated and requests are answered by a call, unless the test asks for real time.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AmSilence } from '../../alerts/routing/alertmanager-api.js';
import { startEmbedded } from '../../alerts/watch/embedded.js';
import { type Clock, realClock, sleep } from '../../base/clock.js';
import { LoadPoints } from '../../chaos/load/points.js';
import type { RunContext } from '../../chaos/runner/context.js';
import { Journal } from '../../chaos/runner/journal.js';
import { ScenarioRun } from '../../chaos/runner/run-scenario.js';
import { readScenarioText } from '../../chaos/scenarios/read.js';
import type { ProcessEvent, System, WorkloadDescription } from '../../chaos/system/model.js';
import type { DrillEvent } from '../../runbooks/events.js';
import type { ScenarioRecord } from '../../runbooks/record.js';
import type { RuleGroup } from '../../slo/index.js';
import type { AlertingRule } from '../../slo/rules/model.js';
import { answerAt, DrillClock, type Handler } from './drill-clock.js';

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

export interface Lease {
  id: string;
  effect: number;
}

export interface Mutation {
  rules?: RuleGroup['rules'];
  alertmanager?: string;
  silences?: AmSilence[];
  scenario?: (text: string) => string;
  /** The whole text of another scenario. */
  text?: string;
  /** The fault is active, and no caller is affected; a fault `policy` never affects one. */
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
  /** The drill takes its six seconds, so that a person or a browser can follow it. */
  realTime?: boolean;
  /** Called with each request to the injection point: method, URL and body. */
  asked?: (request: string) => void;
  /** The injection point's answer, if it is another than usual; throws as a connection that is refused. */
  answer?: (
    method: string,
    url: string,
    leases: Map<string, Lease>,
  ) => [number, unknown] | undefined;
  /** The answer at /events: the ends of processes. */
  events?: () => ProcessEvent[];
  /** Other parts of the system, and of the run's context. */
  system?: Partial<System>;
  context?: (clock: Clock, usual: RunContext) => Partial<RunContext>;
}

const scrapeMs = 100;
const requestEveryMs = 20;
const cart: WorkloadDescription = {
  name: 'cart',
  service: 'cart',
  calls: [],
  proxy: 'cart-proxy',
  ports: { app: 1, inbound: 2, outbound: 3, proxyAdmin: 4 },
};
/** The beginning of simulated time. */
const startMs = 100_000;

/** Holds leases as an injection point does, and is asked by `fetch`. */
function answering(mutation: Mutation, leases: Map<string, Lease>): Handler {
  return (url, method, body) => {
    const name = decodeURIComponent(url.split('/').at(-1) as string);
    mutation.asked?.(`${method} ${url} ${body}`);
    const special = mutation.answer?.(method, url, leases);
    if (special) return special;
    if (url.endsWith('/events')) return [200, mutation.events?.() ?? []];
    if (method === 'GET') return [200, mutation.lateEffect ? [] : [...leases.values()]];
    if (method === 'DELETE') {
      if (mutation.undoStatus !== undefined) return [mutation.undoStatus, {}];
      leases.delete(name);
      return [200, {}];
    }
    const { id } = JSON.parse(body) as { id: string };
    const isSeen = !mutation.harmless && (!mutation.lateEffect || leases.has(id));
    const lease = { id, effect: isSeen ? 1 : 0 };
    leases.set(id, lease);
    return [200, lease];
  };
}

/** Runs the drill and stops everything. */
export async function smallDrill(mutation: Mutation = {}): Promise<ScenarioRecord> {
  const folder = mkdtempSync(join(tmpdir(), 'firedrill-small-'));
  const leases = new Map<string, Lease>();
  const counts = { ok: 0, failed: 0 };
  const points = new LoadPoints();
  const { admin, close } = answerAt(answering(mutation, leases));
  const clock = mutation.realTime ? realClock : new DrillClock(startMs);
  const client = clock.every(requestEveryMs, () => {
    const breaking = [...leases.keys()].some((id) => !id.includes('-policy-'));
    const broken = breaking && !mutation.harmless;
    if (breaking && mutation.noLoad) return;
    counts[broken ? 'failed' : 'ok']++;
    points.add({ route: 'buy', atMs: clock.nowMs() - 1, ms: 1, ok: !broken });
  });
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
      clock,
      fetchMetrics: () =>
        mutation.unscraped && leases.size > 0
          ? Promise.reject(new Error('refused'))
          : Promise.resolve({
              text:
                '# TYPE requests_total counter\n' +
                `requests_total{code="200"} ${counts.ok}\nrequests_total{code="500"} ${counts.failed}\n`,
              openMetrics: false,
            }),
      direct: mutation.alertmanager === undefined,
    },
  );
  const journal = new Journal(folder, 'small', () => clock.nowMs());
  const wait = clock instanceof DrillClock ? clock.sleep.bind(clock) : sleep;
  try {
    await wait(1000);
    const parts = { clock, sleep: wait, admin, points, watch, groups, journal };
    const read = readScenarioText('small.yaml', mutation.text ?? scenarioText(mutation.scenario));
    return await new ScenarioRun(contextOf(parts, mutation), read).run();
  } finally {
    client.cancel();
    await watch.stop();
    journal.close();
    close();
    rmSync(folder, { recursive: true, force: true });
  }
}

function contextOf(
  {
    admin,
    points,
    ...parts
  }: Pick<RunContext, 'clock' | 'sleep' | 'watch' | 'groups' | 'journal'> & {
    admin: string;
    points: LoadPoints;
  },
  mutation: Mutation,
): RunContext {
  const usual: RunContext = {
    ...parts,
    run: 'small',
    cpuStalledMs: () => 0,
    system: {
      admin,
      description: { processes: [], workloads: [cart], relays: [] },
      refresh: () => Promise.resolve(),
      injectionPoints: () => [{ name: 'cart', url: admin }],
      counters: () => Promise.resolve({}),
      workloads: () => [cart],
      relays: () => [],
      proxyAdmin: () => admin,
      appAdmin: () => admin,
      ...mutation.system,
    } as unknown as System,
    watchedSinceMs: parts.clock.nowMs(),
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
    slos: [],
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
  };
  return { ...usual, ...mutation.context?.(parts.clock, usual) };
}
