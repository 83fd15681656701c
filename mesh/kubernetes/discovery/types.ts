/** The fields of Kubernetes objects that discovery reads, and the parts of the objects that it keeps in memory. */
import { type AnyObject, type KubeObject, meshGroup, type ObjectMeta } from '../client/objects.js';
import { controllerOf } from './workload.js';

export interface Service extends KubeObject {
  spec: {
    type?: string;
    clusterIP?: string;
    clusterIPs?: string[];
    sessionAffinity?: string;
    sessionAffinityConfig?: { clientIP?: { timeoutSeconds?: number } };
    internalTrafficPolicy?: string;
    trafficDistribution?: string;
    externalName?: string;
    selector?: Record<string, string>;
    ports?: {
      name?: string;
      port: number;
      targetPort?: number | string;
      protocol?: string;
      appProtocol?: string;
    }[];
  };
}

export interface SliceEndpoint {
  addresses: string[];
  conditions?: { ready?: boolean; serving?: boolean; terminating?: boolean };
  targetRef?: { kind: string; name: string; namespace?: string };
  zone?: string;
  nodeName?: string;
  hints?: { forZones?: { name: string }[]; forNodes?: { name: string }[] };
}

export interface EndpointSlice extends KubeObject {
  addressType: string;
  endpoints?: SliceEndpoint[];
  ports?: { name?: string; port?: number; protocol?: string }[];
}

export interface Container {
  name: string;
  image?: string;
  ports?: { name?: string; containerPort: number; protocol?: string }[];
  [field: string]: unknown;
}

export interface PodSpec {
  serviceAccountName?: string;
  hostNetwork?: boolean;
  automountServiceAccountToken?: boolean;
  containers: Container[];
  initContainers?: Container[];
  volumes?: { name: string; [field: string]: unknown }[];
  [field: string]: unknown;
}

export interface Pod extends KubeObject {
  spec: PodSpec;
  /** Its spec's, in the pods that discovery keeps: pods of one workload share their specs. */
  nodeName?: string;
  status?: {
    podIP?: string;
    podIPs?: { ip: string }[];
    phase?: string;
    conditions?: { type: string; status: string }[];
    containerStatuses?: ContainerStatus[];
    initContainerStatuses?: ContainerStatus[];
  };
}

export interface ContainerStatus {
  name: string;
  ready?: boolean;
  /** Its `postStart` hook and its startup probe have passed. */
  started?: boolean;
  restartCount?: number;
  state?: {
    waiting?: { reason?: string; message?: string };
    terminated?: { reason?: string; exitCode?: number };
  };
  lastState?: { terminated?: { reason?: string; exitCode?: number } };
}

export interface Namespace extends KubeObject {
  status?: { phase?: string };
}

/** An object with a `spec`, which code for its kind reads. */
export interface SpecObject<S> extends KubeObject {
  spec: S;
  status?: AnyObject;
}

const keptMeta = ({ metadata }: KubeObject): ObjectMeta => {
  const { managedFields: _managed, ...kept } = metadata as ObjectMeta & { managedFields?: unknown };
  // A proxy's configuration and kubectl's copy of the whole object are long and never needed.
  if (kept.annotations) kept.annotations = shortOnes(kept.annotations);
  return kept;
};

const shortOnes = (annotations: Record<string, string>, prefix = ''): Record<string, string> =>
  Object.fromEntries(
    Object.entries(annotations).filter(([k, value]) => k.startsWith(prefix) && value.length <= 512),
  );

/**
 * Names, version and labels. Each literal of kept objects names all fields, absent ones too: V8 gives every object that
 * a spread made a hidden class of its own, which is larger than the object.
 */
const bareMeta = ({ name, namespace, resourceVersion, labels }: ObjectMeta): ObjectMeta =>
  ({ name, namespace, resourceVersion, labels }) as ObjectMeta;

/** Pods are by far the most objects of a cluster: only the fields that discovery reads are kept. */
function podMeta({ metadata }: Pod): ObjectMeta {
  const { name, namespace, resourceVersion, labels, generateName, annotations } = metadata;
  const owner = controllerOf(metadata);
  const own = annotations && shortOnes(annotations, `${meshGroup}/`);
  return {
    name,
    namespace,
    resourceVersion,
    labels: labels && once(labels),
    generateName: owner ? undefined : generateName,
    annotations: own && Object.keys(own).length > 0 ? once(own) : undefined,
    ownerReferences: owner && once([ownerOf(owner)]),
  } as ObjectMeta;
}

type Owner = NonNullable<ObjectMeta['ownerReferences']>[number];
const ownerOf = ({ apiVersion, kind, name }: Owner): Owner => ({ apiVersion, kind, name });

const maxKept = 1000;
const kept = new Map<string, unknown>();
/**
 * Returns the first part that was equal, if it is still known: pods of one workload, which come one after another in a
 * list, then share their labels, owner, containers and status. Nobody may change a part.
 */
function once<T>(part: T): T {
  const key = JSON.stringify(part);
  const found = kept.get(key) as T | undefined;
  if (found !== undefined) return found;
  if (kept.size >= maxKept) kept.clear();
  kept.set(key, part);
  return part;
}

/** Returns a pod without the parts that discovery never reads: probes, environments, volumes. */
export function trimPod(pod: Pod): Pod {
  const container = ({ name, ports }: Container): Container => (ports ? { name, ports } : { name });
  const spec: PodSpec = { containers: (pod.spec.containers ?? []).map(container) };
  if (pod.spec.serviceAccountName) spec.serviceAccountName = pod.spec.serviceAccountName;
  if (pod.spec.hostNetwork) spec.hostNetwork = true;
  if (pod.spec.initContainers) spec.initContainers = pod.spec.initContainers.map(container);
  const { podIP, phase } = pod.status ?? {};
  const nodeName = pod.spec.nodeName as string | undefined;
  const status = podIP ? { podIP, phase } : once({ phase });
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: podMeta(pod),
    spec: once(spec),
    status: status as NonNullable<Pod['status']>,
    nodeName: nodeName && once(nodeName),
  } as Pod;
}

/** Returns a slice without uids, host names and the like. */
export function trimSlice(slice: EndpointSlice): EndpointSlice {
  const { apiVersion, kind, metadata, addressType, ports } = slice;
  return {
    apiVersion,
    kind,
    metadata: bareMeta(metadata),
    addressType,
    endpoints: slice.endpoints?.map(trimEndpoint),
    ports: ports && once(ports),
  } as EndpointSlice;
}

function trimEndpoint(endpoint: SliceEndpoint): SliceEndpoint {
  const { addresses, conditions, targetRef, zone, nodeName, hints } = endpoint;
  return {
    addresses,
    conditions: conditions && once(statesOf(conditions)),
    targetRef: targetRef && refOf(targetRef),
    zone,
    nodeName: nodeName && once(nodeName),
    hints: hints && once(hints),
  } as SliceEndpoint;
}

type Conditions = NonNullable<SliceEndpoint['conditions']>;
const isTold = (value: unknown): boolean | undefined =>
  typeof value === 'boolean' ? value : undefined;
const statesOf = ({ ready, serving, terminating }: Conditions): Conditions =>
  ({
    ready: isTold(ready),
    serving: isTold(serving),
    terminating: isTold(terminating),
  }) as Conditions;

type TargetRef = NonNullable<SliceEndpoint['targetRef']>;
const refOf = ({ kind, name, namespace }: TargetRef): TargetRef =>
  ({ kind, name, namespace }) as TargetRef;

export function trimMeta<T extends KubeObject>(object: T): T {
  return { ...object, metadata: keptMeta(object) };
}
