/** Gathers the inputs of diagnostics: the readable objects of a cluster, and the documents of files. */
import { UserError } from '../../../base/errors.js';
import { inputName } from '../../../base/input.js';
import { readYaml } from '../../../base/yaml.js';
import { isStatus, KubeApi } from '../client/api.js';
import { type CredentialOptions, findCredentials } from '../client/credentials.js';
import { type AnyObject, type Kind, resources } from '../client/objects.js';
import { servedAs } from '../client/served.js';
import { at, listAt } from './entry.js';

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
  'PrometheusRule',
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

/** By these fields entries know documents without a kind: rules, configurations, SLOs. */
const kindless = ['groups', 'route', 'scrape_configs', 'slos'];

/** Throws a UserError for a file with nothing that any entry looks at: a look at nothing finds nothing. */
export function fileObjects(file: string): AnyObject[] {
  const found = documentsOf(file);
  if (found.some((o) => o.kind !== '' || kindless.some((field) => o[field] !== undefined)))
    return found;
  throw new UserError({
    message: `${inputName(file)}: no entry looks at such a file`,
    expected: 'manifests, rules, Prometheus or Alertmanager configuration, SLOs',
  });
}

function documentsOf(file: string): AnyObject[] {
  return readYaml(file)
    .map((document) => document.value)
    .flatMap((value) => (at(value, 'kind') === 'List' ? listAt(value, 'items') : [value]))
    .filter(
      (value): value is Record<string, unknown> => typeof value === 'object' && value !== null,
    )
    .map((value) => ({
      apiVersion: '',
      kind: '',
      ...value,
      metadata: { name: file, ...(value.metadata as object) },
    }));
}
