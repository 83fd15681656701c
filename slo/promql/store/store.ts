/** Series in memory, found by matchers. */
import type { Histogram } from '../histogram/histogram.js';
import { Labels, metricNameLabel } from '../labels.js';
import type { Matcher } from '../syntax/ast.js';
import { type CompiledMatcher, matcherOf } from './matcher.js';
import { type Appended, type Series, StoredSeries } from './series.js';

/** The source of the engine's series. */
export interface Store {
  /** Every series that all matchers select and that may have samples in the given time, sorted by labels. */
  select(matchers: readonly Matcher[], fromMs: number, toMs: number): readonly Series[];
}

interface Selection {
  generation: number;
  series: StoredSeries[];
}

const selectionsMax = 1024;

export class MemoryStore implements Store {
  readonly #byKey = new Map<string, StoredSeries>();
  readonly #byName = new Map<string, StoredSeries[]>();
  /** Results of selections by matchers, valid until a series is added or removed. */
  readonly #selections = new Map<string, Selection>();
  #generation = 0;

  get seriesCount(): number {
    return this.#byKey.size;
  }

  /** The series with these labels, created if it is new; keep it, to append without looking it up again. */
  series(labels: Labels | Readonly<Record<string, string>>): StoredSeries {
    const own = labels instanceof Labels ? labels : Labels.of(labels);
    let found = this.#byKey.get(own.key);
    if (!found) {
      found = new StoredSeries(own);
      this.#byKey.set(own.key, found);
      const name = own.metricName;
      const sameName = this.#byName.get(name);
      if (sameName) sameName.push(found);
      else this.#byName.set(name, [found]);
      this.#generation++;
    }
    return found;
  }

  /** The series with these labels, if it exists. */
  known(labels: Labels | Readonly<Record<string, string>>): StoredSeries | undefined {
    return this.#byKey.get(labels instanceof Labels ? labels.key : Labels.of(labels).key);
  }

  append(
    labels: Labels | Readonly<Record<string, string>>,
    timeMs: number,
    value: number | Histogram,
  ): Appended {
    const series = this.series(labels);
    return typeof value === 'number'
      ? series.append(timeMs, value)
      : series.appendHistogram(timeMs, value);
  }

  appendStale(labels: Labels | Readonly<Record<string, string>>, timeMs: number): Appended {
    return this.series(labels).appendStale(timeMs);
  }

  select(matchers: readonly Matcher[], fromMs: number, toMs: number): readonly Series[] {
    const found = this.#selection(matchers);
    const within = (s: StoredSeries): boolean =>
      s.length > 0 && s.lastMs >= fromMs && (s.times[0] as number) <= toMs;
    return found.every(within) ? found : found.filter(within);
  }

  /** Every series, in the order of creation. */
  all(): IterableIterator<StoredSeries> {
    return this.#byKey.values();
  }

  /** Drops samples older than `timeMs`, and series without samples. */
  dropBefore(timeMs: number): void {
    for (const [key, series] of this.#byKey) {
      series.dropBefore(timeMs);
      if (series.length === 0) this.#remove(key, series);
    }
  }

  clear(): void {
    this.#byKey.clear();
    this.#byName.clear();
    this.#selections.clear();
    this.#generation++;
  }

  #remove(key: string, series: StoredSeries): void {
    this.#byKey.delete(key);
    const name = series.labels.metricName;
    const rest = (this.#byName.get(name) ?? []).filter((s) => s !== series);
    if (rest.length > 0) this.#byName.set(name, rest);
    else this.#byName.delete(name);
    this.#generation++;
  }

  #selection(matchers: readonly Matcher[]): StoredSeries[] {
    const key = matchers.map((m) => `${m.name}\u0000${m.op}\u0000${m.value}`).join('\u0001');
    const known = this.#selections.get(key);
    if (known && known.generation === this.#generation) return known.series;
    const series = this.#search(matchers.map(matcherOf));
    if (this.#selections.size >= selectionsMax) this.#selections.clear();
    this.#selections.set(key, { generation: this.#generation, series });
    return series;
  }

  #search(matchers: readonly CompiledMatcher[]): StoredSeries[] {
    const byName = matchers.filter((m) => m.name === metricNameLabel);
    const rest = matchers.filter((m) => m.name !== metricNameLabel);
    const exact = byName.find((m) => m.source.op === '=');
    const names = exact ? [exact.source.value] : [...this.#byName.keys()];
    const found: StoredSeries[] = [];
    for (const name of names) {
      if (!byName.every((m) => m.matches(name))) continue;
      for (const series of this.#byName.get(name) ?? []) {
        if (rest.every((m) => m.matches(series.labels.get(m.name)))) found.push(series);
      }
    }
    return found.sort((a, b) => Labels.compare(a.labels, b.labels));
  }
}
