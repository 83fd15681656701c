/** Converts one Kubernetes Service and the objects attached to it to the destinations that proxies use. */
import { isIPv6 } from 'node:net';
import { identityName } from '../../identity/names.js';
import type { Backend, BreakerPolicy, Destination, Endpoint, Route, Share } from '../../model.js';
import { backendDefaults, breakerDefaults } from '../../schema/backend.js';
import { annotations, defaultOpaquePorts, parsePorts, ports } from '../annotations.js';
import type { KubeObject } from '../client/objects.js';
import { type Attached, routesOfPort } from './attached.js';
import { inService, isLocal, placesOf, reachOf } from './reach.js';
import type { DraftShare, Referrer, RouteDraft, ServiceRef } from './route-parts.js';
import type { ExternalWorkloadSpec } from './specs.js';
import type { EndpointSlice, Namespace, Pod, Service, SliceEndpoint, SpecObject } from './types.js';
import { explicitPort, isMeshed, podIdentity, podLabels, selects } from './workload.js';

/** The objects that the conversion may read; the source tracks which services it touched. */
export interface Lookup {
  trustDomain: string;
  clusterDomain: string;
  service(key: string): Service | undefined;
  server(key: string): KubeObject | undefined;
  namespace(name: string): Namespace | undefined;
  slices(key: string): EndpointSlice[];
  pod(key: string): Pod | undefined;
  /** The meshed pod with this address. */
  podAt(ip: string): Pod | undefined;
  externalWorkloads(namespace: string): SpecObject<ExternalWorkloadSpec>[];
  /** The routes, profiles and splits that name the service, of every namespace. */
  attached(key: string): Attached;
  /** Whether the other namespace lets the referrer send to its service. */
  isGranted(from: Referrer, to: ServiceRef): boolean;
}

export interface Converted {
  destinations: Destination[];
  /** Every other service that was looked up: a change of one changes these destinations. */
  uses: string[];
}

type ServicePort = NonNullable<Service['spec']['ports']>[number];

/**
 * The first port's destination has the service's name and hosts; each further port has a destination of its own, found
 * by address (`cart.retail:9090`), since one name cannot tell ports apart.
 */
export function convertService(service: Service, look: Lookup): Converted {
  // The Service is an alias in DNS: the app connects to the alias's target directly.
  if (service.spec.type === 'ExternalName') return { destinations: [], uses: [] };
  const served = tcpPorts(service);
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
      const targetPort = target && tcpPorts(target).find((p) => p.port === (ref.port ?? port.port));
      const found = target
        ? endpointsOf(target, targetPort ?? (target.spec.ports?.[0] as ServicePort), look)
        : { endpoints: [] };
      const made = makeBackend(backend, found.endpoints, target ?? service);
      backends.set(backend, found.reach ? { ...made, reach: found.reach } : made);
    }
    return backend;
  };
  const ownBackend = addBackend({ service: name, namespace });
  const { drafts, retryBudget } = routesOfPort({ name, namespace }, port, look.attached(key));
  const routes = drafts.map((draft) => finish(draft, ownBackend, addBackend, look, uses));
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

function finish(
  draft: RouteDraft,
  own: string,
  add: (ref: ServiceRef) => string,
  look: Lookup,
  uses: Set<string>,
): Route {
  const share = (s: DraftShare): Share => {
    const { weight, requestHeaders, responseHeaders } = s;
    if (s.respond) return { backend: own, weight, respond: s.respond };
    // The service is recorded even if it does not exist, because its creation changes this destination.
    uses.add(`${s.namespace}/${s.service}`);
    const why = draft.referrer && whyNotSent(draft.referrer, s, look);
    if (why) return { backend: own, weight, respond: { status: 500, reason: 'no-backend' } };
    return {
      backend: add(s),
      weight,
      ...(requestHeaders ? { requestHeaders } : {}),
      ...(responseHeaders ? { responseHeaders } : {}),
    };
  };
  const { mirror } = draft;
  const isMirrored = mirror && !(draft.referrer && whyNotSent(draft.referrer, mirror, look));
  return {
    ...draft.route,
    split: draft.split.length > 0 ? draft.split.map(share) : [{ backend: own, weight: 1 }],
    ...(isMirrored ? { mirror: { backend: add(mirror), fraction: mirror.fraction } } : {}),
  };
}

