/**
 * Implements each kind of fault: the address for its lease, and the lease's contents. Every injection point supports
 * the same three requests (POST /faults, GET /faults, DELETE /faults/<id>), holds the lease itself, and lets it lapse
 * if nobody renews it. An entry here adds a kind; see README.md.
 */
import * as z from 'zod';
import type { Problem } from '../../base/errors.js';
import type { System, WorkloadDescription } from '../system/model.js';
import { callKinds } from './calls.js';
import { dnsKinds } from './dns.js';
import {
  type ClusterObject,
  type FaultKind,
  growing,
  ms,
  none,
  type Ramp,
  ratio,
  shrinking,
} from './kind.js';
import { registrySettings } from '../system/processes/registry-fault.js';
import { leakSettings } from './leak.js';
import { resourceKinds } from './resources.js';
import { commandPoints, type FaultPoint, pairsOf, proxyPoints } from './points.js';

export type { FaultKind } from './kind.js';
export type { FaultPoint } from './points.js';

/** Held by the game day itself, and ends with it: its Prometheus is a child of the same process. */
export const localScrape = 'local:scrape';

const controllerSettings: Record<string, z.ZodType<Record<string, unknown>>> = {
  'identity-skew': z.strictObject({ skewMs: z.number() }),
  'identity-lifetime': z.strictObject({ lifetimeMs: z.number().min(1000) }),
};

const atController = (kind: string, effectUnit: string, summary: string): FaultKind => ({
  summary,
  settings: controllerSettings[kind] ?? none,
  targets: 'controller',
  effectUnit,
  points: ({ controllerAdmin }, target, settings) =>
    controllerAdmin === undefined
      ? []
      : [{ url: controllerAdmin, target, body: { kind, ...settings } }],
});

/** The side of the sidecar, and the matching requests. */
const proxyMatch = {
  side: z.enum(['inbound', 'outbound']).default('inbound'),
  destination: z.string().optional(),
  route: z.string().optional(),
  method: z.string().optional(),
  pathPrefix: z.string().optional(),
  ratio: ratio.default(1),
};

const atProxy = (summary: string, ramp: Ramp, effect: z.ZodRawShape): FaultKind => ({
  summary,
  ramp,
  settings: z.strictObject({ ...proxyMatch, ...effect }) as z.ZodType<Record<string, unknown>>,
  targets: 'service',
  effectUnit: 'requests struck',
  points: (system, target, settings) => {
    const {
      side = 'inbound',
      ratio: share,
      destination,
      route,
      method,
      pathPrefix,
      ...rest
    } = settings;
    const match = { destination, route, method, pathPrefix };
    return proxyPoints(system, target, { side, ratio: share, match, effect: rest });
  },
});

const atService = (
  summary: string,
  shape: z.ZodRawShape,
  { effectUnit = 'requests struck', ramp }: { effectUnit?: string; ramp?: Ramp } = {},
): FaultKind => ({
  summary,
  ...(ramp && { ramp }),
  settings: z.strictObject(shape) as z.ZodType<Record<string, unknown>>,
  targets: 'service',
  effectUnit,
  points: (system, target, settings) =>
    each(system, target, (workload) => {
      const url = system.appAdmin(workload);
      return url === undefined ? undefined : { url, target: workload.name, body: settings };
    }),
});

const each = (
  system: System,
  target: string,
  point: (workload: WorkloadDescription) => FaultPoint | undefined,
): FaultPoint[] => system.workloads(target).flatMap((workload) => point(workload) ?? []);

/** Held by the watcher of a `system: kubernetes`. */
const atCluster = (
  kind: string,
  targets: ClusterObject,
  summary: string,
  effectUnit: string,
  shape: z.ZodRawShape = {},
): FaultKind => ({
  summary,
  settings: z.strictObject(shape) as z.ZodType<Record<string, unknown>>,
  targets,
  effectUnit,
  points: (system, target, settings) => [
    { url: system.admin, target, body: { kind, target, ...settings } },
  ],
});

