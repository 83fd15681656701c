/** Gathers the inputs of diagnostics: the readable objects of a cluster, and the documents of files. */
import { readYaml } from '../../../base/yaml.js';
import { isStatus, KubeApi } from '../client/api.js';
import { type CredentialOptions, findCredentials } from '../client/credentials.js';
import { type AnyObject, type Kind, resources } from '../client/objects.js';
import { servedAs } from '../client/served.js';

const kinds: readonly Kind[] = [
  'Namespace',
  'Pod',
  'Service',
  'ServiceAccount',
  'EndpointSlice',
  'NetworkPolicy',
  'HTTPRoute',
  'GRPCRoute',
  'TrafficSplit',
  'ServiceProfile',
  'Server',
  'AuthorizationPolicy',
  'RateLimit',
  'Role',
  'RoleBinding',
  'ClusterRole',
  'ClusterRoleBinding',
  'HorizontalPodAutoscaler',
  'PodMonitor',
];

export interface Gathered {
  objects: AnyObject[];
  /** The kinds that the user may not list. */
  unseen: string[];
}

/** Kinds that are not installed, or that the user may not list, are left out. */
export async function clusterObjects(
  options: CredentialOptions & { controlNamespace?: string },
): Promise<Gathered> {
  const api = new KubeApi(await findCredentials(options));
  const all: AnyObject[] = [];
  const unseen: string[] = [];
  try {
    for (const kind of kinds) {
      try {
        all.push(...(await listServed(api, kind)));
      } catch (error) {
        if (isStatus(error, 403)) unseen.push(kind);
        else if (!isStatus(error, 404)) throw error;
      }
    }
    const { names } = await import('../install/names.js');
    const namespace = options.controlNamespace ?? 'firedrill';
    const secret = await api
      .find(resources.Secret, namespace, names.webhookSecret)
      .catch(() => void unseen.push('Secret'));
    if (secret) all.push(secret);
  } finally {
    api.close();
  }
  return { objects: all, unseen };
}

async function listServed(api: KubeApi, kind: Kind): Promise<AnyObject[]> {
  try {
    return (await api.list(resources[kind])).items;
  } catch (error) {
    const served = isStatus(error, 404) ? await servedAs(api, resources[kind]) : 'unknown';
    if (typeof served === 'string') throw error;
    return (await api.list(served)).items;
  }
}

/** Documents without kind or metadata (rule files, configurations) are returned unchanged. */
export function fileObjects(file: string): AnyObject[] {
  return readYaml(file)
    .map((document) => document.value)
    .filter(
      (value): value is Record<string, unknown> => typeof value === 'object' && value !== null,
    )
    .flatMap((value) =>
      value.kind === 'List' ? (value.items as Record<string, unknown>[]) : [value],
    )
    .map((value) => ({
      apiVersion: '',
      kind: '',
      ...value,
      metadata: { name: file, ...(value.metadata as object) },
    }));
}
