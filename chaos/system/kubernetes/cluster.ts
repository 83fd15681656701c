/**
 * A namespace of a cluster as a system: none of its parts is started or stopped, and all requests go through the API
 * server with the caller's own rights. Sidecars hold their faults themselves; faults of cluster objects have leases in
 * the cluster.
 */
import type { Target } from '../../../alerts/watch/index.js';
import { type Clock, sleep } from '../../../base/clock.js';
import { exitCode, UserError } from '../../../base/errors.js';
import { ports } from '../../../mesh/kubernetes/annotations.js';
import { isStatus, type KubeApi } from '../../../mesh/kubernetes/client/api.js';
import type { CredentialOptions } from '../../../mesh/kubernetes/client/credentials.js';
import { pathOf, resources } from '../../../mesh/kubernetes/client/objects.js';
import { type Forwarded, forwardToPods } from '../../../mesh/kubernetes/client/port-forward.js';
import type { Pod } from '../../../mesh/kubernetes/discovery/types.js';
import { names } from '../../../mesh/kubernetes/install/names.js';
import { meshJobs } from '../../../slo/spec/mesh-metrics.js';
import { Leases, type LeaseState } from '../../faults/leases.js';
import type { ProcessEvent, SystemDescription } from '../model.js';
import {
  clusterFault,
  type ClusterFault,
  type ClusterKind,
  clusterKinds,
} from './cluster-faults.js';
import {
  findLease,
  leaseName,
  removeLease,
  renewLease,
  takeBack,
  writeLease,
} from './cluster-lease.js';
import { KeeperJob } from './keeper-job.js';
import type { KubernetesSpec } from './kubernetes-schema.js';
import { cpuLimitedContainer, strainCpu } from './cpu-strain.js';
import { limitedContainer, strainMemory } from './memory-strain.js';
import type { Strain } from './strain.js';
import { clusterTargets } from './names.js';
import { isRunning, type Place, Pods } from './pods.js';

export interface ClusterParts {
  api: KubeApi;
  access: CredentialOptions;
  name: string;
  spec: KubernetesSpec;
  clock: Clock;
}

interface Wanted {
  kind: string;
  target: string;
  settings: Record<string, unknown>;
}

interface Held {
  fault: ClusterFault;
  name: string;
  renewal: number;
}

const heldWithinMs = 4000;
const cutWithinMs = 4500;
const defaultTtlMs = 6000;
const renewEveryMs = 1000;
const lookEveryMs = 1000;
const pollMs = 150;

export class Cluster {
  readonly #of: ClusterParts;
  readonly pods: Pods;
  readonly leases: Leases<Wanted>;
  readonly #held = new Map<string, Held>();
  readonly #ttls = new Map<string, number>();
  readonly #strains = new Map<string, Strain[]>();
  /** By lease: what kept a strain from running, last. */
  readonly #strainTroubles = new Map<string, string>();
  readonly #ways = new Map<string, Forwarded>();
  readonly #keeper: KeeperJob;
  readonly #stop = new AbortController();
  readonly events: ProcessEvent[] = [];
  #controller: Pod | undefined;
  failure: string | undefined;
  ready = false;

  constructor(parts: ClusterParts) {
    this.#of = parts;
    const { api, spec, name, clock } = parts;
    this.pods = new Pods(api, spec.namespace, spec.selector);
    this.#keeper = new KeeperJob({ api, spec, drill: name, clock });
    this.leases = new Leases<Wanted>(clock, {
      begin: (wanted, id) => this.#begin(wanted, id),
      end: (wanted, id) => this.#end(wanted, id),
    });
  }

  /** Finds the system's parts, and whether a keeper may be started, before anything is started. */
  async find(): Promise<void> {
    const { spec } = this.#of;
    await this.pods.look();
    if (this.pods.places.length === 0) {
      const which = spec.selector === undefined ? '' : ` with ${spec.selector}`;
      throw new UserError(`no pod${which} in namespace ${spec.namespace}`);
    }
    await this.#findController();
    await this.#keeper.ask();
  }

  async start(): Promise<void> {
    await this.#keeper.start();
    this.ready = true;
    void this.#look();
  }

