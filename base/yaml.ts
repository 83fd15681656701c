/** Reads users' YAML into checked values; every error names file, line and column. */
import {
  Document,
  isMap,
  isNode,
  isScalar,
  LineCounter,
  parseAllDocuments,
  type ParsedNode,
  visit,
} from 'yaml';
import type * as z from 'zod';
import { messageOf, type Place, type Problem, UserError } from './errors.js';
import { nearestField } from './known-fields.js';
import { inputName, readInput, tooLarge } from './input.js';
import { type PlainDocument, readPlainDocuments } from './yaml-plain.js';
import { readAsTexts } from './yaml-texts.js';

export type Path = readonly (string | number)[];

/** Notes a mistake at a path of a document. */
export type At = (path: Path, message: string, expected?: string) => void;

interface YamlNodes {
  document: Document;
  lines: LineCounter;
  text: string;
}

/** A document read by the plain reader, with the text that its places refer to. */
interface PlainSource {
  document: PlainDocument;
  text: string;
  lines: () => LineCounter;
}

/** One YAML document with the places of its nodes. */
export class YamlDocument {
  readonly file: string;
  readonly value: unknown;
  readonly nodes: () => YamlNodes;
  readonly #plain: PlainSource | undefined;

  /** `nodes` is only called for a place that the plain source does not have. */
  constructor(file: string, value: unknown, nodes: () => YamlNodes, plain?: PlainSource) {
    this.file = file;
    this.value = value;
    this.nodes = nodes;
    this.#plain = plain;
  }

  /** The objects of a list of objects, as OpenSLO allows it, or of a Kubernetes List; otherwise the document alone. */
  get parts(): YamlDocument[] {
    const value = this.value as { kind?: unknown; items?: unknown } | null;
    const isList = Array.isArray(value);
    const items: unknown = isList ? value : String(value?.kind).endsWith('List') && value?.items;
    if (!Array.isArray(items) || !items.some((item) => item instanceof Object)) return [this];
    return items.map((item: unknown, i) => {
      const nodes = (): YamlNodes => {
        const document = new Document();
        document.contents = this.#document.getIn(isList ? [i] : ['items', i], true) as ParsedNode;
        return { ...this.nodes(), document };
      };
      return new YamlDocument(this.file, item, nodes);
    });
  }

