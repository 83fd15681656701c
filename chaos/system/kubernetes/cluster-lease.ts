/**
 * A fault's lease as a ConfigMap: it contains the steps of the rollback before the fault is set, and the keeper, a pod
 * in the cluster, rolls the fault back if nobody renews the lease. The rollback does not need the runner.
 */
import * as z from 'zod';
import { type KubeApi, isStatus } from '../../../mesh/kubernetes/client/api.js';
import { type KubeObject, pathOf, resources } from '../../../mesh/kubernetes/client/objects.js';

/** The label of a drill's ConfigMaps; its value is the drill's name. */
export const leaseLabel = 'mesh.firedrill.dev/chaos-lease';
const heldBy = 'mesh.firedrill.dev/held-by';
const reachable = 'mesh.firedrill.dev/reachable';

const named = { namespace: z.string(), name: z.string() };
const step = z.discriminatedUnion('do', [
  z.strictObject({
    do: z.literal('scale'),
    kind: z.enum(['Deployment', 'StatefulSet']),
    ...named,
    replicas: z.int().min(0),
  }),
  z.strictObject({ do: z.literal('delete-policy'), ...named }),
  /** Restores the data of a Secret from the copy beside it, and deletes the copy. */
  z.strictObject({ do: z.literal('restore-secret'), ...named, copy: z.string() }),
]);
/** A step may run more than once. */
export type UndoStep = z.output<typeof step>;

export interface ClusterLease {
  name: string;
  namespace: string;
  /** Time in milliseconds without a renewal until the fault is rolled back. */
  ttlMs: number;
  /** Grows with each renewal. */
  renewal: number;
  steps: UndoStep[];
  /** `IP:PORT`: the keeper reports whether it can connect there. */
  probe?: string;
  /** The pod that will roll the fault back. */
  heldBy?: string;
  isReachable?: boolean;
}

interface ConfigMap extends KubeObject {
  data?: Record<string, string>;
}

export const leaseName = (id: string): string =>
  `firedrill-lease-${id.toLowerCase().replace(/[^a-z0-9-]+/g, '-')}`
    .slice(0, 200)
    .replace(/-+$/, '');

/** Throws if the ConfigMap is not a lease. */
function readLease({ metadata, data = {} }: ConfigMap): ClusterLease {
  const { name, namespace = '', annotations = {} } = metadata;
  const holder = annotations[heldBy];
  const seen = annotations[reachable];
  return {
    name,
    namespace,
    ttlMs: z.coerce.number().positive().max(600_000).parse(data.ttlMs),
    renewal: z.coerce.number().int().parse(data.renewal),
    steps: z
      .array(step)
      .max(20)
      .parse(JSON.parse(data.steps ?? '')),
    ...(data.probe !== undefined && { probe: data.probe }),
    ...(holder !== undefined && { heldBy: holder }),
    ...(seen !== undefined && { isReachable: seen === 'true' }),
  };
}

export async function writeLease(
  api: KubeApi,
  drill: string,
  lease: Pick<ClusterLease, 'name' | 'namespace' | 'ttlMs' | 'steps' | 'probe'>,
): Promise<void> {
  const { name, namespace, ttlMs, steps, probe } = lease;
  await api.create({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace, labels: { [leaseLabel]: drill } },
    data: {
      ttlMs: String(ttlMs),
      renewal: '0',
      steps: JSON.stringify(steps),
      ...(probe !== undefined && { probe }),
    },
  });
}

const patch = (
  api: KubeApi,
  { namespace, name }: { namespace: string; name: string },
  body: unknown,
): Promise<unknown> => api.patch(resources.ConfigMap, namespace, name, body);

type Key = Pick<ClusterLease, 'namespace' | 'name'>;

/** Returns whether the lease still existed. */
export async function renewLease(api: KubeApi, key: Key, renewal: number): Promise<boolean> {
  try {
    await patch(api, key, { data: { renewal: String(renewal) } });
    return true;
  } catch (error) {
    if (isStatus(error, 404)) return false;
    throw error;
  }
}

export const holdLease = (api: KubeApi, key: Key, holder: string): Promise<unknown> =>
  patch(api, key, { metadata: { annotations: { [heldBy]: holder } } });

export const tellReachable = (api: KubeApi, key: Key, is: boolean): Promise<unknown> =>
  patch(api, key, { metadata: { annotations: { [reachable]: String(is) } } });

export const findLease = async (api: KubeApi, key: Key): Promise<ClusterLease | undefined> => {
  const found = await api.find<ConfigMap>(resources.ConfigMap, key.namespace, key.name);
  return found && readLease(found);
};

export const removeLease = (api: KubeApi, key: Key): Promise<boolean> =>
  api.remove(resources.ConfigMap, key.namespace, key.name);

/** The leases of one drill. Unreadable ones are passed to `onBad`, and not changed. */
export async function listLeases(
  api: KubeApi,
  namespace: string,
  drill: string,
  onBad: (name: string) => void,
): Promise<ClusterLease[]> {
  const labelSelector = `${leaseLabel}=${drill}`;
  const { items } = await api.list<ConfigMap>(resources.ConfigMap, { namespace, labelSelector });
  return items.flatMap((item) => {
    try {
      return readLease(item);
    } catch {
      onBad(item.metadata.name);
      return [];
    }
  });
}

/** Runs all steps, the last first. Rejects with the first refusal; missing objects need no undo. */
export async function takeBack(api: KubeApi, steps: readonly UndoStep[]): Promise<void> {
  for (const one of steps.toReversed()) {
    try {
      await takeBackOne(api, one);
    } catch (error) {
      if (!isStatus(error, 404)) throw error;
    }
  }
}

export const scalePath = (kind: 'Deployment' | 'StatefulSet', namespace: string, name: string) =>
  `${pathOf(resources[kind], namespace, name)}/scale`;

export const setReplicas = (
  api: KubeApi,
  {
    kind,
    namespace,
    name,
  }: { kind: 'Deployment' | 'StatefulSet'; namespace: string; name: string },
  replicas: number,
): Promise<unknown> =>
  api.call(
    'PATCH',
    scalePath(kind, namespace, name),
    { spec: { replicas } },
    'application/merge-patch+json',
  );

async function takeBackOne(api: KubeApi, one: UndoStep): Promise<void> {
  const { namespace, name } = one;
  if (one.do === 'scale') return void (await setReplicas(api, one, one.replicas));
  if (one.do === 'delete-policy') {
    return void (await api.remove(resources.NetworkPolicy, namespace, name));
  }
  const copy = await api.find<ConfigMap>(resources.Secret, namespace, one.copy);
  // Without a copy, nothing was changed yet, or it is restored already.
  if (!copy) return;
  await api.patch(resources.Secret, namespace, name, { data: copy.data });
  await api.remove(resources.Secret, namespace, one.copy);
}
