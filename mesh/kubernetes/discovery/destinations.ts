/** One Kubernetes Service, with what hangs on it, as the destinations that proxies serve by. */
import { isIPv6 } from 'node:net';
import { identityName } from '../../identity/names.js';
import type { Backend, BreakerPolicy, Destination, Endpoint, Route } from '../../model.js';
import { annotations, defaultOpaquePorts, parsePorts, ports } from '../annotations.js';
import type { KubeObject } from '../client/objects.js';
import { grpcRoutes, httpRoutes } from './gateway-routes.js';
import { type Drafts, type RouteDraft, type ServiceRef } from './route-parts.js';
import { profileRoutes } from './service-profile.js';
import type {
  ExternalWorkloadSpec,
  GrpcRouteSpec,
  HttpRouteSpec,
  ServiceProfileSpec,
  TrafficSplitSpec,
} from './specs.js';
import type { EndpointSlice, Namespace, Pod, Service, SpecObject } from './types.js';
import { explicitPort, isMeshed, podIdentity, podLabels, selects } from './workload.js';

/** What the conversion may look up; the source tracks which services it touched. */
export interface Lookup {
  trustDomain: string;
  clusterDomain: string;
  service(key: string): Service | undefined;
  namespace(name: string): Namespace | undefined;
  slices(key: string): EndpointSlice[];
  pod(key: string): Pod | undefined;
  externalWorkloads(namespace: string): SpecObject<ExternalWorkloadSpec>[];
  profiles(key: string): SpecObject<ServiceProfileSpec>[];
  splits(key: string): SpecObject<TrafficSplitSpec>[];
  httpRoutes(key: string): SpecObject<HttpRouteSpec>[];
  grpcRoutes(key: string): SpecObject<GrpcRouteSpec>[];
}

export interface Converted {
  destinations: Destination[];
  /** Every service that was looked at beside its own: a change of one changes these destinations. */
  uses: string[];
}

type ServicePort = NonNullable<Service['spec']['ports']>[number];

/**
 * The first port's destination has the service's name and hosts; each further port is one of its own, found by address
 * (`cart.retail:9090`), since one name cannot tell ports apart.
 */
export function convertService(service: Service, look: Lookup): Converted {
  // An alias in DNS: what the app connected to is where it wants to go.
  if (service.spec.type === 'ExternalName') return { destinations: [], uses: [] };
  const served = (service.spec.ports ?? []).filter((p) => (p.protocol ?? 'TCP') === 'TCP');
  const uses = new Set<string>();
  const destinations = served.map((port, i) => convertPort(service, port, i === 0, look, uses));
  return { destinations, uses: [...uses] };
}

function convertPort(
  service: Service,
  port: ServicePort,
  first: boolean,
  look: Lookup,
  uses: Set<string>,
): Destination {
  const { name, namespace = 'default' } = service.metadata;
  const key = `${namespace}/${name}`;
  const own = `${name}.${namespace}`;
  const backends = new Map<string, Backend>();
  const addBackend = (ref: ServiceRef): string => {
    const backend = backendName(ref, port.port);
    if (!backends.has(backend)) {
      const refKey = `${ref.namespace}/${ref.service}`;
      if (refKey !== key) uses.add(refKey);
      const target = look.service(refKey);
      const targetPort = target?.spec.ports?.find((p) => p.port === (ref.port ?? port.port));
      const endpoints = target
        ? endpointsOf(target, targetPort ?? (target.spec.ports?.[0] as ServicePort), look)
        : [];
      backends.set(backend, makeBackend(backend, endpoints, target ?? service));
    }
    return backend;
  };
  const ownBackend = addBackend({ service: name, namespace });
  const { drafts, retryBudget } = routesOf(key, port.port, look);
  const routes = drafts.map((draft) => finish(draft, ownBackend, addBackend));
  return {
    name: first ? own : `${own}:${port.port}`,
    service: name,
    namespace,
    hosts: first ? [own, `${own}.svc`, `${own}.svc.${look.clusterDomain}`] : [],
    addresses: clusterAddresses(service, port.port),
    protocol: protocolOf(service, port, look),
    routes,
    backends: [...backends.values()],
    ...(retryBudget ? { retryBudget } : {}),
    ...(service.spec.clusterIP === 'None' ? { headless: true as const } : {}),
  };
}

