/** Detects a client's protocol from its first bytes. */
import { latin1 } from './latin1.js';

export type Spoken = 'tls' | 'http1' | 'http2' | 'opaque';

const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');
/** A longer first line is not a request's. */
const maxLineBytes = 8192;
/** Beyond this size the first line is no longer examined. */
export const maxLookedAt = maxLineBytes + 64;

/** A method, and the beginning of a request's target. */
const plainly = /^[A-Z-]{1,16} (?:\/|\*|https?:)/;
/** A word followed by white space may become a request line; lenient servers accept it. */
const maybe = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+(?:$|[\t\v\f\r ])/;
/** Bytes that no line of text contains. */
const isBinary = /[^\t\v\f\r -~]/;

/**
 * Undefined: more bytes are needed, at most `maxLookedAt`. Anything that some server could take for an HTTP/1 request
 * is `http1`: its reader reports the error, and an odd request cannot get around policy.
 */
export function spokenIn(bytes: Buffer, length: number): Spoken | undefined {
  if (length === 0) return undefined;
  const first = bytes[0] as number;
  // A handshake record of TLS 1.x.
  if (first === 0x16) {
    if (length < 2) return undefined;
    return bytes[1] === 3 ? 'tls' : 'opaque';
  }
  const compared = Math.min(length, preface.length);
  if (preface.compare(bytes, 0, compared, 0, compared) === 0) {
    return compared === preface.length ? 'http2' : undefined;
  }
  // Empty lines before a request line are skipped, as the reader of heads does.
  let start = 0;
  while (start < length && start < 32 && (bytes[start] === 13 || bytes[start] === 10)) start++;
  if (start === length) return undefined;
  const lf = bytes.subarray(0, length).indexOf(10, start);
  const end = lf < 0 ? Math.min(length, start + maxLineBytes) : lf;
  const line = latin1(bytes, start, end);
  if (plainly.test(line)) return 'http1';
  if (!maybe.test(line)) return 'opaque';
  if (/HTTP\/\d/i.test(line)) return 'http1';
  if (lf >= 0 || end - start >= maxLineBytes || isBinary.test(line)) return 'opaque';
  return undefined;
}
