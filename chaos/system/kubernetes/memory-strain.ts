/**
 * A container's memory limit, hit for real: small processes in its own control group hold memory until the kernel kills
 * the largest process there, which is the app. They end with their standard input, so with the connection that started
 * them, and with the container itself.
 */
import { sleep } from '../../../base/clock.js';
import { messageOf, UserError } from '../../../base/errors.js';
import type { CredentialOptions } from '../../../mesh/kubernetes/client/credentials.js';
import { proxyContainer } from '../../../mesh/kubernetes/annotations.js';
import { type Executed, execInPod } from '../../../mesh/kubernetes/client/exec.js';
import type { Container, ContainerStatus, Pod } from '../../../mesh/kubernetes/discovery/types.js';
import type { Place, Pods } from './pods.js';
import { isRunning } from './pods.js';

const mebi = 1024 * 1024;
const mostPieces = 400;
/** Should nobody end them. */
const longestSeconds = 600;

/** Bytes of `64Mi`, `0.5G`, `1e9`; undefined where it is no quantity. */
export function quantityBytes(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?(?:[eE]\d+)?)(Ki|[kMGTPE]|[MGTPE]i)?$/.exec(text);
  if (!match) return undefined;
  const [, number = '', unit = ''] = match;
  const power = ['', 'k', 'm', 'g', 't', 'p', 'e'].indexOf((unit[0] ?? '').toLowerCase());
  return Number(number) * (unit.endsWith('i') ? 1024 : 1000) ** power;
}

/** Of the first container that has one: those of its own group are killed. */
export function limitedContainer(
  pod: Pick<Pod, 'spec'>,
): { name: string; bytes: number } | undefined {
  for (const container of pod.spec.containers.filter((c) => c.name !== proxyContainer)) {
    const { limits } = (container as Container & { resources?: { limits?: { memory?: string } } })
      .resources ?? { limits: undefined };
    const bytes = limits?.memory === undefined ? undefined : quantityBytes(limits.memory);
    if (bytes !== undefined) return { name: container.name, bytes };
  }
  return undefined;
}

/** For any sh: a text doubles until it is as large as a piece. */
export function strainScript(limitBytes: number): string {
  const piece = Math.max(mebi, Math.ceil(limitBytes / mostPieces));
  const pieces = Math.ceil(limitBytes / piece);
  const hold = `x=0123456789abcdef; while [ \${#x} -lt ${piece} ]; do x=$x$x; done; read _ <&3`;
  // It leads a process group of its own: `kill 0` ends all of that, and nothing of the app.
  const bounded = `command -v sleep >/dev/null && ( sleep ${longestSeconds}; kill 0 ) &`;
  return `exec 3<&0; ${bounded}
i=0; while [ $i -lt ${pieces} ]; do ( ${hold} ) & i=$((i+1)); done; read _ <&3; kill 0`;
}

interface Strained {
  access: CredentialOptions;
  pods: Pods;
  /** The kernel has killed a container of that place. */
  onKilled(place: string): void;
  onTrouble(text: string): void;
}

const pollMs = 300;
const pieceLimitMs = 30_000;

interface Ended {
  terminated?: { reason?: string; containerID?: string; finishedAt?: string };
}

/**
 * Which of its containers the kernel has killed last. While the kubelet holds it back from being started again, its
 * count of restarts is still the old one.
 */
const lastKill = ({ status }: Pod, container: string): string | undefined => {
  const own = status?.containerStatuses?.find((s: ContainerStatus) => s.name === container);
  const states = [own?.state as Ended | undefined, own?.lastState as Ended | undefined];
  const killed = states.find((s) => s?.terminated?.reason === 'OOMKilled')?.terminated;
  return killed && `${killed.containerID} ${killed.finishedAt}`;
};

/** One place under strain until `stop`: again each time that its container comes back. */
export class MemoryStrain {
  readonly #parts: Strained;
  readonly #stop = new AbortController();
  readonly #work: Promise<void>;
  #running: Executed | undefined;

  /** Throws a UserError where there is no limit that could be hit. */
  constructor(parts: Strained, place: Place) {
    this.#parts = parts;
    if (!place.pod || !limitedContainer(place.pod)) {
      const message = `${place.name} has no memory limit that could be hit`;
      throw new UserError({ message, expected: 'resources.limits.memory in its pods' });
    }
    this.#work = this.#strain(place);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    this.#running?.close();
    await this.#work;
  }

  async #strain(place: Place): Promise<void> {
    const { pods, onKilled, onTrouble } = this.#parts;
    const { signal } = this.#stop;
    let known: { uid: string | undefined; kill: string | undefined } | undefined;
    while (!signal.aborted) {
      await pods.look().catch((error: unknown) => onTrouble(messageOf(error)));
      const { pod } = place;
      const limited = pod && limitedContainer(pod);
      if (pod && limited) {
        const { uid } = pod.metadata;
        const kill = lastKill(pod, limited.name);
        const isNew = kill !== undefined && kill !== known?.kill;
        if (known?.uid === uid && isNew) onKilled(place.name);
        known = { uid, kill };
        if (isRunning(pod) && isUp(pod, limited.name)) await this.#once(pod, limited);
      }
      await sleep(pollMs, signal);
    }
  }

  /** Resolves when what was started has ended, with the container as a rule. */
  async #once(
    pod: Pod,
    { name: container, bytes }: { name: string; bytes: number },
  ): Promise<void> {
    const { metadata } = pod;
    const where = { namespace: metadata.namespace ?? 'default', pod: metadata.name, container };
    try {
      this.#running = await execInPod(this.#parts.access, where, ['sh', '-c', strainScript(bytes)]);
    } catch (error) {
      // A container that is coming or going takes no command.
      this.#parts.onTrouble(messageOf(error));
      return;
    }
    if (this.#stop.signal.aborted) this.#running.close();
    const ended = this.#running.ended.then((said) => {
      if (said !== '' && !this.#stop.signal.aborted) this.#parts.onTrouble(said);
    });
    await Promise.race([ended, sleep(pieceLimitMs, this.#stop.signal)]);
    this.#running.close();
    this.#running = undefined;
  }
}

const isUp = ({ status }: Pod, container: string): boolean =>
  status?.containerStatuses?.some(
    (s: ContainerStatus & { state?: { running?: unknown } }) =>
      s.name === container && s.state?.running !== undefined,
  ) ?? false;
