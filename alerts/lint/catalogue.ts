/** The known metrics with their types and labels; lint checks the names in expressions against them. */
import { suggest } from '../../base/suggest.js';
import { countsByFamily } from './known-metrics.js';

export type MetricType = 'counter' | 'gauge' | 'histogram' | 'summary' | 'info';

export interface MetricInfo {
  type?: MetricType | undefined;
  /** All labels except those of the target; absent: not known. */
  labels?: ReadonlySet<string> | undefined;
  /** Other programs expose a metric of this name with other labels, so its labels prove nothing. */
  shared?: boolean | undefined;
}

/** Prometheus makes these series itself for every target. */
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

/** Labels that service discovery and external_labels add to series of any metric. */
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
const ofOpenMetrics = /_(total|info)$/;
const ofSuffix: Readonly<Record<string, MetricType>> = { _total: 'counter', _info: 'info' };

export class MetricCatalogue {
  readonly #metrics = new Map<string, MetricInfo>(ofPrometheus);
  /** Whether the catalogue holds every metric, so that any other name is a mistake. */
  complete = false;
  /** Suggestions by name, cached because every rule asks for the same few names; '' means none. */
  readonly #suggested = new Map<string, string>();

  add(name: string, info: MetricInfo = {}): void {
    const known = this.#metrics.get(name);
    this.#suggested.clear();
    this.#metrics.set(name, {
      type: info.type ?? known?.type,
      // A metric that the user lists exists, however common its name is.
      shared: known === undefined ? info.shared : known.shared && info.shared,
      labels:
        known?.labels && info.labels
          ? new Set([...known.labels, ...info.labels])
          : (info.labels ?? known?.labels),
    });
  }

  /** The metric of this name; also finds `_bucket`, `_sum` and `_count` of a histogram or a summary. */
  find(name: string): MetricInfo | undefined {
    const own = this.#metrics.get(name);
    if (own) return own;
    // OpenMetrics declares a counter and an info by the name without its suffix.
    const declared = ofOpenMetrics.exec(name);
    const family = declared && this.#metrics.get(name.slice(0, declared.index));
    if (family?.type && family.type === ofSuffix[declared?.[0] ?? '']) return family;
    const whole = suffixes.test(name) ? this.#metrics.get(name.replace(suffixes, '')) : undefined;
    if (whole?.type !== 'histogram' && whole?.type !== 'summary') return undefined;
    const le = name.endsWith('_bucket') ? ['le'] : [];
    return {
      type: 'counter',
      labels: whole.labels === undefined ? undefined : new Set([...whole.labels, ...le]),
    };
  }

  /** The metric's type from the catalogue, or else guessed from its name (`certain: false`). */
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
    // An incomplete catalogue can only show typing errors; the filter also saves computing thousands of distances.
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

/** A number that rises and falls, whatever its ending: `argocd_repo_pending_request_total`. */
const ofMoment = /_(pending|queued|waiting|active|open|running|current|in_?flight)_/;

/** The type by the naming conventions of OpenMetrics and Prometheus; undefined where the name shows none. */
function typeByName(name: string): MetricType | undefined {
  // Not `_count` and `_sum`: they may be parts of a histogram or plain numbers; `_bytes` may be either, too.
  if (/_(total|bucket)$/.test(name)) return ofMoment.test(name) ? undefined : 'counter';
  if (/_(ratio|celsius|timestamp_seconds|in_flight|info|queue_length|temperature)$/.test(name)) {
    return 'gauge';
  }
  return undefined;
}
