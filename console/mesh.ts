/** The mesh in the console: services and their edges, live requests, and the lifetimes of identities. */
import { sleep } from '../base/clock.js';
import { UserError } from '../base/errors.js';
import { getJson } from '../mesh/controller/run-command.js';
import type { Proxy as ProxyRow, State } from '../mesh/controller/status.js';
import type { CertificateEvent } from '../mesh/identity/events.js';
import { rowsOf } from '../mesh/kubernetes/observe/observe-commands.js';
import { type Edge, edges, increases, workloadOf } from '../mesh/kubernetes/observe/rows.js';
import { follow, scopeOf } from '../mesh/kubernetes/observe/tap-command.js';
import {
  endpointsAt,
  findControllers,
  findTargets,
  observe,
  type Observed,
  reasonOf,
  type Target,
} from '../mesh/kubernetes/observe/targets.js';
import { explain, recorded } from '../mesh/kubernetes/observe/why-command.js';
import type { EndpointReport } from '../mesh/proxy/flow/endpoint-report.js';
import { meshMetrics } from '../slo/spec/mesh-metrics.js';
import type { Reader } from './answers.js';

/** Rates are computed over this time. */
const windowMs = 1000;
const maxEndpoints = 5000;
const askAgainMs = 5000;

export interface WorkloadRow {
  name: string;
  proxies: number;
  successRatio: number | null;
  requestsPerSecond: number;
  latencyMsP50: number | null;
  latencyMsP95: number | null;
  retriesPerSecond: number;
  /** Requests per second of its callers that were denied. */
  denied: number;
  certificateUntilMs: number | null;
}

export interface RouteRow {
  from: string;
  service: string;
  route: string;
  successRatio: number | null;
  actualSuccessRatio: number | null;
  requestsPerSecond: number;
  actualRequestsPerSecond: number;
  latencyMsP95: number | null;
  /** Retries that its budget would allow at once. */
  budgetLeft: number | null;
}

export interface Services {
  workloads: WorkloadRow[];
  edges: Edge[];
  routes: RouteRow[];
  /** One for each state in which proxies see it, with their workloads. */
  endpoints: (EndpointReport & { workload?: string; seenBy: string[] })[];
  /** Proxies that did not answer, each with its reason. */
  silent: string[];
}

export interface Platform {
  state: State;
  proxies: ProxyRow[];
  lives: { identity: string; certificates: Life[] }[];
  problems: { atMs: number; text: string }[];
}

export interface Life {
  fromMs: number;
  untilMs: number;
  renewed: boolean;
}

export interface MeshSources {
  /** Admin addresses, comma-separated. */
  proxies: string | undefined;
  /** The controller's admin URL. */
  controller: string | undefined;
  /** The Kubernetes cluster whose proxies and controller are shown, unless addresses of theirs are given. */
  cluster: { kubeconfig?: string | undefined; context?: string | undefined } | undefined;
}

export const targetsOf = ({
  proxies,
  cluster,
}: MeshSources): (() => Promise<Target[]>) | undefined =>
  proxies === undefined && cluster === undefined
    ? undefined
    : () => findTargets({ proxies, ...cluster });

export function meshReaders(sources: MeshSources): [string, Reader][] {
  const targets = targetsOf(sources);
  const { controller, cluster } = sources;
  const readers: [string, Reader][] = [];
  if (targets) {
    readers.push(['services', async () => services(await targets())]);
    readers.push(['requests', () => Promise.resolve({})]);
    readers.push(['why', async (query) => whyOf(await targets(), query.get('id') ?? undefined)]);
  }
  if (controller !== undefined) readers.push(['platform', () => platform(controller)]);
  else if (cluster) readers.push(['platform', async () => platform(await leader(cluster))]);
  return readers;
}

/** The admin URL of the cluster's controller that leads; of any, if none says so. */
async function leader(cluster: NonNullable<MeshSources['cluster']>): Promise<string> {
  const controllers = await findControllers(cluster);
  const [first] = controllers;
  if (!first) throw new UserError('the cluster runs no pod of a controller: firedrill check');
  for (const { address } of controllers) {
    const state = await getJson(`http://${address}`, '/state').catch(() => undefined);
    if ((state as State | undefined)?.leading) return `http://${address}`;
  }
  return `http://${first.address}`;
}

