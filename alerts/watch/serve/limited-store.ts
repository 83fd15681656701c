/** A store with bounds: it drops series and labels beyond the limit and old samples, and counts both. */
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

/** Characters of a series' labels on average. */
const labelsOfSeries = 600;

export class LimitedStore extends MemoryStore {
  readonly limits: StoreLimits;
  /** Number of dropped samples of series beyond the limits. */
  refused = 0;
  /** Characters of the labels of all series. */
  #labels = 0;
  /** Number of samples at the last sweep plus those counted since. */
  samples = 0;

  constructor(limits: StoreLimits) {
    super();
    this.limits = limits;
  }

  /** Characters that the labels of all series may have; a few long labels are enough to fill the memory. */
  get labelsMax(): number {
    return Math.max(65_536, this.limits.seriesMax * labelsOfSeries);
  }

  /** Beyond the limits, returns a series that no query can find. */
  override series(labels: Labels | Readonly<Record<string, string>>): StoredSeries {
    const own = labels instanceof Labels ? labels : Labels.of(labels);
    const known = this.known(own);
    if (known) return known;
    const { length } = own.key;
    if (this.seriesCount < this.limits.seriesMax && this.#labels + length <= this.labelsMax) {
      this.#labels += length;
      return super.series(own);
    }
    this.refused++;
    return new StoredSeries(own, 1);
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
    this.#labels = 0;
    for (const series of this.all()) {
      this.#labels += series.labels.key.length;
      this.samples += series.length;
      series.histograms?.forEach((histogram) => {
        if (histogram) this.samples += weightOf(histogram) - 1;
      });
    }
  }
}

const weightOf = ({ positive, negative }: Histogram): number =>
  1 + positive.counts.length + negative.counts.length;
