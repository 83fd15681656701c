/**
 * A container's CPU limit, used up: busy loops in its own control group leave the app a share of it. Without a limit
 * they would take from whoever else is on the node, so there must be one.
 */
import { proxyContainer } from '../../../mesh/kubernetes/annotations.js';
import type { Container, Pod } from '../../../mesh/kubernetes/discovery/types.js';
import type { Place, Pods } from './pods.js';
import { Strain, type StrainParts } from './strain.js';

/** Should nobody end them. */
const longestSeconds = 600;

/** Cores of `500m`, `2`, `0.25`; undefined where it is no quantity. */
export function quantityCores(text: string): number | undefined {
  const [, number, unit] = /^(\d+(?:\.\d+)?)(m?)$/.exec(text) ?? [];
  return number === undefined ? undefined : Number(number) / (unit === 'm' ? 1000 : 1);
}

/** The first container that has a limit: its loops share what the app has. */
export function cpuLimitedContainer(
  pod: Pick<Pod, 'spec'>,
): { name: string; cores: number } | undefined {
  for (const container of pod.spec.containers.filter((c) => c.name !== proxyContainer)) {
    const { limits } = (container as Container & { resources?: { limits?: { cpu?: string } } })
      .resources ?? { limits: undefined };
    const cores = limits?.cpu === undefined ? undefined : quantityCores(String(limits.cpu));
    if (cores !== undefined && cores > 0) return { name: container.name, cores };
  }
  return undefined;
}

/** So many that an app of one thread has a tenth of what it had, whatever the limit is. */
export const loopsFor = (cores: number): number => Math.ceil(cores) * 9;

/** For any sh. It leads a process group of its own: `kill 0` ends all of that, and nothing of the app. */
export function burnScript(loops: number): string {
  const bounded = `command -v sleep >/dev/null && ( sleep ${longestSeconds}; kill 0 ) &`;
  return `exec 3<&0; ${bounded}
i=0; while [ $i -lt ${loops} ]; do ( while :; do :; done ) & i=$((i+1)); done; read _ <&3; kill 0`;
}

export function strainCpu(
  parts: Pick<StrainParts, 'access' | 'onTrouble'> & { pods: Pods; onStarved(): void },
  place: Place,
): Strain {
  return new Strain(
    {
      ...parts,
      workIn: (pod) => {
        const limited = cpuLimitedContainer(pod);
        if (!limited) return undefined;
        const script = burnScript(loopsFor(limited.cores));
        return { container: limited.name, script, limitMs: longestSeconds * 1000 };
      },
      onRunning: parts.onStarved,
    },
    place,
  );
}
