/**
 * The plain part of YAML, read by the line: block maps and sequences of one-line scalars. Large files of it are common
 * (a thousand SLOs, a registry) and a general parser spends most of a run on them. Whatever is not plain is not
 * guessed at but left to the general parser, and a test holds the two to the same values.
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
}

/** The values of all documents, or undefined where the text is more than plain (or wrong). */
export function readPlainYaml(text: string): unknown[] | undefined {
  // Printable ASCII and line feeds; anything else has rules of its own.
  if (/[^\n\x20-\x7e]/.test(text)) return undefined;
  try {
    const documents: Line[][] = [[]];
    let began = false;
    for (const raw of text.split('\n')) {
      if (raw === '---') {
        const empty = (documents.at(-1) as Line[]).length === 0;
        // Nothing between two rules is a document of its own.
        if (empty && began) return undefined;
        if (!empty) documents.push([]);
        began = true;
        continue;
      }
      if (/^(?:---|\.\.\.)/.test(raw)) return undefined;
      const trimmed = raw.trim();
      if (trimmed === '' || trimmed.startsWith('#')) continue;
      (documents.at(-1) as Line[]).push({ indent: raw.search(/\S/), text: trimmed });
    }
    if (began && (documents.at(-1) as Line[]).length === 0) return undefined;
    return documents.filter((d) => d.length > 0).map((lines) => new Reader(lines).document());
  } catch (error) {
    if (error instanceof NotPlain) return undefined;
    throw error;
  }
}

class Reader {
  readonly #lines: Line[];
  #at = 0;

  constructor(lines: Line[]) {
    this.#lines = lines;
  }

  document(): unknown {
    const value = this.#block((this.#lines[0] as Line).indent);
    if (this.#at < this.#lines.length) throw new NotPlain();
    return value;
  }

  #block(indent: number): unknown {
    return isItem((this.#lines[this.#at] as Line).text)
      ? this.#sequence(indent)
      : this.#map(indent);
  }

  #sequence(indent: number): unknown[] {
    const items: unknown[] = [];
    for (;;) {
      const line = this.#lines[this.#at];
      if (!line || line.indent < indent || !isItem(line.text)) return items;
      if (line.indent > indent) throw new NotPlain();
      const rest = line.text.slice(1).trimStart();
      if (rest === '' || isItem(rest)) throw new NotPlain();
      if (keyPattern.test(rest)) {
        // The dash is as good as spaces: what follows is the first line of a map further in.
        const inner = indent + line.text.length - rest.length;
        this.#lines[this.#at] = { indent: inner, text: rest };
        items.push(this.#map(inner));
      } else {
        this.#at++;
        items.push(scalar(rest));
      }
    }
  }

  #map(indent: number): Record<string, unknown> {
    const map: Record<string, unknown> = {};
    for (;;) {
      const line = this.#lines[this.#at];
      if (!line || line.indent < indent) return map;
      const match = keyPattern.exec(line.text);
      if (line.indent > indent || !match) throw new NotPlain();
      const key = match[1] as string;
      if (Object.hasOwn(map, key) || key === '__proto__' || keywords.test(key))
        throw new NotPlain();
      this.#at++;
      const next = this.#lines[this.#at];
      if (match[2] !== undefined) map[key] = scalar(match[2]);
      else if (next && next.indent > indent) map[key] = this.#block(next.indent);
      else if (next && next.indent === indent && isItem(next.text))
        map[key] = this.#sequence(indent);
      else map[key] = null;
    }
  }
}

const isItem = (text: string): boolean => text === '-' || text.startsWith('- ');

/** By the rules of YAML 1.2's core schema; spellings that need more than a look are not plain. */
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
