/** What a client speaks, from its first bytes. */

export type Spoken = 'tls' | 'http1' | 'http2' | 'opaque';

const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');
export const prefaceBytes = preface.length;

/** Undefined: more bytes are needed to tell, at most `prefaceBytes`. */
export function spokenIn(bytes: Buffer, length: number): Spoken | undefined {
  if (length === 0) return undefined;
  const first = bytes[0] as number;
  // A handshake record of TLS 1.x.
  if (first === 0x16) {
    if (length < 2) return undefined;
    return bytes[1] === 3 ? 'tls' : 'opaque';
  }
  const compared = Math.min(length, prefaceBytes);
  if (preface.compare(bytes, 0, compared, 0, compared) === 0) {
    return compared === prefaceBytes ? 'http2' : undefined;
  }
  // A method and a space; empty lines before it are let pass, as the reader of heads does.
  let i = 0;
  while (i < length && (bytes[i] === 13 || bytes[i] === 10)) i++;
  const start = i;
  while (i < length && isUpperCase(bytes[i] as number)) i++;
  if (i === length) return i - start > 16 || length > prefaceBytes ? 'opaque' : undefined;
  return i > start && bytes[i] === 32 ? 'http1' : 'opaque';
}

const isUpperCase = (byte: number): boolean => (byte >= 65 && byte <= 90) || byte === 45;