  get #document(): Document {
    return this.nodes().document;
  }

  get #lines(): LineCounter {
    return this.nodes().lines;
  }

  /** The scalar at `path` as written: `1.0`, which as a number would be 1. Undefined if there is no scalar. */
  textOf(path: Path): string | undefined {
    const node: unknown = this.#document.getIn(path, true);
    if (!isScalar(node)) return undefined;
    return node.source ?? String(node.value);
  }

  /**
   * The value with numbers and booleans below any of `keys` replaced by the written text: labels such as `{ tier: 1,
   * since: 2.10 }` are text to their readers. Other values, and null, stay.
   */
  withTextsBelow(keys: ReadonlySet<string>): YamlDocument {
    const go = (value: unknown, path: Path, below: boolean): unknown => {
      if (Array.isArray(value)) return value.map((v, i) => go(v, [...path, i], below));
      if (typeof value === 'object' && value !== null) {
        return Object.fromEntries(
          Object.entries(value).map(([k, v]) => [k, go(v, [...path, k], below || keys.has(k))]),
        );
      }
      const isText = typeof value !== 'number' && typeof value !== 'boolean';
      return !below || isText ? value : (this.textOf(path) ?? String(value));
    };
    return new YamlDocument(this.file, go(this.value, [], false), this.nodes, this.#plain);
  }

  /** The value with each text of a field replaced; `isPlain` tells whether it is written without quotes. */
  withTexts(
    change: (field: string, text: string, isPlain: () => boolean) => unknown,
  ): YamlDocument {
    const go = (value: unknown, path: Path): unknown => {
      if (Array.isArray(value)) return value.map((v, i) => go(v, [...path, i]));
      if (typeof value === 'object' && value !== null) {
        return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, go(v, [...path, k])]));
      }
      const field = path.at(-1);
      if (typeof value !== 'string' || typeof field !== 'string') return value;
      return change(field, value, () => this.isPlain(path));
    };
    return new YamlDocument(this.file, go(this.value, []), this.nodes, this.#plain);
  }

  /** The value without fields that are null, which Go takes for absent. */
  withoutNulls(): YamlDocument {
    const go = (value: unknown): unknown => {
      if (Array.isArray(value)) return value.map(go);
      if (typeof value !== 'object' || value === null) return value;
      const present = Object.entries(value).filter(([, v]) => v !== null);
      return Object.fromEntries(present.map(([k, v]) => [k, go(v)]));
    };
    return new YamlDocument(this.file, go(this.value), this.nodes, this.#plain);
  }

  /** The place of the value at `path`, or of its nearest existing ancestor. */
  placeOf(path: Path): Place {
    const plain = this.#plain?.document.find(path);
    if (plain) return this.#at(plain.value);
    for (let length = path.length; length >= 0; length--) {
      const node =
        length === 0 ? this.#document.contents : this.#document.getIn(path.slice(0, length), true);
      if (isNode(node) && node.range) return this.#at(node.range[0]);
    }
    return { file: this.file, line: 1, column: 1 };
  }

  /** The place of the key itself, for errors about unknown fields. */
  placeOfKey(path: Path): Place {
    const plain = this.#plain?.document.find(path)?.key;
    if (plain !== undefined) return this.#at(plain);
    const parent =
      path.length === 1 ? this.#document.contents : this.#document.getIn(path.slice(0, -1), true);
    const key = path[path.length - 1];
    if (isMap(parent)) {
      const keys = parent.items.map((pair) => pair.key).filter(isNode);
      // A key that is itself a map or a list, such as a Helm template, has no text of its own to compare.
      const node =
        keys.find((k) => isScalar(k) && String(k.value) === String(key)) ??
        keys.find((k) => !isScalar(k));
      if (node?.range) return this.#at(node.range[0]);
    }
    return this.placeOf(path);
  }

  /** The place of a character inside the scalar at `path` (for errors within a PromQL expression). */
  placeWithin(path: Path, offset: number): Place {
    const { start, style, value } = this.#scalarAt(path);
    if (start === undefined) return this.placeOf(path);
    if (style === 'plain' && !value.includes('\n')) return this.#at(start + offset);
    if (style === 'quoted') return this.#at(start + 1 + offset);
    const header = this.#at(start);
    if (style !== 'literal') return header;
    const before = value.slice(0, offset).split('\n');
    return {
      file: this.file,
      line: header.line + before.length,
      column: this.#indentOf(start, value) + (before[before.length - 1] ?? '').length + 1,
    };
  }

  /** Whether the scalar at `path` is written without quotes. */
  isPlain(path: Path): boolean {
    return this.#scalarAt(path).style === 'plain';
  }

  #scalarAt(path: Path): { start?: number; style: string; value: string } {
    const plain = this.#plain;
    const start = plain?.document.find(path)?.value;
    if (plain && start !== undefined) {
      const first = plain.text[start] ?? '';
      const style = first === '|' ? 'literal' : /["']/.test(first) ? 'quoted' : 'plain';
      let value = plain.document.value;
      for (const step of path) value = (value as Record<string | number, unknown>)[step];
      if (typeof value === 'object') return { start, style: '', value: '' };
      return { start, style, value: String(value) };
    }
    const node = this.#document.getIn(path, true);
    if (!isNode(node) || !node.range) return { style: '', value: '' };
    const value = String((node as { value?: unknown }).value ?? '');
    const type = (node as { type?: string }).type ?? '';
    const style = yamlStyles[type] ?? '';
    return { start: node.range[0], style, value };
  }

  /** The spaces before each line of a literal block: those in the file that the value itself does not have. */
  #indentOf(start: number, value: string): number {
    const text = this.#plain?.text ?? this.nodes().text;
    const spaces = (block: string): number => /^(?:[ \t]*\r?\n)*( *)/.exec(block)?.[1]?.length ?? 0;
    return spaces(text.slice(text.indexOf('\n', start) + 1)) - spaces(value);
  }

  #at(offset: number): Place {
    const { line, col } = (this.#plain?.lines() ?? this.#lines).linePos(offset);
    return { file: this.file, line: Math.max(1, line), column: Math.max(1, col) };
  }
}

const yamlStyles: Record<string, string> = {
  PLAIN: 'plain',
  QUOTE_SINGLE: 'quoted',
  QUOTE_DOUBLE: 'quoted',
  BLOCK_LITERAL: 'literal',
};

const maxBytes = 16 * 1024 * 1024;

/** Limit for handwritten files; a larger file is probably the wrong one, and takes seconds to refuse. */
export const handwrittenBytes = 1024 * 1024;

export interface YamlOptions {
  /** Every scalar stays the written text (`1.10`, `yes`), as in Go. */
  texts?: boolean;
  /** Default: 16 MiB. */
  bytesMax?: number;
}

