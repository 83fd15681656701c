/** Checks whether the target of an object exists: a policy without a target protects nothing, and must say so. */
import type { AnyObject, KubeObject } from '../client/objects.js';
import { problemsOfObject } from '../inject/validate.js';
import { parseAuthority, type ServiceRef } from './route-parts.js';
import type {
  AuthorizationPolicySpec,
  MultiClusterLinkSpec,
  RateLimitSpec,
  ServerSpec,
  ServiceProfileSpec,
  TrafficSplitSpec,
} from './specs.js';
import { profileService, serverParents, type Store } from './store.js';
import type { Pod, SpecObject } from './types.js';
import { isMeshed, selects } from './workload.js';

export interface Finding {
  status: 'True' | 'False';
  reason: string;
  message: string;
}

const inForce: Finding = { status: 'True', reason: 'Accepted', message: 'in force' };
const missing = (message: string): Finding => ({
  status: 'False',
  reason: 'TargetNotFound',
  message,
});

/** Returns the finding for an object without problems of its own. */
export function targetFinding(object: AnyObject, store: Store): Finding {
  const namespace = object.metadata.namespace ?? 'default';
  switch (object.kind) {
    case 'ServiceProfile': {
      const service = profileService(object.metadata.name, namespace);
      const { dstOverrides = [] } = object.spec as ServiceProfileSpec;
      const sentTo = dstOverrides.map((o) => parseAuthority(o.authority, namespace));
      return ofService(service, sentTo, namespace, store);
    }
    case 'TrafficSplit':
      return ofSplit(object, namespace, store);
    case 'AuthorizationPolicy':
    case 'RateLimit':
      return ofTarget(object, namespace, store);
    case 'Server':
      return ofServer(object, namespace, store);
    case 'MultiClusterLink': {
      const { clusterName } = object.spec as MultiClusterLinkSpec;
      const first = firstOf(
        object,
        store.MultiClusterLink.values(),
        (o) => (o as SpecObject<MultiClusterLinkSpec>).spec.clusterName === clusterName,
      );
      return first === undefined
        ? inForce
        : conflict('MultiClusterLink', first, `cluster ${clusterName}`);
    }
    case 'ExternalWorkload': {
      const services = [...store.Service.values()].filter(
        ({ metadata, spec }) =>
          metadata.namespace === namespace &&
          Object.keys(spec.selector ?? {}).length > 0 &&
          selects({ matchLabels: spec.selector ?? {} }, object.metadata.labels),
      );
      if (services.length > 0) return inForce;
      const message = `no Service of ${namespace} selects its labels, so nobody calls it`;
      return { ...inForce, reason: 'NoService', message: `in force, and ${message}` };
    }
    default:
      return inForce;
  }
}

/** The first object by name that can work is in force, as discovery takes it; the others must say that they are not. */
function firstOf(
  object: AnyObject,
  all: Iterable<KubeObject>,
  isRival: (o: KubeObject) => boolean,
): string | undefined {
  const { namespace, name } = object.metadata;
  for (const other of all) {
    const { metadata } = other;
    if (metadata.namespace !== namespace || metadata.name >= name || !isRival(other)) continue;
    if (problemsOfObject(other as AnyObject).length === 0) return metadata.name;
  }
  return undefined;
}

const conflict = (kind: string, first: string, over: string): Finding => ({
  status: 'False',
  reason: 'Conflicted',
  message: `${kind} ${first} is in force for ${over}: of several, the first by name is`,
});

/** The definition may be somebody else's, and ask for no spec at all. */
const splitOf = (split: KubeObject): Partial<TrafficSplitSpec> =>
  (split as Partial<SpecObject<TrafficSplitSpec>>).spec ?? {};

function ofSplit(object: AnyObject, namespace: string, store: Store): Finding {
  const { service = '', matches, backends = [] } = splitOf(object);
  if (matches?.length) {
    const message = 'matches: a split of some requests alone is not done; write an HTTPRoute';
    return { status: 'False', reason: 'UnsupportedValue', message };
  }
  const key = profileService(service, namespace);
  const first = firstOf(object, store.TrafficSplit.values(), (o) => {
    const spec = splitOf(o);
    return !spec.matches?.length && profileService(spec.service ?? '', namespace) === key;
  });
  if (first !== undefined) return conflict('TrafficSplit', first, `Service ${key}`);
  const sentTo = backends.map((b) => ({ service: b.service, namespace }));
  return ofService(key, sentTo, namespace, store);
}

