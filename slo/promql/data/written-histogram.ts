/** Decodes a native histogram of remote write 1.0. */
import { type Buckets, customSchema } from '../histogram/buckets.js';
import { Histogram, type ResetHint } from '../histogram/histogram.js';
import { Double, eachField, Reader } from './protobuf.js';
import type { WrittenSample } from './write-request.js';

type Field = bigint | Double | Uint8Array;

const hints: readonly ResetHint[] = ['unknown', 'reset', 'not_reset', 'gauge'];

/** Integers in which the sign is the last bit. */
const signed = (value: bigint): number => Number((value >> 1n) ^ -(value & 1n));

/** Collects one side's fields: runs of buckets beside each other, and their counts or the differences between them. */
class Side {
  readonly spans: { gap: number; length: number }[] = [];
  readonly deltas: number[] = [];
  readonly counts: number[] = [];

  buckets(): Buckets {
    let count = 0;
    const counts = this.counts.length > 0 ? this.counts : this.deltas.map((d) => (count += d));
    const held = this.spans.reduce((sum, span) => sum + span.length, 0);
    if (held !== counts.length) {
      throw new Error(`a histogram with ${held} buckets and ${counts.length} counts`);
    }
    if (counts.some((c) => c < 0)) throw new Error('a histogram with a negative count');
    const indexes: number[] = [];
    let index = 0;
    for (const { gap, length } of this.spans) {
      index += gap;
      for (let i = 0; i < length; i++) indexes.push(index++);
    }
    return { indexes, counts };
  }
}

/** Throws an Error if the histogram is none that Prometheus stores. */
export function writtenHistogramOf(bytes: Uint8Array): WrittenSample {
  const histogram = new Histogram();
  const [negative, positive] = [new Side(), new Side()];
  const bounds: number[] = [];
  let timeMs = 0;
  let stale = false;
  eachField(bytes, (field, value) => {
    if (field === 1 || field === 2) histogram.count = numberOf(value);
    if (field === 3 && value instanceof Double) ({ value: histogram.sum, stale } = value.read());
    if (field === 4 && typeof value === 'bigint') histogram.schema = signed(value);
    if (field === 5) histogram.zeroThreshold = numberOf(value);
    if (field === 6 || field === 7) histogram.zeroCount = numberOf(value);
    if (field >= 8 && field <= 13) take(field < 11 ? negative : positive, (field - 8) % 3, value);
    if (field === 14) histogram.hint = hints[numberOf(value)] ?? 'unknown';
    if (field === 15 && typeof value === 'bigint') timeMs = Number(BigInt.asIntN(64, value));
    if (field === 16) bounds.push(...doublesOf(value));
  });
  if (stale) return { timeMs, value: NaN, stale };
  const { schema } = histogram;
  if (schema !== customSchema && (schema < -4 || schema > 8)) {
    throw new Error(`a histogram of schema ${schema}`);
  }
  histogram.customBounds = bounds;
  histogram.positive = positive.buckets();
  histogram.negative = negative.buckets();
  return { timeMs, value: histogram.compact(), stale };
}

function take(side: Side, part: number, value: Field): void {
  if (part === 0 && value instanceof Uint8Array) {
    const span = { gap: 0, length: 0 };
    eachField(value, (field, of) => {
      if (typeof of !== 'bigint') return;
      if (field === 1) span.gap = signed(of);
      if (field === 2) span.length = Number(of);
    });
    side.spans.push(span);
  }
  if (part === 1) side.deltas.push(...integersOf(value).map(signed));
  if (part === 2) side.counts.push(...doublesOf(value));
}

const numberOf = (value: Field): number =>
  value instanceof Double ? value.read().value : Number(value);

/** Repeated numbers come one by one, or together as bytes. */
function integersOf(value: Field): bigint[] {
  if (typeof value === 'bigint') return [value];
  const integers: bigint[] = [];
  if (value instanceof Uint8Array) {
    for (const reader = new Reader(value); !reader.done;) integers.push(reader.varint64());
  }
  return integers;
}

function doublesOf(value: Field): number[] {
  if (value instanceof Double) return [value.read().value];
  const doubles: number[] = [];
  if (value instanceof Uint8Array) {
    const reader = new Reader(value);
    while (!reader.done) doubles.push(new Double(reader.bytes(8)).read().value);
  }
  return doubles;
}