const faultKinds = {
  'identity-freeze': atController(
    'identity-freeze',
    'certificate requests refused',
    'the issuer refuses every certificate request, so that certificates run out',
  ),
  'identity-skew': atController(
    'identity-skew',
    'certificates dated off',
    'certificates are dated off by skewMs, as by a clock that is wrong',
  ),
  'identity-lifetime': atController(
    'identity-lifetime',
    'certificates issued',
    'certificates live for lifetimeMs instead',
  ),
  'stream-stall': atController(
    'stream-stall',
    'updates withheld',
    'proxies are told nothing while their streams stay up',
  ),
  'stream-refuse': atController('stream-refuse', 'streams refused', 'streams are cut and refused'),
  'discovery-freeze': atController(
    'discovery-freeze',
    'changes ignored',
    'changes of endpoints are ignored, so that they go stale',
  ),
  delay: atProxy('the sidecar holds requests back', growing('delayMs'), {
    delayMs: ms,
    delayJitterMs: ms.optional(),
  }),
  abort: atProxy('the sidecar answers by itself', growing('ratio'), {
    abortStatus: z.int().min(400).max(599),
  }),
  reset: atProxy('the sidecar resets connections', growing('ratio'), {
    reset: z.literal(true).default(true),
  }),
  blackhole: atProxy('the sidecar never answers', growing('ratio'), {
    blackhole: z.literal(true).default(true),
  }),
  ...callKinds,
  throttle: atProxy(
    'the sidecar lets so many bytes a second through',
    shrinking('bytesPerSecond'),
    {
      bytesPerSecond: z.int().positive(),
      delayMs: ms.optional(),
      delayJitterMs: ms.optional(),
    },
  ),
  'slow-service': atService(
    'the service takes longer, and may fail',
    { latencyMs: ms, failureRatio: ratio.optional() },
    { ramp: growing('latencyMs') },
  ),
  'failing-service': atService(
    'the service fails a share of its requests',
    { failureRatio: ratio },
    { ramp: growing('failureRatio') },
  ),
  ballast: atService(
    'the service holds memory',
    { ballastBytes: z.int().positive() },
    { effectUnit: 'times held' },
  ),
  kill: {
    summary: 'the process is killed (SIGKILL) and stays away until the lease ends',
    settings: none,
    targets: 'process',
    effectUnit: 'processes killed',
    points: (system, target) => [{ url: system.admin, target, body: { kind: 'kill', target } }],
  },
  pause: {
    summary:
      'the process is stopped (SIGSTOP): it answers nothing, and goes on when the lease ends',
    settings: none,
    targets: 'process',
    effectUnit: 'processes paused',
    points: (system, target) => [{ url: system.admin, target, body: { kind: 'pause', target } }],
  },
  ...resourceKinds,
  ...dnsKinds,
  version: {
    summary: 'the process is replaced by one of another version',
    settings: z.strictObject({ version: z.string().regex(/^\d+\.\d+\.\d+$/) }),
    targets: 'process',
    effectUnit: 'processes replaced',
    points: (system, target, settings) => [
      { url: system.admin, target, body: { kind: 'version', target, ...settings } },
    ],
  },
  leak: {
    summary: 'the process leaks memory until it dies of it, and comes back whole',
    settings: leakSettings as z.ZodType<Record<string, unknown>>,
    targets: 'leaking',
    effectUnit: 'processes replaced',
    points: (system, target, settings) => [
      { url: system.admin, target, body: { kind: 'leak', target, ...settings } },
    ],
  },
  authority: {
    summary:
      'the issuer, one more trust anchor, or the only anchor with its issuer (chain) runs out after lifetimeMs',
    settings: z.strictObject({
      part: z.enum(['issuer', 'anchor', 'chain']),
      lifetimeMs: z.number().min(10_000),
    }),
    targets: 'registry',
    effectUnit: 'certificates replaced',
    points: (system, target, settings) => [
      { url: system.admin, target, body: { kind: 'authority', ...settings } },
    ],
  },
  registry: {
    summary: 'the registry is replaced: retries, policy, profiles or endpoints',
    settings: registrySettings as z.ZodType<Record<string, unknown>>,
    targets: 'registry',
    effectUnit: 'registry updates',
    points: (system, target, settings) => [
      { url: system.admin, target, body: { kind: 'registry', set: settings } },
    ],
  },
  command: {
    summary: 'commands of system.faults: injected, confirmed, undone',
    settings: none,
    targets: 'command',
    effectUnit: 'times confirmed',
    points: commandPoints,
  },
  scale: atCluster(
    'scale',
    'scaled',
    'a workload of the cluster is scaled, to nothing by default',
    'replicas gone',
    {
      replicas: z.int().min(0).max(1000).default(0),
    },
  ),
  partition: atCluster(
    'partition',
    'pods',
    'a NetworkPolicy lets nobody reach the pods',
    'pods cut off',
  ),
  'memory-limit': atCluster(
    'memory-limit',
    'limited',
    "memory is held in the container's control group until the kernel kills the app",
    'containers killed',
  ),
  'cpu-limit': atCluster(
    'cpu-limit',
    'throttled',
    "busy loops in the container's control group leave the app a tenth of its CPU limit",
    'containers starved',
  ),
  'expired-secret': atCluster(
    'expired-secret',
    'secret',
    'the certificate of a Secret is replaced by one that has ended',
    'certificates replaced',
  ),
  'scrape-loss': {
    summary: 'Prometheus no longer finds the sidecars',
    settings: none,
    targets: 'prometheus',
    effectUnit: 'targets lost',
    points: (_, target) => [{ url: localScrape, target, body: {} }],
  },
} satisfies Record<string, FaultKind>;

