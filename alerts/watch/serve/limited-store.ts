/** A store that never grows past its bounds: new series beyond the limit and old samples go, and both are counted. */
import { Labels, MemoryStore, StoredSeries } from '../../../slo/promql/index.js';

export interface StoreLimits {
  /** Series kept at most; samples of further ones are dropped. */
  seriesMax: number;
  /** Samples kept at most; beyond it the oldest quarter of the time goes. */
  samplesMax: number;
  /** What is older is dropped, in milliseconds. */
  retentionMs: number;
}

export class LimitedStore extends MemoryStore {
  readonly limits: StoreLimits;
  /** Samples of series that found no place. */
  refused = 0;
  /** As of the last sweep, and what was counted since. */
  samples = 0;

  constructor(limits: StoreLimits) {
    super();
    this.limits = limits;
  }

  /** Of a series beyond the limit one that nobody finds again. */
  override series(labels: Labels | Readonly<Record<string, string>>): StoredSeries {
    if (this.seriesCount < this.limits.seriesMax) return super.series(labels);
    const known = this.known(labels);
    if (known) return known;
    this.refused++;
    return new StoredSeries(labels instanceof Labels ? labels : Labels.of(labels), 1);
  }

  /** Forgets what is past its time, and the oldest quarter of the time where there are too many samples. */
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
    for (const series of this.all()) this.samples += series.length;
  }
}
