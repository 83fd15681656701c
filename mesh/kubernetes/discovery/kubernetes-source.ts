/** Discovery from the API server: only changed objects are converted again, once in each turn of the event loop. */
import type { Clock } from '../../../base/clock.js';
import type {
  DiscoverySink,
  DiscoverySource,
  WorkloadServers,
} from '../../controller/discovery/source.js';
import type { Destination, InboundServer, MeshState, Place } from '../../model.js';
import type { KubeApi } from '../client/api.js';
import { Informer } from '../client/informer.js';
import { type KubeObject, resources } from '../client/objects.js';
import { problemsOfObject } from '../inject/validate.js';
import { convertBarePods } from './bare-pods.js';
import { convertService, type Lookup, servedPods } from './destinations.js';
import { convertWorkload, type InboundLookup } from './inbound.js';
import { type Link, LinkMirror, Links, Mirrors } from './links.js';
import {
  Index,
  parentServices,
  profileService,
  type Store,
  type StoreKind,
  storeKinds,
} from './store.js';
import { Places } from './reach.js';
import type { Referrer, ServiceRef } from './route-parts.js';
import type { ReferenceGrantSpec } from './specs.js';
import { type EndpointSlice, type Pod, trimMeta, trimPod, trimSlice } from './types.js';
import { hasEnded, isMeshed, podIdentity, selects, workloadOf } from './workload.js';

export interface SourceOptions {
  trustDomain: string;
  clusterDomain?: string;
  defaultPolicy?: InboundServer['defaultPolicy'];
  unknownDestinations?: MeshState['unknownDestinations'];
  /** The namespace whose links count; absent: all. */
  linksIn?: string | undefined;
  clock?: Clock | undefined;
  log?(line: string): void;
}

type Caches = {
  [K in StoreKind]: Informer<
    Store[K] extends ReadonlyMap<string, infer T extends KubeObject> ? T : never
  >;
};

const linkKey = (link: KubeObject): string => `link ${keyOf(link)}`;
const namespaceOf = (o: KubeObject): string => o.metadata.namespace ?? 'default';
const keyOf = (o: KubeObject): string => `${namespaceOf(o)}/${o.metadata.name}`;
const sliceService = (s: EndpointSlice): string[] => {
  const name = s.metadata.labels?.['kubernetes.io/service-name'];
  return name ? [`${namespaceOf(s)}/${name}`] : [];
};

/** The addresses for which a slice names no pod. */
const addressesOf = (s: EndpointSlice): string[] =>
  (s.endpoints ?? []).flatMap((e) => (e.targetRef?.kind === 'Pod' ? [] : e.addresses.slice(0, 1)));

const podsOf = (s: EndpointSlice): string[] =>
  (s.endpoints ?? []).flatMap((e) =>
    e.targetRef?.kind === 'Pod' ? [[namespaceOf(s), e.targetRef.name].join('/')] : [],
  );

const trims: { [K in StoreKind]?: unknown } = { Pod: trimPod, EndpointSlice: trimSlice };

