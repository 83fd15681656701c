/** Selects proxies and reads them: from a list of admin addresses, a file of them, or a cluster's pods. */
import { boundedText } from '../../../base/bounded-answer.js';
import { sleep } from '../../../base/clock.js';
import { parseDurationMs } from '../../../base/duration.js';
import { exitCode, UserError, whyUnanswered } from '../../../base/errors.js';
import { checkYaml, readYaml } from '../../../base/yaml.js';
import * as z from 'zod';
import type { MeshState, ProxyConfig } from '../../model.js';
import type { EndpointReport } from '../../proxy/flow/endpoint-report.js';
import { labels, ports } from '../annotations.js';
import type { KubeApi } from '../client/api.js';
import { resources } from '../client/objects.js';
import type { Forwarded } from '../client/port-forward.js';
import type { Pod } from '../discovery/types.js';
import { hasEnded, isMeshed, workloadOf } from '../discovery/workload.js';
import { parseExposition, type Sample } from './exposition.js';
import { belongsTo, noSuchWorkload, parseWorkload } from './workload-argument.js';

export interface TargetOptions {
  proxies?: string | undefined;
  meshFile?: string | undefined;
  namespace?: string | undefined;
  /** `deploy/web`; absent: all. */
  workload?: string | undefined;
  /** Time limit for every proxy to answer. */
  wait?: string | undefined;
  kubeconfig?: string | undefined;
  context?: string | undefined;
}

/** A proxy's start-up configuration and present state, from its admin port. */
export type SaidConfig = Omit<ProxyConfig, 'state'> & { state?: MeshState };

/** A proxy's admin port, and its name for people: `namespace/pod` in a cluster, otherwise the address. */
export interface Target {
  /** `ip:port`. */
  address: string;
  name: string;
  /** The running pods of the proxy's workload in the cluster, with and without a proxy. */
  pods?: number;
  /** A better reason than that of a closed connection. */
  problem?: () => string | undefined;
}

export interface Observed {
  /** The target's name. */
  address: string;
  config: SaidConfig;
  before: Sample[];
  after: Sample[];
  /** Seconds between the two readings. */
  seconds: number;
  /** See Target. */
  pods?: number;
}

const meshFile = z.looseObject({
  proxies: z.array(
    z.union([z.string(), z.looseObject({ admin: z.union([z.string(), z.number()]) })]),
  ),
});

/** By pod: a verb that reads repeatedly reuses the same forwarded connection. */
const ways = new Map<string, Forwarded>();

export async function findTargets(options: TargetOptions): Promise<Target[]> {
  const wanted = options.workload === undefined ? undefined : parseWorkload(options.workload);
  if (wanted && (options.proxies ?? options.meshFile) !== undefined) {
    const message = `${options.workload} is of a cluster, and --proxies or --mesh-file name theirs`;
    throw new UserError({ message, expected: 'one of the two' });
  }
  if (options.proxies !== undefined) {
    return options.proxies.split(',').map((p) => plain(p.trim()));
  }
  if (options.meshFile) {
    const [document] = readYaml(options.meshFile);
    if (!document) throw new UserError(`${options.meshFile}: empty`);
    const { proxies } = checkYaml(document, meshFile);
    return proxies.map((p) => plain(typeof p === 'string' ? p : String(p.admin)));
  }
  const alive = (await podsOf(options)).filter((p) => !hasEnded(p));
  const running = alive.filter((p) => isMeshed(p) && p.status?.podIP);
  const meshed = running.filter((p) => !wanted || belongsTo(p, wanted));
  if (options.workload !== undefined && meshed.length === 0) {
    throw noSuchWorkload(options.workload, options.namespace, running);
  }
  const counts = new Map<string, number>();
  for (const pod of alive) counts.set(workloadKey(pod), (counts.get(workloadKey(pod)) ?? 0) + 1);
  const found = await forwarded(options, meshed, ports.admin);
  return found.map((target, i) => ({
    ...target,
    pods: counts.get(workloadKey(meshed[i] as Pod)) ?? 1,
  }));
}

const workloadKey = (pod: Pod): string => `${pod.metadata.namespace}/${workloadOf(pod).name}`;

/** The admin ports of the cluster's controllers. */
export async function findControllers(options: TargetOptions): Promise<Target[]> {
  const labelSelector = `${labels.component}=firedrill-controller`;
  const pods = await podsOf({ ...options, labelSelector });
  return forwarded(
    options,
    pods.filter((p) => p.status?.podIP && !hasEnded(p)),
    ports.controllerAdmin,
  );
}

async function podsOf(options: TargetOptions & { labelSelector?: string }): Promise<Pod[]> {
  const { KubeApi } = await import('../client/api.js');
  const { findCredentials } = await import('../client/credentials.js');
  const api = new KubeApi(await findCredentials(options));
  const { namespace, labelSelector } = options;
  try {
    const { items } = await api.list<Pod>(resources.Pod, { namespace, labelSelector });
    if (items.length === 0 && namespace !== undefined && (await isAbsent(api, namespace)))
      throw new UserError(`there is no namespace ${namespace}`, exitCode.failed);
    return items;
  } finally {
    api.close();
  }
}