/** Returns the reason why a route may not send to a service, as its status shows it; undefined if it may. */
export function whyNotSent(
  referrer: Referrer,
  ref: ServiceRef,
  look: Pick<Lookup, 'service' | 'isGranted'>,
): { reason: 'RefNotPermitted' | 'BackendNotFound' | 'InvalidKind'; message: string } | undefined {
  const name = `${ref.namespace}/${ref.service}`;
  const isOpen = ref.namespace === referrer.namespace || referrer.parents.includes(name);
  if (!isOpen && !look.isGranted(referrer, ref)) {
    const { kind, namespace } = referrer;
    const message = `no ReferenceGrant of ${ref.namespace} lets a ${kind} of ${namespace} send to ${ref.service}`;
    return { reason: 'RefNotPermitted', message };
  }
  const service = look.service(name);
  if (service?.spec.type === 'ExternalName') {
    const message = `Service ${name} is an ExternalName, which has no endpoints`;
    return { reason: 'InvalidKind', message };
  }
  const open = service ? tcpPorts(service) : [];
  const isThere = open.some((p) => ref.port === undefined || p.port === ref.port);
  if (isThere) return undefined;
  const port = ref.port === undefined ? '' : ` with TCP port ${ref.port}`;
  return { reason: 'BackendNotFound', message: `there is no Service ${name}${port}` };
}

function clusterAddresses(service: Service, port: number): string[] {
  const ips = service.spec.clusterIPs ?? (service.spec.clusterIP ? [service.spec.clusterIP] : []);
  return ips.filter((ip) => ip !== 'None' && ip !== '').map((ip) => withPort(ip, port));
}

export const withPort = (ip: string, port: number): string =>
  isIPv6(ip) ? `[${ip}]:${port}` : `${ip}:${port}`;

function protocolOf(service: Service, port: ServicePort, look: Lookup): Destination['protocol'] {
  const listed =
    service.metadata.annotations?.[annotations.opaquePorts] ??
    look.namespace(service.metadata.namespace ?? 'default')?.metadata.annotations?.[
      annotations.opaquePorts
    ];
  const opaque = parsePorts(listed ?? '-') ?? defaultOpaquePorts;
  if (opaque.includes(port.port)) return 'opaque';
  // The names are IANA's, whose case does not matter.
  switch (port.appProtocol?.toLowerCase()) {
    case undefined:
      return 'detect';
    case 'http':
    case 'kubernetes.io/ws':
      return 'http1';
    case 'grpc':
    case 'kubernetes.io/h2c':
      return 'http2';
    default:
      // A declared protocol that the proxy does not know is opaque, as in Linkerd.
      return 'opaque';
  }
}

