/** A route's changes to a head (flow/edits.ts), rendered as fields. */
import type { Flow, HeaderEdits, HeaderList } from '../flow/contract.js';
import { addedBy, isReplaced } from '../flow/edits.js';
import { isForbiddenTrailer } from '../flow/reserved.js';
import type { RequestHead } from './heads.js';
import { role, type Field } from './hpack/field.js';
import { makeField } from './hpack/intern.js';

const compiled = new WeakMap<HeaderList, readonly Field[]>();

/** A route's additions recur: the fields of each list are cached. */
function addedFields(edits: HeaderEdits, more: HeaderList | undefined): readonly Field[] {
  const list = addedBy(edits, more);
  let fields = compiled.get(list);
  if (!fields) {
    fields = constantsOf(list);
    compiled.set(list, fields);
  }
  return fields;
}

function constantsOf(list: HeaderList): Field[] {
  const fields: Field[] = [];
  for (let i = 0; i < list.length; i += 2) {
    fields.push(makeField(list[i] as string, list[i + 1] as string, true));
  }
  return fields;
}

/** The last list, since similar requests get the same one. */
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

/** Trailers as they are passed on. */
export function trailersOf(fields: Field[]): Field[] {
  return fields.some((field) => isForbiddenTrailer(field.name))
    ? fields.filter((field) => !isForbiddenTrailer(field.name))
    : fields;
}

/**
 * Appends `fields` to `out`, changed. Leaves out pseudo-headers, Host (`:authority` replaces it) and, on a request,
 * names that only a proxy may set.
 */
function appendEdited(
  out: Field[],
  fields: readonly Field[],
  from: number,
  edits: HeaderEdits | undefined,
  more: HeaderList | undefined,
  isRequest: boolean,
): void {
  const mayReplace = edits !== undefined || more !== undefined;
  for (let i = from; i < fields.length; i++) {
    const field = fields[i] as Field;
    if (field.role >= role.method && field.role <= role.unknownPseudo) continue;
    if (field.role === role.host || (isRequest && field.role === role.reserved)) continue;
    if (mayReplace && isReplaced(field.name, edits, more)) continue;
    out.push(field);
  }
  if (edits) for (const field of addedFields(edits, more)) out.push(field);
  if (more) for (const field of listFields(more)) out.push(field);
}

/** Used between composing a head and encoding it, never longer. */
const scratch: Field[] = [];

/** A request's head as it is sent on. Valid until the next head is composed. */
export function requestFieldsOf(head: RequestHead, flow: Flow): readonly Field[] {
  const { fields } = head;
  scratch.length = 0;
  let regular = 0;
  let authoritySaid = false;
  for (; regular < fields.length; regular++) {
    const field = fields[regular] as Field;
    if (field.role === role.authority) {
      authoritySaid = true;
      const { authority } = flow;
      scratch.push(authority === undefined ? field : makeField(':authority', authority, true));
    } else if (field.role === role.path) {
      const { path } = flow;
      scratch.push(path === undefined ? field : makeField(':path', path, false));
    } else if (field.role >= role.method && field.role <= role.status) scratch.push(field);
    else break;
  }
  if (!authoritySaid) {
    const authority = flow.authority ?? head.authority;
    if (authority !== '') scratch.push(makeField(':authority', authority, true));
  }
  appendEdited(scratch, fields, regular, flow.requestHeaders, flow.moreRequestHeaders, true);
  return scratch;
}

/** An answer's head as it is sent on. Valid until the next head is composed. */
export function answerFieldsOf(
  fields: readonly Field[],
  edits: HeaderEdits | undefined,
): readonly Field[] {
  if (!edits) return fields;
  scratch.length = 0;
  scratch.push(fields[0] as Field);
  appendEdited(scratch, fields, 1, edits, undefined, false);
  return scratch;
}
