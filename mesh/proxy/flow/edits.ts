/**
 * The one rule of changes to a head, which each front renders in its own form: fields that a route removes or sets
 * are dropped, fields that it sets and adds are appended, and the flow's fields for this request (trace context,
 * identity) replace both.
 */
import type { HeaderEdits, HeaderList } from './contract.js';
import { dashed } from './reserved.js';

interface Compiled {
  /** Names to drop, removed or set anew, with dashes for all marks. */
  readonly gone: ReadonlySet<string>;
  /** Fields to append: name, value, name, value… */
  readonly added: HeaderList;
}

const compiled = new WeakMap<HeaderEdits, Compiled>();

function compile(edits: HeaderEdits): Compiled {
  let known = compiled.get(edits);
  if (!known) {
    const gone = new Set([...edits.remove, ...edits.set.map(([name]) => name)].map(dashed));
    known = { gone, added: [...edits.set, ...edits.add].flat() };
    compiled.set(edits, known);
  }
  return known;
}

function isNamed(list: HeaderList, name: string): boolean {
  for (let i = 0; i < list.length; i += 2) if (list[i] === name) return true;
  return false;
}

/** Whether a field of this name, in lower case and with any mark for a dash, is dropped. */
export function isReplaced(
  name: string,
  edits: HeaderEdits | undefined,
  more: HeaderList | undefined,
): boolean {
  const text = dashed(name);
  return (
    (edits !== undefined && compile(edits).gone.has(text)) ||
    (more !== undefined && isNamed(more, text)) ||
    (text !== name && edits?.alone?.includes(text) === true)
  );
}

/** Names to drop, with dashes for all marks, for callers that compare them with bytes. */
export const goneNames = (edits: HeaderEdits): Iterable<string> => compile(edits).gone;

/** The route's set and added fields that `more` does not replace. The same array when nothing is replaced. */
export function addedBy(edits: HeaderEdits, more: HeaderList | undefined): HeaderList {
  const { added } = compile(edits);
  if (more === undefined) return added;
  let isTouched = false;
  for (let i = 0; i < added.length && !isTouched; i += 2) {
    isTouched = isNamed(more, added[i] as string);
  }
  if (!isTouched) return added;
  const kept: string[] = [];
  for (let i = 0; i < added.length; i += 2) {
    const name = added[i] as string;
    if (!isNamed(more, name)) kept.push(name, added[i + 1] as string);
  }
  return kept;
}
