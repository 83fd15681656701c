/** Reads protobuf's wire format without a library. */

/** The bits of the NaN by which Prometheus marks the end of a series. */
const staleBits = 0x7ff0000000000002n;

/** A float with its original bits, which distinguish a staleness marker from any other NaN. */
export class Double {
  readonly #view: DataView;

  constructor(bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, 8);
  }

  read(): { value: number; stale: boolean } {
    const value = this.#view.getFloat64(0, true);
    return { value, stale: Number.isNaN(value) && this.#view.getBigUint64(0, true) === staleBits };
  }
}

/** Calls `take` for each field: integers as bigint, doubles, and everything else as bytes. */
export function eachField(
  bytes: Uint8Array,
  take: (field: number, value: bigint | Double | Uint8Array) => void,
): void {
  const reader = new Reader(bytes);
  while (!reader.done) {
    const key = reader.varint();
    const field = key >>> 3;
    switch (key & 7) {
      case 0:
        take(field, reader.varint64());
        break;
      case 1:
        take(field, new Double(reader.bytes(8)));
        break;
      case 2:
        take(field, reader.bytes(reader.varint()));
        break;
      case 5:
        reader.bytes(4);
        break;
      default:
        throw new Error('protobuf: an unknown kind of field');
    }
  }
}

export class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get done(): boolean {
    return this.#at >= this.#bytes.length;
  }

  byte(): number {
    const byte = this.#bytes[this.#at++];
    if (byte === undefined) throw new Error('it is cut off');
    return byte;
  }

  bytes(count: number): Uint8Array {
    if (this.#at + count > this.#bytes.length) throw new Error('it is cut off');
    const slice = this.#bytes.subarray(this.#at, this.#at + count);
    this.#at += count;
    return slice;
  }

  little(count: number): number {
    let value = 0;
    for (let i = 0; i < count; i++) value += this.byte() * 2 ** (8 * i);
    return value;
  }

  varint64(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.byte();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw new Error('a number that does not end');
  }

  varint(): number {
    return Number(this.varint64());
  }
}
