/** The fields of Kubernetes objects that discovery reads, and the parts of the objects that it keeps in memory. */
import type { AnyObject, KubeObject, ObjectMeta } from '../client/objects.js';

export interface Service extends KubeObject {
  spec: {
    type?: string;
    clusterIP?: string;
    clusterIPs?: string[];
    sessionAffinity?: string;
    internalTrafficPolicy?: string;
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

export interface EndpointSlice extends KubeObject {
  addressType: string;
  endpoints?: {
    addresses: string[];
    conditions?: { ready?: boolean; serving?: boolean; terminating?: boolean };
    targetRef?: { kind: string; name: string; namespace?: string };
    zone?: string;
  }[];
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
  status?: {
    podIP?: string;
    podIPs?: { ip: string }[];
    phase?: string;
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
  const kept: ObjectMeta = { ...metadata };
  delete (kept as { managedFields?: unknown }).managedFields;
  // A proxy's configuration and kubectl's copy of the whole object are long and never needed.
  if (kept.annotations) {
    kept.annotations = Object.fromEntries(
      Object.entries(kept.annotations).filter(([, value]) => value.length <= 512),
    );
  }
  return kept;
};

/** Returns a pod without the parts that discovery never reads: probes, environments, volumes. */
export function trimPod(pod: Pod): Pod {
  const container = (c: Container): Container => ({
    name: c.name,
    ...(c.ports ? { ports: c.ports } : {}),
  });
  const spec: PodSpec = { containers: (pod.spec.containers ?? []).map(container) };
  if (pod.spec.serviceAccountName) spec.serviceAccountName = pod.spec.serviceAccountName;
  if (pod.spec.hostNetwork) spec.hostNetwork = true;
  if (pod.spec.initContainers) spec.initContainers = pod.spec.initContainers.map(container);
  const status = {
    ...(pod.status?.podIP ? { podIP: pod.status.podIP } : {}),
    ...(pod.status?.phase ? { phase: pod.status.phase } : {}),
  };
  return { apiVersion: 'v1', kind: 'Pod', metadata: keptMeta(pod), spec, status };
}

export function trimMeta<T extends KubeObject>(object: T): T {
  return { ...object, metadata: keptMeta(object) };
}
