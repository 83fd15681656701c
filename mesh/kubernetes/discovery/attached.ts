/**
 * The routes of one Service port, and their clients: a route, profile or split of the service's own namespace shapes
 * the traffic of every client; one of another namespace, only that of its own clients (GAMMA's consumer routes).
 */
import type { RetryBudget } from '../../model.js';
import type { KubeObject } from '../client/objects.js';
import { grpcRoutes, httpRoutes, inOrder, isServiceParent } from './gateway-routes.js';
import type { RouteDraft } from './route-parts.js';
import { profileRoutes } from './service-profile.js';
import { splitShares } from './specs.js';
import type {
  GrpcRouteSpec,
  HttpRouteSpec,
  ParentRef,
  ServiceProfileSpec,
  TrafficSplitSpec,
} from './specs.js';
import type { SpecObject } from './types.js';

/** All objects that name the service, in any namespace. */
export interface Attached {
  profiles: SpecObject<ServiceProfileSpec>[];
  splits: SpecObject<TrafficSplitSpec>[];
  httpRoutes: SpecObject<HttpRouteSpec>[];
  grpcRoutes: SpecObject<GrpcRouteSpec>[];
}

export interface PortRoutes {
  drafts: RouteDraft[];
  retryBudget?: RetryBudget;
}

type Route = SpecObject<HttpRouteSpec | GrpcRouteSpec>;

/** Whether a parent refers to this port of the service. */
export const isOfPort = (
  parent: ParentRef,
  port: { name?: string | undefined; port: number },
): boolean =>
  (parent.port === undefined || parent.port === port.port) &&
  (parent.sectionName === undefined || parent.sectionName === port.name);

export function routesOfPort(
  service: { name: string; namespace: string },
  port: { name?: string; port: number },
  attached: Attached,
): PortRoutes {
  const onPort = (route: Route): boolean =>
    (route.spec.parentRefs ?? []).some(
      (p) =>
        isServiceParent(p) &&
        p.name === service.name &&
        (p.namespace ?? route.metadata.namespace) === service.namespace &&
        isOfPort(p, port),
    );
  const http = attached.httpRoutes.filter(onPort).sort(byAge);
  const grpc = attached.grpcRoutes.filter(onPort).sort(byAge);
  const { profiles, splits } = attached;
  const all = [...http, ...grpc, ...profiles, ...splits].map(namespaceOf);
  const namespaces = [...new Set(all)].sort();
  const of = (namespace: string): PortRoutes =>
    routesOfNamespace(namespace, {
      httpRoutes: http.filter((o) => namespaceOf(o) === namespace),
      grpcRoutes: grpc.filter((o) => namespaceOf(o) === namespace),
      profiles: profiles.filter((o) => namespaceOf(o) === namespace),
      splits: splits.filter((o) => namespaceOf(o) === namespace),
    });
  // Routes of the client's namespace precede those of the service's namespace.
  const consumers = namespaces
    .filter((namespace) => namespace !== service.namespace)
    .flatMap((clientNamespace) =>
      of(clientNamespace).drafts.map((d) => ({ ...d, route: { ...d.route, clientNamespace } })),
    );
  const producer = of(service.namespace);
  return { ...producer, drafts: [...consumers, ...producer.drafts] };
}

const namespaceOf = (object: KubeObject): string => object.metadata.namespace ?? 'default';

const byAge = (a: KubeObject, b: KubeObject): number =>
  (a.metadata.creationTimestamp ?? '').localeCompare(b.metadata.creationTimestamp ?? '') ||
  namespaceOf(a).localeCompare(namespaceOf(b)) ||
  a.metadata.name.localeCompare(b.metadata.name);

/** Gateway API routes first, then the ServiceProfile's, then the TrafficSplit for requests that no route matched. */
function routesOfNamespace(namespace: string, attached: Attached): PortRoutes {
  const made = (routes: RouteDraft[][]): RouteDraft[] => inOrder(routes.flat());
  // Routes rank across all routes of the parent; age only breaks ties.
  const drafts = [
    ...made(attached.grpcRoutes.map((r) => grpcRoutes(r.metadata, r.spec).drafts)),
    ...made(attached.httpRoutes.map((r) => httpRoutes(r.metadata, r.spec).drafts)),
  ];
  const isRouted = attached.grpcRoutes.length + attached.httpRoutes.length > 0;
  // A split of some requests alone is ignored, because applying it to all requests would be wrong.
  const split = attached.splits.find((s) => !s.spec.matches?.length);
  const weighted = split ? splitShares(split.spec).map((share) => ({ ...share, namespace })) : [];
  const profile = attached.profiles[0];
  const result: PortRoutes = { drafts };
  if (profile) {
    const { drafts: own, retryBudget } = profileRoutes(profile.spec, namespace);
    if (retryBudget) result.retryBudget = retryBudget;
    // SMI's split covers the whole service, so a profile's routes without overrides of their own follow it.
    drafts.push(...own.map((d) => (d.split.length === 0 ? { ...d, split: weighted } : d)));
  }
  if (weighted.length > 0) {
    const name = split?.metadata.name ?? 'split';
    drafts.push({ route: { name, matches: [], timeouts: {} }, split: weighted });
  } else if (isRouted && !drafts.some((d) => d.route.matches.length === 0)) {
    // Attached routes are the complete list of routes: the API wants 404 for other requests.
    const respond = { status: 404 as const, reason: 'no-route' };
    drafts.push({ route: { name: 'no-route', matches: [], timeouts: {}, respond }, split: [] });
  }
  return result;
}