/** All documents in a text; throws a UserError for syntax errors, duplicate keys and alias bombs. */
export function parseYaml(file: string, text: string, options: YamlOptions = {}): YamlDocument[] {
  const { bytesMax = maxBytes } = options;
  if (text.length > bytesMax) throw tooLarge(file, bytesMax);
  if (text.length > plainFromBytes) {
    let parsed: YamlNodes[] | undefined;
    const nodes = (i: number): YamlNodes =>
      (parsed ??= parseNodes(file, text, options))[i] as YamlNodes;
    const json = options.texts ? undefined : readJsonText(text);
    if (json) return json.map((value, i) => new YamlDocument(file, value, () => nodes(i)));
    let counted: LineCounter | undefined;
    const lines = (): LineCounter => (counted ??= linesOf(text));
    const plain = readPlainDocuments(text, options.texts ?? false);
    if (plain) {
      return plain.map(
        (document, i) =>
          new YamlDocument(file, document.value, () => nodes(i), { document, text, lines }),
      );
    }
  }
  return parseNodes(file, text, options).map((nodes) => {
    try {
      const value: unknown = nodes.document.toJS({ maxAliasCount: 100 });
      return new YamlDocument(file, value, () => nodes);
    } catch (error) {
      throw new UserError({ place: { file, line: 1, column: 1 }, message: messageOf(error) });
    }
  });
}

function linesOf(text: string): LineCounter {
  const lines = new LineCounter();
  lines.addNewLine(0);
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) {
    lines.addNewLine(at + 1);
  }
  return lines;
}

/** Reads JSON, which is valid YAML, forty times faster; undefined unless it is JSON without duplicate keys. */
function readJsonText(text: string): unknown[] | undefined {
  if (!/^\s*[{[]/.test(text)) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  let written = 0;
  // Neither count makes garbage: a controller reads a registry of ten thousand endpoints at each change.
  const string = /"(?:[^"\\]|\\.)*"/g;
  while (string.test(text)) {
    let at = string.lastIndex;
    while (text.charCodeAt(at) <= 32) at++;
    if (text[at] === ':') written++;
  }
  return written === countKeys(value) ? [value] : undefined;
}

function countKeys(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  const isList = Array.isArray(value);
  let count = 0;
  for (const key in value) {
    if (!isList) count++;
    count += countKeys((value as Record<string, unknown>)[key]);
  }
  return count;
}

/** From this size on, plain text is read line by line, and nodes are only made if a place is needed. */
const plainFromBytes = 32 * 1024;

