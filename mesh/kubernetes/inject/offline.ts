/** `firedrill inject FILE`: injects every pod template in a stream of YAML documents, with the webhook's own code. */
import { isDeepStrictEqual } from 'node:util';
import { type Document, isMap, isSeq, type Node, parseAllDocuments, visit } from 'yaml';
import { parseYaml } from '../../../base/yaml.js';
import type { AnyObject, ObjectMeta } from '../client/objects.js';
import { annotations } from '../annotations.js';
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
    return {
      pod: object as unknown as PodLike,
      replace: (pod) => Object.assign(object, pod),
    };
  }
  const job = (spec?.jobTemplate as Tree | undefined)?.spec as Tree | undefined;
  const holder = object.kind === 'CronJob' ? job : spec;
  const template = holder?.template as PodLike | undefined;
  if (!holder || !template?.spec?.containers) return undefined;
  template.metadata ??= {};
  return { pod: template, replace: (pod) => (holder.template = pod) };
}

const nameOf = (object: AnyObject): string =>
  `${object.kind.toLowerCase()}/${object.metadata.name}`;

/** Throws a UserError for YAML that cannot be parsed. Documents without a pod are returned unchanged. */
export function injectYaml(file: string, text: string, options: InjectOptions): OfflineResult {
  const report: string[] = [];
  return {
    report,
    yaml: mapObjects(file, text, (object, found) => {
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
      report.push(`${nameOf(object)} injected`);
    }),
  };
}

/** Adds the future owner to the template's pods, so that the proxy's workload name is the one that they will have. */
function withOwner(pod: PodLike, object: AnyObject): PodLike {
  if (object.kind === 'Pod') return pod;
  const owner = { apiVersion: object.apiVersion, kind: object.kind, name: object.metadata.name };
  const metadata: Partial<ObjectMeta> = { ...pod.metadata, ownerReferences: [owner] };
  return { ...pod, metadata };
}

export function uninjectYaml(file: string, text: string): OfflineResult {
  const report: string[] = [];
  return {
    report,
    yaml: mapObjects(file, text, (object, found) => {
      found.replace(uninjectPod(found.pod));
      report.push(`${nameOf(object)} uninjected`);
    }),
  };
}

function mapObjects(
  file: string,
  text: string,
  change: (object: AnyObject, found: Found) => void,
): string {
  // Parsed once with our own reader, for errors with places; then as plain documents.
  parseYaml(file, text);
  const documents = parseAllDocuments(text);
  if (!Array.isArray(documents)) return '';
  const out: string[] = [];
  for (const document of documents) {
    const value = document.toJS() as AnyObject | null;
    if (value === null) continue;
    const before = structuredClone(value);
    const items = value.kind === 'List' ? (value.items as AnyObject[]) : [value];
    for (const item of items) {
      const found = item?.kind && item.metadata ? podIn(item) : undefined;
      if (found) change(item, found);
    }
    // Only changed values are written anew: kubectl reads YAML 1.1, in which a word that lost its quotes has another
    // type.
    document.contents = updated(document, document.contents as Node, before, value) as never;
    // A document's own first line of dashes is kept, and joins the list below.
    out.push(document.toString({ lineWidth: 0, directives: false }));
  }
  return out.join('---\n');
}

/** Keeps the node as written if it equals `after`, and changes it otherwise. */
function updated(document: Document, node: Node | null, before: unknown, after: unknown): Node {
  if (isDeepStrictEqual(before, after) && node) return node;
  if (isMap(node) && isTree(before) && isTree(after)) {
    for (const key of Object.keys(before)) if (!(key in after)) node.delete(key);
    for (const [key, value] of Object.entries(after)) {
      if (value === undefined) continue;
      const at = node.get(key, true) as Node | undefined;
      node.set(key, updated(document, at ?? null, before[key], value));
    }
    return node;
  }
  if (isSeq(node) && Array.isArray(before) && Array.isArray(after)) {
    const old = before.map((value: unknown, i) => ({ value, node: node.items[i] as Node }));
    node.items = after.map((value: unknown) => {
      const name = nameIn(value);
      const was = old.find(
        (o) =>
          isDeepStrictEqual(o.value, value) || (name !== undefined && nameIn(o.value) === name),
      );
      return updated(document, was?.node ?? null, was?.value, value);
    });
    return node;
  }
  // New values are quoted as YAML 1.1 needs it.
  return quoted(document.createNode(after) as Node);
}

/** Words that YAML 1.1 reads as booleans, and numbers that only 1.1 knows. */
const ambiguous =
  /^(y|n|yes|no|on|off|true|false|null|~|0o?\d+|[-+]?[\d_]+(:[0-5]?\d)+(\.\d*)?|[\d_]+)$/i;

function quoted(node: Node): Node {
  visit(node, {
    Scalar: (_key, scalar) => {
      if (typeof scalar.value === 'string' && ambiguous.test(scalar.value)) {
        scalar.type = 'QUOTE_DOUBLE';
      }
    },
  });
  return node;
}

const isTree = (value: unknown): value is Tree =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const nameIn = (value: unknown): unknown => (isTree(value) ? value.name : undefined);
