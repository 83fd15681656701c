/** The part of Protocol Buffers' wire format that the stream needs: varints, strings and bytes, nested messages. */

const varint = 0;
const fixed64 = 1;
const lengthDelimited = 2;
const fixed32 = 5;

/** Collects fields and joins them once. Zero, empty and undefined fields are left out, as in proto3. */
export class WireWriter {
  readonly #parts: Uint8Array[] = [];
  #length = 0;

  /** An unsigned integer up to 2^53 - 1. */
  uint(field: number, value: number | undefined): this {
    if (!value) return this;
    return this.#varint(field * 8 + varint).#varint(value);
  }

  bool(field: number, value: boolean | undefined): this {
    return this.uint(field, value ? 1 : 0);
  }

  string(field: number, value: string | undefined): this {
    return value ? this.bytes(field, Buffer.from(value, 'utf8')) : this;
  }

  strings(field: number, values: readonly string[] | undefined): this {
    for (const value of values ?? []) this.bytes(field, Buffer.from(value, 'utf8'));
    return this;
  }

  /** Also for an encoded nested message; written even if empty. */
  bytes(field: number, value: Uint8Array): this {
    this.#varint(field * 8 + lengthDelimited).#varint(value.length);
    return this.#push(value);
  }

  finish(): Buffer {
    return Buffer.concat(this.#parts, this.#length);
  }

  #varint(value: number): this {
    const bytes: number[] = [];
    let rest = value;
    while (rest >= 0x80) {
      bytes.push((rest % 0x80) | 0x80);
      rest = Math.floor(rest / 0x80);
    }
    bytes.push(rest);
    return this.#push(Uint8Array.from(bytes));
  }

  #push(part: Uint8Array): this {
    this.#parts.push(part);
    this.#length += part.length;
    return this;
  }
}

export class WireError extends Error {}

/** Fields of two bytes would take fifty times a message's size as objects. */
const maxFields = 100_000;

/** One field as read; the getters throw WireError on another wire type. */
export interface WireField {
  number: number;
  uint(): number;
  string(): string;
  bytes(): Buffer;
}

/** The fields of a message in order; throws WireError on a truncated or malformed one. */
export function* readWire(buffer: Buffer): Generator<WireField> {
  let at = 0;
  const readVarint = (): number => {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 10; i++) {
      const byte = buffer[at++];
      if (byte === undefined) throw new WireError('truncated varint');
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (value > Number.MAX_SAFE_INTEGER) throw new WireError('varint beyond 2^53');
        return value;
      }
      scale *= 0x80;
    }
    throw new WireError('varint longer than 10 bytes');
  };
  const take = (length: number): Buffer => {
    if (at + length > buffer.length) throw new WireError('truncated field');
    at += length;
    return buffer.subarray(at - length, at);
  };
  const wrong = (): never => {
    throw new WireError('field of another wire type');
  };
  for (let fields = 0; at < buffer.length; fields++) {
    if (fields === maxFields) throw new WireError(`more than ${maxFields} fields`);
    const tag = readVarint();
    const number = Math.floor(tag / 8);
    if (number === 0) throw new WireError('field number 0');
    switch (tag % 8) {
      case varint: {
        const value = readVarint();
        yield { number, uint: () => value, string: wrong, bytes: wrong };
        break;
      }
      case lengthDelimited: {
        const value = take(readVarint());
        yield { number, uint: wrong, string: () => value.toString('utf8'), bytes: () => value };
        break;
      }
      case fixed64:
        take(8);
        break;
      case fixed32:
        take(4);
        break;
      default:
        throw new WireError(`wire type ${tag % 8}`);
    }
  }
}
