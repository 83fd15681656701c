/**
 * Strings by their encoded octets: most literals of a connection have been seen before, and finding one again is
 * cheaper than decoding it, and yields a string whose hash is known. Direct-mapped, of fixed size, shared by all
 * connections.
 */
import { isFieldValue, isVisible, roleOfName, type Role } from './field.js';
import { latin1 } from '../../listen/latin1.js';
import { huffmanDecode } from './huffman.js';

const slots = 1024;
/** Longer literals are decoded each time. */
const maxLength = 96;

/** A decoded string with its properties, both as a name and as a value. */
export interface Text {
  readonly text: string;
  readonly roleAsName: Role;
  readonly validAsValue: boolean;
  readonly visible: boolean;
}

const octets = new Uint8Array(slots * maxLength);
const keys = new Float64Array(slots).fill(-1);
const texts: (Text | undefined)[] = Array.from({ length: slots });

const describe = (text: string): Text => ({
  text,
  roleAsName: roleOfName(text),
  validAsValue: isFieldValue(text),
  visible: isVisible(text),
});

/** Undefined: broken Huffman coding. */
export function textOf(
  buffer: Buffer,
  start: number,
  end: number,
  huffman: boolean,
): Text | undefined {
  const length = end - start;
  if (length > maxLength) return decode(buffer, start, end, huffman);
  let hash = huffman ? 0x811c9dc5 : 0x1b873593;
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ (buffer[i] as number), 0x01000193);
  hash ^= hash >>> 15;
  const slot = hash & (slots - 1);
  // The whole hash, the length and the coding in one number, below 2^53.
  const key = (hash >>> 0) * 256 + length * 2 + (huffman ? 1 : 0);
  const base = slot * maxLength;
  if (keys[slot] === key) {
    let i = 0;
    while (i < length && octets[base + i] === buffer[start + i]) i++;
    if (i === length) return texts[slot];
  }
  const found = decode(buffer, start, end, huffman);
  if (!found) return undefined;
  keys[slot] = key;
  for (let i = 0; i < length; i++) octets[base + i] = buffer[start + i] as number;
  texts[slot] = found;
  return found;
}

function decode(buffer: Buffer, start: number, end: number, huffman: boolean): Text | undefined {
  if (!huffman) return describe(latin1(buffer, start, end));
  const text = huffmanDecode(buffer, start, end);
  return text === undefined ? undefined : describe(text);
}
