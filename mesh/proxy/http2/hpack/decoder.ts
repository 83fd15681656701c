/**
 * The decoding half of HPACK (RFC 7541): a header block to fields. Limited by the table's size and by the size of one
 * list; a list beyond its limit is still decoded, to keep the table right, but not kept.
 */
import {
  Field,
  fieldSize,
  indexing,
  role,
  roleOfName,
  roleOfValue,
  type Indexing,
} from './field.js';
import { intern } from './intern.js';
import { staticCount, staticTable } from './static-table.js';
import { textOf, type Text } from './text-memo.js';

/** The block cannot be decoded: the connection is lost (COMPRESSION_ERROR). */
export class CompressionError extends Error {}

export class HpackDecoder {
  /** The announced limit; the peer's encoder may choose less. */
  readonly #maxTableSize: number;
  readonly #maxListSize: number;
  #tableLimit: number;
  #tableSize = 0;
  /** A ring: the newest entry is at #newest, older ones before it. It grows as it is filled. */
  readonly #ring: (Field | undefined)[] = [undefined];
  readonly #mask: number;
  #newest = 0;
  #count = 0;

  #buffer: Buffer = Buffer.alloc(0);
  #at = 0;
  #end = 0;
  #listSize = 0;
  /** The last block's list was larger than allowed, and was cut off. */
  tooLarge = false;

  constructor(maxTableSize: number, maxListSize: number) {
    this.#maxTableSize = maxTableSize;
    this.#tableLimit = maxTableSize;
    this.#maxListSize = maxListSize;
    let slots = 16;
    while (slots < maxTableSize / 32 + 1) slots *= 2;
    this.#mask = slots - 1;
  }

  /** Octets that the dynamic table uses now. */
  get tableSize(): number {
    return this.#tableSize;
  }

  decode(buffer: Buffer, start: number, end: number): Field[] {
    this.#buffer = buffer;
    this.#at = start;
    this.#end = end;
    this.#listSize = 0;
    this.tooLarge = false;
    const fields: Field[] = [];
    while (this.#at < end) {
      const first = buffer[this.#at++] as number;
      if (first & 0x80) {
        this.#add(fields, this.#entry(this.#integer(first, 7)));
      } else if (first & 0x40) {
        const field = this.#literal(this.#integer(first, 6), indexing.incremental);
        this.#insert(field);
        this.#add(fields, field);
      } else if (first & 0x20) {
        // Allowed only at the start of a block.
        if (fields.length > 0 || this.#listSize > 0) {
          throw new CompressionError('a table size update inside a header block');
        }
        const size = this.#integer(first, 5);
        if (size > this.#maxTableSize) {
          throw new CompressionError(`a table size of ${size}, at most ${this.#maxTableSize}`);
        }
        this.#tableLimit = size;
        this.#evict(0);
      } else {
        const how = first & 0x10 ? indexing.never : indexing.without;
        this.#add(fields, this.#literal(this.#integer(first, 4), how));
      }
    }
    return fields;
  }

  #add(fields: Field[], field: Field): void {
    this.#listSize += fieldSize(field);
    if (this.#listSize > this.#maxListSize) this.tooLarge = true;
    else fields.push(field);
  }

  #entry(index: number): Field {
    if (index <= staticCount) {
      if (index === 0) throw new CompressionError('index 0');
      return staticTable[index] as Field;
    }
    const back = index - staticCount - 1;
    if (back >= this.#count) throw new CompressionError(`index ${index} is beyond the table`);
    const slot = (this.#newest - back) & this.#mask;
    const field = this.#ring[slot] as Field;
    if (field.id >= 0) return field;
    // Used a second time: from here on the field is worth sharing.
    const shared = intern(field);
    this.#ring[slot] = shared;
    return shared;
  }

  #literal(nameIndex: number, how: Indexing): Field {
    if (nameIndex > 0) {
      const named = this.#entry(nameIndex);
      const value = this.#text();
      let itsRole = named.role;
      // An entry is malformed by its value or by its name: here only the name matters.
      if (itsRole === role.malformed) itsRole = roleOfName(named.name);
      itsRole = roleOfValue(itsRole, value.validAsValue, value.visible);
      return new Field(named.name, value.text, itsRole, how, named.staticName, 0);
    }
    const name = this.#text();
    const value = this.#text();
    return new Field(
      name.text,
      value.text,
      roleOfValue(name.roleAsName, value.validAsValue, value.visible),
      how,
      0,
      0,
    );
  }

  #insert(field: Field): void {
    const size = fieldSize(field);
    this.#evict(size);
    // A field larger than the whole table empties the table; this is no error.
    if (size > this.#tableLimit) return;
    this.#newest = (this.#newest + 1) & this.#mask;
    this.#ring[this.#newest] = field;
    this.#count++;
    this.#tableSize += size;
  }

  #evict(room: number): void {
    while (this.#count > 0 && this.#tableSize + room > this.#tableLimit) {
      const slot = (this.#newest - this.#count + 1) & this.#mask;
      this.#tableSize -= fieldSize(this.#ring[slot] as Field);
      this.#ring[slot] = undefined;
      this.#count--;
    }
  }

  #integer(first: number, prefixBits: number): number {
    const limit = (1 << prefixBits) - 1;
    let value = first & limit;
    if (value < limit) return value;
    for (let shift = 0; ; shift += 7) {
      // No valid integer needs more than 28 bits.
      if (this.#at >= this.#end || shift > 21) throw new CompressionError('a broken integer');
      const byte = this.#buffer[this.#at++] as number;
      value += (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  }

  #text(): Text {
    if (this.#at >= this.#end) throw new CompressionError('a string is cut off');
    const first = this.#buffer[this.#at++] as number;
    const length = this.#integer(first, 7);
    const start = this.#at;
    const end = start + length;
    if (end > this.#end) throw new CompressionError('a string is cut off');
    this.#at = end;
    const text = textOf(this.#buffer, start, end, first >= 0x80);
    if (!text) throw new CompressionError('broken Huffman coding');
    return text;
  }
}
