/** Everything that discovery watches, by name and by reference; one place for all look-ups. */
import { keyOf, type KubeObject } from '../client/objects.js';
import { isServerParent, isServiceParent } from './gateway-routes.js';
import type {
  AuthorizationPolicySpec,
  ExternalWorkloadSpec,
  GrpcRouteSpec,
  HttpRouteSpec,
  MultiClusterLinkSpec,
  RateLimitSpec,
  ReferenceGrantSpec,
  ServerSpec,
  ServiceProfileSpec,
  TrafficSplitSpec,
} from './specs.js';
import type { EndpointSlice, Namespace, Pod, Service, SpecObject } from './types.js';

/** The caches by kind; plain maps, so that conversion needs no API server. */
export interface Store {
  Namespace: ReadonlyMap<string, Namespace>;
  Service: ReadonlyMap<string, Service>;
  EndpointSlice: ReadonlyMap<string, EndpointSlice>;
  Pod: ReadonlyMap<string, Pod>;
  ServiceProfile: ReadonlyMap<string, SpecObject<ServiceProfileSpec>>;
  TrafficSplit: ReadonlyMap<string, SpecObject<TrafficSplitSpec>>;
  HTTPRoute: ReadonlyMap<string, SpecObject<HttpRouteSpec>>;
  GRPCRoute: ReadonlyMap<string, SpecObject<GrpcRouteSpec>>;
  ReferenceGrant: ReadonlyMap<string, SpecObject<ReferenceGrantSpec>>;
  Server: ReadonlyMap<string, SpecObject<ServerSpec>>;
  AuthorizationPolicy: ReadonlyMap<string, SpecObject<AuthorizationPolicySpec>>;
  RateLimit: ReadonlyMap<string, SpecObject<RateLimitSpec>>;
  ExternalWorkload: ReadonlyMap<string, SpecObject<ExternalWorkloadSpec>>;
  MultiClusterLink: ReadonlyMap<string, SpecObject<MultiClusterLinkSpec>>;
}

export type StoreKind = keyof Store;

export const storeKinds: readonly StoreKind[] = [
  'Namespace',
  'Service',
  'EndpointSlice',
  'Pod',
  'ServiceProfile',
  'TrafficSplit',
  'HTTPRoute',
  'GRPCRoute',
  'ReferenceGrant',
  'Server',
  'AuthorizationPolicy',
  'RateLimit',
  'ExternalWorkload',
  'MultiClusterLink',
];

/**
 * Objects grouped by keys that each of them names, kept up to date one change at a time. A group of one is the object
 * itself: nearly every pod is in one slice, and a map for each takes more than pod and slice.
 */
export class Index<T extends KubeObject> {
  readonly #groups = new Map<string, T | Map<string, T>>();
  readonly #keysOf: (object: T) => string[];

  constructor(keysOf: (object: T) => string[]) {
    this.#keysOf = keysOf;
  }

  /** Returns the groups that the change touched. */
  change(now: T | undefined, before: T | undefined): string[] {
    const touched = new Set<string>();
    if (before) {
      for (const key of this.#keysOf(before)) {
        this.#remove(key, before);
        touched.add(key);
      }
    }
    if (now) {
      for (const key of this.#keysOf(now)) {
        this.#add(key, now);
        touched.add(key);
      }
    }
    return [...touched];
  }

  /** Returns objects in the order of their names, so that the same objects always give the same result. */
  get(key: string): T[] {
    const group = this.#groups.get(key);
    if (group === undefined) return [];
    if (!(group instanceof Map)) return [group];
    return [...group.values()].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  }

  #add(key: string, object: T): void {
    const group = this.#groups.get(key);
    if (group instanceof Map) group.set(keyOf(object), object);
    else if (group === undefined || keyOf(group) === keyOf(object)) this.#groups.set(key, object);
    else this.#groups.set(key, new Map([group, object].map((one) => [keyOf(one), one])));
  }

  #remove(key: string, object: T): void {
    const group = this.#groups.get(key);
    if (group instanceof Map) {
      group.delete(keyOf(object));
      if (group.size === 0) this.#groups.delete(key);
    } else if (group !== undefined && keyOf(group) === keyOf(object)) this.#groups.delete(key);
  }
}

/** Returns `retail/cart` for a ServiceProfile's name, `cart.retail.svc.cluster.local`. */
export function profileService(name: string, namespace: string): string {
  const [service = name, own] = name.split('.');
  return `${own ?? namespace}/${service}`;
}

/** The services that are parents of a Gateway API route. */
export function parentServices(route: SpecObject<HttpRouteSpec | GrpcRouteSpec>): string[] {
  const namespace = route.metadata.namespace ?? 'default';
  return (route.spec.parentRefs ?? [])
    .filter(isServiceParent)
    .map((p) => `${p.namespace ?? namespace}/${p.name}`);
}

/** The Servers that are parents of an HTTPRoute: only those of its own namespace, whose inbound side it shapes. */
export const serverParents = (route: SpecObject<HttpRouteSpec>): string[] =>
  (route.spec.parentRefs ?? [])
    .filter(
      (p) =>
        isServerParent(p) && (p.namespace ?? route.metadata.namespace) === route.metadata.namespace,
    )
    .map((p) => p.name);