async function services(targets: readonly Target[]): Promise<Services> {
  if (targets.length === 0) throw new UserError('no pod of the cluster has a proxy');
  const { proxies, silent } = await observe(targets, windowMs);
  if (proxies.length === 0) throw new UserError(`no proxy answers: ${silent.join(', ')}`);
  const inbound = await rowsOf(proxies, (labels, p) =>
    labels.direction === 'inbound' ? workloadOf(p) : undefined,
  );
  const known = new Map(inbound.map((row) => [row.name, row]));
  const names = [...new Set(proxies.map(workloadOf))].sort();
  return {
    workloads: names.map((name) => {
      const own = proxies.filter((p) => workloadOf(p) === name);
      const row = known.get(name);
      return {
        name,
        proxies: own.length,
        successRatio: row?.successRatio ?? null,
        requestsPerSecond: row?.requestsPerSecond ?? 0,
        latencyMsP50: row?.latencyMsP50 ?? null,
        latencyMsP95: row?.latencyMsP95 ?? null,
        retriesPerSecond: row?.retriesPerSecond ?? 0,
        denied: own.reduce((sum, p) => sum + deniedBy(p), 0),
        certificateUntilMs: certificateUntil(own),
      };
    }),
    edges: edges(proxies),
    routes: await routeRows(proxies),
    endpoints: await endpointRows(targets, proxies),
    silent,
  };
}

const deniedBy = (proxy: Observed): number =>
  increases(proxy)
    .filter((s) => s.name === meshMetrics.denials)
    .reduce((sum, s) => sum + s.value / Math.max(0.001, proxy.seconds), 0);

/** The earliest expiry among the proxies' certificates. */
function certificateUntil(proxies: readonly Observed[]): number | null {
  const ends = proxies.flatMap((p) =>
    p.after.filter((s) => s.name === meshMetrics.certificateExpiry && s.value > 0),
  );
  return ends.length === 0 ? null : Math.min(...ends.map((s) => s.value * 1000));
}

async function routeRows(proxies: readonly Observed[]): Promise<RouteRow[]> {
  const budgets = new Map(
    proxies.flatMap((p) =>
      p.after
        .filter((s) => s.name === 'retry_budget_remaining')
        .map((s) => [`${workloadOf(p)} ${s.labels.dst} ${s.labels.rt_route}`, s.value] as const),
    ),
  );
  const rows = await rowsOf([...proxies], (labels, p) =>
    labels.direction === 'outbound' && labels.rt_route !== undefined
      ? `${workloadOf(p)}\u0000${labels.dst ?? ''}\u0000${labels.rt_route}`
      : undefined,
  );
  return rows.map((row) => ({
    from: row.name,
    service: row.service,
    route: row.route,
    successRatio: row.successRatio,
    actualSuccessRatio: row.actualSuccessRatio,
    requestsPerSecond: row.requestsPerSecond,
    actualRequestsPerSecond: row.actualRequestsPerSecond,
    latencyMsP95: row.latencyMsP95,
    budgetLeft: budgets.get(`${row.name} ${row.service} ${row.route}`) ?? null,
  }));
}

async function endpointRows(
  targets: readonly Target[],
  proxies: readonly Observed[],
): Promise<Services['endpoints']> {
  const workloads = new Map(proxies.map((p) => [p.address, workloadOf(p)]));
  const listening = new Map(proxies.map((p) => [inboundOf(p), workloadOf(p)]));
  const rows = new Map<string, Services['endpoints'][number]>();
  await Promise.all(
    targets.map(async (target) => {
      const by = workloads.get(target.name) ?? target.name;
      // A proxy that does not answer is listed in `silent`.
      for (const e of await endpointsAt(target).catch(() => [])) {
        const key = JSON.stringify([e.destination, e.backend, e.address, e.state, e.reason]);
        const workload = listening.get(e.address);
        const row = rows.get(key) ?? { ...e, ...(workload && { workload }), seenBy: [] };
        row.seenBy.push(by);
        rows.set(key, row);
      }
    }),
  );
  const bad = (state: string): number => (state === 'ready' ? 1 : 0);
  return [...rows.values()].sort((a, b) => bad(a.state) - bad(b.state)).slice(0, maxEndpoints);
}

const inboundOf = ({ config: { inbound } }: Observed): string =>
  inbound ? `${inbound.host}:${inbound.port}` : '';