  describe(ports: { admin: number; controller: number }): SystemDescription {
    const { name, spec } = this.#of;
    const at = `http://127.0.0.1:${ports.admin}/pods`;
    const places = this.pods.places;
    const targets = clusterTargets(spec, places, this.#controller !== undefined);
    return {
      name,
      kind: 'kubernetes',
      ready: this.ready,
      ...(this.failure !== undefined && { failure: this.failure }),
      namespace: spec.namespace,
      url: spec.url ?? '',
      ...(this.#controller && {
        controller: { process: names.controller, grpc: 0, admin: ports.controller },
      }),
      workloads: places.map((place) => ({
        name: place.name,
        service: place.workload,
        calls: targets.edgesOf(place.workload).map((edge) => edge.to),
        edges: targets.edgesOf(place.workload),
        ...(place.isMeshed && { proxy: `${place.name}-proxy`, admin: `${at}/${place.name}` }),
        ports: { app: 0, ...(place.isMeshed && { inbound: 0, outbound: 0 }) },
      })),
      dependencies: [],
      relays: [],
      // Processes of this machine only; pods are struck as pods.
      processes: [],
      targets: this.#targets(at, ports.controller),
      faults: [
        'kill',
        'memory-limit',
        'cpu-limit',
        ...(this.#keeper.isAllowed ? clusterKinds : []),
      ],
      objects: targets.objects,
    };
  }

  /** The admin port of the sidecar in that place; undefined while there is none. */
  proxyOf(place: Place): Promise<Forwarded | undefined> {
    return this.#way(place.pod, ports.admin);
  }

  async controllerAdmin(): Promise<Forwarded | undefined> {
    if (!this.#controller || !isRunning(this.#controller)) await this.#findController();
    return this.#way(this.#controller, ports.controllerAdmin);
  }

  appOf(place: Place): Promise<Forwarded | undefined> {
    const metrics = this.#of.spec.metrics[place.workload];
    return metrics ? this.#way(place.pod, metrics.port) : Promise.resolve(undefined);
  }

  metricsPath({ workload }: Place): string {
    return this.#of.spec.metrics[workload]?.path ?? '/metrics';
  }

  /** Sets a fault, or renews it, here and in the cluster. */
  async put(body: Record<string, unknown>): Promise<LeaseState<Wanted>> {
    const { id, ttlMs, kind, target, ...settings } = body;
    if (typeof kind !== 'string' || typeof target !== 'string') {
      throw new UserError({ message: 'bad fault', expected: 'kind and target' });
    }
    if (typeof id !== 'string' || typeof ttlMs !== 'number') {
      throw new UserError({ message: 'bad lease', expected: 'id and ttlMs' });
    }
    const held = this.#held.get(id);
    if (held && !(await renewLease(this.#of.api, this.#key(held), ++held.renewal))) {
      // The keeper was faster: the fault is rolled back already.
      this.#held.delete(id);
      await this.leases.remove(id);
      throw new UserError(`${id} has lapsed`);
    }
    if (!held) this.#ttls.set(id, ttlMs);
    const lease = await this.leases.put({ id, ttlMs }, { kind, target, settings });
    await this.#count(id);
    return this.leases.list().find((l) => l.id === id) ?? lease;
  }

  /** The leases, with the effect of each so far. */
  async list(): Promise<LeaseState<Wanted>[]> {
    for (const id of this.#held.keys()) await this.#count(id);
    return this.leases.list();
  }

  /** Rolls everything back, and ends the keeper. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.leases.clear();
    await this.#keeper.stop();
    this.#of.api.close();
  }

  async #begin({ kind, target, settings }: Wanted, id: string): Promise<number> {
    if (kind === 'kill') return this.#kill(target);
    if (kind === 'memory-limit' || kind === 'cpu-limit') return this.#strain(kind, target, id);
    const known = clusterKinds.find((k) => k === kind);
    if (!known)
      throw new UserError({ message: `no fault '${kind}'`, expected: clusterKinds.join() });
    await this.#hold(known, target, settings, id);
    return 0;
  }

  async #end({ target }: Wanted, id: string): Promise<void> {
    const trouble = this.#strainTroubles.get(id);
    const isIdle = this.leases.list().some((l) => l.id === id && l.effect === 0);
    if (trouble !== undefined && isIdle) this.leases.report(id, trouble);
    const strains = this.#strains.get(id);
    this.#strains.delete(id);
    await Promise.all((strains ?? []).map((one) => one.stop()));
    const held = this.#held.get(id);
    if (!held) return;
    const { api } = this.#of;
    await takeBack(api, held.fault.steps);
    await removeLease(api, this.#key(held));
    this.#held.delete(id);
    this.#note(target, 'continued', 'the fault was rolled back');
  }

  /** Without grace: SIGKILL, and the pod's endpoint is removed afterwards. */
  async #kill(target: string): Promise<number> {
    const { api, spec } = this.#of;
    await this.pods.look();
    const struck = this.pods.of(target).flatMap((place) => (place.pod ? [place] : []));
    if (struck.length === 0) throw new UserError(`${target} has no pod that could be killed`);
    for (const { name, pod } of struck) {
      const { metadata } = pod as Pod;
      await api.call('DELETE', pathOf(resources.Pod, spec.namespace, metadata.name), {
        gracePeriodSeconds: 0,
        preconditions: { uid: metadata.uid },
      });
      this.#note(name, 'killed', `pod ${metadata.name}`);
    }
    return struck.length;
  }

  #strain(kind: 'memory-limit' | 'cpu-limit', target: string, id: string): number {
    const places = this.pods.of(target);
    if (places.length === 0) throw new UserError(`${target} has no pod`);
    const [what, has] =
      kind === 'cpu-limit' ? ['cpu', cpuLimitedContainer] : ['memory', limitedContainer];
    const bare = places.find(({ pod }) => !pod || !has(pod));
    if (bare) {
      const message = `${bare.name} has no ${what} limit that could be hit`;
      throw new UserError({ message, expected: `resources.limits.${what} in its pods` });
    }
    const strains = places.map((place) => {
      const struck = (text: string): void => {
        this.leases.strike(id);
        this.#note(place.name, kind === 'cpu-limit' ? 'paused' : 'killed', text);
      };
      const onTrouble = (text: string): void => {
        this.#strainTroubles.set(id, `${place.name}: ${text}`);
        this.#note(place.name, 'paused', text);
      };
      const parts = { access: this.#of.access, pods: this.pods, onTrouble };
      return kind === 'cpu-limit'
        ? strainCpu({ ...parts, onStarved: () => struck('busy loops share its CPU limit') }, place)
        : strainMemory(
            { ...parts, onKilled: () => struck('by the kernel: its memory limit') },
            place,
          );
    });
    this.#strains.set(id, strains);
    return 0;
  }

  /** Before any fault is set, its undo is in the cluster, and the keeper has confirmed that it holds the lease. */
  async #hold(
    kind: ClusterKind,
    target: string,
    settings: Record<string, unknown>,
    id: string,
  ): Promise<void> {
    const { api, spec, name: drill } = this.#of;
    const fault = await clusterFault(kind, target, settings, {
      ...this.#of,
      drill,
      pods: this.pods,
    });
    const { steps, probe } = fault;
    const ttlMs = this.#ttls.get(id) ?? defaultTtlMs;
    const lease = { name: leaseName(id), namespace: spec.namespace, ttlMs, steps };
    await writeLease(api, drill, { ...lease, ...(probe !== undefined && { probe }) });
    const held: Held = { fault, name: lease.name, renewal: 0 };
    try {
      await this.#until(held, heldWithinMs, (l) => {
        return l.heldBy !== undefined && (probe === undefined || l.isReachable !== undefined);
      });
      if (probe !== undefined && (await findLease(api, lease))?.isReachable !== true) {
        throw new UserError(`${target} does not accept connections before it is cut off`);
      }
      await fault.put();
      this.#note(target, 'paused', `${kind} was put`);
      if (probe !== undefined) await this.#untilCut(held, target);
    } catch (error) {
      await takeBack(api, steps);
      await removeLease(api, lease);
      throw error;
    }
    this.#held.set(id, held);
  }

  /** A policy that the cluster does not enforce has no effect: it is reported and removed. */
  async #untilCut(held: Held, target: string): Promise<void> {
    try {
      await this.#until(held, cutWithinMs, ({ isReachable }) => isReachable === false);
    } catch {
      throw new UserError({
        message: `${target} is reached all the same: nothing in this cluster enforces NetworkPolicies`,
        expected: 'a network plug-in that does, such as Calico, Cilium or kube-router',
      });
    }
  }

