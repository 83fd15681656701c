/** The record's parts about the game day as a whole. */
import { availableParallelism, totalmem } from 'node:os';
import { type ExistingWatch, judgedAt } from '../../alerts/watch/existing/existing.js';
import type { Watch } from '../../alerts/watch/index.js';
import { exitCode } from '../../base/errors.js';
import type { Firing, GameDayRecord, ScenarioRecord, Verdict } from '../../runbooks/record.js';
import type { Load } from '../load/load.js';
import type { Timing } from '../runner/context.js';
import type { System } from '../system/model.js';
import type { GameDayOptions } from './options.js';

export function measurementOf(
  watch: Watch,
  { prometheus: asked, existing }: Pick<GameDayOptions, 'prometheus' | 'existing'>,
  timing: Timing,
): GameDayRecord['measurement'] {
  const found = watch.kind === 'embedded' ? 'were not both found' : 'were found';
  return {
    kind: watch.kind,
    why:
      asked === 'auto'
        ? `Prometheus and Alertmanager ${found}`
        : existing
          ? `asked at ${existing.prometheus.url}, and not changed`
          : `asked for by --prometheus ${asked === 'embedded' ? 'embedded' : 'real'}`,
    ...judgedBy(watch),
    ...versions(watch.version),
    scrapeIntervalMs: timing.scrapeIntervalMs,
    evaluationIntervalMs: timing.evaluationIntervalMs,
    deliveryAllowanceMs: timing.allowanceMs,
  };
}

export function loadOf(
  load: Load,
  { fromMs, startedMs, endedMs }: { fromMs: number; startedMs: number; endedMs: number },
): GameDayRecord['load'] {
  const { kind, version, points } = load;
  const seen = (1000 * points.count) / Math.max(1, endedMs - startedMs);
  return {
    kind,
    ...(version !== undefined && { version }),
    requestsPerSecond: load.requestsPerSecond ?? seen,
    measuredFrom: 'intended start',
    dropped: points.dropped,
    total: points.totals(fromMs, endedMs),
  };
}

export function systemOf(
  system: System,
  sections: NonNullable<GameDayRecord['system']['sections']>,
): GameDayRecord['system'] {
  const { name, trustDomain, processes, certificateLifetimeMs } = system.description;
  return {
    name,
    ...(trustDomain !== undefined && { trustDomain }),
    services: servicesOf(system),
    processes,
    ...(certificateLifetimeMs !== undefined && { certificateLifetimeMs }),
    ...(sections.length > 0 && { sections }),
  };
}

export const machineOf = (): GameDayRecord['machine'] => ({
  platform: process.platform,
  cpus: availableParallelism(),
  memoryBytes: totalmem(),
  node: process.version,
});

function servicesOf(system: System): GameDayRecord['system']['services'] {
  const { workloads, namespace } = system.description;
  return [...new Set(workloads.map((w) => w.service))].map((name) => {
    const own = workloads.filter((w) => w.service === name);
    const [first] = own;
    return {
      name,
      namespace,
      replicas: own.length,
      calls: [...(first?.calls ?? [])],
      ...(first?.identity !== undefined && { identity: first.identity }),
    };
  });
}

/** The judge of alerts, and other receivers that were notified, for a watch that ran already. */
function judgedBy(watch: Watch): { judgedAt?: string; toldBesides?: string[] } {
  if (!('judgedAt' in watch)) return {};
  const { judgedAt: where, toldBesides } = watch as ExistingWatch;
  return { judgedAt: judgedAt[where], toldBesides: toldBesides() };
}

/** `Prometheus 2.42.0, Alertmanager 0.25.0`. */
function versions(text: string): { prometheusVersion?: string; alertmanagerVersion?: string } {
  const prometheus = /Prometheus (\S+?)(,|$)/.exec(text)?.[1];
  const alertmanager = /Alertmanager (\S+?)(,|$)/.exec(text)?.[1];
  return {
    ...(prometheus !== undefined && { prometheusVersion: prometheus }),
    ...(alertmanager !== undefined && { alertmanagerVersion: alertmanager }),
  };
}

export const verdictCode: Record<Verdict, number> = {
  PASS: exitCode.ok,
  FAIL: exitCode.failed,
  INCONCLUSIVE: exitCode.inconclusive,
  ABORTED: exitCode.aborted,
};

const order: Verdict[] = ['PASS', 'INCONCLUSIVE', 'FAIL', 'ABORTED'];

/** A game day in which nothing was judged has not passed. */
export const worst = (verdicts: readonly Verdict[]): Verdict =>
  verdicts.length === 0
    ? 'INCONCLUSIVE'
    : verdicts.reduce((a, b) => (order.indexOf(b) > order.indexOf(a) ? b : a));

export function loadText({ kind, requestsPerSecond }: Load): string {
  if (kind === 'existing') return 'the existing load';
  const rate = requestsPerSecond === undefined ? '' : `${requestsPerSecond} requests a second `;
  return `${rate}by ${kind === 'embedded' ? 'the embedded driver' : kind}`;
}

export const watchText = (version: string): string =>
  version === 'embedded' ? 'the embedded Prometheus and Alertmanager' : version;

export const isExpected = (scenario: ScenarioRecord, firing: Firing): boolean =>
  scenario.expectations.some(
    (e) =>
      e.name === firing.name &&
      e.severity === firing.severity &&
      Object.entries(e.labels).every(([k, v]) => firing.labels[k] === v),
  );