function ofTarget(object: AnyObject, namespace: string, store: Store): Finding {
  const { kind, name } = (object.spec as AuthorizationPolicySpec).targetRef;
  const nothing = 'nothing is governed by this';
  if (kind === 'Namespace') {
    if (name === namespace) return inForce;
    return missing(`Namespace ${name} is not its own, ${namespace}: ${nothing}`);
  }
  if (kind === 'HTTPRoute') {
    const route = store.HTTPRoute.get(`${namespace}/${name}`);
    if (!route) return missing(`there is no HTTPRoute ${name} in ${namespace}: ${nothing}`);
    const servers = serverParents(route).filter((s) => store.Server.has(`${namespace}/${s}`));
    if (servers.length > 0) return inForce;
    return missing(`no parent of HTTPRoute ${name} is a Server of ${namespace}: ${nothing}`);
  }
  if (!store.Server.has(`${namespace}/${name}`))
    return missing(`there is no ${kind} ${name} in ${namespace}: ${nothing}`);
  if (object.kind !== 'RateLimit') return inForce;
  const first = firstOf(
    object,
    store.RateLimit.values(),
    (o) => (o as SpecObject<RateLimitSpec>).spec.targetRef.name === name,
  );
  return first === undefined ? inForce : conflict('RateLimit', first, `Server ${name}`);
}

function ofServer(object: AnyObject, namespace: string, store: Store): Finding {
  const { podSelector, port } = object.spec as ServerSpec;
  const pods = [...store.Pod.values()].filter(
    (pod) =>
      pod.metadata.namespace === namespace &&
      isMeshed(pod) &&
      selects(podSelector, pod.metadata.labels),
  );
  if (pods.length === 0)
    return { ...inForce, reason: 'NoPods', message: 'in force, and selects no meshed pod now' };
  const numbersOf = (pod: Pod, wanted: number | string): number[] =>
    typeof wanted === 'number' ? [wanted] : portsNamed(pod, wanted);
  const served = pods.filter((pod) => numbersOf(pod, port).length > 0);
  if (served.length === 0)
    return missing(
      `no container of its pods has a port named ${port}: nothing is governed by this`,
    );
  const first = firstOf(object, store.Server.values(), (o) => {
    const { spec } = o as SpecObject<ServerSpec>;
    return served.some(
      (pod) =>
        selects(spec.podSelector, pod.metadata.labels) &&
        numbersOf(pod, spec.port).some((n) => numbersOf(pod, port).includes(n)),
    );
  });
  return first === undefined ? inForce : conflict('Server', first, `port ${port} of some pods`);
}

const portsNamed = ({ spec }: Pod, name: string): number[] =>
  [...spec.containers, ...(spec.initContainers ?? [])]
    .flatMap((c) => c.ports ?? [])
    .filter((p) => p.name === name && (p.protocol ?? 'TCP') === 'TCP')
    .map((p) => p.containerPort);

function ofService(
  key: string,
  sentTo: readonly ServiceRef[],
  namespace: string,
  store: Store,
): Finding {
  if (!store.Service.has(key)) return missing(`there is no Service ${key}`);
  const isAlias = (service: string): boolean =>
    store.Service.get(service)?.spec.type === 'ExternalName';
  if (isAlias(key)) {
    return missing(`Service ${key} is an ExternalName: apps connect to its target by themselves`);
  }
  const where = key.startsWith(`${namespace}/`) ? '' : ` for clients of namespace ${namespace}`;
  const absent = sentTo
    .map((ref) => `${ref.namespace}/${ref.service}`)
    .find((to) => !store.Service.has(to) || isAlias(to));
  if (absent === undefined) return { ...inForce, message: `in force${where}` };
  const why = isAlias(absent)
    ? `Service ${absent} is an ExternalName, which has no endpoints`
    : `there is no Service ${absent}`;
  const message = `in force${where}, and ${why}: its share is answered 503`;
  return { ...inForce, reason: 'BackendNotFound', message };
}