  async #until(
    held: Held,
    limitMs: number,
    holds: (lease: NonNullable<Awaited<ReturnType<typeof findLease>>>) => boolean,
  ): Promise<void> {
    const { api, clock } = this.#of;
    const beganMs = clock.monotonicMs();
    let renewedMs = beganMs;
    for (;;) {
      const nowMs = clock.monotonicMs();
      if (nowMs - renewedMs > renewEveryMs) {
        renewedMs = nowMs;
        await renewLease(api, this.#key(held), ++held.renewal);
      }
      const lease = await findLease(api, this.#key(held));
      if (lease && holds(lease)) return;
      if (nowMs - beganMs > limitMs) {
        throw new UserError('the keeper does not answer: nothing was broken', exitCode.environment);
      }
      await sleep(pollMs);
    }
  }

  async #count(id: string): Promise<void> {
    const held = this.#held.get(id);
    if (!held) return;
    const known = this.leases.list().find((l) => l.id === id)?.effect ?? 0;
    const { fault } = held;
    // The keeper goes on asking: another policy may let callers in, or ours may be gone.
    const isBack = fault.probe !== undefined && known > 0 && (await this.#isReached(held));
    const now = isBack ? 0 : await fault.effect().catch(() => known);
    if (now > known) this.leases.strike(id, now - known);
    // A controller of the cluster, or somebody, put back what the fault had changed.
    if (known > 0 && now === 0)
      this.leases.report(id, 'it was undone in the cluster by somebody else');
  }

  async #isReached(held: Held): Promise<boolean> {
    const lease = await findLease(this.#of.api, this.#key(held)).catch(() => undefined);
    return lease?.isReachable === true;
  }

  #key({ name }: Pick<Held, 'name'>): { namespace: string; name: string } {
    return { namespace: this.#of.spec.namespace, name };
  }

  /** Pods come and go, so a lookup returns the present pod. */
  async #look(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const before = new Map(this.pods.places.map((p) => [p.name, p.pod?.metadata.name]));
      await this.pods.look().catch(() => undefined);
      for (const { name, pod } of this.pods.places) {
        const now = pod?.metadata.name;
        if (before.get(name) === now) continue;
        this.#note(
          name,
          now === undefined ? 'stopped' : 'started',
          `pod ${now ?? before.get(name)}`,
        );
      }
      await sleep(lookEveryMs, signal);
    }
  }

  async #findController(): Promise<void> {
    const { api, spec } = this.#of;
    const labelSelector = `app=${names.controller}`;
    try {
      const namespace = spec.controlPlane;
      const { items } = await api.list<Pod>(resources.Pod, { namespace, labelSelector });
      this.#controller = items.find(isRunning);
    } catch (error) {
      // A user who may not see the control plane cannot strike it.
      if (!isStatus(error, 403)) throw error;
    }
  }

  async #way(pod: Pod | undefined, port: number): Promise<Forwarded | undefined> {
    if (!pod || !isRunning(pod)) return undefined;
    const { namespace = 'default', name, uid = '' } = pod.metadata;
    const key = `${uid}:${port}`;
    const known = this.#ways.get(key);
    if (known) return known;
    const [made] = await forwardToPods(this.#of.access, [{ namespace, name, port }]);
    if (made) this.#ways.set(key, made);
    return made;
  }

  #targets(at: string, controller: number): Target[] {
    const { spec } = this.#of;
    const { namespace } = spec;
    return [
      ...this.pods.places.flatMap(({ name, workload, isMeshed }): Target[] => {
        const own = spec.metrics[workload];
        const job = own?.job ?? workload;
        const labels = { service: workload, workload, pod: name, ...own?.labels };
        return [
          ...(own ? [{ job, url: `${at}/${name}/app-metrics`, instance: name, labels }] : []),
          ...(isMeshed
            ? [
                {
                  job: meshJobs.proxy,
                  url: `${at}/${name}/metrics`,
                  instance: `${name}:${ports.admin}`,
                  labels: { namespace, workload, pod: name },
                },
              ]
            : []),
        ];
      }),
      ...(this.#controller
        ? [{ job: meshJobs.controller, url: `http://127.0.0.1:${controller}/metrics` }]
        : []),
    ];
  }

  #note(process: string, event: ProcessEvent['event'], detail: string): void {
    if (this.events.length >= 2000) return;
    this.events.push({ atMs: this.#of.clock.nowMs(), process, event, detail });
  }
}