const backendName = (ref: ServiceRef, portOfParent: number): string =>
  `${ref.service}.${ref.namespace}${ref.port && ref.port !== portOfParent ? `:${ref.port}` : ''}`;

function finish(draft: RouteDraft, own: string, add: (ref: ServiceRef) => string): Route {
  const split = draft.split.map((s) => ({ backend: add(s), weight: s.weight }));
  const { mirror } = draft;
  return {
    ...draft.route,
    split: split.length > 0 ? split : [{ backend: own, weight: 1 }],
    ...(mirror ? { mirror: { backend: add(mirror), fraction: mirror.fraction } } : {}),
  };
}

/** Gateway API routes first, then the ServiceProfile's, then the TrafficSplit for whatever neither matched. */
function routesOf(key: string, port: number, look: Lookup): Drafts {
  const onPort = (route: SpecObject<HttpRouteSpec | GrpcRouteSpec>): boolean =>
    (route.spec.parentRefs ?? []).some(
      (p) =>
        p.kind === 'Service' &&
        `${p.namespace ?? route.metadata.namespace}/${p.name}` === key &&
        (p.port === undefined || p.port === port),
    );
  const byAge = (a: KubeObject, b: KubeObject): number =>
    (a.metadata.creationTimestamp ?? '').localeCompare(b.metadata.creationTimestamp ?? '') ||
    a.metadata.name.localeCompare(b.metadata.name);
  const drafts: RouteDraft[] = [];
  for (const route of look.grpcRoutes(key).filter(onPort).sort(byAge)) {
    const { name, namespace = 'default' } = route.metadata;
    drafts.push(...grpcRoutes(name, namespace, route.spec).drafts);
  }
  for (const route of look.httpRoutes(key).filter(onPort).sort(byAge)) {
    const { name, namespace = 'default' } = route.metadata;
    drafts.push(...httpRoutes(name, namespace, route.spec).drafts);
  }
  const split = look.splits(key)[0];
  const weighted = (split?.spec.backends ?? []).map((b) => ({
    service: b.service,
    namespace: split?.metadata.namespace ?? 'default',
    weight: b.weight,
  }));
  const profile = look.profiles(key)[0];
  const result: Drafts = { drafts, problems: [] };
  if (profile) {
    const made = profileRoutes(profile.spec, profile.metadata.namespace ?? 'default');
    if (made.retryBudget) result.retryBudget = made.retryBudget;
    // SMI's split is of the whole service, so a profile's routes without overrides of their own follow it.
    drafts.push(...made.drafts.map((d) => (d.split.length === 0 ? { ...d, split: weighted } : d)));
  }
  if (weighted.length > 0) {
    const name = split?.metadata.name ?? 'split';
    drafts.push({ route: { name, matches: [], timeouts: {} }, split: weighted });
  }
  return result;
}

function clusterAddresses(service: Service, port: number): string[] {
  const ips = service.spec.clusterIPs ?? (service.spec.clusterIP ? [service.spec.clusterIP] : []);
  return ips.filter((ip) => ip !== 'None' && ip !== '').map((ip) => withPort(ip, port));
}

const withPort = (ip: string, port: number): string =>
  isIPv6(ip) ? `[${ip}]:${port}` : `${ip}:${port}`;

function protocolOf(service: Service, port: ServicePort, look: Lookup): Destination['protocol'] {
  const listed =
    service.metadata.annotations?.[annotations.opaquePorts] ??
    look.namespace(service.metadata.namespace ?? 'default')?.metadata.annotations?.[
      annotations.opaquePorts
    ];
  const opaque = listed === undefined ? defaultOpaquePorts : (parsePorts(listed) ?? []);
  if (opaque.includes(port.port)) return 'opaque';
  switch (port.appProtocol) {
    case undefined:
      return 'detect';
    case 'http':
    case 'kubernetes.io/ws':
      return 'http1';
    case 'grpc':
    case 'kubernetes.io/h2c':
      return 'http2';
    default:
      // Declared, and nothing that we read: as Linkerd has it.
      return 'opaque';
  }
}

