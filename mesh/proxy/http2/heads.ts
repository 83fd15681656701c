/** Heads and trailers as RFC 9113, section 8, requires: read once, refused if malformed. */
import { isMethod } from '../flow/method.js';
import { isHost } from '../flow/authority.js';
import { carriedHeader, mirrorHeader } from '../flow/reserved.js';
import { role, type Field } from './hpack/field.js';

/** The control data of a request, and the headers that a relay needs. */
export interface RequestHead {
  readonly fields: readonly Field[];
  readonly method: string;
  readonly scheme: string;
  readonly authority: string;
  readonly path: string;
  readonly isGrpc: boolean;
  /** The request says that it is a copy. */
  readonly isMirror: boolean;
  /** A peer's proxy says that the request came in HTTP/1.1. */
  readonly isCarried: boolean;
  /** -1: absent. */
  readonly contentLength: number;
  /** 0: none. */
  readonly grpcTimeoutMs: number;
}

/** Undefined: malformed. */
export function readRequestHead(fields: readonly Field[]): RequestHead | undefined {
  let method = '';
  let scheme = '';
  let authority: string | undefined;
  let path: string | undefined;
  let host: string | undefined;
  let isGrpc = false;
  let contentLength = -1;
  let grpcTimeoutMs = 0;
  let isMirror = false;
  let isCarried = false;
  let regular = false;
  for (let i = 0; i < fields.length; i++) {
    const field = fields[i] as Field;
    const { value } = field;
    switch (field.role) {
      case role.method:
        if (regular || method !== '' || !isMethod(value)) return undefined;
        method = value;
        continue;
      case role.scheme:
        if (regular || scheme !== '' || !/^[a-z][a-z0-9+.-]*$/i.test(value)) return undefined;
        scheme = value;
        continue;
      case role.path:
        if (regular || path !== undefined || value === '') return undefined;
        path = value;
        continue;
      case role.authority:
        if (regular || authority !== undefined) return undefined;
        authority = value;
        continue;
      case role.plain:
      case role.cookie:
      case role.grpcStatus:
        break;
      case role.reserved:
        if (field.name === mirrorHeader) isMirror = true;
        else if (field.name === carriedHeader) isCarried = true;
        break;
      case role.host:
        if (host !== undefined) return undefined;
        host = value;
        break;
      case role.te:
        if (value.toLowerCase() !== 'trailers') return undefined;
        break;
      case role.contentLength: {
        const length = readContentLength(value);
        if (length < 0 || contentLength >= 0) return undefined;
        contentLength = length;
        break;
      }
      case role.contentType:
        isGrpc = isGrpcType(value);
        break;
      case role.grpcTimeout:
        grpcTimeoutMs = readGrpcTimeout(value);
        break;
      default:
        return undefined;
    }
    regular = true;
  }
  if (method === '') return undefined;
  // An authority has no user name and is not empty (RFC 9113, 8.3.1).
  const named = authority ?? host;
  if (!named || !isHost(named) || (host !== undefined && !isHost(host))) return undefined;
  if (method === 'CONNECT') {
    if (scheme !== '' || path !== undefined || !authority) return undefined;
  } else {
    if (scheme === '' || path === undefined) return undefined;
    if (path.charCodeAt(0) !== 47 /* / */ && !(path === '*' && method === 'OPTIONS')) {
      return undefined;
    }
  }
  if (authority !== undefined && host !== undefined && authority !== host) {
    if (authority.toLowerCase() !== host.toLowerCase()) return undefined;
  }
  return {
    fields,
    method,
    scheme,
    authority: named,
    path: path ?? '',
    isGrpc,
    isMirror,
    isCarried,
    contentLength,
    grpcTimeoutMs,
  };
}

/** The status, or 0: malformed. */
export function readStatus(fields: readonly Field[]): number {
  const first = fields[0];
  if (!first || first.role !== role.status || !/^[1-9]\d\d$/.test(first.value)) return 0;
  for (let i = 1; i < fields.length; i++) {
    const field = fields[i] as Field;
    if (!isRegular(field)) return 0;
  }
  // RFC 9113, 8.6: no switching of protocols.
  return first.value === '101' ? 0 : Number(first.value);
}

export function areTrailers(fields: readonly Field[]): boolean {
  for (let i = 0; i < fields.length; i++) {
    if (!isRegular(fields[i] as Field)) return false;
  }
  return true;
}

function isRegular(field: Field): boolean {
  const itsRole = field.role;
  if (itsRole === role.te) return field.value.toLowerCase() === 'trailers';
  return (
    itsRole === role.plain ||
    itsRole === role.reserved ||
    (itsRole >= role.contentLength && itsRole <= role.cookie)
  );
}

/** -1: absent, or not a number. */
export function grpcStatusOf(fields: readonly Field[]): number {
  for (let i = fields.length - 1; i >= 0; i--) {
    const field = fields[i] as Field;
    if (field.role !== role.grpcStatus) continue;
    return /^\d{1,3}$/.test(field.value) ? Number(field.value) : 2;
  }
  return -1;
}

/** -1: absent; -2: malformed or contradictory. */
export function contentLengthOf(fields: readonly Field[]): number {
  let found = -1;
  for (let i = 0; i < fields.length; i++) {
    const field = fields[i] as Field;
    if (field.role !== role.contentLength) continue;
    const length = readContentLength(field.value);
    if (length < 0 || (found >= 0 && found !== length)) return -2;
    found = length;
  }
  return found;
}

/** Answers that never have a body have no length either (RFC 9110, 8.6). */
export const withoutLength = (fields: Field[]): Field[] =>
  fields.filter((field) => field.role !== role.contentLength);

function readContentLength(value: string): number {
  // Plain digits: some servers read 010 as eight.
  return /^(?:0|[1-9]\d{0,14})$/.test(value) ? Number(value) : -1;
}

const isGrpcType = (value: string): boolean =>
  value.startsWith('application/grpc') && (value.length === 16 || /^[+;]/.test(value.slice(16)));

const grpcUnitsMs: Record<string, number> = {
  H: 3600000,
  M: 60000,
  S: 1000,
  m: 1,
  u: 1e-3,
  n: 1e-6,
};

/** `100m` is 100 ms. An unreadable value counts as none: the server judges it. */
function readGrpcTimeout(value: string): number {
  const unit = grpcUnitsMs[value.slice(-1)];
  const digits = value.slice(0, -1);
  if (unit === undefined || !/^\d{1,8}$/.test(digits)) return 0;
  return Math.max(1, Number(digits) * unit);
}

/** The first value, or all values joined; undefined: there is none. */
export function headerOf(fields: readonly Field[], name: string): string | undefined {
  let found: string | undefined;
  for (let i = 0; i < fields.length; i++) {
    const field = fields[i] as Field;
    if (field.name !== name) continue;
    const separator = field.role === role.cookie ? '; ' : ', ';
    found = found === undefined ? field.value : found + separator + field.value;
  }
  return found;
}
