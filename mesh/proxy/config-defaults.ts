/** The defaults that README.md documents, filled in once after the configuration has been checked. */
import { backendPolicy } from '../schema/backend.js';
import { filledIn } from '../schema/fields.js';
import { routeFields } from '../schema/route.js';
import type { Destination, InboundServer, ProxyConfig } from '../model.js';

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
function destination(given: Partial<Destination>, { workload }: ProxyConfig): Destination {
  const { name = '', backends = [] } = given;
  const [, bare = name, port = ''] = /^(.*?)(:\d+)?$/.exec(name) ?? [];
  const [service = bare, namespace = workload.namespace] = bare.split('.');
  return {
    service,
    namespace,
    hosts: [...new Set([service + port, name])],
    addresses: [],
    protocol: 'detect',
    ...given,
    routes: (given.routes ?? []).map((route) => ({
      ...filledIn(routeFields, route),
      split: route.split ?? [{ backend: backends[0]?.name ?? '', weight: 1 }],
    })),
    backends: backends.map((backend) => filledIn(backendPolicy, backend)),
  } as Destination;
}

function server(given: InboundServer): InboundServer {
  return {
    ...given,
    protocol: given.protocol ?? 'detect',
    defaultPolicy: given.defaultPolicy ?? 'all-unauthenticated',
    routes: (given.routes ?? []).map((route) => filledIn(routeFields, route)),
    authorizations: (given.authorizations ?? []).map((authorization) => ({
      ...authorization,
      identities: authorization.identities ?? [],
      unauthenticated: authorization.unauthenticated ?? false,
    })),
  };
}
