/** Whether all pods of a Deployment or DaemonSet are those of its present template, and available. */
import type { AnyObject } from '../client/objects.js';

export interface PerNode extends AnyObject {
  status?: {
    desiredNumberScheduled: number;
    updatedNumberScheduled?: number;
    numberAvailable?: number;
    observedGeneration?: number;
  };
}

/** The reason why a DaemonSet is not on every node, in its present version. */
export function unreadyNodes(found: PerNode | undefined): string | undefined {
  if (!found) return 'it does not exist';
  const { status, metadata } = found;
  if (!status || status.observedGeneration !== metadata.generation) return 'it is being created';
  const { desiredNumberScheduled: all, numberAvailable = 0 } = status;
  const { updatedNumberScheduled: updated = all } = status;
  if (updated < all) return `updated on ${updated} of ${all} nodes`;
  return numberAvailable < all ? `available on ${numberAvailable} of ${all} nodes` : undefined;
}

export interface Rolled extends AnyObject {
  spec?: { replicas?: number };
  status?: {
    observedGeneration?: number;
    replicas?: number;
    updatedReplicas?: number;
    availableReplicas?: number;
    conditions?: { type: string; status: string; message?: string }[];
  };
}

/**
 * The reason why a Deployment's pods are not all of its present template: while the new ones do not start, those of the
 * version before keep it `Available`.
 */
export function whyNotRolledOut({ metadata, spec, status = {} }: Rolled): string | undefined {
  const { replicas: wanted = 1 } = spec ?? {};
  const { updatedReplicas: updated = 0, replicas: all = 0, availableReplicas = 0 } = status;
  if ((status.observedGeneration ?? 0) < (metadata.generation ?? 0)) return 'it was just changed';
  const progress = status.conditions?.find((c) => c.type === 'Progressing');
  const stuck = progress?.status === 'False' ? `: ${progress.message}` : '';
  if (updated < wanted) return `${updated} of ${wanted} pods are of the present version${stuck}`;
  if (availableReplicas < wanted)
    return `${availableReplicas} of ${wanted} pods are available${stuck}`;
  return all > updated ? `${all - updated} pods of the version before are left` : undefined;
}
