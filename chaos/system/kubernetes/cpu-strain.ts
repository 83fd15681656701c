/**
 * Uses up a container's CPU limit: busy loops in its own control group leave the app a share of it. The limit is
 * required, because otherwise the loops would slow down other pods of the node.
 */
import type { Pod } from '../../../mesh/kubernetes/discovery/types.js';
import type { Place, Pods } from './pods.js';
import {
  limitedContainerOf,
  longestSeconds,
  Strain,
  strainScript,
  type StrainParts,
} from './strain.js';

/** Cores of `500m`, `2`, `0.25`; undefined if the text is no quantity. */
export function quantityCores(text: string): number | undefined {
  const [, number, unit] = /^(\d+(?:\.\d+)?)(m?)$/.exec(text) ?? [];
  return number === undefined ? undefined : Number(number) / (unit === 'm' ? 1000 : 1);
}

/** A limit of zero leaves nothing to take. */
export function cpuLimitedContainer(
  pod: Pick<Pod, 'spec'>,
): { name: string; cores: number } | undefined {
  const found = limitedContainerOf(pod, 'cpu', (text) => quantityCores(text) || undefined);
  return found && { name: found.name, cores: found.limit };
}

/** Number of loops that leave an app with one thread a tenth of its CPU time, at any limit. */
export const loopsFor = (cores: number): number => Math.ceil(cores) * 9;

export const burnScript = (loops: number): string => strainScript(loops, 'while :; do :; done');

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
