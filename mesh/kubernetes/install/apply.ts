/** Server-side apply of an installation, in order, and the wait until it works. */
import { sleep } from '../../../base/clock.js';
import { exitCode, messageOf, UserError } from '../../../base/errors.js';
import { ApiError, isStatus, type KubeApi } from '../client/api.js';
import { type AnyObject, type Kind, resourceOf, resources } from '../client/objects.js';
import { labels } from '../annotations.js';

const manager = 'firedrill-install';

export interface ApplyReport {
  kind: string;
  name: string;
  done: 'created' | 'configured' | 'unchanged' | 'deleted' | 'pruned';
}

/** Stops at the first object that is refused, and says which. */
export async function applyAll(
  api: KubeApi,
  objects: readonly AnyObject[],
  onDone: (report: ApplyReport) => void,
): Promise<void> {
  let crdsPending: string[] = [];
  for (const object of objects) {
    const { kind, metadata } = object;
    if (kind !== 'CustomResourceDefinition' && crdsPending.length > 0) {
      await established(api, crdsPending);
      crdsPending = [];
    }
    try {
      const before = await api.find(resourceOf(kind), metadata.namespace, metadata.name);
      const after = await api.apply(object, { manager, force: true });
      const same = before?.metadata.resourceVersion === after.metadata.resourceVersion;
      onDone({
        kind,
        name: metadata.name,
        done: !before ? 'created' : same ? 'unchanged' : 'configured',
      });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      throw new UserError(`${kind} ${metadata.name}: ${error.message}`, exitCode.environment);
    }
    if (kind === 'CustomResourceDefinition') crdsPending.push(metadata.name);
  }
}

interface Conditioned extends AnyObject {
  status?: { conditions?: { type: string; status: string; message?: string }[] };
}

const holds = (object: Conditioned | undefined, type: string): boolean =>
  object?.status?.conditions?.some((c) => c.type === type && c.status === 'True') ?? false;

async function established(api: KubeApi, crds: readonly string[]): Promise<void> {
  await waitFor(30_000, async () => {
    for (const name of crds) {
      const crd = await api.find<Conditioned>(resources.CustomResourceDefinition, undefined, name);
      if (!holds(crd, 'Established')) return `CustomResourceDefinition ${name} is not established`;
    }
    return undefined;
  });
}

/** Until every Deployment is available; the UserError says what was still missing. */
export async function waitAvailable(
  api: KubeApi,
  objects: readonly AnyObject[],
  withinMs: number,
): Promise<void> {
  const deployments = objects.filter((o) => o.kind === 'Deployment');
  await waitFor(withinMs, async () => {
    for (const { metadata } of deployments) {
      const found = await api.find<Conditioned>(
        resources.Deployment,
        metadata.namespace,
        metadata.name,
      );
      if (!holds(found, 'Available')) return `Deployment ${metadata.name} is not available`;
    }
    return undefined;
  });
}

async function waitFor(
  withinMs: number,
  missing: () => Promise<string | undefined>,
): Promise<void> {
  for (let waitedMs = 0; ; waitedMs += 250) {
    const what = await missing().catch(messageOf);
    if (what === undefined) return;
    if (waitedMs >= withinMs)
      throw new UserError(`after ${withinMs / 1000}s: ${what}`, exitCode.failed);
    await sleep(250);
  }
}

/** Kinds that an installation may hold, in the order in which they go: what calls us first, CRDs last. */
const removable: readonly Kind[] = [
  'MutatingWebhookConfiguration',
  'ValidatingWebhookConfiguration',
  'PodDisruptionBudget',
  'Deployment',
  'Service',
  'NetworkPolicy',
  'ConfigMap',
  'Secret',
  'RoleBinding',
  'Role',
  'ClusterRoleBinding',
  'ClusterRole',
  'ServiceAccount',
  'CustomResourceDefinition',
  'Namespace',
];

/** What is installed now, by its label. */
export async function installedObjects(api: KubeApi): Promise<AnyObject[]> {
  const found: AnyObject[] = [];
  for (const kind of removable) {
    try {
      const page = await api.list(resources[kind], { labelSelector: `${labels.partOf}=firedrill` });
      found.push(...page.items);
    } catch (error) {
      if (!isStatus(error, 404)) throw error;
    }
  }
  return found;
}

const identity = (o: AnyObject): string =>
  `${o.kind} ${o.metadata.namespace ?? ''}/${o.metadata.name}`;

/** Deletes what an earlier version installed and this one does not. Custom resources' definitions stay. */
export async function prune(
  api: KubeApi,
  wanted: readonly AnyObject[],
  onDone: (report: ApplyReport) => void,
): Promise<void> {
  const keep = new Set(wanted.map(identity));
  for (const object of await installedObjects(api)) {
    if (
      keep.has(identity(object)) ||
      object.kind === 'CustomResourceDefinition' ||
      object.kind === 'Namespace'
    )
      continue;
    await api.remove(resourceOf(object.kind), object.metadata.namespace, object.metadata.name);
    onDone({ kind: object.kind, name: object.metadata.name, done: 'pruned' });
  }
}

export async function removeAll(
  api: KubeApi,
  onDone: (report: ApplyReport) => void,
): Promise<void> {
  for (const object of await installedObjects(api)) {
    const gone = await api.remove(
      resourceOf(object.kind),
      object.metadata.namespace,
      object.metadata.name,
    );
    if (gone) onDone({ kind: object.kind, name: object.metadata.name, done: 'deleted' });
  }
}
