/** Scrapes one target's metrics into a store, as Prometheus does, including `up` and staleness. */
import { boundedBytes } from '../../base/bounded-answer.js';
import type { Clock, Timer } from '../../base/clock.js';
import { messageOf } from '../../base/errors.js';
import { Labels, metricNameLabel } from '../../slo/promql/index.js';
import type { MemoryStore } from '../../slo/promql/index.js';
import { eachSample, ExpositionError, labelsOf } from './exposition.js';
import { instanceOf, type Target } from './model.js';

/** A target's metrics: Prometheus's text, or OpenMetrics by the answer's type. */
export interface Exposition {
  readonly text: string;
  readonly openMetrics: boolean;
}

/** A target's metrics; rejects if there are none. */
export type FetchMetrics = (url: string, timeoutMs: number) => Promise<Exposition> | Exposition;

/** Bounds for one target; a real Prometheus gets the same bounds. */
export const seriesMax = 200_000;
export const bodyMaxBytes = 64 * 1024 * 1024;

export const fetchOverHttp: FetchMetrics = async (url, timeoutMs) => {
  const response = await fetch(url, {
    signal: AbortSignal.timeout(timeoutMs),
    headers: { accept: 'text/plain;version=0.0.4;q=1,*/*;q=0.1' },
  });
  if (!response.ok) throw new Error(`server returned HTTP status ${response.status}`);
  const body = await boundedBytes(response, bodyMaxBytes, 'the body is too large');
  return {
    text: body.toString('utf8'),
    openMetrics: /^application\/openmetrics-text\b/i.test(
      response.headers.get('content-type') ?? '',
    ),
  };
};

interface Scraped {
  labels: Labels;
  value: number;
  timeMs: number | undefined;
}

export class Scraper {
  readonly target: Target;
  readonly #clock: Clock;
  readonly #store: MemoryStore;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly #fetchMetrics: FetchMetrics;
  /** The target's own labels. */
  readonly labels: Readonly<Record<string, string>>;
  /** Parsed labels by the series' text, because most scrapes bring the same series. */
  readonly #known = new Map<string, Labels>();
  #present = new Map<string, Labels>();
  #timer: Timer | undefined;
  #busy = false;
  #stopped = false;
  #lastMs = -Infinity;
  lastError: string | undefined;
  /** The start of the last scrape that ended, and its duration. */
  last: { timeMs: number; seconds: number } | undefined;

  constructor(
    target: Target,
    clock: Clock,
    store: MemoryStore,
    intervalMs: number,
    fetchMetrics: FetchMetrics,
  ) {
    this.target = target;
    this.#clock = clock;
    this.#store = store;
    this.intervalMs = intervalMs;
    this.timeoutMs = Math.min(10_000, intervalMs);
    this.#fetchMetrics = fetchMetrics;
    this.labels = { ...target.labels, job: target.job, instance: instanceOf(target) };
  }

  start(): void {
    this.scrape();
    this.#timer = this.#clock.every(this.intervalMs, () => this.scrape());
  }

  /** Stops scraping and marks all series of the target as ended. */
  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    const nowMs = Math.max(this.#clock.nowMs(), this.#lastMs + 1);
    this.#endAll(nowMs);
    for (const name of ownMetrics) this.#store.appendStale(this.#labels({}, name), nowMs);
  }

  scrape(): void {
    // A target slower than the interval is asked again only after it has answered.
    if (this.#busy || this.#stopped) return;
    const startMs = Math.max(this.#clock.nowMs(), this.#lastMs + 1);
    this.#lastMs = startMs;
    const began = this.#clock.monotonicMs();
    const took = (): number => (this.#clock.monotonicMs() - began) / 1000;
    let answer: ReturnType<FetchMetrics>;
    try {
      answer = this.#fetchMetrics(this.target.url, this.timeoutMs);
    } catch (error) {
      this.#fail(startMs, took(), error);
      return;
    }
    if ('text' in answer) {
      this.#take(answer, startMs, took());
      return;
    }
    this.#busy = true;
    void answer
      .then(
        (exposition) => this.#take(exposition, startMs, took()),
        (error: unknown) => this.#fail(startMs, took(), error),
      )
      .finally(() => (this.#busy = false));
  }

  #take(exposition: Exposition, timeMs: number, tookSeconds: number): void {
    if (this.#stopped) return;
    let samples: Scraped[];
    try {
      samples = this.#read(exposition);
    } catch (error) {
      this.#fail(timeMs, tookSeconds, error);
      return;
    }
    const present = new Map<string, Labels>();
    let added = 0;
    for (const sample of samples) {
      const { labels } = sample;
      // A sample with its own time may be old, so its absence does not end the series.
      if (sample.timeMs === undefined) {
        if (!this.#present.has(labels.key)) added++;
        present.set(labels.key, labels);
      }
      this.#store.append(labels, sample.timeMs ?? timeMs, sample.value);
    }
    for (const [key, labels] of this.#present) {
      if (!present.has(key)) this.#store.appendStale(labels, timeMs);
    }
    this.#present = present;
    this.lastError = undefined;
    this.#report(timeMs, 1, tookSeconds, samples.length, added);
  }

  #read({ text, openMetrics }: Exposition): Scraped[] {
    const samples: Scraped[] = [];
    if (this.#known.size > seriesMax) this.#known.clear();
    if (openMetrics && !text.endsWith('# EOF\n') && !text.endsWith('# EOF')) {
      throw new Error('the metrics are cut off: their last line is not # EOF');
    }
    eachSample(text, { openMetrics }, (sample) => {
      if (samples.length >= seriesMax) throw new Error(`more than ${seriesMax} series`);
      let labels = this.#known.get(sample.series);
      if (!labels) {
        const exposed = labelsOf(sample.series);
        labels = this.#labels(exposed, exposed.__name__ as string);
        this.#known.set(sample.series, labels);
      }
      samples.push({ labels, value: sample.value, timeMs: sample.timeMs });
    });
    return samples;
  }

  /** The target's labels win; exposed labels of the same names are renamed to `exported_…`. */
  #labels(exposed: Record<string, string>, metric: string): Labels {
    const labels: Record<string, string> = { ...this.labels, [metricNameLabel]: metric };
    for (const [name, value] of Object.entries(exposed)) {
      if (name === metricNameLabel || value === '') continue;
      let free = name;
      while (free in this.labels) free = `exported_${free}`;
      labels[free] = value;
    }
    return Labels.of(labels);
  }

  #fail(timeMs: number, tookSeconds: number, error: unknown): void {
    if (this.#stopped) return;
    const where = error instanceof ExpositionError ? 'the metrics cannot be read: ' : '';
    this.lastError = where + messageOf(error);
    this.#endAll(timeMs);
    this.#report(timeMs, 0, tookSeconds, 0, 0);
  }

  #endAll(timeMs: number): void {
    for (const labels of this.#present.values()) this.#store.appendStale(labels, timeMs);
    this.#present = new Map();
  }

  #report(timeMs: number, up: number, seconds: number, scraped: number, added: number): void {
    this.last = { timeMs, seconds };
    const values = [up, seconds, scraped, scraped, added];
    ownMetrics.forEach((name, i) => {
      this.#store.append(this.#labels({}, name), timeMs, values[i] as number);
    });
  }
}

const ownMetrics = [
  'up',
  'scrape_duration_seconds',
  'scrape_samples_scraped',
  'scrape_samples_post_metric_relabeling',
  'scrape_series_added',
];
