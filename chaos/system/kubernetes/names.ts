/** The names for scenarios in a `system: kubernetes`: asked of the API server, without changes. */
import { KubeApi } from '../../../mesh/kubernetes/client/api.js';
import { findCredentials } from '../../../mesh/kubernetes/client/credentials.js';
import { resources } from '../../../mesh/kubernetes/client/objects.js';
import { names } from '../../../mesh/kubernetes/install/names.js';
import { exitCode, UserError } from '../../../base/errors.js';
import { isStatus } from '../../../mesh/kubernetes/client/api.js';
import type { SystemNames } from '../../scenarios/world.js';
import { accessOf } from './access.js';
import { scalable } from './cluster-faults.js';
import type { KubernetesSpec } from './kubernetes-schema.js';
import { cpuLimitedContainer } from './cpu-strain.js';
import { limitedContainer } from './memory-strain.js';
import { type Place, Pods } from './pods.js';

export interface Edge {
  /** `web/cart`. */
  name: string;
  to: string;
  /** The destination's name in the sidecar: `cart.shop`. */
  destination: string;
}

export interface ClusterTargets {
  edgesOf(workload: string): Edge[];
  /** Pods by their permanent names, and workloads. */
  processes: string[];
  objects: Record<'scaled' | 'pods' | 'limited' | 'throttled' | 'secret', string[]>;
}

export function clusterTargets(
  spec: Pick<KubernetesSpec, 'calls' | 'namespace' | 'secrets'>,
  places: readonly Place[],
  hasMesh: boolean,
): ClusterTargets {
  const both = (list: readonly Place[]): string[] => [
    ...new Set(list.flatMap((p) => [p.workload, p.name])),
  ];
  const all = both(places);
  return {
    edgesOf: (workload) =>
      spec.calls.flatMap((call) => {
        const [from = '', to = ''] = call.split('/');
        const destination = `${to}.${spec.namespace}`;
        return from === workload ? [{ name: call, to, destination }] : [];
      }),
    processes: all,
    objects: {
      scaled: scalable(places, hasMesh),
      pods: all,
      limited: both(places.filter(({ pod }) => pod && limitedContainer(pod))),
      throttled: both(places.filter(({ pod }) => pod && cpuLimitedContainer(pod))),
      secret: [...spec.secrets],
    },
  };
}

/** Throws a UserError if the cluster does not answer, or has no matching pod. */
export async function kubernetesNames(
  name: string,
  folder: string,
  spec: KubernetesSpec,
): Promise<SystemNames> {
  const api = new KubeApi(await findCredentials(accessOf(folder, spec)));
  try {
    const pods = new Pods(api, spec.namespace, spec.selector);
    await pods.look();
    if (pods.places.length === 0) {
      const which = spec.selector === undefined ? '' : ` with ${spec.selector}`;
      const text = `${name}: no pod${which} in namespace ${spec.namespace}`;
      throw new UserError(text, exitCode.environment);
    }
    return namesFrom(name, spec, pods.places, await hasController(api, spec));
  } finally {
    api.close();
  }
}

async function hasController(api: KubeApi, { controlPlane }: KubernetesSpec): Promise<boolean> {
  const labelSelector = `app=${names.controller}`;
  try {
    const found = await api.list(resources.Pod, { namespace: controlPlane, labelSelector });
    return found.items.length > 0;
  } catch (error) {
    if (isStatus(error, 403)) return false;
    throw error;
  }
}

export function namesFrom(
  name: string,
  spec: KubernetesSpec,
  places: readonly Place[],
  hasMesh: boolean,
): SystemNames {
  const targets = clusterTargets(spec, places, hasMesh);
  const workloads = [...new Set(places.map((p) => p.workload))];
  const meshed = places.filter((p) => p.isMeshed);
  const calling = workloads.flatMap((w) => targets.edgesOf(w).map((edge) => ({ w, edge })));
  const calls = calling
    .filter(({ w }) => meshed.some((p) => p.workload === w))
    .flatMap(({ edge }) => [edge.name, edge.to]);
  return {
    name,
    services: workloads.map((service) => ({
      name: service,
      workloads: places.filter((p) => p.workload === service).map((p) => p.name),
      counters: [],
    })),
    processes: targets.processes,
    parts: hasMesh ? ['controller'] : [],
    targets: {
      service: [...new Set(meshed.flatMap((p) => [p.workload, p.name]))],
      call: [...new Set(calls)],
      ...targets.objects,
    },
    strikable: {
      workloads: places.map((p) => ({
        name: p.name,
        service: p.workload,
        edges: targets.edgesOf(p.workload),
      })),
      relays: [],
    },
  };
}
