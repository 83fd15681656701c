/**
 * Writes the redirection of the pods on one node from outside, so that no pod needs a capability. A DaemonSet runs it
 * (`redirector.enabled`). The proxy's `postStart` hook holds the pod's other containers back until the redirection is
 * there, so nothing here has to be in time. Not a CNI plug-in: see docs/decisions.
 */
import { type Clock, realClock } from '../../../base/clock.js';
import { messageOf } from '../../../base/errors.js';
import { annotations, proxyContainer } from '../annotations.js';
import type { KubeApi } from '../client/api.js';
import { Informer } from '../client/informer.js';
import { resources } from '../client/objects.js';
import type { Pod } from '../discovery/types.js';
import { hasEnded } from '../discovery/workload.js';
import {
  networkOf,
  type PodNetwork,
  podProcesses,
  type PodProcesses,
  type Strangers,
} from './pod-network.js';
import { applyRedirection, type Redirection, redirectionOf } from './redirection.js';

/** The intervals between two looks for the proxies of waiting pods: at first, and after `soonForMs`. */
const soonMs = 50;
const laterMs = 1000;
const soonForMs = 15_000;

export interface RedirectorParts {
  clock: Clock;
  log: (line: string) => void;
  processes?: (strangers: Strangers) => Map<string, PodProcesses>;
  network?: (pid: number) => PodNetwork | undefined;
  apply?: (redirection: Redirection, within: readonly string[]) => void;
}

/** Whether the node's redirector has to write the redirection of this pod, as far as the API server knows. */
function waits({ metadata, spec, status }: Pod): boolean {
  if (metadata.annotations?.[annotations.redirection] === undefined) return false;
  if (spec.hostNetwork || hasEnded({ status })) return false;
  const all = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])];
  // A started proxy has passed its hook, and the hook asks for the redirection.
  return all.find((c) => c.name === proxyContainer)?.started !== true;
}

/**
 * The process whose network has to be redirected now. An init container that runs before the proxy, as where native
 * sidecars are not, must still reach the network without it.
 */
function processOf({ spec }: Pod, { first, proxy }: PodProcesses): number | undefined {
  const [init] = spec.initContainers ?? [];
  return init === undefined || init.name === proxyContainer ? first : proxy;
}

/** Throws an Error if the annotation cannot be read: the injector wrote it, but anybody may change a pod's. */
export function redirectionIn(annotation: string): Redirection {
  const read = JSON.parse(annotation) as { skipInbound?: unknown; skipOutbound?: unknown } | null;
  const list = (value: unknown): string => (typeof value === 'string' ? value : '-');
  return redirectionOf({
    skipInboundPorts: list(read?.skipInbound),
    skipOutboundPorts: list(read?.skipOutbound),
  });
}

export class Redirector {
  readonly #parts: Required<RedirectorParts>;
  /** By each pod's uid, the network namespace that has its rules. */
  readonly #done = new Map<string, number>();
  readonly #said = new Map<string, string>();
  readonly #strangers: Strangers = new Map();

  constructor(parts: RedirectorParts) {
    const { processes = podProcesses, network = networkOf, apply = applyRedirection } = parts;
    this.#parts = { ...parts, processes, network, apply };
  }

  /** Writes the missing rules. Returns whether a pod still waits: for its proxy's process, or after a failure. */
  look(pods: readonly Pod[]): boolean {
    const waiting = pods.filter(waits);
    for (const uid of this.#done.keys())
      if (!pods.some((p) => p.metadata.uid === uid)) this.#forget(uid);
    if (waiting.length === 0) {
      // A number may belong to another process later.
      this.#strangers.clear();
      return false;
    }
    const processes = this.#parts.processes(this.#strangers);
    let left = false;
    for (const pod of waiting) {
      const found = processes.get(pod.metadata.uid ?? '');
      const pid = found && processOf(pod, found);
      if (pid === undefined || !this.#redirect(pod, pid)) left = true;
    }
    return left;
  }

  #forget(uid: string): void {
    this.#done.delete(uid);
    this.#said.delete(uid);
  }

  #redirect({ metadata }: Pod, pid: number): boolean {
    const uid = metadata.uid ?? '';
    const network = this.#parts.network(pid);
    if (!network) return false;
    try {
      if (this.#done.get(uid) === network.id) return true;
      const wanted = redirectionIn(metadata.annotations?.[annotations.redirection] ?? '');
      this.#parts.apply(wanted, ['nsenter', `--net=${network.path}`]);
      this.#done.set(uid, network.id);
      this.#say(uid, `${metadata.namespace}/${metadata.name}: redirected`);
      return true;
    } catch (error) {
      this.#say(uid, `${metadata.namespace}/${metadata.name}: ${messageOf(error)}`);
      return false;
    } finally {
      network.close();
    }
  }

  /** A pod's repeated failure is said once. */
  #say(uid: string, line: string): void {
    if (this.#said.get(uid) === line) return;
    this.#said.set(uid, line);
    this.#parts.log(line);
  }
}

/** Follows the pods of one node. Resolves when the first list of pods is there, to a function that ends it. */
async function startRedirector(
  api: KubeApi,
  node: string,
  parts: RedirectorParts,
): Promise<() => void> {
  const { clock, log } = parts;
  const redirector = new Redirector(parts);
  const pods = new Informer<Pod>(api, resources.Pod, {
    fieldSelector: `spec.nodeName=${node}`,
    clock,
    onProblem: (message) => log(message ?? 'the API server answers again'),
  });
  let changedAtMs = clock.nowMs();
  let next: { cancel(): void } | undefined;
  const look = (): void => {
    next = undefined;
    if (!redirector.look([...pods.objects.values()])) return;
    const isSoon = clock.nowMs() - changedAtMs < soonForMs;
    next = clock.after(isSoon ? soonMs : laterMs, look);
  };
  pods.onChange(() => {
    changedAtMs = clock.nowMs();
    next?.cancel();
    next = clock.after(0, look);
  });
  await pods.start();
  return () => {
    next?.cancel();
    pods.stop();
  };
}

/** Runs until SIGTERM. */
export async function runRedirector(node: string, kubeconfig: string | undefined): Promise<void> {
  const { KubeApi } = await import('../client/api.js');
  const { findCredentials } = await import('../client/credentials.js');
  const api = new KubeApi(await findCredentials({ kubeconfig }));
  const log = (line: string): void => void process.stderr.write(`${line}\n`);
  const stop = await startRedirector(api, node, { clock: realClock, log });
  log(`redirects the pods of node ${node}`);
  await new Promise<void>((resolve) => process.once('SIGTERM', resolve).once('SIGINT', resolve));
  stop();
  api.close();
}
