/** Applies an installation server-side, in order, and waits until it works. */
import { type Clock, realClock, sleep } from '../../../base/clock.js';
import { exitCode, messageOf, UserError } from '../../../base/errors.js';
import { ApiError, isStatus, type KubeApi } from '../client/api.js';
import { type AnyObject, type Kind, meshGroup, resourceOf, resources } from '../client/objects.js';
import { annotations, labels } from '../annotations.js';
import type { Pod } from '../discovery/types.js';
import { customKinds } from '../crds/definitions.js';
import { isMeshed } from '../discovery/workload.js';
import { proveInjection } from './injection-proof.js';
import { names, nodeNamespaceOf } from './names.js';
import { type PerNode, type Rolled, unreadyNodes, whyNotRolledOut } from './rolled-out.js';

const manager = 'firedrill-install';

export interface ApplyReport {
  kind: string;
  name: string;
  /** `created`, `configured`, `unchanged`, `deleted`, `pruned`, or `kept: ` with the reason. */
  done: string;
}

/** Stops at the first refused object, and names it. */
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

/**
 * Waits until all pods of Deployments and DaemonSets are available and of the applied version, and the API server has
 * new pods injected if `objects` include the injector. Throws a UserError with the missing parts. Returns the reason if
 * injection could not be proven.
 */
export async function waitAvailable(
  api: KubeApi,
  objects: readonly AnyObject[],
  withinMs: number,
): Promise<string | undefined> {
  const deployments = objects.filter((o) => o.kind === 'Deployment');
  const daemonSets = objects.filter((o) => o.kind === 'DaemonSet');
  const injects = objects.some((o) => o.kind === 'MutatingWebhookConfiguration');
  let unproven: string | undefined;
  await waitFor(withinMs, async () => {
    for (const { metadata } of deployments) {
      const { Deployment } = resources;
      const found = await api.find<Rolled>(Deployment, metadata.namespace, metadata.name);
      const reason = found ? whyNotRolledOut(found) : 'it does not exist';
      if (reason !== undefined) return `Deployment ${metadata.name}: ${reason}`;
    }
    for (const { metadata } of daemonSets) {
      const { DaemonSet } = resources;
      const found = await api.find<PerNode>(DaemonSet, metadata.namespace, metadata.name);
      const reason = unreadyNodes(found);
      if (reason !== undefined) return `DaemonSet ${metadata.name}: ${reason}`;
    }
    const proof = injects ? await proveInjection(api) : undefined;
    if (proof?.state === 'missing') return proof.reason;
    if (proof?.state === 'unknown') unproven = proof.reason;
    return undefined;
  });
  return unproven;
}

/** An API server that does not answer takes 30 s of the time for each call. */
export async function waitFor(
  withinMs: number,
  missing: () => Promise<string | undefined>,
  clock: Pick<Clock, 'monotonicMs'> = realClock,
): Promise<void> {
  const endMs = clock.monotonicMs() + withinMs;
  for (;;) {
    const what = await missing().catch(messageOf);
    if (what === undefined) return;
    if (clock.monotonicMs() >= endMs)
      throw new UserError(`after ${withinMs / 1000}s: ${what}`, exitCode.failed);
    await sleep(250);
  }
}

/** Kinds of an installation in the order of their removal: objects that call us first, CRDs last. */
const removable: readonly Kind[] = [
  'MutatingWebhookConfiguration',
  'ValidatingWebhookConfiguration',
  'PodDisruptionBudget',
  'Deployment',
  'DaemonSet',
  'Service',
  'NetworkPolicy',
  'ConfigMap',
  'PodMonitor',
  'PrometheusRule',
  'Secret',
  'RoleBinding',
  'Role',
  'ClusterRoleBinding',
  'ClusterRole',
  'ServiceAccount',
  'CustomResourceDefinition',
  'Namespace',
];

/**
 * Existing objects of this installation: by its own label, and for namespaced objects only in its own namespaces. A
 * common label such as part-of is used by others too, and proves nothing.
 */
export async function installedObjects(api: KubeApi, namespace: string): Promise<AnyObject[]> {
  const found: AnyObject[] = [];
  for (const kind of removable) {
    const { namespaced } = resources[kind];
    try {
      for (const where of namespaced ? [namespace, nodeNamespaceOf(namespace)] : [undefined]) {
        const labelSelector = `${labels.installation}=${namespace}`;
        const { items } = await api.list(resources[kind], { labelSelector, namespace: where });
        found.push(...items.filter((o) => !isShared(o)));
      }
    } catch (error) {
      // Another project's kind, which is not installed here.
      if (!isStatus(error, 404)) throw error;
    }
  }
  return found;
}

/** SMI's definition is shared by all products that split traffic, regardless of its installer. */
const isShared = (o: AnyObject): boolean =>
  o.kind === 'CustomResourceDefinition' && !o.metadata.name.endsWith(`.${meshGroup}`);

