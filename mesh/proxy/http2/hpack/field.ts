/**
 * One header field, immutable except for its place among the interned ones. Fields that recur are interned, so that
 * decoder and encoder tables of all connections share one object, and an encoder finds a field by identity and not by
 * text.
 */

import { isReserved } from '../../flow/reserved.js';

/** The meaning of a field's name for a relay. A number, so that validation is a switch. */
export const role = {
  plain: 0,
  method: 1,
  scheme: 2,
  path: 3,
  authority: 4,
  status: 5,
  /** `:protocol` and any other pseudo-header. */
  unknownPseudo: 6,
  /** A header of HTTP/1 connections, which HTTP/2 forbids. */
  connectionSpecific: 7,
  te: 8,
  contentLength: 9,
  host: 10,
  contentType: 11,
  grpcStatus: 12,
  grpcTimeout: 13,
  cookie: 14,
  /** An upper-case or otherwise invalid name, or an invalid value. */
  malformed: 15,
  /** A name that only the proxy may set (flow/reserved.ts): dropped from a client's fields. */
  reserved: 16,
} as const;
export type Role = (typeof role)[keyof typeof role];

/** How the field is sent on: as its sender sent it. */
export const indexing = { without: 0, incremental: 1, never: 2 } as const;
export type Indexing = (typeof indexing)[keyof typeof indexing];

const roles = new Map<string, Role>([
  [':method', role.method],
  [':scheme', role.scheme],
  [':path', role.path],
  [':authority', role.authority],
  [':status', role.status],
  ['connection', role.connectionSpecific],
  ['proxy-connection', role.connectionSpecific],
  ['keep-alive', role.connectionSpecific],
  ['transfer-encoding', role.connectionSpecific],
  ['upgrade', role.connectionSpecific],
  ['te', role.te],
  ['content-length', role.contentLength],
  ['host', role.host],
  ['content-type', role.contentType],
  ['grpc-status', role.grpcStatus],
  ['grpc-timeout', role.grpcTimeout],
  ['cookie', role.cookie],
]);

export function roleOfName(name: string): Role {
  const known = roles.get(name);
  if (known !== undefined) return known;
  if (name.charCodeAt(0) === 58 /* : */) return role.unknownPseudo;
  if (!isToken(name)) return role.malformed;
  return isReserved(name) ? role.reserved : role.plain;
}

/** Lower-case token characters of RFC 9110. */
const tokenCharacters = new Uint8Array(256);
for (const c of "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz") {
  tokenCharacters[c.charCodeAt(0)] = 1;
}

function isToken(name: string): boolean {
  if (name.length === 0) return false;
  for (let i = 0; i < name.length; i++) {
    if (tokenCharacters[name.charCodeAt(i)] !== 1) return false;
  }
  return true;
}

/** RFC 9113, 8.2.1, and the rules of HTTP/1.1: no control characters, no space or tab at either end. */
export function isFieldValue(value: string): boolean {
  const { length } = value;
  if (length === 0) return true;
  for (let i = 0; i < length; i++) {
    const c = value.charCodeAt(i);
    if ((c < 32 && c !== 9) || c === 127) return false;
  }
  const first = value.charCodeAt(0);
  const last = value.charCodeAt(length - 1);
  return first !== 32 && first !== 9 && last !== 32 && last !== 9;
}

/** Whether the text may stand in a request line: visible ASCII. */
export function isVisible(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c <= 32 || c >= 127) return false;
  }
  return true;
}

/** The role of a value under this name. */
export function roleOfValue(named: Role, isValid: boolean, isVisibleToo: boolean): Role {
  if (!isValid) return role.malformed;
  return named >= role.method && named <= role.authority && !isVisibleToo ? role.malformed : named;
}

export class Field {
  readonly name: string;
  readonly value: string;
  /** The role of the name; `malformed` also when the value is invalid. */
  readonly role: Role;
  readonly indexing: Indexing;
  /** Static table indexes: of name and value, and of the name alone; 0: none. */
  readonly staticIndex: number;
  readonly staticName: number;
  /** Place among the interned fields; -1: not interned. Only `intern` changes it. */
  id = -1;

  constructor(
    name: string,
    value: string,
    fieldRole: Role,
    how: Indexing,
    staticName: number,
    staticIndex: number,
  ) {
    this.name = name;
    this.value = value;
    this.role = fieldRole;
    this.indexing = how;
    this.staticName = staticName;
    this.staticIndex = staticIndex;
  }
}

/** RFC 7541, 4.1. */
export const fieldSize = (field: Field): number => field.name.length + field.value.length + 32;
