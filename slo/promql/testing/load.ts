/** Loads a test's series into a store. */
import { customSchema } from '../histogram/buckets.js';
import { Histogram } from '../histogram/histogram.js';
import { type Labels, metricNameLabel } from '../labels.js';
import type { MemoryStore } from '../store/store.js';
import { parseGoFloat } from '../syntax/literals.js';
import type { LoadCommand, LoadedSeries } from './script.js';

export function load(command: LoadCommand, store: MemoryStore): void {
  // If two lines define the same series, the last one counts.
  for (const line of new Map(command.series.map((s) => [s.labels.key, s])).values()) {
    const series = store.series(line.labels);
    line.values.forEach((value, i) => {
      const timeMs = i * command.stepMs;
      const offset = line.starts?.[i];
      const startMs = offset === undefined ? 0 : timeMs + offset;
      if (value.kind === 'float') series.append(timeMs, value.value, startMs);
      else if (value.kind === 'stale') series.appendStale(timeMs);
      else if (value.kind === 'histogram') series.appendHistogram(timeMs, value.histogram, startMs);
    });
  }
  if (command.withCustomBuckets) loadCustomBuckets(command, store);
}

interface Classic {
  readonly labels: Labels;
  /** The parts of a classic histogram at each time. */
  readonly at: Map<number, { buckets: Map<number, number>; count?: number; sum: number }>;
}

/** Loads classic histograms again as native ones with the same bounds. */
function loadCustomBuckets(command: LoadCommand, store: MemoryStore): void {
  const found = new Map<string, Classic>();
  for (const line of command.series) collect(line, found);
  for (const { labels, at } of found.values()) {
    for (const [i, parts] of [...at].sort(([a], [b]) => a - b)) {
      store.append(labels, i * command.stepMs, withBounds(parts));
    }
  }
}

function collect(line: LoadedSeries, found: Map<string, Classic>): void {
  const match = /^(.*)_(bucket|count|sum)$/.exec(line.labels.metricName);
  if (!match) return;
  const [, base, part] = match as unknown as [string, string, string];
  const upper = parseGoFloat(line.labels.get('le'));
  if (part === 'bucket' && (upper === undefined || Number.isNaN(upper))) return;
  const labels = line.labels.without(['le']).with(metricNameLabel, base);
  const classic = found.get(labels.key) ?? { labels, at: new Map() };
  found.set(labels.key, classic);
  line.values.forEach((value, i) => {
    if (value.kind !== 'float') return;
    const parts = classic.at.get(i) ?? { buckets: new Map<number, number>(), sum: 0 };
    classic.at.set(i, parts);
    if (part === 'bucket') parts.buckets.set(upper as number, value.value);
    else if (part === 'count') parts.count = value.value;
    else parts.sum = value.value;
  });
}

function withBounds(parts: {
  buckets: Map<number, number>;
  count?: number;
  sum: number;
}): Histogram {
  const sorted = [...parts.buckets].sort(([a], [b]) => a - b);
  const count = parts.count ?? sorted.at(-1)?.[1] ?? 0;
  if (sorted.at(-1)?.[0] !== Infinity) sorted.push([Infinity, count]);
  const histogram = new Histogram({
    schema: customSchema,
    count,
    sum: parts.sum,
    customBounds: sorted.slice(0, -1).map(([upper]) => upper),
    positive: {
      indexes: sorted.map((_, i) => i),
      counts: sorted.map(([, cumulative], i) => cumulative - (sorted[i - 1]?.[1] ?? 0)),
    },
  });
  return histogram.compact();
}