/** The proxies' records, each with the workload of its proxy; `silent` names proxies that did not answer. */
async function whyOf(targets: readonly Target[], id: string | undefined): Promise<unknown> {
  const { found, silent } = await recorded(targets, id);
  const tellers = targets.filter((t) => found.some((one) => one.proxy === t.name));
  const names = new Map(await Promise.all(tellers.map(namedBy)));
  return {
    found: found.map((one) => {
      const name = names.get(one.proxy) ?? one.proxy;
      const proxy = name === one.proxy ? name : `${name} (${one.proxy})`;
      return { ...one, proxy: name, text: explain({ ...one, proxy }) };
    }),
    silent,
  };
}

/** The workload of a proxy; its address if it does not tell. */
async function namedBy(target: Target): Promise<[string, string]> {
  const { proxies } = await observe([target], 0);
  return [target.name, proxies[0] ? workloadOf(proxies[0]) : target.name];
}

/**
 * Lines of JSON, redacted by the proxies, until `signal` ends the tap; at most ten minutes. `tell` gets the proxies
 * that do not answer, or no longer do. Resolves to the reason if no proxy answers.
 */
export async function tapInto(
  targetsNow: () => Promise<Target[]>,
  filters: URLSearchParams,
  take: (lines: string) => void,
  tell: (silent: readonly string[]) => void,
  signal: AbortSignal,
): Promise<string | undefined> {
  const filter = (name: string): Record<string, string> => {
    const value = filters.get(name);
    return value === null || value === '' ? {} : { [name]: value };
  };
  const scope = scopeOf({
    ...filter('direction'),
    ...filter('to'),
    ...filter('route'),
    ...filter('method'),
    ...filter('path'),
    ...filter('status'),
    failures: filters.get('failures') === 'yes',
    maxRps: '50',
    sample: '1',
    duration: '10m',
    format: 'json',
  });
  const targets = await targetsNow();
  const silent = new Map<string, string>();
  const say = (): void => tell([...silent.values()]);
  const over = new AbortController();
  const until = AbortSignal.any([signal, over.signal]);
  // A proxy that restarts is asked again; the time of one is the time of all.
  const one = async (t: Target): Promise<void> => {
    const heard = (lines: string): void => {
      if (silent.delete(t.name)) say();
      take(lines);
    };
    while (!until.aborted) {
      try {
        await follow(t.address, scope, heard, until);
        return over.abort();
      } catch (error) {
        if (until.aborted) return;
        silent.set(t.name, `${t.name} (${reasonOf(t, error)})`);
        say();
      }
      if (silent.size === targets.length) return;
      await sleep(askAgainMs, until);
    }
  };
  await Promise.all(targets.map(one));
  return silent.size < targets.length
    ? undefined
    : `no proxy answers: ${[...silent.values()].join(', ')}`;
}

async function platform(controller: string): Promise<Platform> {
  const [state, proxies, events] = (await Promise.all(
    ['/state', '/proxies', '/events'].map((path) => getJson(controller, path)),
  )) as [State, ProxyRow[], CertificateEvent[]];
  const lives = new Map<string, Life[]>();
  for (const { time, event, identity, notAfter } of events) {
    if (identity === undefined || notAfter === undefined) continue;
    if (event !== 'issued' && event !== 'renewed') continue;
    const life = {
      fromMs: Date.parse(time),
      untilMs: Date.parse(notAfter),
      renewed: event === 'renewed',
    };
    lives.set(identity, [...(lives.get(identity) ?? []), life]);
  }
  return {
    state,
    proxies,
    lives: [...lives]
      .map(([identity, certificates]) => ({ identity, certificates }))
      .sort((a, b) => (a.identity < b.identity ? -1 : 1)),
    problems: problemsOf(events),
  };
}

/** The latest first; repeated ones are one line with their number. */
function problemsOf(events: readonly CertificateEvent[]): Platform['problems'] {
  const found = new Map<string, { atMs: number; count: number }>();
  for (const { time, event, identity, reason, message } of events) {
    if (event === 'issued' || event === 'renewed') continue;
    const said = [event.replace('-', ' '), identity, reason, message]
      .filter((t) => t !== undefined)
      .join(': ');
    found.set(said, { atMs: Date.parse(time), count: (found.get(said)?.count ?? 0) + 1 });
  }
  return [...found]
    .map(([said, { atMs, count }]) => {
      return { atMs, text: count === 1 ? said : `${said}, ${count} times, the last at this time` };
    })
    .sort((a, b) => b.atMs - a.atMs)
    .slice(0, 100);
}
