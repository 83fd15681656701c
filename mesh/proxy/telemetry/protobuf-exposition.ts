/**
 * Prometheus's protobuf format (io.prometheus.client.MetricFamily, delimited), the one that carries native
 * histograms: https://github.com/prometheus/client_model/blob/master/io/prometheus/client/metrics.proto. A Prometheus
 * asks for it when native histograms are enabled. The native histogram has a name of its own, so that rules go on
 * reading the classic one.
 */
import type { LabelSet } from './labels.js';
import {
  type Exemplar,
  type LatencyHistogram,
  nativeFirstIndex,
  nativeSchema,
  nativeZeroThresholdMs,
} from './latency-histogram.js';
import {
  latencyBoundsMs,
  metricNames,
  type MetricName,
  metricSpecs,
  type MetricSpec,
} from './names.js';
import { ProtobufWriter } from './protobuf.js';
import type { MetricSink } from './sink.js';

export const protobufContentType =
  'application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited';

export const acceptsProtobuf = (accept: string | undefined): boolean =>
  accept !== undefined &&
  /application\/vnd\.google\.protobuf\s*;[^,]*proto=io\.prometheus\.client\.MetricFamily/.test(
    accept,
  );

const types = { counter: 0, gauge: 1, histogram: 4 } as const;

export class ProtobufSink implements MetricSink {
  readonly #families = new Map<MetricName, ProtobufWriter>();

  value(name: MetricName, labels: LabelSet, value: number): void {
    this.#family(name).message(4, (metric) => {
      writeLabels(metric, labels);
      metric.message(metricSpecs[name].type === 'counter' ? 3 : 2, (v) => v.double(1, value));
    });
  }

  histogram(name: MetricName, labels: LabelSet, histogram: LatencyHistogram): void {
    const isNative = (metricSpecs[name] as MetricSpec).protobufOnly === true;
    this.#family(name).message(4, (metric) => {
      writeLabels(metric, labels);
      metric.message(7, (h) => {
        h.uint(1, histogram.count);
        h.double(2, histogram.sumMs);
        if (isNative) writeNative(h, histogram);
        else writeClassic(h, histogram);
      });
    });
  }

  bytes(): Buffer {
    const out = new ProtobufWriter();
    for (const name of metricNames) {
      const family = this.#families.get(name);
      if (family) out.delimited(family.bytes());
    }
    return out.bytes();
  }

  #family(name: MetricName): ProtobufWriter {
    let family = this.#families.get(name);
    if (!family) {
      family = new ProtobufWriter();
      const { help, type } = metricSpecs[name];
      family.string(1, name);
      family.string(2, help);
      family.uint(3, types[type]);
      this.#families.set(name, family);
    }
    return family;
  }
}

function writeLabels(metric: ProtobufWriter, { pairs }: LabelSet): void {
  for (const [name, value] of pairs) {
    metric.message(1, (label) => {
      label.string(1, name);
      label.string(2, value);
    });
  }
}

function writeClassic(out: ProtobufWriter, { counts, exemplars }: LatencyHistogram): void {
  let below = 0;
  for (let i = 0; i < counts.length; i++) {
    below += counts[i] as number;
    const cumulative = below;
    out.message(3, (bucket) => {
      bucket.uint(1, cumulative);
      bucket.double(2, latencyBoundsMs[i] ?? Infinity);
      const exemplar = exemplars?.[i];
      if (exemplar) bucket.message(3, (e) => writeExemplar(e, exemplar));
    });
  }
}

function writeExemplar(out: ProtobufWriter, { traceId, ms, atMs }: Exemplar): void {
  out.message(1, (label) => {
    label.string(1, 'trace_id');
    label.string(2, traceId);
  });
  out.double(2, ms);
  out.message(3, (timestamp) => {
    timestamp.uint(1, Math.floor(atMs / 1000));
    timestamp.uint(2, Math.floor(atMs % 1000) * 1_000_000);
  });
}

/** Spans of consecutive non-empty buckets, and each count as the difference from the one before. */
function writeNative(out: ProtobufWriter, { native, nativeZero }: LatencyHistogram): void {
  out.sint(5, nativeSchema);
  out.double(6, nativeZeroThresholdMs);
  out.uint(7, nativeZero);
  const deltas = new ProtobufWriter();
  let before = 0;
  let nextIndex = 0;
  for (let i = 0; i < native.length; i++) {
    if (native[i] === 0) continue;
    const from = i;
    while (i < native.length && native[i] !== 0) {
      deltas.zigzag((native[i] as number) - before);
      before = native[i] as number;
      i++;
    }
    const index = from + nativeFirstIndex;
    // The first offset is an index, the others are gaps.
    const offset = index - nextIndex;
    nextIndex = i + nativeFirstIndex;
    const length = i - from;
    out.message(12, (span) => {
      span.sint(1, offset);
      span.uint(2, length);
    });
  }
  const bytes = deltas.bytes();
  if (bytes.length === 0) {
    // An empty span marks a native histogram without observations.
    out.message(12, (span) => span.sint(1, 0));
    return;
  }
  out.varint((13 << 3) | 2);
  out.delimited(bytes);
}
