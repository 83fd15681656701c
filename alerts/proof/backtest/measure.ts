/** Measures an SLO's events in existing series, by evaluating its step expressions at every step. */
import type { Slo } from '../../../slo/index.js';
import type { StepEvents } from './events.js';
import { stepExprsOf } from '../../../slo/rules/step-exprs.js';

export interface Measured {
  labels: Record<string, string>;
  events: StepEvents;
}

export interface RangeSeries {
  labels: Record<string, string>;
  points: Iterable<readonly [number, number]>;
}

/** Runs a range query, against a Prometheus or a store. */
export type AskRange = (
  expr: string,
  startMs: number,
  endMs: number,
  stepMs: number,
) => Promise<RangeSeries[]> | RangeSeries[];

export interface Span {
  startMs: number;
  endMs: number;
  stepMs: number;
}

/** Measures the events of each group of the SLO; empty where nothing was ever measured. */
export async function measure(
  slo: Slo,
  all: ReadonlyMap<string, Slo>,
  ask: AskRange,
  { startMs, endMs, stepMs }: Span,
): Promise<Measured[]> {
  const exprs = stepExprsOf(slo, all, { stepMs });
  const lastMs = endMs - stepMs;
  const total = await ask(exprs.total, startMs, lastMs, stepMs);
  const bad = await ask(exprs.bad, startMs, lastMs, stepMs);
  const n = Math.max(0, Math.floor((lastMs - startMs) / stepMs) + 1);
  const column = (series: RangeSeries | undefined): Float64Array => {
    const values = new Float64Array(n).fill(NaN);
    for (const [timeMs, value] of series?.points ?? []) {
      const i = Math.round((timeMs - startMs) / stepMs);
      if (i >= 0 && i < n) values[i] = value;
    }
    return values;
  };
  const key = (labels: Record<string, string>): string =>
    JSON.stringify(slo.groupBy.map((name) => labels[name] ?? ''));
  const badOf = new Map(bad.map((series) => [key(series.labels), series]));
  return total.map((series) => ({
    labels: Object.fromEntries(slo.groupBy.map((name) => [name, series.labels[name] ?? ''])),
    events: {
      startMs,
      stepMs,
      total: column(series),
      bad: column(badOf.get(key(series.labels))),
    },
  }));
}
