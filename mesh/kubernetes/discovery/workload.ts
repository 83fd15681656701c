/** Finds a pod's workload, and whether the pod is meshed; the injector and discovery share this so that they agree. */
import { identityName } from '../../identity/names.js';
import { annotations, proxyContainer } from '../annotations.js';
import type { ObjectMeta } from '../client/objects.js';
import type { Pod } from './types.js';

export interface Workload {
  kind: string;
  name: string;
}

/** The owner that made the pod. Manifests that are injected offline name it without the field `controller`. */
export const controllerOf = ({ ownerReferences }: Pick<ObjectMeta, 'ownerReferences'>) =>
  ownerReferences?.find((o) => o.controller !== false);

/** The labels that Kubernetes' Deployments and Argo's Rollouts give to the pods of each of their ReplicaSets. */
const hashLabels = { deployment: 'pod-template-hash', rollout: 'rollouts-pod-template-hash' };

/**
 * Returns the workload that made the pod. A Deployment's name is its ReplicaSet's without the pod-template-hash, and a
 * CronJob's is its Job's without the scheduled time, so that neither object has to be read.
 */
export function workloadOf(pod: Pick<Pod, 'metadata'>): Workload {
  const { metadata } = pod;
  const owner = controllerOf(metadata);
  if (!owner) {
    const generated = metadata.generateName?.replace(/-$/, '');
    return { kind: 'pod', name: metadata.name ?? generated ?? 'pod' };
  }
  for (const [kind, label] of Object.entries(hashLabels)) {
    const hash = metadata.labels?.[label];
    if (owner.kind === 'ReplicaSet' && hash && owner.name.endsWith(`-${hash}`)) {
      return { kind, name: owner.name.slice(0, -hash.length - 1) };
    }
  }
  const scheduled = owner.kind === 'Job' ? /^(.+)-\d{8,10}$/.exec(owner.name) : null;
  if (scheduled) return { kind: 'cronjob', name: scheduled[1] as string };
  return { kind: owner.kind.toLowerCase(), name: owner.name };
}

/** Whether a proxy runs in the pod: its containers decide, not an annotation. */
export const isMeshed = (pod: Pick<Pod, 'spec'>): boolean =>
  [...pod.spec.containers, ...(pod.spec.initContainers ?? [])].some(
    (c) => c.name === proxyContainer,
  );

/** A finished pod keeps its address in its status, and another pod may have that address by now. */
export const hasEnded = ({ status }: { status?: Pod['status'] | undefined }): boolean =>
  status?.phase === 'Succeeded' || status?.phase === 'Failed';

export function podIdentity(pod: Pod, trustDomain: string): string {
  return identityName({
    serviceAccount: pod.spec.serviceAccountName ?? 'default',
    namespace: pod.metadata.namespace ?? 'default',
    trustDomain,
  });
}

/** The labels of metrics for one endpoint. */
export function podLabels(pod: Pod): Record<string, string> {
  const workload = workloadOf(pod);
  return { pod: pod.metadata.name, [workload.kind]: workload.name };
}

/** In explicit mode, returns the port to which peers must connect instead of the app's. */
export function explicitPort(pod: Pod): number | undefined {
  if (pod.metadata.annotations?.[annotations.mode] !== 'explicit') return undefined;
  const port = Number(pod.metadata.annotations[annotations.inboundPort]);
  return Number.isInteger(port) && port > 0 ? port : undefined;
}

/** A label selector with Kubernetes' meaning: an empty one selects everything, an absent one nothing. */
export interface LabelSelector {
  matchLabels?: Record<string, string>;
  matchExpressions?: { key: string; operator: string; values?: string[] }[];
}

export function selects(
  selector: LabelSelector | undefined,
  labels: Record<string, string> | undefined,
): boolean {
  if (!selector) return false;
  const own = labels ?? {};
  for (const [key, value] of Object.entries(selector.matchLabels ?? {})) {
    if (own[key] !== value) return false;
  }
  return (selector.matchExpressions ?? []).every(({ key, operator, values = [] }) => {
    const value = own[key];
    switch (operator) {
      case 'In':
        return value !== undefined && values.includes(value);
      case 'NotIn':
        return value === undefined || !values.includes(value);
      case 'Exists':
        return value !== undefined;
      case 'DoesNotExist':
        return value === undefined;
      default:
        return false;
    }
  });
}
