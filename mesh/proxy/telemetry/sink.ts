/** The target of a scrape: text or protobuf. Collectors do not know which. */
import type { LabelSet } from './labels.js';
import type { LatencyHistogram } from './latency-histogram.js';
import type { MetricName } from './names.js';

export interface MetricSink {
  value(name: MetricName, labels: LabelSet, value: number): void;
  histogram(name: MetricName, labels: LabelSet, histogram: LatencyHistogram): void;
}

export type Collector = (sink: MetricSink) => void;
