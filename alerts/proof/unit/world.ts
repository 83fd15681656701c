/** The store of one unit test, filled up to the moment of each evaluation. */
import {
  type Histogram,
  type Labels,
  MemoryStore,
  metricNameLabel,
  type StoredSeries,
} from '../../../slo/promql/index.js';
import { QueryEngine } from '../../rules/engine.js';
import { RuleError, type RuleSample, type RuleWorld } from '../../rules/model.js';
import type { Point } from './points.js';
import { selectorsOf } from './witness.js';

export interface UnitSeries {
  labels: Labels;
  /** One entry for each interval from the start. */
  points: readonly Point[];
}

export interface WorldOptions {
  startMs: number;
  intervalMs: number;
  externalLabels: Readonly<Record<string, string>>;
  externalUrl: string;
  series: readonly UnitSeries[];
}

interface Loading {
  series: StoredSeries;
  points: readonly Point[];
  next: number;
}

export class UnitWorld implements RuleWorld {
  readonly externalLabels: Readonly<Record<string, string>>;
  readonly externalUrl: string;
  readonly #store = new MemoryStore();
  readonly #engine: QueryEngine;
  readonly #loading: Loading[];
  readonly #startMs: number;
  readonly #intervalMs: number;

  constructor(
    options: WorldOptions,
    engine: { evaluationIntervalMs: number; closedRanges: boolean },
  ) {
    this.externalLabels = options.externalLabels;
    this.externalUrl = options.externalUrl;
    this.#startMs = options.startMs;
    this.#intervalMs = options.intervalMs;
    this.#engine = new QueryEngine(this.#store, {
      subqueryStepMs: engine.evaluationIntervalMs,
      closedRanges: engine.closedRanges,
    });
    // Of a series that is written twice, promtool takes the last.
    const last = new Map(options.series.map((series) => [series.labels.key, series]));
    this.#loading = [...last.values()].map(({ labels, points }) => ({
      series: this.#store.series(labels),
      points,
      next: 0,
    }));
  }

  loadUntil(timeMs: number): void {
    for (const loading of this.#loading) {
      const { series, points } = loading;
      for (; loading.next < points.length; loading.next++) {
        const at = this.#startMs + loading.next * this.#intervalMs;
        if (at > timeMs) break;
        const point = points[loading.next];
        if (point === undefined) continue;
        if (point === 'stale') series.appendStale(at);
        else if (typeof point === 'number') series.append(at, point);
        else series.appendHistogram(at, point);
      }
    }
  }

  query(expr: string, timeMs: number): RuleSample[] {
    return this.#engine.instant(expr, timeMs);
  }

  append(sample: RuleSample, timeMs: number): void {
    const value: number | Histogram = sample.histogram ?? sample.value;
    const series = this.#store.series(sample.labels);
    const before = series.lastMs === timeMs ? series.values[series.length - 1] : undefined;
    const appended =
      typeof value === 'number'
        ? series.append(timeMs, value)
        : series.appendHistogram(timeMs, value);
    if (appended === 'duplicate' && !Object.is(before, value)) {
      throw new RuleError('duplicate sample for timestamp');
    }
    if (appended === 'inserted') throw new RuleError('out of order sample');
  }

  appendStale(labels: Labels, timeMs: number): void {
    this.#store.appendStale(labels, timeMs);
  }

  /** Whether any series has a name that the expression selects, whatever its labels. */
  everFound(expr: string): boolean {
    const selectors = selectorsOf(expr);
    if (selectors.length === 0) return true;
    return selectors.some((matchers) => {
      const named = matchers.filter((m) => m.name === metricNameLabel);
      const asked = named.length > 0 ? named : matchers;
      return this.#store.select(asked, -Infinity, Infinity).length > 0;
    });
  }
}