/** Leaves out existing definitions of other projects: they may have stored objects of versions that ours lacks. */
export async function withoutForeign(
  api: KubeApi,
  objects: readonly AnyObject[],
  say: (line: string) => void,
): Promise<AnyObject[]> {
  const kept: AnyObject[] = [];
  for (const object of objects) {
    const { name } = object.metadata;
    const there = isShared(object)
      ? await api.find(resources.CustomResourceDefinition, undefined, name)
      : undefined;
    if (!there || there.metadata.labels?.[labels.partOf] === 'firedrill') kept.push(object);
    else say(`customresourcedefinition/${name} left as it is: somebody else installed it`);
  }
  return kept;
}

const identity = (o: AnyObject): string =>
  `${o.kind} ${o.metadata.namespace ?? ''}/${o.metadata.name}`;

/**
 * Deletes objects that an earlier version installed and this one does not. Keeps definitions of custom resources, and a
 * canary's controller while a namespace or a pod follows it, because it would be left without one.
 */
export async function prune(
  api: KubeApi,
  wanted: readonly AnyObject[],
  namespace: string,
  onDone: (report: ApplyReport) => void,
): Promise<void> {
  const keep = new Set(wanted.map(identity));
  const followers = await revisionFollowers(api);
  for (const object of await installedObjects(api, namespace)) {
    const { kind, metadata } = object;
    if (keep.has(identity(object)) || kind === 'CustomResourceDefinition' || kind === 'Namespace')
      continue;
    const [revision, follower] = [...followers].find(([r]) => isOfRevision(r, metadata.name)) ?? [];
    if (follower !== undefined) {
      onDone({ kind, name: metadata.name, done: `kept: ${follower} follows revision ${revision}` });
      continue;
    }
    await api.remove(resourceOf(kind), metadata.namespace, metadata.name);
    onDone({ kind, name: metadata.name, done: 'pruned' });
  }
}

/** Objects of the revision's controller; without its configuration the controller's next pod would not start. */
const isOfRevision = (revision: string, name: string): boolean =>
  [revision, `${revision}-config`].some((end) => name === `${names.controller}-${end}`);

/** One follower of each revision: a namespace by its annotation, or a running pod by its proxy's configuration. */
async function revisionFollowers(api: KubeApi): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const kind of ['Pod', 'Namespace'] as const) {
    for (const { metadata } of (await api.list(resources[kind])).items) {
      const wanted = metadata.annotations?.[annotations.revision];
      const config = metadata.annotations?.[annotations.proxyConfig] ?? '';
      const used = new RegExp(`"${names.controller}-([a-z0-9-]+)\\.`).exec(config)?.[1];
      const who = `${kind.toLowerCase()} ${metadata.namespace ? `${metadata.namespace}/` : ''}${metadata.name}`;
      for (const revision of [wanted, used]) if (revision) found.set(revision, who);
    }
  }
  return found;
}

/** Pods with a proxy, which would lose their control plane. */
export async function meshedPods(api: KubeApi): Promise<string[]> {
  const { items } = await api.list<Pod>(resources.Pod);
  return items.filter(isMeshed).map((p) => `${p.metadata.namespace}/${p.metadata.name}`);
}

/** Users' objects whose definitions go with the installation, and which then go, too: their policies and routes. */
export async function usersObjects(api: KubeApi): Promise<string[]> {
  const found: string[] = [];
  for (const kind of customKinds.filter((k) => resources[k].group === meshGroup)) {
    const items = await api.list(resources[kind]).then(
      (list) => list.items,
      (error: unknown) => {
        if (isStatus(error, 404)) return [];
        throw error;
      },
    );
    found.push(...items.map(({ metadata: m }) => `${kind} ${m.namespace}/${m.name}`));
  }
  return found;
}

const ownable: readonly Kind[] = [
  'Pod',
  'Deployment',
  'StatefulSet',
  'DaemonSet',
  'CronJob',
  'Job',
  'PersistentVolumeClaim',
  'Service',
  'ConfigMap',
  'Secret',
];

/** A namespace goes with all that is in it, so it stays while somebody else's objects are there. */
export async function whyKept(api: KubeApi, object: AnyObject): Promise<string | undefined> {
  if (object.kind !== 'Namespace') return undefined;
  const namespace = object.metadata.name;
  for (const kind of ownable) {
    for (const { metadata, type } of (await api.list(resources[kind], { namespace })).items) {
      const { name, labels: own = {}, ownerReferences = [] } = metadata;
      // The cluster and Helm put such objects into every namespace.
      const isCommon =
        name === 'kube-root-ca.crt' || /^(kubernetes\.io|helm\.sh)\//.test(String(type));
      if (own[labels.installation] !== undefined || ownerReferences.length > 0 || isCommon)
        continue;
      return `${kind.toLowerCase()}/${name} in it is somebody else's`;
    }
  }
  return undefined;
}

export async function removeAll(
  api: KubeApi,
  namespace: string,
  onDone: (report: ApplyReport) => void,
): Promise<void> {
  for (const object of await installedObjects(api, namespace)) {
    const { kind, metadata } = object;
    const why = await whyKept(api, object);
    if (why !== undefined) {
      onDone({ kind, name: metadata.name, done: `kept: ${why}` });
      continue;
    }
    const gone = await api.remove(resourceOf(kind), metadata.namespace, metadata.name);
    if (gone) onDone({ kind, name: metadata.name, done: 'deleted' });
  }
}
