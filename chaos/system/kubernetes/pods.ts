/**
 * The pods of a drill under names that last: `web-1`, `web-2`. Pods come and go, and their own names with them; a
 * scenario, a lease and a series of metrics must not. A pod that is replaced leaves its place to the one that comes.
 */
import type { KubeApi } from '../../../mesh/kubernetes/client/api.js';
import { resources } from '../../../mesh/kubernetes/client/objects.js';
import type { Pod } from '../../../mesh/kubernetes/discovery/types.js';
import { isMeshed, workloadOf } from '../../../mesh/kubernetes/discovery/workload.js';

export interface Place {
  /** `web-2`. */
  name: string;
  /** The Deployment, StatefulSet or the like: `web`. */
  workload: string;
  /** `deployment`, `statefulset`, `pod`. */
  kind: string;
  /** Undefined while nobody has taken the place of the one that ended. */
  pod: Pod | undefined;
  isMeshed: boolean;
}

const isOver = ({ metadata, status }: Pod): boolean =>
  metadata.deletionTimestamp !== undefined ||
  status?.phase === 'Succeeded' ||
  status?.phase === 'Failed';

export const isRunning = (pod: Pod): boolean => !isOver(pod) && pod.status?.phase === 'Running';

export class Pods {
  readonly #api: KubeApi;
  readonly #namespace: string;
  readonly #selector: string | undefined;
  #places: Place[] = [];

  constructor(api: KubeApi, namespace: string, selector: string | undefined) {
    this.#api = api;
    this.#namespace = namespace;
    this.#selector = selector;
  }

  /** Ordered by name. */
  get places(): readonly Place[] {
    return this.#places;
  }

  /** Those of a workload, or the one of that name. */
  of(target: string): Place[] {
    return this.#places.filter((p) => p.name === target || p.workload === target);
  }

  /** Asks anew. Pods of Jobs are passed over: they end by themselves. */
  async look(): Promise<void> {
    const { items } = await this.#api.list<Pod>(resources.Pod, {
      namespace: this.#namespace,
      labelSelector: this.#selector,
    });
    this.take(items);
  }

  take(items: readonly Pod[]): void {
    const there = new Map(
      items.filter((pod) => !isOver(pod) && isDrilled(pod)).map((pod) => [pod.metadata.uid, pod]),
    );
    for (const place of this.#places) {
      const pod = there.get(place.pod?.metadata.uid);
      place.pod = pod;
      if (pod) there.delete(pod.metadata.uid);
    }
    const newcomers = [...there.values()].sort((a, b) =>
      a.metadata.name < b.metadata.name ? -1 : 1,
    );
    for (const pod of newcomers) this.#place(pod);
    this.#places.sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }));
  }

  #place(pod: Pod): void {
    const { kind, name: workload } = workloadOf(pod);
    const own = this.#places.filter((p) => p.workload === workload);
    const free = own.find((p) => p.pod === undefined);
    if (free) Object.assign(free, { pod, isMeshed: isMeshed(pod) });
    else {
      const name = kind === 'pod' ? workload : `${workload}-${own.length + 1}`;
      this.#places.push({ name, workload, kind, pod, isMeshed: isMeshed(pod) });
    }
  }
}

const passedOver = new Set(['job', 'cronjob']);
const keeperLabel = 'mesh.firedrill.dev/keeper';

/** On the pods of the keeper, with the drill's name. */
export const keeperLabels = (drill: string): Record<string, string> => ({ [keeperLabel]: drill });

const isDrilled = (pod: Pod): boolean =>
  !passedOver.has(workloadOf(pod).kind) && pod.metadata.labels?.[keeperLabel] === undefined;
