/** Which metrics there are, of which type and with which labels: what names in expressions are held against. */
import { suggest } from '../../base/suggest.js';
import { countsByFamily } from './known-metrics.js';

export type MetricType = 'counter' | 'gauge' | 'histogram' | 'summary' | 'info';

export interface MetricInfo {
  type?: MetricType | undefined;
  /** All labels beside those of the target; absent: not known. */
  labels?: ReadonlySet<string> | undefined;
  /** Other programs expose a metric of this name too, with labels of their own: it proves nothing. */
  shared?: boolean | undefined;
}

/** Made by Prometheus itself, for every target. */
const ofPrometheus: readonly [string, MetricInfo][] = [
  ['up', { type: 'gauge' }],
  ['ALERTS', { type: 'gauge' }],
  ['ALERTS_FOR_STATE', { type: 'gauge' }],
  ['scrape_duration_seconds', { type: 'gauge' }],
  ['scrape_samples_scraped', { type: 'gauge' }],
  ['scrape_samples_post_metric_relabeling', { type: 'gauge' }],
  ['scrape_series_added', { type: 'gauge' }],
  ['scrape_timeout_seconds', { type: 'gauge' }],
  ['scrape_sample_limit', { type: 'gauge' }],
  ['scrape_body_size_bytes', { type: 'gauge' }],
];

/** Labels that discovery and external_labels put on series of any metric. */
export const targetLabels: ReadonlySet<string> = new Set([
  '__name__',
  'job',
  'instance',
  'namespace',
  'pod',
  'container',
  'node',
  'service',
  'endpoint',
  'workload',
  'app',
  'cluster',
  'region',
  'zone',
  'env',
  'environment',
  'tenant',
  'prometheus',
  'replica',
]);

const suffixes = /_(bucket|sum|count)$/;

export class MetricCatalogue {
  readonly #metrics = new Map<string, MetricInfo>(ofPrometheus);
  /** Whether a name that is not in it is a mistake. */
  complete = false;
  /** By name: the same few are asked for by every rule; '' for none. */
  readonly #suggested = new Map<string, string>();

  add(name: string, info: MetricInfo = {}): void {
    const known = this.#metrics.get(name);
    this.#suggested.clear();
    this.#metrics.set(name, {
      type: info.type ?? known?.type,
      // What is said to exist is not in doubt, however common its name.
      shared: known === undefined ? info.shared : known.shared && info.shared,
      labels:
        known?.labels && info.labels
          ? new Set([...known.labels, ...info.labels])
          : (info.labels ?? known?.labels),
    });
  }

  /** Of a histogram or a summary, also the names of its parts. */
  find(name: string): MetricInfo | undefined {
    const own = this.#metrics.get(name);
    if (own) return own;
    const whole = suffixes.test(name) ? this.#metrics.get(name.replace(suffixes, '')) : undefined;
    if (whole?.type !== 'histogram' && whole?.type !== 'summary') return undefined;
    const le = name.endsWith('_bucket') ? ['le'] : [];
    return {
      type: 'counter',
      labels: whole.labels === undefined ? undefined : new Set([...whole.labels, ...le]),
    };
  }

  /** The type, from the catalogue or else from how names are given. */
  typeOf(name: string): { type: MetricType | undefined; certain: boolean } {
    const known = this.find(name)?.type ?? (countsByFamily(name) ? 'counter' : undefined);
    return known ? { type: known, certain: true } : { type: typeByName(name), certain: false };
  }

  suggest(name: string): string | undefined {
    let known = this.#suggested.get(name);
    if (known === undefined) this.#suggested.set(name, (known = this.#nearest(name) ?? ''));
    return known === '' ? undefined : known;
  }

  #nearest(name: string): string | undefined {
    const part = suffixes.exec(name)?.[0] ?? '';
    // Without a whole list only a slip of the fingers is meant, and thousands of names need no distance.
    const mayBe = (n: string): boolean =>
      this.complete || (Math.abs(n.length - name.length) <= 1 && n.startsWith(name.slice(0, 4)));
    const names = [...this.#metrics]
      .filter(([, info]) => !info.shared)
      .map(([n, info]) => (info.type === 'histogram' && part !== '' ? `${n}${part}` : n));
    return suggest(name, names.filter(mayBe));
  }

  get size(): number {
    return this.#metrics.size - ofPrometheus.length;
  }
}

/** OpenMetrics and Prometheus's conventions; undefined where a name says nothing. */
function typeByName(name: string): MetricType | undefined {
  // `_count` and `_sum` are of a histogram as often as they are a number of members, and `_bytes` may be either.
  if (/_(total|bucket)$/.test(name)) return 'counter';
  if (/_(ratio|celsius|timestamp_seconds|in_flight|info|queue_length|temperature)$/.test(name)) {
    return 'gauge';
  }
  return undefined;
}
