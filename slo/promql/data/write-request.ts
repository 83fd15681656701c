/** Decodes a body of Prometheus remote write 1.0: protobuf compressed by snappy, without a library. */

export interface WrittenSeries {
  labels: Record<string, string>;
  /** Whether a label has no name, or the name of another: no valid series. */
  ambiguous: boolean;
  samples: { timeMs: number; value: number; stale: boolean }[];
  /** Number of native histograms in the body; they are not read. */
  histograms: number;
}

/** Decodes snappy's block format: literals, and copies of earlier output. */
export function decodeSnappy(input: Uint8Array, maxBytes: number): Uint8Array {
  const reader = new Reader(input);
  const length = reader.varint();
  if (length > maxBytes) throw new Error(`${length} bytes decoded are too many`);
  const output = new Uint8Array(length);
  let at = 0;
  while (!reader.done) {
    const tag = reader.byte();
    if ((tag & 3) === 0) {
      let size = (tag >> 2) + 1;
      if (size > 60) size = reader.little(size - 60) + 1;
      const literal = reader.bytes(size);
      if (at + size > length) throw new Error('snappy: more than was announced');
      output.set(literal, at);
      at += size;
      continue;
    }
    const short = (tag & 3) === 1;
    const size = short ? ((tag >> 2) & 7) + 4 : (tag >> 2) + 1;
    const offset = short
      ? ((tag >> 5) << 8) | reader.byte()
      : reader.little((tag & 3) === 2 ? 2 : 4);
    if (offset === 0 || offset > at || at + size > length) throw new Error('snappy: a wrong copy');
    // Copies byte by byte, because a copy may overlap its own output.
    for (let i = 0; i < size; i++, at++) output[at] = output[at - offset] as number;
  }
  if (at !== length) throw new Error('snappy: it is cut off');
  return output;
}

export function writeRequestOf(bytes: Uint8Array): WrittenSeries[] {
  const series: WrittenSeries[] = [];
  eachField(bytes, (field, value) => {
    if (field === 1 && value instanceof Uint8Array) series.push(seriesOf(value));
  });
  return series;
}

function seriesOf(bytes: Uint8Array): WrittenSeries {
  // An object without a prototype, because a label may be called __proto__.
  const labels = Object.create(null) as Record<string, string>;
  const series: WrittenSeries = { labels, ambiguous: false, samples: [], histograms: 0 };
  eachField(bytes, (field, value) => {
    if (!(value instanceof Uint8Array)) return;
    if (field === 1) {
      let [name, text] = ['', ''];
      eachField(value, (part, of) => {
        if (!(of instanceof Uint8Array)) return;
        if (part === 1) name = Buffer.from(of).toString();
        if (part === 2) text = Buffer.from(of).toString();
      });
      series.ambiguous ||= name === '' || name in labels;
      labels[name] = text;
    }
    if (field === 2) {
      const sample = { timeMs: 0, value: 0, stale: false };
      eachField(value, (part, of) => {
        if (part === 1 && of instanceof Double) Object.assign(sample, of.read());
        if (part === 2 && typeof of === 'bigint') sample.timeMs = Number(BigInt.asIntN(64, of));
      });
      series.samples.push(sample);
    }
    if (field === 4) series.histograms++;
  });
  return series;
}

/** The bits of the NaN by which Prometheus marks the end of a series. */
const staleBits = 0x7ff0000000000002n;

/** A float with its original bits, which distinguish a staleness marker from any other NaN. */
class Double {
  readonly #view: DataView;

  constructor(bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, 8);
  }

  read(): { value: number; stale: boolean } {
    const value = this.#view.getFloat64(0, true);
    return { value, stale: Number.isNaN(value) && this.#view.getBigUint64(0, true) === staleBits };
  }
}

/** Reads protobuf's wire format: integers as bigint, doubles, and everything else as bytes. */
function eachField(
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

class Reader {
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
