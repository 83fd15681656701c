/** The defaults that README.md documents, filled in once after the configuration has been checked. */
import type { Backend, Destination, InboundServer, ProxyConfig, Route } from '../model.js';

type Partly<T> = { [K in keyof T]?: Partly<T[K]> };

const balancer = { kind: 'ewma', defaultRttMs: 30, decaySeconds: 10, slowStartSeconds: 0 } as const;
const limits = { maxConnections: 1024, maxPending: 1024, maxRequests: 4096 };
const failFastMs = 3000;

/** The configuration must have been checked. */
export function withDefaults(checked: unknown): ProxyConfig {
  const config = checked as ProxyConfig;
  const { inbound, outbound, state } = config;
  return {
    ...config,
    admin: config.admin ?? { host: '127.0.0.1', port: 0 },
    ...(inbound && { inbound: { ...inbound, mode: inbound.mode ?? 'explicit' } }),
    ...(outbound && { outbound: { ...outbound, mode: outbound.mode ?? 'explicit' } }),
    ...(state && {
      state: {
        version: state.version ?? 1,
        unknownDestinations: state.unknownDestinations ?? 'forward',
        destinations: (state.destinations ?? []).map((d) => destination(d, config)),
        servers: (state.servers ?? []).map(server),
      },
    }),
  };
}

/**
 * `cart.retail` is the service cart in the namespace retail, called `cart` and `cart.retail`; `cart.retail:9090` is
 * another port of that service.
 */
function destination(given: Partly<Destination>, { workload }: ProxyConfig): Destination {
  const { name = '', backends = [] } = given;
  const [, bare = name, port = ''] = /^(.*?)(:\d+)?$/.exec(name) ?? [];
  const [service = bare, namespace = workload.namespace] = bare.split('.');
  const [first] = backends as Backend[];
  return {
    service,
    namespace,
    hosts: [...new Set([service + port, name])],
    addresses: [],
    protocol: 'detect',
    ...given,
    routes: ((given.routes ?? []) as Route[]).map((route) => ({
      ...route,
      matches: route.matches ?? [],
      split: route.split ?? [{ backend: first?.name ?? '', weight: 1 }],
      timeouts: route.timeouts ?? {},
    })),
    backends: (backends as Backend[]).map((backend) => ({
      ...backend,
      balancer: { ...balancer, ...backend.balancer },
      limits: { ...limits, ...backend.limits },
      failFastMs: backend.failFastMs ?? failFastMs,
    })),
  } as Destination;
}

function server(given: InboundServer): InboundServer {
  return {
    ...given,
    protocol: given.protocol ?? 'detect',
    defaultPolicy: given.defaultPolicy ?? 'all-unauthenticated',
    routes: (given.routes ?? []).map((route) => ({
      ...route,
      matches: route.matches ?? [],
      split: route.split ?? [],
      timeouts: route.timeouts ?? {},
    })),
    authorizations: (given.authorizations ?? []).map((authorization) => ({
      ...authorization,
      identities: authorization.identities ?? [],
      unauthenticated: authorization.unauthenticated ?? false,
    })),
  };
}
