/**
 * The fields that recur, one object for each name and value. Bounded: the oldest makes room, and
 * is simply interned again when it recurs. Connections of one process share it; what it holds
 * never decides anything but the cost.
 */
import { Field, indexing, isFieldValue, isVisible, roleOfName, roleOfValue } from './field.js';
import { staticField, staticNameIndex } from './static-table.js';

export const maxInterned = 4096;
/** Longer ones (cookies, tokens) are not worth the memory. */
const maxTextLength = 512;

const byText = new Map<string, Field>();
const byId: Field[] = [];
let next = 0;

/** The shared field with this text that may be indexed. */
export function intern(field: Field): Field {
  if (field.id >= 0 || field.staticIndex > 0) return field;
  if (field.name.length + field.value.length > maxTextLength) return field;
  const key = `${field.name}\n${field.value}`;
  const known = byText.get(key);
  if (known) return known;
  const oldest = byId[next];
  if (oldest) {
    oldest.id = -1;
    byText.delete(`${oldest.name}\n${oldest.value}`);
  }
  field.id = next;
  byId[next] = field;
  byText.set(key, field);
  next = (next + 1) % maxInterned;
  return field;
}

/** A field of our own making; `constant` ones recur and are worth a place in the peers' tables. */
export function makeField(name: string, value: string, constant: boolean): Field {
  const fixed = staticField(name, value);
  if (fixed) return fixed;
  if (constant) {
    const known = byText.get(`${name}\n${value}`);
    if (known) return known;
  }
  const named = roleOfName(name);
  const field = new Field(
    name,
    value,
    roleOfValue(named, isFieldValue(value), isVisible(value)),
    constant ? indexing.incremental : isSecret(name) ? indexing.never : indexing.without,
    staticNameIndex(name),
    0,
  );
  return constant ? intern(field) : field;
}

/** RFC 7541, 7.1.3: what a table would help to guess. */
const isSecret = (name: string): boolean =>
  name === 'authorization' || name === 'proxy-authorization' || name === 'set-cookie';
