/** Finds the version in which a server has a kind: ours, an older one of another project's definition, or none. */
import type { KubeApi } from './api.js';
import { type Kind, olderVersions, type Resource } from './objects.js';

interface ApiGroups {
  kind: string;
  groups: { name: string; versions: { version: string }[] }[];
}

interface ApiKinds {
  kind: string;
  resources: { name: string }[];
}

/**
 * `unknown`: the server gave no usable answer. A bare 404 proves nothing: a load balancer returns it for everything
 * while the server behind it is away, and the last known answer must stay.
 */
export async function servedAs(
  api: KubeApi,
  resource: Resource,
): Promise<Resource | 'absent' | 'unknown'> {
  const { group, version, plural, kind } = resource;
  if (group === '') return 'unknown';
  try {
    const groups = (await api.call('GET', '/apis')) as ApiGroups;
    if (groups.kind !== 'APIGroupList') return 'unknown';
    const served = groups.groups.find((g) => g.name === group)?.versions.map((v) => v.version);
    for (const wanted of new Set([version, ...(olderVersions[kind as Kind] ?? [])])) {
      if (!served?.includes(wanted)) continue;
      const kinds = (await api.call('GET', `/apis/${group}/${wanted}`)) as ApiKinds;
      if (kinds.kind !== 'APIResourceList') return 'unknown';
      if (kinds.resources.some((r) => r.name === plural)) return { ...resource, version: wanted };
    }
    return 'absent';
  } catch {
    return 'unknown';
  }
}
