/**
 * The encoding half of HPACK (RFC 7541). A field goes out as its sender sent it: a field that the sender kept out of
 * tables stays out of this one. Only interned fields, which have recurred, enter the table; they are found by
 * identity.
 */
import { Field, fieldSize, indexing } from './field.js';
import { huffmanEncode, huffmanLength } from './huffman.js';
import { staticCount } from './static-table.js';

/** A larger table is not used even if the peer allows it. */
const maxTableSize = 4096;
const slots = 256;

export class HpackEncoder {
  #tableLimit = maxTableSize;
  /** The smallest limit since the last block and the current limit must both be announced. */
  #lowestLimit = maxTableSize;
  #limitChanged = false;
  #tableSize = 0;
  /** It grows as it is filled: most connections use few of its slots. */
  readonly #ring: (Field | undefined)[] = [undefined];
  #newest = 0;
  #count = 0;
  /** Slot in the ring by the field's id; valid only if the ring holds that field there. */
  #slotOf = new Uint8Array(64);

  /** The peer's SETTINGS_HEADER_TABLE_SIZE. */
  setPeerLimit(size: number): void {
    const limit = Math.min(size, maxTableSize);
    if (limit === this.#tableLimit) return;
    this.#tableLimit = limit;
    this.#lowestLimit = Math.min(this.#lowestLimit, limit);
    this.#limitChanged = true;
    this.#evict(0);
  }

  /** An upper bound of the octets that encode() will write. */
  static bound(fields: readonly Field[]): number {
    let size = 16;
    for (let i = 0; i < fields.length; i++) {
      const field = fields[i] as Field;
      size += field.name.length + field.value.length + 12;
    }
    return size;
  }

  /** Writes the updates that must precede the first field of a block. Returns the position after them. */
  begin(out: Buffer, at: number): number {
    if (!this.#limitChanged) return at;
    let position = at;
    if (this.#lowestLimit < this.#tableLimit) {
      position = writeInteger(out, position, 0x20, 5, this.#lowestLimit);
    }
    position = writeInteger(out, position, 0x20, 5, this.#tableLimit);
    this.#lowestLimit = this.#tableLimit;
    this.#limitChanged = false;
    return position;
  }

  /** Writes one field; `out` must have room for its text and 12 octets more. Returns the position after it. */
  field(field: Field, out: Buffer, at: number): number {
    if (field.staticIndex > 0) {
      out[at] = 0x80 | field.staticIndex;
      return at + 1;
    }
    const { id } = field;
    if (id >= 0) {
      if (id < this.#slotOf.length) {
        const slot = this.#slotOf[id] as number;
        if (this.#ring[slot] === field) {
          const index = staticCount + 1 + ((this.#newest - slot) & (slots - 1));
          return writeInteger(out, at, 0x80, 7, index);
        }
      }
      if (field.indexing === indexing.incremental && fieldSize(field) * 4 <= this.#tableLimit) {
        return this.#literalIndexed(field, out, at);
      }
    }
    const kind = field.indexing === indexing.never ? 0x10 : 0;
    let position = writeInteger(out, at, kind, 4, field.staticName);
    if (field.staticName === 0) position = writeText(out, position, field.name);
    return writeText(out, position, field.value);
  }

  #literalIndexed(field: Field, out: Buffer, at: number): number {
    let position = writeInteger(out, at, 0x40, 6, field.staticName);
    if (field.staticName === 0) position = writeHuffman(out, position, field.name);
    position = writeHuffman(out, position, field.value);
    const size = fieldSize(field);
    this.#evict(size);
    this.#newest = (this.#newest + 1) & (slots - 1);
    this.#ring[this.#newest] = field;
    this.#count++;
    this.#tableSize += size;
    if (field.id >= this.#slotOf.length) {
      const grown = new Uint8Array(Math.max(this.#slotOf.length * 2, field.id + 1));
      grown.set(this.#slotOf);
      this.#slotOf = grown;
    }
    this.#slotOf[field.id] = this.#newest;
    return position;
  }

  #evict(room: number): void {
    while (this.#count > 0 && this.#tableSize + room > this.#tableLimit) {
      const slot = (this.#newest - this.#count + 1) & (slots - 1);
      this.#tableSize -= fieldSize(this.#ring[slot] as Field);
      this.#ring[slot] = undefined;
      this.#count--;
    }
  }
}

function writeInteger(
  out: Buffer,
  at: number,
  pattern: number,
  prefixBits: number,
  value: number,
): number {
  const limit = (1 << prefixBits) - 1;
  if (value < limit) {
    out[at] = pattern | value;
    return at + 1;
  }
  let position = at;
  out[position++] = pattern | limit;
  let rest = value - limit;
  while (rest >= 0x80) {
    out[position++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  out[position++] = rest;
  return position;
}

/** Without Huffman coding: a text that is sent once is cheaper plain, for both ends. */
function writeText(out: Buffer, at: number, text: string): number {
  const { length } = text;
  let position = writeInteger(out, at, 0, 7, length);
  if (length > 48) {
    out.write(text, position, length, 'latin1');
    return position + length;
  }
  for (let i = 0; i < length; i++) out[position++] = text.charCodeAt(i);
  return position;
}

function writeHuffman(out: Buffer, at: number, text: string): number {
  const length = huffmanLength(text);
  if (length >= text.length) return writeText(out, at, text);
  return huffmanEncode(text, out, writeInteger(out, at, 0x80, 7, length));
}
