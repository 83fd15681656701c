/** Prometheus's text format, version 0.0.4. */
import type { LabelSet } from './labels.js';
import type { LatencyHistogram } from './latency-histogram.js';
import {
  latencyBoundsMs,
  metricNames,
  type MetricName,
  metricSpecs,
  type MetricSpec,
} from './names.js';
import type { MetricSink } from './sink.js';

export const textContentType = 'text/plain; version=0.0.4; charset=utf-8';

const bucketLabels = [...latencyBoundsMs.map(String), '+Inf'].map((le) => `le="${le}"`);

export class TextSink implements MetricSink {
  readonly #families = new Map<MetricName, string[]>();

  value(name: MetricName, labels: LabelSet, value: number): void {
    this.#lines(name).push(
      labels.text === '' ? `${name} ${value}` : `${name}{${labels.text}} ${value}`,
    );
  }

  histogram(name: MetricName, labels: LabelSet, { counts, sumMs, count }: LatencyHistogram): void {
    if ((metricSpecs[name] as MetricSpec).protobufOnly) return;
    const lines = this.#lines(name);
    const prefix = labels.text === '' ? '' : `${labels.text},`;
    let below = 0;
    for (let i = 0; i < counts.length; i++) {
      below += counts[i] as number;
      lines.push(`${name}_bucket{${prefix}${bucketLabels[i]}} ${below}`);
    }
    const braces = labels.text === '' ? '' : `{${labels.text}}`;
    lines.push(`${name}_sum${braces} ${sumMs}`, `${name}_count${braces} ${count}`);
  }

  text(): string {
    const out: string[] = [];
    for (const name of metricNames) {
      const lines = this.#families.get(name);
      if (!lines) continue;
      const { help, type } = metricSpecs[name];
      out.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...lines);
    }
    out.push('');
    return out.join('\n');
  }

  #lines(name: MetricName): string[] {
    let lines = this.#families.get(name);
    if (!lines) this.#families.set(name, (lines = []));
    return lines;
  }
}
