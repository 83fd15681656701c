/**
 * The pods of a drill under permanent names: `web-1`, `web-2`. Pods and their own names come and go, but scenarios,
 * leases and series of metrics need permanent ones. A new pod takes the place of the pod that it replaces.
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
  /** Undefined until a new pod takes the place of the ended one. */
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

  /** The places of a workload, or the place of that name. */
  of(target: string): Place[] {
    return this.#places.filter((p) => p.name === target || p.workload === target);
  }

  /** Asks the API server again. Pods of Jobs are skipped, because they end by themselves. */
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

/** The label of the keeper's pods; its value is the drill's name. */
export const keeperLabels = (drill: string): Record<string, string> => ({ [keeperLabel]: drill });

const isDrilled = (pod: Pod): boolean =>
  !passedOver.has(workloadOf(pod).kind) && pod.metadata.labels?.[keeperLabel] === undefined;