export type FaultKindName = keyof typeof faultKinds;
export const faultKindNames = Object.keys(faultKinds) as FaultKindName[];
export const faultKind = (name: FaultKindName): FaultKind => faultKinds[name];

/** The reason why this system has no such target; undefined if it has. */
export function targetProblem(
  system: System,
  kind: FaultKindName,
  target: string,
): Problem | undefined {
  const known = targetsOf(system, kind);
  if (known.includes(target)) return undefined;
  const { name } = system.description;
  if (known.length === 0) return { message: `nothing in ${name} takes the fault ${kind}` };
  return { message: `${kind} has no target '${target}' in ${name}`, expected: known.join(', ') };
}

/** All targets in the system that the kind can strike. */
export function targetsOf(system: System, kind: FaultKindName): string[] {
  const { targets } = faultKind(kind);
  const {
    processes,
    workloads,
    relays,
    faults,
    controller,
    commands = [],
    objects = {},
    disks = [],
    leaking,
  } = system.description;
  const held = faults.includes(kind);
  switch (targets) {
    case 'process':
      return held ? [...processes.map((p) => p.name), ...(objects.pods ?? [])] : [];
    case 'registry':
      return held ? ['registry'] : [];
    case 'controller':
      return controller ? ['controller'] : [];
    case 'prometheus':
      return ['prometheus'];
    case 'command':
      return commands.map((c) => c.name);
    case 'scaled':
    case 'pods':
    case 'limited':
    case 'throttled':
    case 'secret':
      return held ? (objects[targets] ?? []) : [];
    case 'pair':
      return pairsOf(system.description);
    case 'disk':
      return disks;
    case 'leaking':
      return held ? (leaking ?? processes.map((p) => p.name)) : [];
    case 'service':
    case 'call':
    case 'relay':
    case 'resolver':
      return [...new Set([...workloads.flatMap(namesOf), ...relays.flatMap((r) => [r.name, r.to])])]
        .filter((name) => faultKind(kind).points(system, name, {}).length > 0)
        .sort();
  }
}

const namesOf = (w: WorkloadDescription): string[] => [
  w.name,
  w.service,
  ...(w.edges ?? []).flatMap((edge) => [edge.name, edge.to]),
];
