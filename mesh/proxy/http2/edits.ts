/** A route's changes to a head, applied to fields. What a route changes is compiled once. */
import type { HeaderEdits, HeaderList } from '../flow/contract.js';
import { isForbiddenTrailer } from '../flow/reserved.js';
import { role, type Field } from './hpack/field.js';
import { makeField } from './hpack/intern.js';

interface CompiledEdits {
  /** Names that go: removed, or set anew. */
  readonly gone: ReadonlySet<string>;
  readonly fields: readonly Field[];
}

const compiled = new WeakMap<HeaderEdits, CompiledEdits>();

function compile(edits: HeaderEdits): CompiledEdits {
  let known = compiled.get(edits);
  if (!known) {
    known = {
      gone: new Set([...edits.remove, ...edits.set.map(([name]) => name)]),
      fields: [...edits.set, ...edits.add].map(([name, value]) =>
        makeField(name.toLowerCase(), value, true),
      ),
    };
    compiled.set(edits, known);
  }
  return known;
}

/** The list that came last, since like requests get the same one. */
let lastList: HeaderList = [];
let lastFields: readonly Field[] = [];

function listFields(list: HeaderList): readonly Field[] {
  if (list === lastList) return lastFields;
  lastList = list;
  lastFields = fieldsOf(list);
  return lastFields;
}

/** Name, value, name, value… as fields. */
export function fieldsOf(list: readonly string[]): Field[] {
  const fields: Field[] = [];
  for (let i = 0; i + 1 < list.length; i += 2) {
    fields.push(makeField(list[i] as string, list[i + 1] as string, false));
  }
  return fields;
}

function isNamed(list: HeaderList, name: string): boolean {
  for (let i = 0; i < list.length; i += 2) if (list[i] === name) return true;
  return false;
}

/** Trailers as they are passed on. */
export function trailersOf(fields: Field[]): Field[] {
  return fields.some((field) => isForbiddenTrailer(field.name))
    ? fields.filter((field) => !isForbiddenTrailer(field.name))
    : fields;
}

/**
 * Appends `fields` to `out`, changed. Pseudo-headers are left out; so is Host, since `:authority`
 * says it, and of a request what only a proxy may say.
 */
export function appendEdited(
  out: Field[],
  fields: readonly Field[],
  from: number,
  edits: HeaderEdits | undefined,
  more: HeaderList | undefined,
  isRequest: boolean,
): void {
  const changes = edits && compile(edits);
  for (let i = from; i < fields.length; i++) {
    const field = fields[i] as Field;
    if (field.role >= role.method && field.role <= role.unknownPseudo) continue;
    if (field.role === role.host || (isRequest && field.role === role.reserved)) continue;
    if (changes && changes.gone.has(field.name)) continue;
    if (more && isNamed(more, field.name)) continue;
    out.push(field);
  }
  if (changes) {
    for (const field of changes.fields) if (!more || !isNamed(more, field.name)) out.push(field);
  }
  if (more) for (const field of listFields(more)) out.push(field);
}
