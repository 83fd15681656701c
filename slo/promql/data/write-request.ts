/** Decodes a body of Prometheus remote write 1.0: protobuf compressed by snappy, without a library. */
import { isUtf8 } from 'node:buffer';
import type { Histogram } from '../histogram/histogram.js';
import { Double, eachField, Reader } from './protobuf.js';
import { writtenHistogramOf } from './written-histogram.js';

export interface WrittenSample {
  timeMs: number;
  value: number | Histogram;
  stale: boolean;
}

export interface WrittenSeries {
  labels: Record<string, string>;
  /** Whether a label has no name, the name of another, or is not UTF-8: no valid series. */
  ambiguous: boolean;
  samples: WrittenSample[];
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
  const series: WrittenSeries = { labels, ambiguous: false, samples: [] };
  eachField(bytes, (field, value) => {
    if (!(value instanceof Uint8Array)) return;
    if (field === 1) {
      let [name, text] = ['', ''];
      eachField(value, (part, of) => {
        if (!(of instanceof Uint8Array)) return;
        series.ambiguous ||= !isUtf8(of);
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
    if (field === 4) series.samples.push(writtenHistogramOf(value));
  });
  return series;
}
