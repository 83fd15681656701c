/** `firedrill inject FILE`: injects every pod template in a stream of YAML documents, with the webhook's own code. */
import type { AnyObject, ObjectMeta } from '../client/objects.js';
import { annotations } from '../annotations.js';
import { isMeshed } from '../discovery/workload.js';
import { editYaml } from './edit-yaml.js';
import { injectPod, type InjectOptions, type PodLike, uninjectPod } from './inject.js';

export interface OfflineResult {
  yaml: string;
  /** One line for each object that contains a pod. */
  report: string[];
}

interface Found {
  /** The pod, or the template of pods. */
  pod: PodLike;
  replace(pod: PodLike): void;
}

type Tree = Record<string, unknown>;

/** Finds an object's pod: the object itself, its template, or a CronJob's nested template. */
function podIn(object: AnyObject): Found | undefined {
  const spec = object.spec as Tree | undefined;
  if (object.kind === 'Pod') {
    return hasContainers(object)
      ? {
          pod: object as unknown as PodLike,
          replace: (pod) => Object.assign(object, pod),
        }
      : undefined;
  }
  const job = (spec?.jobTemplate as Tree | undefined)?.spec as Tree | undefined;
  const nested = object.kind === 'CronJob' ? job : spec;
  const holder = object.kind === 'PodTemplate' ? (object as unknown as Tree) : nested;
  const template = holder?.template;
  if (!holder || !hasContainers(template)) return undefined;
  return {
    pod: { ...template, metadata: template.metadata ?? {} },
    replace: ({ metadata, ...rest }) => {
      // A template without metadata gets none by being uninjected.
      const isBare = Object.keys(metadata).length === 0;
      holder.template = isBare ? rest : { metadata, ...rest };
    },
  };
}

function hasContainers(pod: unknown): pod is PodLike {
  const spec = (pod as PodLike | null | undefined)?.spec as Partial<PodLike['spec']> | undefined;
  const isList = (list: unknown): boolean =>
    Array.isArray(list) && list.every((c) => typeof c === 'object' && c !== null);
  return (
    [spec?.containers, spec?.initContainers ?? [], spec?.volumes ?? []].every(isList) &&
    spec?.containers?.length !== 0
  );
}

const nameOf = ({ kind, metadata }: AnyObject): string =>
  `${kind.toLowerCase()}/${ownName(metadata) ?? '(without a name)'}`;
const ownName = (metadata: ObjectMeta | undefined): string | undefined =>
  metadata?.name ?? metadata?.generateName;

/** Throws a UserError for YAML that cannot be parsed. Documents without a pod are returned unchanged. */
export function injectYaml(file: string, text: string, options: InjectOptions): OfflineResult {
  const report: string[] = [];
  return {
    report,
    yaml: mapObjects(file, text, report, (object, found) => {
      const namespace = object.metadata.namespace ?? 'default';
      // The user named the file, so pods without an annotation are injected, too.
      const fallback = { [annotations.inject]: 'enabled' };
      const owned = withOwner(found.pod, object);
      const result = injectPod(owned, { name: namespace, annotations: fallback }, options);
      if ('skipped' in result) {
        report.push(`${nameOf(object)} skipped: ${result.message}`);
        return;
      }
      if (object.kind !== 'Pod') delete result.pod.metadata.ownerReferences;
      found.replace(result.pod);
      const isHere = object.metadata.namespace !== undefined;
      // Its identity is of that namespace, and kubectl apply -n would create it in another.
      report.push(
        `${nameOf(object)} injected${isHere ? '' : ' for namespace default, as it names none'}`,
      );
    }),
  };
}

/** Adds the future owner to the template's pods, so that the proxy's workload name is the one that they will have. */
function withOwner(pod: PodLike, object: AnyObject): PodLike {
  if (object.kind === 'Pod') return pod;
  const name = ownName(object.metadata)?.replace(/-$/, '') ?? '';
  const owner = { apiVersion: object.apiVersion, kind: object.kind, name };
  const metadata: Partial<ObjectMeta> = { ...pod.metadata, ownerReferences: [owner] };
  return { ...pod, metadata };
}

export function uninjectYaml(file: string, text: string): OfflineResult {
  const report: string[] = [];
  return {
    report,
    yaml: mapObjects(file, text, report, (object, found) => {
      if (!isMeshed(found.pod)) {
        report.push(`${nameOf(object)} skipped: it has no proxy`);
        return;
      }
      found.replace(uninjectPod(found.pod));
      report.push(`${nameOf(object)} uninjected`);
    }),
  };
}

/** Calls `change` with each object that contains a pod; says which others should contain one. */
function mapObjects(
  file: string,
  text: string,
  report: string[],
  change: (object: AnyObject, found: Found) => void,
): string {
  const walk = (value: unknown): void => {
    const object = value as AnyObject | null;
    if (typeof object?.kind !== 'string') return;
    const { items } = object as { items?: unknown };
    if (object.kind.endsWith('List') && Array.isArray(items)) return items.forEach(walk);
    const found = podIn(object);
    if (found && object.metadata) change(object, found);
    else if (found) report.push(`${nameOf(object)} skipped: it has no metadata`);
    else if (withPods.has(object.kind)) report.push(`${nameOf(object)} skipped: ${noPod(object)}`);
  };
  return editYaml(file, text, walk);
}

const withPods = new Set(
  'Pod Deployment StatefulSet DaemonSet ReplicaSet ReplicationController Job CronJob PodTemplate Rollout'.split(
    ' ',
  ),
);

function noPod(object: AnyObject): string {
  const of = (object.spec as { workloadRef?: { kind: string; name: string } } | null)?.workloadRef;
  return of ? `its pods are those of ${of.kind} ${of.name}` : 'it has no list of containers';
}