function endpointsOf(
  service: Service,
  port: ServicePort | undefined,
  look: Lookup,
): Pick<Backend, 'endpoints' | 'reach'> {
  if (!port) return { endpoints: [] };
  const { name, namespace = 'default' } = service.metadata;
  const found = new Map<string, Endpoint>();
  const entries = servedEntries(service, look.slices(`${namespace}/${name}`), port);
  const reach = reachOf(
    service,
    entries.map(([entry]) => entry),
  );
  for (const [entry, number] of entries) {
    const ref = entry.targetRef;
    const [ip = ''] = entry.addresses;
    // A slice that somebody wrote by hand often names addresses alone.
    const pod =
      ref?.kind === 'Pod' ? look.pod(`${ref.namespace ?? namespace}/${ref.name}`) : look.podAt(ip);
    // Slices and pods come from two watches, in any order. A pod that is not known yet may be meshed, and plaintext
    // to it would be a silent loss of protection; it is left out until it is known, or for good if it was deleted.
    if (ref?.kind === 'Pod' && !pod) continue;
    // The redirection of a pod is of IPv4 alone: at its IPv6 address the app itself answers.
    const meshed = pod && !isIPv6(ip) ? meshedAs(pod, number, look.trustDomain) : {};
    const endpoint: Endpoint = {
      address: withPort(ip, (pod && explicitPort(pod)) ?? number),
      ...meshed,
      ...(entry.zone ? { zone: entry.zone } : {}),
      ...(pod ? { labels: podLabels(pod) } : {}),
      ...(reach && { places: placesOf(reach, entry) }),
    };
    found.set(endpoint.address, endpoint);
  }
  for (const external of externalEndpoints(service, port, look))
    found.set(external.address, external);
  const endpoints = [...found.values()].sort((a, b) => (a.address < b.address ? -1 : 1));
  return { endpoints, ...(reach && { reach }) };
}

/**
 * The entries that serve a port, each with the port's number, by kube-proxy's rules: the ready ones, or, while none is
 * ready, those that end and still serve. A service of both families is called by IPv4, which alone is redirected.
 */
function servedEntries(
  service: Service,
  slices: readonly EndpointSlice[],
  port: ServicePort,
): [entry: SliceEndpoint, number: number][] {
  const addressType = slices.some((s) => s.addressType === 'IPv4') ? 'IPv4' : 'IPv6';
  const all = slices
    .filter((slice) => slice.addressType === addressType)
    .flatMap((slice): [SliceEndpoint, number][] => {
      // A slice's port has the service port's name and the target's number.
      const number = slice.ports?.find((p) => (p.name ?? '') === (port.name ?? ''))?.port;
      return number === undefined ? [] : (slice.endpoints ?? []).map((entry) => [entry, number]);
    });
  return inService(all, isLocal(service));
}

/** The names of the pods to which a Service sends on some port, whoever calls. */
export function servedPods(service: Service, slices: readonly EndpointSlice[]): string[] {
  if (service.spec.type === 'ExternalName') return [];
  const entries = tcpPorts(service).flatMap((port) => {
    const own = servedEntries(service, slices, port);
    const isForAll = !reachOf(
      service,
      own.map(([entry]) => entry),
    );
    return isForAll ? own : [];
  });
  return entries.flatMap(([{ targetRef: ref }]) => (ref?.kind === 'Pod' ? [ref.name] : []));
}

const tcpPorts = (service: Service): ServicePort[] =>
  (service.spec.ports ?? []).filter((p) => (p.protocol ?? 'TCP') === 'TCP');

/** Returns the identity that a pod shows on a port, and its ports that bypass the proxy; empty if this port does. */
export function meshedAs(
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

/** The workloads outside Kubernetes that the service's selector selects. */
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

export function makeBackend(name: string, endpoints: Endpoint[], service?: Service): Backend {
  const breaker = service && breakerOf(service);
  const affinitySeconds = service && affinityOf(service);
  return {
    name,
    endpoints,
    ...backendDefaults,
    ...(affinitySeconds && { balancer: { ...backendDefaults.balancer, affinitySeconds } }),
    ...(breaker ? { breaker } : {}),
  };
}

/** `sessionAffinity: ClientIP`: a pod is one client. Kubernetes has no affinity for headless services. */
function affinityOf({ spec }: Service): number | undefined {
  if (spec.sessionAffinity !== 'ClientIP' || spec.clusterIP === 'None') return undefined;
  return spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? 10_800;
}

/** Reads `mesh.firedrill.dev/breaker-consecutive-failures: "7"`: the consecutive failures that trip a breaker. */
function breakerOf(service: Service): BreakerPolicy | undefined {
  const count = Number(service.metadata.annotations?.[annotations.breaker]);
  if (!Number.isInteger(count) || count < 1) return undefined;
  return { ...breakerDefaults, consecutiveFailures: count };
}
