/**
 * Reads the plain part of YAML line by line: block maps and sequences of one-line and literal scalars. Large plain
 * files are common (a thousand SLOs, a registry), and a general parser would take most of a run's time. Anything that
 * is not plain is left to the general parser; a test compares values and places of both.
 */

class NotPlain extends Error {}

const keyPattern = /^([A-Za-z_][\w./-]*):(?: +(\S.*))?$/;
const intPattern = /^[-+]?\d{1,15}$/;
const floatPattern = /^[-+]?(?:\d+\.\d*|\d+)(?:[eE][-+]?\d+)?$/;
const doubleQuoted = /^"(?:[^"\\\n]|\\["\\bfnrt])*"$/;
const singleQuoted = /^'(?:[^'\n]|'')*'$/;
const special = /^[{[\]}&*!|>@`%#,?:'"=.~<0]|^-(?: |$)|: |:$| #/;
const keywords = /^(?:null|Null|NULL|true|True|TRUE|false|False|FALSE)$/;

interface Line {
  indent: number;
  text: string;
  /** Offset of the line's first character in the text. */
  offset: number;
  /** Line number, from 0. */
  number: number;
}

/** Offsets of the fields of each map (key, then value) and of the items of each sequence. */
type Offsets = Map<object, number[]>;

/** One document with the offsets of everything in it. */
export class PlainDocument {
  readonly value: unknown;
  readonly #offsets: Offsets;
  readonly #start: number;

  constructor(value: unknown, offsets: Offsets, start: number) {
    this.value = value;
    this.#offsets = offsets;
    this.#start = start;
  }

  /** Offsets of the value at the path and of its key; undefined if the path does not exist. */
  find(path: readonly (string | number)[]): { key?: number; value: number } | undefined {
    let found: { key?: number; value: number } = { value: this.#start };
    let node = this.value;
    for (const step of path) {
      const offsets = typeof node === 'object' && node !== null && this.#offsets.get(node);
      if (!offsets) return undefined;
      const isList = Array.isArray(node);
      const at = isList ? Number(step) : Object.keys(node as object).indexOf(String(step));
      const offset = offsets[isList ? at : 2 * at + 1];
      if (offset === undefined) return undefined;
      found = isList ? { value: offset } : { key: offsets[2 * at] as number, value: offset };
      node = (node as Record<string | number, unknown>)[step];
    }
    return found;
  }
}

/**
 * All documents; undefined if the text is not plain (or is wrong). With `texts` every scalar stays the written text.
 */
export function readPlainDocuments(text: string, texts: boolean): PlainDocument[] | undefined {
  // Only printable ASCII and line feeds are plain.
  if (/[^\n\x20-\x7e]/.test(text)) return undefined;
  try {
    const documents: Line[][] = [[]];
    let began = false;
    const raws = text.split('\n');
    let start = 0;
    for (const [number, raw] of raws.entries()) {
      const offset = start + raw.search(/\S/);
      start += raw.length + 1;
      if (raw === '---') {
        const empty = (documents.at(-1) as Line[]).length === 0;
        // An empty document between two separators is not plain.
        if (empty && began) return undefined;
        if (!empty) documents.push([]);
        began = true;
        continue;
      }
      if (/^(?:---|\.\.\.)/.test(raw)) return undefined;
      const trimmed = raw.trim();
      if (trimmed === '' || trimmed.startsWith('#')) continue;
      const indent = raw.search(/\S/);
      (documents.at(-1) as Line[]).push({ indent, text: trimmed, offset, number });
    }
    if (began && (documents.at(-1) as Line[]).length === 0) return undefined;
    return documents
      .filter((d) => d.length > 0)
      .map((lines) => new Reader(lines, raws, texts).document());
  } catch (error) {
    if (error instanceof NotPlain) return undefined;
    throw error;
  }
}

class Reader {
  readonly #lines: Line[];
  readonly #raws: readonly string[];
  readonly #scalar: (text: string) => unknown;
  readonly #texts: boolean;
  readonly #offsets: Offsets = new Map();
  #at = 0;

  constructor(lines: Line[], raws: readonly string[], texts: boolean) {
    this.#lines = lines;
    this.#raws = raws;
    this.#texts = texts;
    this.#scalar = texts ? textScalar : scalar;
  }

  document(): PlainDocument {
    const first = this.#lines[0] as Line;
    // The general parser reports other places for an indented document.
    if (first.indent > 0) throw new NotPlain();
    const value = this.#block(0);
    if (this.#at < this.#lines.length) throw new NotPlain();
    return new PlainDocument(value, this.#offsets, first.offset);
  }

  #block(indent: number): unknown {
    return isItem((this.#lines[this.#at] as Line).text)
      ? this.#sequence(indent)
      : this.#map(indent);
  }

  #sequence(indent: number): unknown[] {
    const items: unknown[] = [];
    const offsets: number[] = [];
    this.#offsets.set(items, offsets);
    for (;;) {
      const line = this.#lines[this.#at];
      if (!line || line.indent < indent || !isItem(line.text)) return items;
      if (line.indent > indent) throw new NotPlain();
      const rest = line.text.slice(1).trimStart();
      if (rest === '' || isItem(rest)) throw new NotPlain();
      const skipped = line.text.length - rest.length;
      offsets.push(line.offset + skipped);
      if (keyPattern.test(rest)) {
        // The dash counts as indentation: after it comes the first line of a nested map.
        const inner = indent + skipped;
        const { offset, number } = line;
        this.#lines[this.#at] = { indent: inner, text: rest, offset: offset + skipped, number };
        items.push(this.#map(inner));
      } else {
        this.#at++;
        items.push(this.#scalar(rest));
      }
    }
  }

  #map(indent: number): Record<string, unknown> {
    const map: Record<string, unknown> = {};
    const offsets: number[] = [];
    this.#offsets.set(map, offsets);
    for (;;) {
      const line = this.#lines[this.#at];
      if (!line || line.indent < indent) return map;
      const match = keyPattern.exec(line.text);
      if (line.indent > indent || !match) throw new NotPlain();
      const [whole, key, written] = match as unknown as [string, string, string | undefined];
      if (Object.hasOwn(map, key) || key === '__proto__' || keywords.test(key))
        throw new NotPlain();
      this.#at++;
      const next = this.#lines[this.#at];
      offsets.push(line.offset, line.offset + whole.length - (written?.length ?? 0));
      if (written === '|' || written === '|-') {
        map[key] = this.#literal(line, indent) + (written === '|' ? '\n' : '');
        continue;
      }
      if (written !== undefined) {
        map[key] = this.#scalar(written);
        continue;
      }
      const isBelow = next && next.indent > indent;
      if (!isBelow && !(next && next.indent === indent && isItem(next.text))) {
        // Without a value: the general parser decides whether this is null or an empty text, and at which place.
        if (this.#texts) throw new NotPlain();
        map[key] = null;
        continue;
      }
      offsets[offsets.length - 1] = next.offset;
      map[key] = isBelow ? this.#block(next.indent) : this.#sequence(indent);
    }
  }

  /** The lines below the header that have a greater indent than the map; the first one defines the indent. */
  #literal(header: Line, indent: number): string {
    let end = header.number + 1;
    const indentOf = (raw: string): number => raw.search(/\S/);
    const goesOn = (raw: string | undefined): boolean =>
      raw !== undefined && (raw.trim() === '' || indentOf(raw) > indent);
    while (goesOn(this.#raws[end])) end++;
    const lines = this.#raws.slice(header.number + 1, end);
    while (lines.at(-1)?.trim() === '') lines.pop();
    const [first = ''] = lines;
    const inner = indentOf(first);
    if (inner < 0) throw new NotPlain();
    for (const raw of lines) {
      if (raw.trim() === '' ? raw.length > inner : indentOf(raw) < inner) throw new NotPlain();
    }
    while ((this.#lines[this.#at]?.number ?? Infinity) < end) this.#at++;
    return lines.map((raw) => raw.slice(inner)).join('\n');
  }
}

const isItem = (text: string): boolean => text === '-' || text.startsWith('- ');

/** Reads a scalar by YAML 1.2's core schema; complicated spellings are not plain. */
function scalar(text: string): unknown {
  if (intPattern.test(text) || floatPattern.test(text)) {
    if (/^[-+]?0\d/.test(text)) throw new NotPlain();
    return Number(text);
  }
  if (doubleQuoted.test(text)) return JSON.parse(text) as unknown;
  if (singleQuoted.test(text)) return text.slice(1, -1).replaceAll("''", "'");
  if (text === '{}') return {};
  if (text === '[]') return [];
  if (special.test(text)) throw new NotPlain();
  if (keywords.test(text)) {
    const word = text.toLowerCase();
    return word === 'null' ? null : word === 'true';
  }
  return text;
}

const specialText = /^[{[\]}&*!|>@`%#,?:'"]|^-(?: |$)|: |:$| #/;

/** Reads every scalar as the written text, as Go does for strings. */
/** A scalar without quotes that stands for nothing. */
export const nullText = /^(?:~|null|Null|NULL)?$/;

function textScalar(text: string): unknown {
  if (doubleQuoted.test(text)) return JSON.parse(text) as unknown;
  if (singleQuoted.test(text)) return text.slice(1, -1).replaceAll("''", "'");
  if (text === '{}') return {};
  if (text === '[]') return [];
  if (specialText.test(text)) throw new NotPlain();
  return nullText.test(text) ? null : text;
}
