/**
 * Reaches a container's memory limit: small processes in its own control group hold memory until the kernel kills the
 * largest process there, which is the app. The processes end with their standard input, so with the connection that
 * started them, and with the container itself.
 */
import type { ContainerStatus, Pod } from '../../../mesh/kubernetes/discovery/types.js';
import type { Place, Pods } from './pods.js';
import { limitedContainerOf, Strain, strainScript, type StrainParts } from './strain.js';

const mebi = 1024 * 1024;
const mostPieces = 400;

/** Bytes of `64Mi`, `0.5G`, `1e9`; undefined if the text is no quantity. */
export function quantityBytes(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?(?:[eE]\d+)?)(Ki|[kMGTPE]|[MGTPE]i)?$/.exec(text);
  if (!match) return undefined;
  const [, number = '', unit = ''] = match;
  const power = ['', 'k', 'm', 'g', 't', 'p', 'e'].indexOf((unit[0] ?? '').toLowerCase());
  return Number(number) * (unit.endsWith('i') ? 1024 : 1000) ** power;
}

/** The first container with a memory limit: the kernel kills processes of the container's own group. */
export function limitedContainer(
  pod: Pick<Pod, 'spec'>,
): { name: string; bytes: number } | undefined {
  const found = limitedContainerOf(pod, 'memory', quantityBytes);
  return found && { name: found.name, bytes: found.limit };
}

/** Each piece doubles a text until it has that size. */
export function holdScript(limitBytes: number): string {
  const piece = Math.max(mebi, Math.ceil(limitBytes / mostPieces));
  const hold = `x=0123456789abcdef; while [ \${#x} -lt ${piece} ]; do x=$x$x; done; read _ <&3`;
  return strainScript(Math.ceil(limitBytes / piece), hold);
}

const pieceLimitMs = 30_000;

interface Ended {
  terminated?: { reason?: string; containerID?: string; finishedAt?: string };
}

/**
 * The container's last kill by the kernel. While the kubelet delays the container's restart, the restart count is still
 * the old one.
 */
const lastKill = ({ status }: Pod, container: string): string | undefined => {
  const own = status?.containerStatuses?.find((s: ContainerStatus) => s.name === container);
  const states = [own?.state as Ended | undefined, own?.lastState as Ended | undefined];
  const killed = states.find((s) => s?.terminated?.reason === 'OOMKilled')?.terminated;
  return killed && `${killed.containerID} ${killed.finishedAt}`;
};

/** Repeats each time that the container returns. */
export function strainMemory(
  parts: Pick<StrainParts, 'access' | 'onTrouble'> & {
    pods: Pods;
    /** Called when the kernel has killed a container of that place. */
    onKilled(place: string): void;
  },
  place: Place,
): Strain {
  let known: { uid: string | undefined; kill: string | undefined } | undefined;
  return new Strain(
    {
      ...parts,
      workIn: (pod) => {
        const limited = limitedContainer(pod);
        if (!limited) return undefined;
        const script = holdScript(limited.bytes);
        return { container: limited.name, script, limitMs: pieceLimitMs };
      },
      onLook: (pod) => {
        const { uid } = pod.metadata;
        const kill = lastKill(pod, limitedContainer(pod)?.name ?? '');
        const isNew = kill !== undefined && kill !== known?.kill;
        if (known?.uid === uid && isNew) parts.onKilled(place.name);
        known = { uid, kill };
      },
    },
    place,
  );
}
