/** Changes values in users' manifests as kubectl reads them, in YAML 1.1, and leaves the rest as it is written. */
import { isDeepStrictEqual } from 'node:util';
import {
  type Document,
  isCollection,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseAllDocuments,
  visit,
  type YAMLMap,
} from 'yaml';
import { UserError } from '../../../base/errors.js';
import { parseYaml } from '../../../base/yaml.js';

type Tree = Record<string, unknown>;

/** `change` changes the documents' values. Throws a UserError for YAML that cannot be parsed. */
export function editYaml(file: string, text: string, change: (value: unknown) => void): string {
  // Parsed once with our own reader, for errors with places; then as plain documents.
  parseYaml(file, text);
  const documents = documentsOf(file, text);
  const out: string[] = [];
  let changed = false;
  for (const document of documents) {
    if (document.toJS() === null) continue;
    const plain = document.clone();
    resolveAliases(plain);
    const before: unknown = plain.toJS();
    const after = structuredClone(before);
    change(after);
    const isSame = isDeepStrictEqual(before, after);
    if (!isSame) plain.contents = updated(plain, plain.contents as Node, before, after) as never;
    changed ||= !isSame;
    // A document's own first line of dashes is kept, and joins the list below.
    out.push((isSame ? document : plain).toString({ lineWidth: 0, directives: false }));
  }
  return changed ? out.join('---\n') : text;
}

/** Two uses of one anchor are two values: a change of one must not reach the other. */
function resolveAliases(document: Document): void {
  visit(document, { Alias: (_key, alias) => alias.resolve(document)?.clone() as Node });
  visit(document, {
    Map: (_key, map) => {
      delete map.anchor;
      mergedInto(map);
    },
    Seq: (_key, seq) => void delete seq.anchor,
    Scalar: (_key, scalar) => void delete scalar.anchor,
  });
}

/** Replaces a map's `<<` by the pairs that `<<` stands for. */
function mergedInto(map: YAMLMap): void {
  for (;;) {
    const at = map.items.findIndex(isMerge);
    if (at < 0) return;
    const value = map.items.splice(at, 1)[0]?.value;
    for (const source of isSeq(value) ? value.items : [value]) {
      for (const pair of isMap(source) ? source.items : []) {
        if (isMerge(pair) || !pairOf(map, keyOf(pair))) map.items.push(pair.clone());
      }
    }
  }
}

const keyOf = ({ key }: Pair): string => String(isScalar(key) ? key.value : key);
const isMerge = ({ key }: Pair): boolean =>
  isScalar(key) && key.type === 'PLAIN' && key.source === '<<';
const pairOf = (map: YAMLMap, key: string): Pair | undefined =>
  map.items.find((pair) => keyOf(pair) === key);

function documentsOf(file: string, text: string): Document[] {
  const lineCounter = new LineCounter();
  const documents = parseAllDocuments(text, {
    version: '1.1',
    compat: 'yaml-1.1',
    lineCounter,
    // Kubectl reads dates and 12:30 as text; and a number is written as it was read, since 0400 is not 400.
    customTags: (tags) =>
      tags
        .filter((t) => typeof t === 'string' || !/timestamp/.test(t.tag))
        .filter((t) => typeof t === 'string' || !('format' in t) || t.format !== 'TIME')
        .map((t) =>
          typeof t === 'string' || !('test' in t) || !t.stringify
            ? t
            : { ...t, stringify: (node, ...rest) => node.source ?? t.stringify!(node, ...rest) },
        ),
  });
  if (!Array.isArray(documents)) return [];
  for (const document of documents) {
    visit(document, {
      Pair: (_key, { key }) => {
        if (!isCollection(key)) return;
        const { line, col } = lineCounter.linePos(key.range?.[0] ?? 0);
        const message = 'a key is a map; a template must be rendered first, as by helm template';
        throw new UserError({ place: { file, line, column: col }, message });
      },
    });
  }
  return documents;
}

/** Keeps the node as written if it equals `after`, and changes it otherwise. */
function updated(document: Document, node: Node | null, before: unknown, after: unknown): Node {
  if (isDeepStrictEqual(before, after) && node) return node;
  if (isMap(node) && isTree(before) && isTree(after)) {
    node.items = node.items.filter((pair) => keyOf(pair) in after);
    for (const [key, value] of Object.entries(after)) {
      if (value === undefined) continue;
      const pair = pairOf(node, key);
      const made = updated(document, (pair?.value ?? null) as Node | null, before[key], value);
      if (pair) pair.value = made;
      else node.set(document.createNode(key), made);
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
  return document.createNode(after) as Node;
}

const isTree = (value: unknown): value is Tree =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const nameIn = (value: unknown): unknown => (isTree(value) ? value.name : undefined);
