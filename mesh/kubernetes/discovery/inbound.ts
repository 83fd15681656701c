/** The inbound traffic of one workload's proxies: a server per port, from Server, AuthorizationPolicy and RateLimit. */
import { isDeepStrictEqual } from 'node:util';
import type { WorkloadServers } from '../../controller/discovery/source.js';
import { identityName } from '../../identity/names.js';
import type { Authorization, InboundServer, RateLimit } from '../../model.js';
import { usualBurst } from '../../schema/route.js';
import {
  annotations,
  defaultOpaquePorts,
  isPolicy,
  parsePorts,
  proxyContainer,
} from '../annotations.js';
import { httpRoutes, unsupported } from './gateway-routes.js';
import type { AuthorizationPolicySpec, HttpRouteSpec, RateLimitSpec, ServerSpec } from './specs.js';
import { serverParents } from './store.js';
import type { Namespace, Pod, SpecObject } from './types.js';
import { explicitPort, selects } from './workload.js';

export interface InboundLookup {
  trustDomain: string;
  defaultPolicy: InboundServer['defaultPolicy'];
  namespace(name: string): Namespace | undefined;
  servers(namespace: string): SpecObject<ServerSpec>[];
  authorizations(namespace: string): SpecObject<AuthorizationPolicySpec>[];
  rateLimits(namespace: string): SpecObject<RateLimitSpec>[];
  /** HTTPRoutes of the namespace whose parent is a Server. */
  serverRoutes(namespace: string): SpecObject<HttpRouteSpec>[];
}

/** The labels that tell the pods of one template of a workload from those of another. */
const generationLabels = [
  'pod-template-hash',
  'controller-revision-hash',
  'rollouts-pod-template-hash',
] as const;

/**
 * The servers of a workload. While a roll-out is half done, its templates may differ in labels, ports and annotations:
 * each then has servers of its own, and none is governed by another's policy. A proxy that was injected offline does
 * not know the template that it is of, and gets those of the first pod.
 */
export function convertWorkload(
  workload: string,
  pods: readonly Pod[],
  look: InboundLookup,
): WorkloadServers[] {
  const made = new Map<string, WorkloadServers>();
  for (const pod of pods) {
    const label = generationLabels.find((name) => pod.metadata.labels?.[name] !== undefined);
    const value = label && pod.metadata.labels?.[label];
    const generation = value ?? '';
    if (made.has(generation)) continue;
    const { key, ...rest } = convertInbound(workload, [pod], look);
    made.set(
      generation,
      label && value !== undefined
        ? { ...rest, key: `${key}@${value}`, labels: { [label]: value } }
        : { ...rest, key },
    );
  }
  const [first, ...others] = [...made.values()];
  if (!first) return [];
  const { labels: _labels, ...whole } = { ...first, key: first.key.split('@')[0] as string };
  if (others.every((o) => isDeepStrictEqual(o.servers, first.servers))) return [whole];
  return [...[...made.values()].filter((o) => o.labels), { ...whole, without: generationLabels }];
}

/** `pods` are those of one workload's template, at least one; the first represents all. */
export function convertInbound(
  workload: string,
  pods: readonly Pod[],
  look: InboundLookup,
): WorkloadServers {
  const pod = pods[0] as Pod;
  const namespace = pod.metadata.namespace ?? 'default';
  const servers: InboundServer[] = [];
  const declared = look
    .servers(namespace)
    .filter((s) => selects(s.spec.podSelector, pod.metadata.labels));
  const { containers: apps, initContainers = [] } = pod.spec;
  // Init containers count too: a user's own native sidecar is one of them.
  const containers = [...apps, ...initContainers].filter((c) => c.name !== proxyContainer);
  const open = new Map<number, string | undefined>();
  for (const container of containers) {
    for (const p of container.ports ?? []) {
      if ((p.protocol ?? 'TCP') === 'TCP') open.set(p.containerPort, p.name);
    }
  }
  for (const server of declared) {
    const port = server.spec.port;
    if (typeof port === 'number' && !open.has(port)) open.set(port, undefined);
  }
  const all = look.namespace(namespace)?.metadata.annotations;
  const opaqueText =
    pod.metadata.annotations?.[annotations.opaquePorts] ?? all?.[annotations.opaquePorts];
  const opaque = opaqueText === undefined ? defaultOpaquePorts : (parsePorts(opaqueText) ?? []);
  const policyText =
    pod.metadata.annotations?.[annotations.defaultInboundPolicy] ??
    all?.[annotations.defaultInboundPolicy];
  // An invalid policy was meant to restrict access, so it denies.
  const fallback =
    policyText === undefined ? look.defaultPolicy : isPolicy(policyText) ? policyText : 'deny';
  const explicit = explicitPort(pod);
  for (const [port, name] of [...open].sort(([a], [b]) => a - b)) {
    const server = declared.find((s) => s.spec.port === port || (name && s.spec.port === name));
    const made: InboundServer = {
      name: server?.metadata.name ?? `port-${port}`,
      // In explicit mode peers know only the proxy's own port, which leads to the first declared port.
      port: explicit !== undefined && servers.length === 0 ? explicit : port,
      target: `127.0.0.1:${port}`,
      protocol: protocolOf(server?.spec.proxyProtocol, opaque.includes(port)),
      defaultPolicy: server ? (server.spec.accessPolicy ?? 'deny') : fallback,
      authorizations: authorizationsFor(server, namespace, look),
      routes: server ? routesFor(server, look.serverRoutes(namespace)) : [],
    };
    const limit = server && rateLimitFor(server, look.rateLimits(namespace), look.trustDomain);
    if (limit) made.rateLimit = limit;
    if (server?.spec.maxConcurrent !== undefined) made.maxConcurrent = server.spec.maxConcurrent;
    servers.push(made);
  }
  if (explicit === undefined) {
    // Containers need not declare a port: the default policy covers every other port on which the pod listens.
    servers.push({
      name: 'undeclared',
      port: 0,
      target: '127.0.0.1:0',
      protocol: 'detect',
      opaquePorts: opaque,
      defaultPolicy: fallback,
      authorizations: authorizationsFor(undefined, namespace, look),
      routes: [],
    });
  }
  return { key: `${namespace}/${workload}`, namespace, workload, servers };
}