/** False where it is not known: whoever may see pods need not see namespaces. */
const isAbsent = (api: KubeApi, namespace: string): Promise<boolean> =>
  api.find(resources.Namespace, undefined, namespace).then(
    (found) => found === undefined,
    () => false,
  );

async function forwarded(
  options: TargetOptions,
  pods: readonly Pod[],
  port: number,
): Promise<Target[]> {
  const { forwardToPods } = await import('../client/port-forward.js');
  const named = pods.map(({ metadata: { namespace = 'default', name } }) => {
    return { namespace, name, port, key: `${namespace}/${name}` };
  });
  const missing = named.filter(({ key }) => !ways.has(key));
  const made = await forwardToPods(options, missing);
  missing.forEach(({ key }, i) => ways.set(key, made[i] as Forwarded));
  return named.map(({ key }) => ({ ...(ways.get(key) as Forwarded), name: key }));
}

function plain(text: string): Target {
  const address = /^\d+$/.test(text) ? `127.0.0.1:${text}` : text;
  if (!/^[^\s/@]+:\d+$/.test(address) || !URL.canParse(`http://${address}`)) {
    throw new UserError({
      message: `'${text}' is no address of a proxy`,
      expected: 'its admin port, such as 4191, or 10.0.0.7:4191',
    });
  }
  return { address, name: address };
}

async function get(address: string, path: string): Promise<string> {
  // Each request has its own connection: a forwarded stream ends with its connection.
  const headers = { connection: 'close' };
  const signal = AbortSignal.timeout(5000);
  const response = await fetch(`http://${address}${path}`, { headers, signal });
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return boundedText(response);
}

/** The endpoints that the proxy knows, with their states; mesh/proxy/flow/endpoint-report.ts writes them. */
export const endpointsAt = async ({ address }: Target): Promise<EndpointReport[]> =>
  JSON.parse(await get(address, '/endpoints')) as EndpointReport[];

/** Reads every proxy twice, `windowMs` apart. `silent` names proxies that do not answer, with the reason. */
export async function observe(
  targets: readonly Target[],
  windowMs: number,
): Promise<{ proxies: Observed[]; silent: string[] }> {
  const silent: string[] = [];
  const first = await Promise.all(
    targets.map(async (target) => {
      try {
        const [config, metrics] = await Promise.all([
          get(target.address, '/config'),
          get(target.address, '/metrics'),
        ]);
        const before = parseExposition(metrics);
        return { target, config: JSON.parse(config) as SaidConfig, before, at: performance.now() };
      } catch (error) {
        silent.push(`${target.name} (${reasonOf(target, error)})`);
        return undefined;
      }
    }),
  );
  const heard = first.filter((one) => one !== undefined);
  if (windowMs > 0 && heard.length > 0) await sleep(windowMs);
  const proxies: Observed[] = [];
  for (const { target, at, ...rest } of heard) {
    try {
      const after =
        windowMs > 0 ? parseExposition(await get(target.address, '/metrics')) : rest.before;
      const seconds = (performance.now() - at) / 1000;
      const { pods } = target;
      proxies.push({
        ...rest,
        address: target.name,
        after,
        seconds,
        ...(pods !== undefined && { pods }),
      });
    } catch (error) {
      silent.push(`${target.name} (${reasonOf(target, error)})`);
    }
  }
  return { proxies, silent };
}

/** The reason why a target did not answer. */
export const reasonOf = (target: Target, error: unknown): string =>
  target.problem?.() ?? whyUnanswered(error);

/** Like `observe`, for callers that need an answer: throws a UserError if there is no proxy, or if none answers. */
export async function observeAll(options: TargetOptions, windowMs: number): Promise<Observed[]> {
  const waitMs = options.wait === undefined ? 0 : parseDurationMs(options.wait);
  if (waitMs === undefined || waitMs > 600_000) {
    throw new UserError({
      message: `--wait ${options.wait}`,
      expected: 'a duration of at most 10m',
    });
  }
  const untilMs = performance.now() + waitMs;
  let { proxies, silent } = await observe(await orNone(options, untilMs), windowMs);
  while ((proxies.length === 0 || silent.length > 0) && performance.now() < untilMs) {
    await sleep(500);
    ({ proxies, silent } = await observe(await orNone(options, untilMs), windowMs));
  }
  if (proxies.length === 0) {
    throw new UserError(`no proxy answered: ${silent.join(', ')}`, exitCode.environment);
  }
  for (const one of silent) process.stderr.write(`no answer from ${one}\n`);
  return proxies;
}

/** Before `untilMs`, an empty list is no error. */
async function orNone(options: TargetOptions, untilMs: number): Promise<Target[]> {
  try {
    return await someTargets(options);
  } catch (error) {
    if (performance.now() >= untilMs) throw error;
    return [];
  }
}

/** At least one target; throws otherwise. */
export async function someTargets(options: TargetOptions): Promise<Target[]> {
  const targets = await findTargets(options);
  if (targets.length === 0) throw new UserError('no proxy found', exitCode.failed);
  return targets;
}
