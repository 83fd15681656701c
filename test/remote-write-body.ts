/** A body of remote write as Prometheus sends it, in snappy literals. */

export interface Written {
  labels: Record<string, string>;
  /** Milliseconds and value; a value of 'stale' ends the series. */
  samples: [number, number | 'stale'][];
  /** Messages as bytes. */
  histograms?: number[][];
}

export function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  do {
    bytes.push(Number(rest & 0x7fn) | (rest > 0x7fn ? 0x80 : 0));
    rest >>= 7n;
  } while (rest > 0n);
  return bytes;
}

export const field = (number: number, bytes: number[]): number[] => [
  (number << 3) | 2,
  ...varint(bytes.length),
  ...bytes,
];

const label = ([key, value]: [string, string]): number[] =>
  field(1, [...field(1, [...Buffer.from(key)]), ...field(2, [...Buffer.from(value)])]);

function sample([timeMs, value]: Written['samples'][number]): number[] {
  const double = Buffer.alloc(8);
  if (value === 'stale') double.writeBigUInt64LE(0x7ff0000000000002n);
  else double.writeDoubleLE(value);
  return field(2, [(1 << 3) | 1, ...double, 2 << 3, ...varint(timeMs)]);
}

export function remoteWriteBody(...series: Written[]): Uint8Array {
  const message = series.flatMap(({ labels, samples, histograms = [] }) =>
    field(1, [
      ...Object.entries(labels).flatMap(label),
      ...samples.flatMap(sample),
      ...histograms.flatMap((bytes) => field(4, bytes)),
    ]),
  );
  const literals: number[] = [];
  for (let at = 0; at < message.length; at += 60) {
    const part = message.slice(at, at + 60);
    literals.push((part.length - 1) << 2, ...part);
  }
  return Uint8Array.from([...varint(message.length), ...literals]);
}