function endpointsOf(service: Service, port: ServicePort | undefined, look: Lookup): Endpoint[] {
  if (!port) return [];
  const { name, namespace = 'default' } = service.metadata;
  const found = new Map<string, Endpoint>();
  for (const slice of look.slices(`${namespace}/${name}`)) {
    if (slice.addressType === 'FQDN') continue;
    // A slice's port has the service port's name, and the target's number.
    const slicePort = slice.ports?.find((p) => (p.name ?? '') === (port.name ?? ''));
    if (slicePort?.port === undefined) continue;
    for (const entry of slice.endpoints ?? []) {
      if (entry.conditions?.ready === false) continue;
      const ref = entry.targetRef;
      const pod =
        ref?.kind === 'Pod' ? look.pod(`${ref.namespace ?? namespace}/${ref.name}`) : undefined;
      // Slices and pods come by two watches, in any order: a pod that is not known may be meshed, and plaintext to it
      // would be a silent loss; it is left out until it is known, or for good where it was deleted.
      if (ref?.kind === 'Pod' && !pod) continue;
      for (const ip of entry.addresses.slice(0, 1)) {
        const endpoint: Endpoint = {
          address: withPort(ip, (pod && explicitPort(pod)) ?? slicePort.port),
          ...(pod ? meshedAs(pod, slicePort.port, look.trustDomain) : {}),
          ...(entry.zone ? { zone: entry.zone } : {}),
          ...(pod ? { labels: podLabels(pod) } : {}),
        };
        found.set(endpoint.address, endpoint);
      }
    }
  }
  for (const external of externalEndpoints(service, port, look))
    found.set(external.address, external);
  return [...found.values()].sort((a, b) => (a.address < b.address ? -1 : 1));
}

/** The identity that a pod shows on a port, and which of its ports do not lead to its proxy. */
function meshedAs(
  pod: Pod,
  port: number,
  trustDomain: string,
): Pick<Endpoint, 'identity' | 'plainPorts'> {
  if (!isMeshed(pod)) return {};
  const identity = podIdentity(pod, trustDomain);
  if (explicitPort(pod) !== undefined) return { identity };
  const skipped = parsePorts(pod.metadata.annotations?.[annotations.skippedInbound] ?? '') ?? [];
  return skipped.includes(port) ? {} : { identity, plainPorts: [...skipped, ports.admin] };
}

/** Workloads outside Kubernetes that the service's selector picks. */
function externalEndpoints(service: Service, port: ServicePort, look: Lookup): Endpoint[] {
  const { namespace = 'default' } = service.metadata;
  const selector = service.spec.selector;
  if (!selector || Object.keys(selector).length === 0) return [];
  return look
    .externalWorkloads(namespace)
    .filter((w) => selects({ matchLabels: selector }, w.metadata.labels))
    .flatMap((w) => {
      const target = port.targetPort ?? port.port;
      const own =
        typeof target === 'number' ? target : w.spec.ports?.find((p) => p.name === target)?.port;
      if (own === undefined) return [];
      const identity = identityName({
        serviceAccount: w.spec.serviceAccount ?? w.metadata.name,
        namespace,
        trustDomain: look.trustDomain,
      });
      return w.spec.workloadIPs.slice(0, 1).map(({ ip }) => ({
        address: withPort(ip, own),
        ...(w.spec.meshed === false ? {} : { identity }),
        labels: { externalworkload: w.metadata.name },
      }));
    });
}

function makeBackend(name: string, endpoints: Endpoint[], service: Service): Backend {
  const breaker = breakerOf(service);
  return {
    name,
    endpoints,
    balancer: { kind: 'ewma', defaultRttMs: 30, decaySeconds: 10, slowStartSeconds: 0 },
    limits: { maxConnections: 1024, maxPending: 1024, maxRequests: 4096 },
    failFastMs: 3000,
    ...(breaker ? { breaker } : {}),
  };
}

/** `mesh.firedrill.dev/breaker: "7"`: trips after so many failures in a row. */
function breakerOf(service: Service): BreakerPolicy | undefined {
  const count = Number(service.metadata.annotations?.[annotations.breaker]);
  if (!Number.isInteger(count) || count < 1) return undefined;
  return {
    consecutiveFailures: count,
    minOpenMs: 1000,
    maxOpenMs: 60_000,
    jitter: 0.5,
    maxEjectedRatio: 0.5,
    panicRatio: 0.25,
  };
}
