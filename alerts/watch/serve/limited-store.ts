/** A store with bounds: it drops series beyond the limit and old samples, and counts both. */
import { Labels, MemoryStore, StoredSeries } from '../../../slo/promql/index.js';
import type { Histogram } from '../../../slo/promql/histogram/histogram.js';

export interface StoreLimits {
  /** Maximum number of series; samples of further series are dropped. */
  seriesMax: number;
  /** Maximum number of samples and of buckets; beyond it, the oldest quarter of the time is dropped. */
  samplesMax: number;
  /** Samples older than this are dropped, in milliseconds. */
  retentionMs: number;
}

export class LimitedStore extends MemoryStore {
  readonly limits: StoreLimits;
  /** Number of dropped samples of series beyond the limit. */
  refused = 0;
  /** Number of samples at the last sweep plus those counted since. */
  samples = 0;

  constructor(limits: StoreLimits) {
    super();
    this.limits = limits;
  }

  /** Beyond the limit, returns a series that no query can find. */
  override series(labels: Labels | Readonly<Record<string, string>>): StoredSeries {
    if (this.seriesCount < this.limits.seriesMax) return super.series(labels);
    const known = this.known(labels);
    if (known) return known;
    this.refused++;
    return new StoredSeries(labels instanceof Labels ? labels : Labels.of(labels), 1);
  }

  /** Adds a sample and counts it; false if the series has another one of that time, which stays. */
  take(series: StoredSeries, timeMs: number, value: number | Histogram | 'stale'): boolean {
    const before = series.length;
    if (value === 'stale') series.appendStale(timeMs);
    else if (typeof value === 'number') series.append(timeMs, value);
    else series.appendHistogram(timeMs, value);
    if (series.length === before) return series.holds(timeMs, value);
    this.samples += typeof value === 'object' ? weightOf(value) : 1;
    return true;
  }

  /** Drops samples past their time, and the oldest quarter of the time if there are too many samples. */
  sweep(nowMs: number): void {
    this.dropBefore(nowMs - this.limits.retentionMs);
    this.#count();
    while (this.samples > this.limits.samplesMax) {
      let oldestMs = Infinity;
      let newestMs = -Infinity;
      for (const series of this.all()) {
        oldestMs = Math.min(oldestMs, series.times[0] as number);
        newestMs = Math.max(newestMs, series.lastMs);
      }
      this.dropBefore(oldestMs + Math.max(1, (newestMs - oldestMs) / 4));
      this.#count();
    }
  }

  #count(): void {
    this.samples = 0;
    for (const series of this.all()) {
      this.samples += series.length;
      series.histograms?.forEach((histogram) => {
        if (histogram) this.samples += weightOf(histogram) - 1;
      });
    }
  }
}

const weightOf = ({ positive, negative }: Histogram): number =>
  1 + positive.counts.length + negative.counts.length;
