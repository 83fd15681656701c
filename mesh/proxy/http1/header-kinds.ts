/** Recognises the headers that a proxy reads by their bytes. */
import { framingNames, isMark, isReserved } from '../flow/reserved.js';
import { latin1 } from '../listen/latin1.js';

/** Headers that mean something to a proxy; every other header is passed on unread. */
export const headerKind = {
  other: 0,
  host: 1,
  contentLength: 2,
  transferEncoding: 3,
  connection: 4,
  /** Keep-Alive, Proxy-Connection: dropped. */
  hop: 5,
  te: 6,
  upgrade: 7,
  expect: 8,
  trailer: 9,
  /** On a request: a name that only the proxy may set (flow/reserved.ts). */
  reserved: 10,
} as const;

export function kindOf(buffer: Uint8Array, at: number, length: number): number {
  switch (length) {
    case 2:
      return equals(buffer, at, 2, 'te') ? headerKind.te : headerKind.other;
    case 4:
      return equals(buffer, at, 4, 'host') ? headerKind.host : headerKind.other;
    case 6:
      return equals(buffer, at, 6, 'expect') ? headerKind.expect : headerKind.other;
    case 7:
      if (equals(buffer, at, 7, 'upgrade')) return headerKind.upgrade;
      return equals(buffer, at, 7, 'trailer') ? headerKind.trailer : headerKind.other;
    case 10:
      if (equals(buffer, at, 10, 'connection')) return headerKind.connection;
      return equals(buffer, at, 10, 'keep-alive') ? headerKind.hop : headerKind.other;
    case 14:
      if (equals(buffer, at, 14, 'content-length')) return headerKind.contentLength;
      return equals(buffer, at, 14, 'http2-settings') ? headerKind.hop : headerKind.other;
    case 16:
      return equals(buffer, at, 16, 'proxy-connection') ? headerKind.hop : headerKind.other;
    case 17:
      return equals(buffer, at, 17, 'transfer-encoding')
        ? headerKind.transferEncoding
        : headerKind.other;
    default:
      return headerKind.other;
  }
}

/** Where the first dash of such a name is, by the name's first letter. */
const dashAt = new Uint8Array(128);
for (const name of framingNames) dashAt[name.charCodeAt(0)] = name.indexOf('-');

/** The name in lower case if only the proxy may set it; `` for other names, most of which need no string to tell. */
export function reservedIn(buffer: Uint8Array, at: number, length: number): string {
  const first = (buffer[at] as number) | 32;
  const dash = dashAt[first] as number;
  const mayBe =
    length > 3 &&
    ((first === 108 && buffer[at + 1] === 53) ||
      (first === 120 && ((buffer[at + 2] as number) | 32) === 102) ||
      (dash > 0 &&
        dash < length &&
        buffer[at + dash] !== 45 &&
        isMark(buffer[at + dash] as number)));
  if (!mayBe) return '';
  const name = latin1(buffer, at, at + length).toLowerCase();
  return isReserved(name) ? name : '';
}

/** An answer that never has a body does not frame one (RFC 9110, 8.6; RFC 9112, 6.1): such fields are dropped. */
export function kindInAnswer(kind: number, status: number): number {
  const frames = kind === headerKind.contentLength || kind === headerKind.transferEncoding;
  return frames && (status < 200 || status === 204) ? headerKind.hop : kind;
}

/** Compares bytes with a lower-case name. `| 32` turns only CR into a dash, and no token or value contains CR. */
export function equals(buffer: Uint8Array, at: number, length: number, lowerCase: string): boolean {
  if (length !== lowerCase.length) return false;
  for (let i = 0; i < length; i++) {
    if (((buffer[at + i] as number) | 32) !== lowerCase.charCodeAt(i)) return false;
  }
  return true;
}

/** 1*DIGIT below 2^53, or -1. */
export function readLength(buffer: Uint8Array, start: number, end: number): number {
  if (start === end || end - start > 15) return -1;
  // Programs that read a leading 0 as octal take `010` for 8.
  if (buffer[start] === 48 && end - start > 1) return -1;
  let length = 0;
  for (let i = start; i < end; i++) {
    const byte = buffer[i] as number;
    if (byte < 48 || byte > 57) return -1;
    length = length * 10 + byte - 48;
  }
  return length;
}
