/**
 * The fields that recur, one object for each name and value. The number is limited: the oldest makes room, and is
 * interned again when it recurs. All connections of one process share them; their contents affect only cost, never a
 * decision.
 */
import { Field, indexing, isFieldValue, isVisible, roleOfName, roleOfValue } from './field.js';
import { staticField, staticNameIndex } from './static-table.js';

export const maxInterned = 4096;
/** Longer texts (cookies, tokens) are not worth the memory. */
const maxTextLength = 512;

/** By name, then by value: a look-up creates no new text. */
const byText = new Map<string, Map<string, Field>>();
const byId: Field[] = [];
let next = 0;

function keep(field: Field): void {
  const { name, value } = field;
  const values = byText.get(name);
  if (values) values.set(value, field);
  else byText.set(name, new Map([[value, field]]));
}

function forget({ name, value }: Field): void {
  const values = byText.get(name);
  values?.delete(value);
  if (values?.size === 0) byText.delete(name);
}

/** The shared field with this text that may be indexed. */
export function intern(field: Field): Field {
  if (field.id >= 0 || field.staticIndex > 0) return field;
  if (field.name.length + field.value.length > maxTextLength) return field;
  const known = byText.get(field.name)?.get(field.value);
  if (known) return known;
  const oldest = byId[next];
  if (oldest) {
    oldest.id = -1;
    forget(oldest);
  }
  field.id = next;
  byId[next] = field;
  keep(field);
  next = (next + 1) % maxInterned;
  return field;
}

/** Texts of fields that were made once. */
const madeOnce = new Set<string>();
const maxMadeOnce = 2048;

function comesAgain(key: string): boolean {
  if (madeOnce.has(key)) return true;
  if (madeOnce.size >= maxMadeOnce) madeOnce.clear();
  madeOnce.add(key);
  return false;
}

/**
 * A field that the proxy makes itself. `constant` fields recur and are worth a place in the peers' tables. Others
 * (from HTTP/1.1, which repeats the same fields) are worth it from the second time on, unless a table would help to
 * guess them.
 */
export function makeField(name: string, value: string, isConstant: boolean): Field {
  const fixed = staticField(name, value);
  if (fixed) return fixed;
  let constant = isConstant;
  if (constant || mayRecur(name, value)) {
    const known = byText.get(name)?.get(value);
    if (known) return known;
    constant ||= comesAgain(`${name}\n${value}`);
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

/** Limit on name plus value, since remembered texts take memory. */
const maxRecurring = 160;
const guessable = /cookie|auth|token|secret|key|session|csrf|password/;

const mayRecur = (name: string, value: string): boolean =>
  name.length + value.length <= maxRecurring &&
  name.charCodeAt(0) !== 58 /* : */ &&
  !isGuessable(name);

/** Cached by name, since there are few. */
const guessables = new Map<string, boolean>();

function isGuessable(name: string): boolean {
  let known = guessables.get(name);
  if (known === undefined) {
    if (guessables.size >= 1024) guessables.clear();
    known = guessable.test(name);
    guessables.set(name, known);
  }
  return known;
}

/** Fields that a table would help to guess (RFC 7541, 7.1.3). */
const isSecret = (name: string): boolean =>
  name === 'authorization' || name === 'proxy-authorization' || name === 'set-cookie';