function protocolOf(text: ServerSpec['proxyProtocol'], opaque: boolean): InboundServer['protocol'] {
  switch (text) {
    case 'HTTP/1':
      return 'http1';
    case 'HTTP/2':
    case 'gRPC':
      return 'http2';
    case 'opaque':
    case 'TLS':
      return 'opaque';
    default:
      return opaque ? 'opaque' : 'detect';
  }
}

function routesFor(
  server: SpecObject<ServerSpec>,
  routes: SpecObject<HttpRouteSpec>[],
): InboundServer['routes'] {
  return routes
    .filter((r) => serverParents(r).includes(server.metadata.name))
    .flatMap((r) => httpRoutes(r.metadata, r.spec).drafts)
    .map(({ route, mirror }) => {
      const { redirect, rewrite, cors } = route;
      // A filter that this side does not apply may be the one that restricts access.
      const isBroken = redirect ?? rewrite ?? cors ?? mirror;
      return { ...route, split: [], ...(isBroken && { respond: unsupported }) };
    });
}

function authorizationsFor(
  server: SpecObject<ServerSpec> | undefined,
  namespace: string,
  look: InboundLookup,
): Authorization[] {
  const list: Authorization[] = [];
  for (const policy of look.authorizations(namespace)) {
    const { kind, name } = policy.spec.targetRef;
    const whole =
      (kind === 'Namespace' && name === namespace) ||
      (kind === 'Server' && name === server?.metadata.name);
    const route =
      server &&
      kind === 'HTTPRoute' &&
      look
        .serverRoutes(namespace)
        .find((r) => r.metadata.name === name && routesFor(server, [r]).length > 0);
    if (!whole && !route) continue;
    const routes = route && server ? routesFor(server, [route]).map((r) => r.name) : undefined;
    list.push(
      ...authorizationsOf(policy, look.trustDomain, routes ? [...new Set(routes)] : undefined),
    );
  }
  return list;
}

/** Networks and identities of one entry must both match; entries are alternatives. */
function authorizationsOf(
  policy: SpecObject<AuthorizationPolicySpec>,
  trustDomain: string,
  routes: string[] | undefined,
): Authorization[] {
  const namespace = policy.metadata.namespace ?? 'default';
  return policy.spec.from.map((from, i): Authorization => {
    const identities: string[] = [];
    if (from.identity) identities.push(from.identity);
    else if (from.serviceAccount) {
      const { serviceAccount, namespace: own = namespace } = from;
      identities.push(identityName({ serviceAccount, namespace: own, trustDomain }));
    } else if (from.namespace) {
      identities.push(`*.${from.namespace}.serviceaccount.identity.${trustDomain}`);
    }
    const networkOnly = identities.length === 0 && from.network !== undefined;
    return {
      name: policy.spec.from.length === 1 ? policy.metadata.name : `${policy.metadata.name}[${i}]`,
      identities,
      unauthenticated: from.unauthenticated ?? networkOnly,
      ...(from.network ? { networks: [from.network] } : {}),
      ...(routes ? { routes } : {}),
    };
  });
}

function rateLimitFor(
  server: SpecObject<ServerSpec>,
  limits: SpecObject<RateLimitSpec>[],
  trustDomain: string,
): RateLimit | undefined {
  const found = limits.find(
    (l) => l.spec.targetRef.kind === 'Server' && l.spec.targetRef.name === server.metadata.name,
  );
  const rate = found?.spec.identity ?? found?.spec.total;
  if (!found || !rate) return undefined;
  const burst = (r: { requestsPerSecond: number; burst?: number }): number =>
    r.burst ?? usualBurst(r.requestsPerSecond);
  const made: RateLimit = {
    requestsPerSecond: rate.requestsPerSecond,
    burst: burst(rate),
    per: found.spec.identity ? 'identity' : 'all',
  };
  if (found.spec.overrides) {
    made.overrides = found.spec.overrides.map((o) => ({
      identities: o.clientRefs.map((c) =>
        identityName({
          serviceAccount: c.name,
          namespace: c.namespace ?? found.metadata.namespace ?? 'default',
          trustDomain,
        }),
      ),
      requestsPerSecond: o.requestsPerSecond,
      burst: burst(o),
    }));
  }
  return made;
}