function parseNodes(file: string, text: string, options: YamlOptions = {}): YamlNodes[] {
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, {
    lineCounter: lines,
    uniqueKeys: true,
    prettyErrors: false,
    // Keys that are maps or lists become text without a warning on standard error; the schemas refuse them.
    logLevel: 'error',
    // `<<` merges, as in Go: Prometheus, Sloth and Kubernetes take it.
    merge: true,
    ...(options.texts ? { schema: 'failsafe' as const } : {}),
  });
  if (!Array.isArray(documents)) return [];
  const problems: Problem[] = [];
  for (const document of documents) {
    if (options.texts) problems.push(...readAsTexts(file, document, lines, text));
    const loop = text.includes('&') && document.errors.length === 0 ? loopIn(document) : undefined;
    if (loop !== undefined) {
      const { line, col: column } = lines.linePos(loop);
      problems.push({ place: { file, line, column }, message: 'an alias within its own anchor' });
    }
    for (const error of document.errors) {
      // Further syntax errors are consequences of the first one.
      if (problems.length > 0 && error.code !== 'DUPLICATE_KEY') continue;
      const { line, col } = lines.linePos(error.pos[0]);
      const place = { file, line: Math.max(1, line), column: Math.max(1, col) };
      const deep = /call stack/.test(error.message);
      const message = deep ? 'this is nested too deeply' : error.message;
      const isTemplate = /^\s*\{\{-?\s*\S/m.test(text);
      problems.push({
        place,
        message,
        ...(isTemplate && { expected: 'the output of a template' }),
      });
    }
  }
  if (problems.length > 0) throw new UserError(problems);
  // A document of comments alone has no contents, or nothing as its value.
  return documents
    .filter((d) => !isNothing(d.contents))
    .map((document) => ({ document, lines, text }));
}

/** The offset of an alias to a value that contains it, which has no end as a value. */
function loopIn(document: Document): number | undefined {
  let found: number | undefined;
  visit(document, {
    Alias(_, alias, above) {
      const source = alias.resolve(document);
      if (source === undefined || !above.includes(source)) return undefined;
      found = alias.range?.[0];
      return visit.BREAK;
    },
  });
  return found;
}

const isNothing = (contents: unknown): boolean =>
  contents === null || (isScalar(contents) && contents.value === null);

/** Reads a file, or standard input as `-`; throws a UserError that names a missing or unreadable one. */
export function readYaml(file: string, options: YamlOptions = {}): YamlDocument[] {
  return parseYaml(inputName(file), readInput(file, options.bytesMax ?? maxBytes), options);
}

/** The mistakes of one document against a schema, each with its place; empty if it fits. */
export function problemsOf(
  document: YamlDocument,
  error: z.ZodError,
  schema?: z.ZodType,
): Problem[] {
  const problems: Problem[] = [];
  for (const { issue, path } of error.issues.flatMap((i) => plainIssues(i, []))) {
    if (issue.code === 'unrecognized_keys') {
      for (const key of issue.keys) {
        const near = schema && nearestField(schema, path, key, document.value);
        problems.push({
          place: document.placeOfKey([...path, key]),
          message: `unknown field '${key}'${path.length > 0 ? ` in ${path.join('.')}` : ''}`,
          ...(near !== undefined && { expected: near }),
        });
      }
      continue;
    }
    const field = path.length > 0 ? `${path.join('.')}: ` : '';
    const place = issue.code === 'invalid_key' ? document.placeOfKey(path) : document.placeOf(path);
    problems.push({ place, message: `${field}${wordsOf(issue)}` });
  }
  return problems;
}

const kinds: Record<string, string> = {
  array: 'a list',
  object: 'a map of fields',
  record: 'a map of fields',
  string: 'text',
  number: 'a number',
  boolean: 'true or false',
};

/** Zod's own messages name its types; the message of a schema is kept. */
export function wordsOf(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_type' && issue.message.startsWith('Invalid input')) {
    const missing = issue.message.endsWith('received undefined') ? 'is missing; ' : '';
    return `${missing}expected ${kinds[issue.expected] ?? issue.expected}`;
  }
  if (issue.code === 'invalid_value' && issue.message.startsWith('Invalid')) {
    return `expected ${issue.values.length > 1 ? 'one of ' : ''}${issue.values.join(', ')}`;
  }
  if (issue.code === 'invalid_union' && issue.message.startsWith('Invalid discriminator')) {
    const [, words = ''] = /Expected (.*)$/.exec(issue.message) ?? [];
    return `expected one of ${words.replaceAll("'", '').replaceAll(' | ', ', ')}`;
  }
  if (issue.code === 'invalid_union' && issue.message === 'Invalid input') {
    const each = issue.errors.flatMap((issues) => issues.slice(0, 1).map(wordsOf));
    return [...new Set(each)].join(', or ');
  }
  if (issue.code === 'invalid_key' && issue.message.startsWith('Invalid')) {
    return issue.issues.slice(0, 1).map(wordsOf).join('');
  }
  // A bound without its own message: "Too small: expected number to be >=0".
  const words = /^Too (?:small|big): expected \w+ to (?:be|have) ([<>]=?)(.+)/.exec(issue.message);
  if (words) return `expected ${boundWords[words[1] as string]} ${words[2]}`;
  return issue.message;
}

const boundWords: Record<string, string> = {
  '>=': 'at least',
  '<=': 'at most',
  '>': 'more than',
  '<': 'less than',
};

interface PlacedIssue {
  issue: z.core.$ZodIssue;
  path: Path;
}

/** If no branch of a union fits, reports the mistakes in the branch of the value's type and fields, deeper inside. */
function plainIssues(issue: z.core.$ZodIssue, prefix: Path): PlacedIssue[] {
  const path = [...prefix, ...(issue.path as Path)];
  if (issue.code === 'invalid_union') {
    const fitting = issue.errors.filter(
      (issues) =>
        issues.length > 0 &&
        !issues.some((i) => i.path.length === 0 && /^invalid_(type|value)$/.test(i.code)),
    );
    const isOfAnother = (i: z.core.$ZodIssue): boolean =>
      i.path.length === 0 && i.code === 'unrecognized_keys';
    const branch = fitting.find((issues) => !issues.some(isOfAnother)) ?? fitting[0];
    if (branch) return branch.flatMap((i) => plainIssues(i, path));
  }
  return [{ issue, path }];
}

/** The document's value in the schema's type; throws a UserError with every mistake and its place. */
export function checkYaml<S extends z.ZodType>(document: YamlDocument, schema: S): z.output<S> {
  const result = schema.safeParse(document.value);
  if (result.success) return result.data;
  throw new UserError(problemsOf(document, result.error, schema));
}
