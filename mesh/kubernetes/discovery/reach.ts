/**
 * The endpoints of a Service for each client by its place, by kube-proxy's rules (pkg/proxy/topology.go of Kubernetes):
 * `internalTrafficPolicy: Local`, and the hints that the control plane writes into EndpointSlices.
 */
import type { Endpoint, Place, Reach } from '../../model.js';
import type { EndpointSlice, Pod, Service, SliceEndpoint } from './types.js';
import { hasEnded } from './workload.js';

/** Clients dial the endpoints of a headless Service themselves, so its policy chooses nothing. */
export const isLocal = ({ spec }: Service): boolean =>
  spec.internalTrafficPolicy === 'Local' && spec.clusterIP !== 'None';

export const isReady = ({ conditions }: SliceEndpoint): boolean => conditions?.ready !== false;
const isEnding = ({ conditions }: SliceEndpoint): boolean =>
  conditions?.terminating === true && conditions.serving !== false;

/** Those that are ready, or, while none is, those that end and still serve: among all, or on each node. */
export function inService<T extends [entry: SliceEndpoint, ...more: unknown[]]>(
  all: readonly T[],
  perNode: boolean,
): T[] {
  const groupOf = ([{ nodeName }]: T): string => (perNode ? (nodeName ?? '') : '');
  const served = new Set(all.filter(([e]) => isReady(e)).map(groupOf));
  return all.filter((one) => isReady(one[0]) || (isEnding(one[0]) && !served.has(groupOf(one))));
}

/** Undefined: every client uses every endpoint. `entries` are those in service. */
export function reachOf(service: Service, entries: readonly SliceEndpoint[]): Reach | undefined {
  if (isLocal(service)) return { levels: ['node'], strict: true };
  // Without a hint for each ready endpoint, hints are passed over.
  if (service.spec.clusterIP === 'None' || !entries.some(isReady)) return undefined;
  const haveAll = (of: 'forNodes' | 'forZones'): boolean =>
    entries.every(({ hints }) => (hints?.[of]?.length ?? 0) > 0);
  const levels: Reach['levels'] = [
    ...(haveAll('forNodes') ? ['node' as const] : []),
    ...(haveAll('forZones') ? ['zone' as const] : []),
  ];
  return levels.length > 0 ? { levels } : undefined;
}

/** The places of an endpoint of a Service that chooses by them. */
export function placesOf(
  reach: Reach,
  { hints, nodeName }: SliceEndpoint,
): NonNullable<Endpoint['places']> {
  if (reach.strict) return { node: nodeName === undefined ? [] : [nodeName] };
  const names = (list: { name: string }[] = []): string[] => list.map(({ name }) => name);
  return {
    ...(reach.levels.includes('node') && { node: names(hints?.forNodes) }),
    ...(reach.levels.includes('zone') && { zone: names(hints?.forZones) }),
  };
}

/** The places of pods. A node's zone is read from the endpoints on it, so that nobody has to watch the nodes. */
export class Places {
  readonly #zones = new Map<string, string>();
  #byAddress: Map<string, Pod> | undefined;
  readonly #pods: ReadonlyMap<string, Pod>;

  constructor(pods: ReadonlyMap<string, Pod>) {
    this.#pods = pods;
  }

  /** Returns the nodes whose zone has become known, or is another one. */
  tookSlice({ endpoints = [] }: EndpointSlice): Set<string> {
    const changed = new Set<string>();
    for (const { nodeName, zone } of endpoints ?? []) {
      if (!nodeName || !zone || this.#zones.get(nodeName) === zone) continue;
      this.#zones.set(nodeName, zone);
      changed.add(nodeName);
    }
    return changed;
  }

  /** Any pod has changed. */
  tookPod(): void {
    this.#byAddress = undefined;
  }

  addressesOn(nodes: ReadonlySet<string>): string[] {
    if (nodes.size === 0) return [];
    const on = [...this.#pods.values()].filter(({ nodeName }) => nodes.has(nodeName ?? ''));
    return on.flatMap(({ status }) => status?.podIP ?? []);
  }

  at(address: string): Place | undefined {
    if (!this.#byAddress) {
      const all = [...this.#pods.values()].filter((p) => !p.spec.hostNetwork && !hasEnded(p));
      this.#byAddress = new Map(all.map((pod) => [pod.status?.podIP ?? '', pod]));
    }
    const node = address === '' ? undefined : this.#byAddress.get(address)?.nodeName;
    const zone = node === undefined ? undefined : this.#zones.get(node);
    return node === undefined ? undefined : { node, ...(zone !== undefined && { zone }) };
  }
}
