/**
 * Repeats work in a pod's container until `stop`, each time that the container returns. The work's processes end with
 * their standard input, so with the connection that started them, and with the container itself.
 */
import { sleep } from '../../../base/clock.js';
import { messageOf } from '../../../base/errors.js';
import { proxyContainer } from '../../../mesh/kubernetes/annotations.js';
import type { CredentialOptions } from '../../../mesh/kubernetes/client/credentials.js';
import { type Executed, execInPod } from '../../../mesh/kubernetes/client/exec.js';
import type { ContainerStatus, Pod } from '../../../mesh/kubernetes/discovery/types.js';
import { isRunning, type Place, type Pods } from './pods.js';

export interface StrainParts {
  access: CredentialOptions;
  /** Runs a command in a container; absent: through the API server. */
  exec?(
    where: Parameters<typeof execInPod>[1],
    argv: readonly string[],
  ): ReturnType<typeof execInPod>;
  pods: Pick<Pods, 'look'>;
  /** The container, and the script for its `sh`; undefined: no work in this pod. */
  workIn(pod: Pod): { container: string; script: string; limitMs: number } | undefined;
  /** Called each time that the pod is read. */
  onLook?(pod: Pod): void;
  /** Called when the work runs: a command that the container lacks ends at once. */
  onRunning?(): void;
  onTrouble(text: string): void;
}

const pollMs = 300;
/** A command that runs for so long, in milliseconds, was found and does its work. */
const settledMs = 1000;
/** Time limit if nobody ends the work. */
export const longestSeconds = 600;

/** The app's first container with a limit that `read` can parse: the work shares that limit with the app. */
export function limitedContainerOf(
  pod: Pick<Pod, 'spec'>,
  resource: 'cpu' | 'memory',
  read: (quantity: string) => number | undefined,
): { name: string; limit: number } | undefined {
  for (const { name, ...container } of pod.spec.containers) {
    const { resources } = container as { resources?: { limits?: Record<string, unknown> } };
    const quantity = name === proxyContainer ? undefined : resources?.limits?.[resource];
    const limit = quantity === undefined ? undefined : read(String(quantity));
    if (limit !== undefined) return { name, limit };
  }
  return undefined;
}

/**
 * For any sh: starts this many children that do `work` until the script's standard input ends, which they read at
 * descriptor 3. The script leads its own process group: `kill 0` ends that group, and no process of the app.
 */
export function strainScript(children: number, work: string): string {
  const bounded = `command -v sleep >/dev/null && ( sleep ${longestSeconds}; kill 0 ) &`;
  return `exec 3<&0; ${bounded}
i=0; while [ $i -lt ${children} ]; do ( ${work} ) & i=$((i+1)); done; read _ <&3; kill 0`;
}

export class Strain {
  readonly #parts: StrainParts;
  readonly #stop = new AbortController();
  readonly #work: Promise<void>;
  #running: Executed | undefined;

  constructor(parts: StrainParts, place: Place) {
    this.#parts = parts;
    this.#work = this.#strain(place);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    this.#running?.close();
    await this.#work;
  }

  async #strain(place: Place): Promise<void> {
    const { pods, workIn, onLook, onTrouble } = this.#parts;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      await pods.look().catch((error: unknown) => onTrouble(messageOf(error)));
      const { pod } = place;
      const work = pod && workIn(pod);
      if (pod && work) {
        onLook?.(pod);
        if (isRunning(pod) && isUp(pod, work.container)) await this.#once(pod, work);
      }
      await sleep(pollMs, signal);
    }
  }

  /** Resolves when the work has ended, usually with the container. */
  async #once(
    { metadata }: Pod,
    { container, script, limitMs }: { container: string; script: string; limitMs: number },
  ): Promise<void> {
    const { access, exec = (at, argv) => execInPod(access, at, argv) } = this.#parts;
    const where = { namespace: metadata.namespace ?? 'default', pod: metadata.name, container };
    try {
      this.#running = await exec(where, ['sh', '-c', script]);
    } catch (error) {
      // A container that starts or ends accepts no command.
      this.#parts.onTrouble(messageOf(error));
      return;
    }
    const { signal } = this.#stop;
    if (signal.aborted) this.#running.close();
    let isOver = false;
    const ended = this.#running.ended.then((said) => {
      isOver = true;
      if (said !== '' && !signal.aborted) this.#parts.onTrouble(said);
    });
    await Promise.race([ended, sleep(settledMs, signal)]);
    if (!isOver && !signal.aborted) this.#parts.onRunning?.();
    await Promise.race([ended, sleep(limitMs, signal)]);
    this.#running.close();
    this.#running = undefined;
  }
}

const isUp = ({ status }: Pod, container: string): boolean =>
  status?.containerStatuses?.some(
    (s: ContainerStatus & { state?: { running?: unknown } }) =>
      s.name === container && s.state?.running !== undefined,
  ) ?? false;
