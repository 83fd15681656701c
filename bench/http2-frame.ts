/** Hand-made HTTP/2 (RFC 9113): frames as bytes, for attacks and tests that no library would send. */
import { HpackEncoder } from '../mesh/proxy/http2/hpack/encoder.js';
import { makeField } from '../mesh/proxy/http2/hpack/intern.js';

export function frame(
  type: number,
  flags: number,
  stream: number,
  payload: Buffer = Buffer.alloc(0),
): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

export const word = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};

/** A header block of a peer whose encoder keeps no table. */
export function block(headers: readonly (readonly [string, string])[]): Buffer {
  const fields = headers.map(([name, value]) => makeField(name, value, false));
  const out = Buffer.alloc(HpackEncoder.bound(fields));
  const encoder = new HpackEncoder();
  let at = 0;
  for (const field of fields) at = encoder.field(field, out, at);
  return out.subarray(0, at);
}