export class KubernetesSource implements DiscoverySource {
  readonly name = 'kubernetes';
  readonly caches: Caches;
  readonly #options: SourceOptions;
  #sink: DiscoverySink | undefined;
  #synced = false;
  #scheduled = false;
  readonly #problems = new Map<string, string>();
  readonly #dirtyServices = new Set<string>();
  readonly #dirtyWorkloads = new Set<string>();
  /** Workloads with a pod that began or ceased to be an endpoint of a Service. */
  readonly #dirtyBare = new Set<string>();
  /** The names of the destinations that each service gave, to detect removed ones. */
  readonly #given = new Map<string, string[]>();
  /** The same names for workloads with pods that no Service selects. */
  readonly #givenBare = new Map<string, string>();
  /** The keys of the servers that each workload has. */
  readonly #givenServers = new Map<string, string[]>();
  /** The services that send to each service. */
  readonly #usedBy = new Map<string, Set<string>>();
  readonly #uses = new Map<string, string[]>();
  readonly #slices = new Index<EndpointSlice>(sliceService);
  readonly #podsOf = new Index<Pod>((p) =>
    isMeshed(p) ? [`${namespaceOf(p)}/${workloadOf(p).name}`] : [],
  );
  readonly #slicesOfPod = new Index<EndpointSlice>(podsOf);
  readonly #slicesAt = new Index<EndpointSlice>(addressesOf);
  readonly #routed = {
    ServiceProfile: new Index<KubeObject>((o) => [profileService(o.metadata.name, namespaceOf(o))]),
    TrafficSplit: new Index<KubeObject>((o) => [
      profileService((o as { spec?: { service?: string } }).spec?.service ?? '', namespaceOf(o)),
    ]),
    HTTPRoute: new Index<KubeObject>((o) => parentServices(o as never)),
    GRPCRoute: new Index<KubeObject>((o) => parentServices(o as never)),
  };

  readonly #links: Links;
  readonly #mirrors = new Mirrors((name) => this.#isOwn(name));
  readonly #places: Places;

  constructor(api: KubeApi, options: SourceOptions) {
    this.#options = options;
    this.#links = new Links(
      (link) =>
        new LinkMirror(api, link, options.clusterDomain ?? 'cluster.local', {
          clock: options.clock,
          sink: {
            changed: (made, removed) =>
              this.#sink?.update(this.#mirrors.change(keyOf(link), made, removed)),
            problem: (message) => this.#problem(linkKey(link), message),
          },
        }),
    );
    const make = (kind: StoreKind): [StoreKind, Informer] => {
      const trim = (trims[kind] ?? trimMeta) as (object: never) => unknown;
      const onProblem = (message: string | undefined): void => this.#problem(kind, message);
      const informer = new Informer(api, resources[kind], { trim, onProblem });
      informer.onChange((now, before) => this.#changed(kind, now, before));
      return [kind, informer];
    };
    this.caches = Object.fromEntries(storeKinds.map(make)) as unknown as Caches;
    this.#places = new Places(this.caches.Pod.objects);
  }

  /** Resolves after the first full list of everything: until then proxies keep their previous state. */
  async start(sink: DiscoverySink): Promise<void> {
    this.#sink = sink;
    await Promise.all(storeKinds.map((kind) => this.caches[kind].start()));
    const meshed = [...this.caches.Pod.objects.values()].filter(isMeshed);
    const workloads = new Set(meshed.map((p) => `${namespaceOf(p)}/${workloadOf(p).name}`));
    const destinations = [
      ...[...this.caches.Service.objects.keys()].flatMap((key) => this.#convert(key)),
      ...[...workloads].flatMap((key) => this.#bare(key) ?? []),
    ];
    const inbound = [...workloads].flatMap((key) => this.#inbound(key));
    this.#dirtyServices.clear();
    this.#dirtyWorkloads.clear();
    this.#dirtyBare.clear();
    this.#synced = true;
    const { unknownDestinations } = this.#options;
    sink.replace({
      destinations,
      servers: inbound,
      ...(unknownDestinations ? { unknownDestinations } : {}),
    });
    for (const link of this.caches.MultiClusterLink.objects.values()) this.#linked(link, undefined);
  }

  /** A workload without pods has no policy to read: it may belong to another source, or be too new to be known. */
  whyNot(identity: string, claim: { namespace: string; workload: string }): string | undefined {
    const pods = this.#podsOf.get(`${claim.namespace}/${claim.workload}`);
    const { trustDomain } = this.#options;
    if (pods.length === 0 || pods.some((p) => podIdentity(p, trustDomain) === identity))
      return undefined;
    return `no pod of ${claim.workload} in ${claim.namespace} has the identity ${identity}`;
  }

  placeOf(address: string): Place | undefined {
    return this.#places.at(address);
  }

  stop(): Promise<void> {
    this.#links.stop();
    for (const kind of storeKinds) this.caches[kind].stop();
    return Promise.resolve();
  }

  #changed(kind: StoreKind, now: KubeObject | undefined, before: KubeObject | undefined): void {
    const object = (now ?? before) as KubeObject;
    switch (kind) {
      case 'Service':
        this.#touch(keyOf(object));
        break;
      case 'EndpointSlice':
        if (now)
          this.#moved(this.#places.addressesOn(this.#places.tookSlice(now as EndpointSlice)));
        this.#slicesAt.change(now as EndpointSlice, before as EndpointSlice);
        for (const pod of this.#slicesOfPod.change(now as EndpointSlice, before as EndpointSlice))
          this.#touchBare(pod);
        for (const key of this.#slices.change(now as EndpointSlice, before as EndpointSlice))
          this.#touch(key);
        break;
      case 'Pod':
        this.#places.tookPod();
        // The kubelet tells a pod's address only when its first containers run.
        if (now && (now as Pod).status?.podIP !== (before as Pod | undefined)?.status?.podIP)
          this.#moved([(now as Pod).status?.podIP ?? '']);
        for (const key of this.#podsOf.change(now as Pod, before as Pod))
          this.#dirtyWorkloads.add(key);
        // The slice may have come before the pod to which it refers.
        for (const slice of this.#slicesOfPod.get(keyOf(object))) {
          for (const key of sliceService(slice)) this.#touch(key);
        }
        for (const pod of [now as Pod | undefined, before as Pod | undefined]) {
          for (const slice of this.#slicesAt.get(pod?.status?.podIP ?? ''))
            for (const key of sliceService(slice)) this.#touch(key);
        }
        break;
      case 'ServiceProfile':
      case 'TrafficSplit':
      case 'HTTPRoute':
      case 'GRPCRoute':
        for (const key of this.#routed[kind].change(now, before)) this.#touch(key);
        if (kind === 'HTTPRoute') this.#touchNamespace(namespaceOf(object), 'workloads');
        break;
      case 'ReferenceGrant':
        // The change may allow or forbid routes to services of this namespace.
        for (const key of this.#usedBy.keys())
          if (key.startsWith(`${namespaceOf(object)}/`)) this.#touch(key);
        break;
      case 'ExternalWorkload':
        for (const service of this.caches.Service.objects.values()) {
          const matchLabels = service.spec.selector;
          if (namespaceOf(service) !== namespaceOf(object) || !matchLabels) continue;
          const hit = [now, before].some((o) => o && selects({ matchLabels }, o.metadata.labels));
          if (hit) this.#touch(keyOf(service));
        }
        break;
      case 'Namespace':
        this.#touchNamespace(object.metadata.name, 'services');
        this.#touchNamespace(object.metadata.name, 'workloads');
        break;
      case 'MultiClusterLink':
        if (this.#synced) this.#linked(now as Link | undefined, before as Link | undefined);
        break;
      default:
        this.#touchNamespace(namespaceOf(object), 'workloads');
    }
    this.#schedule();
  }

  #linked(...changes: [Link | undefined, Link | undefined]): void {
    const [now, before] = changes.map((link) =>
      link && this.#whyNotLinked(link) === undefined ? link : undefined,
    );
    if (now ?? before) this.#links.change(now, before);
  }

  /** A link sends requests of every namespace to its gateway, so a tenant may not write one. */
  #whyNotLinked(link: KubeObject): string | undefined {
    const { linksIn = namespaceOf(link) } = this.#options;
    if (namespaceOf(link) !== linksIn) return `only links of namespace ${linksIn} count`;
    return problemsOfObject(link as never)[0]?.message;
  }

  #moved(addresses: string[]): void {
    if (this.#synced && addresses.length > 0) this.#sink?.moved?.(new Set(addresses));
  }

  #touch(key: string): void {
    this.#dirtyServices.add(key);
    for (const user of this.#usedBy.get(key) ?? []) this.#dirtyServices.add(user);
  }

  #touchBare(podKey: string): void {
    const pod = this.caches.Pod.objects.get(podKey);
    if (pod && isMeshed(pod)) this.#dirtyBare.add(`${namespaceOf(pod)}/${workloadOf(pod).name}`);
  }

  #touchNamespace(namespace: string, what: 'services' | 'workloads'): void {
    if (!this.#synced) return;
    const prefix = `${namespace}/`;
    if (what === 'services') {
      for (const key of this.caches.Service.objects.keys())
        if (key.startsWith(prefix)) this.#touch(key);
      return;
    }
    for (const pod of this.caches.Pod.objects.values()) {
      if (namespaceOf(pod) === namespace && isMeshed(pod))
        this.#dirtyWorkloads.add(`${prefix}${workloadOf(pod).name}`);
    }
  }

  #schedule(): void {
    if (!this.#synced || this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    const destinations: Destination[] = [];
    const removed: string[] = [];
    for (const key of this.#dirtyServices) {
      const before = this.#given.get(key) ?? [];
      const made = this.#convert(key);
      destinations.push(...made);
      for (const name of before.filter((n) => !made.some((d) => d.name === n))) {
        const mirror = this.#mirrors.get(name);
        if (mirror) destinations.push(mirror);
        else removed.push(name);
      }
      for (const slice of this.#slices.get(key))
        podsOf(slice).forEach((pod) => this.#touchBare(pod));
    }
    const servers: WorkloadServers[] = [];
    const removedServers: string[] = [];
    for (const key of this.#dirtyWorkloads) {
      const before = this.#givenServers.get(key) ?? [];
      const made = this.#inbound(key);
      servers.push(...made);
      removedServers.push(...before.filter((old) => !made.some((s) => s.key === old)));
    }
    for (const key of new Set([...this.#dirtyBare, ...this.#dirtyWorkloads])) {
      const before = this.#givenBare.get(key);
      const bare = this.#bare(key);
      if (bare) destinations.push(bare);
      else if (before !== undefined) removed.push(before);
    }
    this.#dirtyServices.clear();
    this.#dirtyWorkloads.clear();
    this.#dirtyBare.clear();
    if (destinations.length + removed.length + servers.length + removedServers.length === 0) return;
    this.#sink?.update({ destinations, removedDestinations: removed, servers, removedServers });
  }

  #convert(key: string): Destination[] {
    const service = this.caches.Service.objects.get(key);
    const made = service ? convertService(service, this.lookup) : { destinations: [], uses: [] };
    for (const used of this.#uses.get(key) ?? []) this.#usedBy.get(used)?.delete(key);
    for (const used of made.uses) {
      let users = this.#usedBy.get(used);
      if (!users) this.#usedBy.set(used, (users = new Set()));
      users.add(key);
    }
    if (service) {
      this.#uses.set(key, made.uses);
      const names = made.destinations.map((d) => d.name);
      this.#given.set(key, names);
    } else {
      this.#uses.delete(key);
      this.#given.delete(key);
    }
    return made.destinations;
  }

  #bare(key: string): Destination | undefined {
    const pods = this.#podsOf.get(key);
    const [namespace = '', workload = ''] = key.split('/');
    const { trustDomain } = this.#options;
    const slices = pods.flatMap((pod) => this.#slicesOfPod.get(keyOf(pod)));
    const served = new Set<string>();
    for (const serviceKey of new Set(slices.flatMap(sliceService))) {
      const service = this.caches.Service.objects.get(serviceKey);
      const names = service ? servedPods(service, this.#slices.get(serviceKey)) : [];
      for (const name of names) served.add(name);
    }
    const made = convertBarePods(workload, namespace, pods, { served, trustDomain });
    if (made) this.#givenBare.set(key, made.name);
    else this.#givenBare.delete(key);
    return made;
  }

  #inbound(key: string): WorkloadServers[] {
    const pods = this.#podsOf.get(key);
    const made = convertWorkload(key.slice(key.indexOf('/') + 1), pods, this.#inboundLookup);
    if (made.length === 0) this.#givenServers.delete(key);
    else
      this.#givenServers.set(
        key,
        made.map((s) => s.key),
      );
    return made;
  }

  #isOwn(name: string): boolean {
    const [service, namespace] = name.split('.');
    return this.caches.Service.objects.has(`${namespace}/${service}`);
  }

  /** The names of a link's destinations that are something else's. */
  takenFrom(link: KubeObject): string[] {
    return this.#mirrors.takenFrom(keyOf(link));
  }

  #problem(kind: string, message: string | undefined): void {
    if (message === undefined) this.#problems.delete(kind);
    else {
      this.#problems.set(kind, message);
      this.#options.log?.(`discovery: ${message}`);
    }
    this.#sink?.problems([...this.#problems.values()]);
  }

  /** The reason why a link shows nothing new of its cluster. */
  problemOfLink(link: KubeObject): string | undefined {
    return this.#problems.get(linkKey(link)) ?? this.#whyNotLinked(link);
  }

  /** Plain maps of all listed objects. */
  get store(): Store {
    const entries = storeKinds.map((kind) => [kind, this.caches[kind].objects]);
    return Object.fromEntries(entries) as Store;
  }

  get lookup(): Lookup {
    const { caches } = this;
    let byAddress: Map<string, Pod> | undefined;
    return {
      trustDomain: this.#options.trustDomain,
      clusterDomain: this.#options.clusterDomain ?? 'cluster.local',
      service: (key) => caches.Service.objects.get(key),
      server: (key) => caches.Server.objects.get(key),
      namespace: (name) => caches.Namespace.get('', name),
      slices: (key) => this.#slices.get(key),
      pod: (key) => caches.Pod.objects.get(key),
      podAt: (ip) => (byAddress ??= this.#meshedByAddress()).get(ip),
      externalWorkloads: (namespace) => working(caches.ExternalWorkload.objects, namespace),
      attached: (key) => ({
        profiles: this.#routed.ServiceProfile.get(key) as never,
        splits: this.#routed.TrafficSplit.get(key).filter(canWork) as never,
        httpRoutes: this.#routed.HTTPRoute.get(key) as never,
        grpcRoutes: this.#routed.GRPCRoute.get(key) as never,
      }),
      isGranted: (from, to) =>
        inNamespace(caches.ReferenceGrant.objects, to.namespace).some((g) =>
          isGrantedBy(g.spec, from, to),
        ),
    };
  }

  /** Few slices name no pods, so this is not held for them. */
  #meshedByAddress(): Map<string, Pod> {
    const meshed = [...this.caches.Pod.objects.values()].filter((p) => isMeshed(p) && !hasEnded(p));
    return new Map(meshed.map((pod) => [pod.status?.podIP ?? '', pod]));
  }

  get #inboundLookup(): InboundLookup {
    const { caches } = this;
    return {
      trustDomain: this.#options.trustDomain,
      defaultPolicy: this.#options.defaultPolicy ?? 'all-unauthenticated',
      namespace: (name) => caches.Namespace.get('', name),
      servers: (namespace) => working(caches.Server.objects, namespace),
      authorizations: (namespace) => working(caches.AuthorizationPolicy.objects, namespace),
      rateLimits: (namespace) => working(caches.RateLimit.objects, namespace),
      serverRoutes: (namespace) => inNamespace(caches.HTTPRoute.objects, namespace),
    };
  }
}

const isGrantedBy = (
  { from, to }: ReferenceGrantSpec,
  referrer: Referrer,
  ref: ServiceRef,
): boolean =>
  from.some(
    (f) =>
      f.group === resources.HTTPRoute.group &&
      f.kind === referrer.kind &&
      f.namespace === referrer.namespace,
  ) &&
  to.some((t) => t.group === '' && t.kind === 'Service' && (t.name ?? ref.service) === ref.service);

/**
 * Without those that came while the webhook was away and cannot work: a proxy would refuse all of an update because of
 * one of them. Their status says that they are not in force.
 */
const working = <T extends KubeObject>(objects: ReadonlyMap<string, T>, namespace: string): T[] =>
  inNamespace(objects, namespace).filter(canWork);

const canWork = (o: KubeObject): boolean => problemsOfObject(o as never).length === 0;

function inNamespace<T extends KubeObject>(
  objects: ReadonlyMap<string, T>,
  namespace: string,
): T[] {
  const found: T[] = [];
  for (const [key, object] of objects) if (key.startsWith(`${namespace}/`)) found.push(object);
  return found.sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
}
