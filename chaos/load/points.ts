/** A client's measurements, request by request, and their sums over any stretch of time. */
import type { ClientTotals } from '../../runbooks/record.js';

/**
 * The reason why a request counts as failed: no answer, no answer in time, an unexpected status, an unexpected body.
 */
export type Failure = 'no-answer' | 'timeout' | 'status' | 'body';

export interface LoadPoint {
  route: string;
  /** The time when the request was due. */
  atMs: number;
  /** Milliseconds from `atMs` to the end of the answer, including waiting. */
  ms: number;
  /** Whether the answer was as the profile expects. */
  ok: boolean;
  /** 0 without an answer; absent for a gRPC call, whose code is not converted to an HTTP status. */
  status?: number;
  failure?: Failure;
}

/** Eleven hours at 50 requests per second; the oldest points are dropped first. */
const maxPoints = 2_000_000;

export class LoadPoints {
  #points: LoadPoint[] = [];
  readonly #listeners: ((point: LoadPoint) => void)[] = [];
  /** Requests that were due and never begun. */
  dropped = 0;

  add(point: LoadPoint): void {
    this.#points.push(point);
    if (this.#points.length > maxPoints) this.#points = this.#points.slice(maxPoints / 2);
    for (const listener of this.#listeners) listener(point);
  }

  onPoint(listener: (point: LoadPoint) => void): void {
    this.#listeners.push(listener);
  }

  get count(): number {
    return this.#points.length;
  }

  /** Points in the order in which their requests ended. */
  all(): readonly LoadPoint[] {
    return this.#points;
  }

  /** Requests that were due in `[startMs, endMs)`. */
  between(startMs: number, endMs: number, route?: string): LoadPoint[] {
    return this.#points.filter(
      (p) => p.atMs >= startMs && p.atMs < endMs && (route === undefined || p.route === route),
    );
  }

  /** Requests that ended in the stretch, regardless of their start. */
  endedBetween(startMs: number, endMs: number, route?: string): LoadPoint[] {
    return this.#points.filter((p) => {
      const endedMs = p.atMs + p.ms;
      return endedMs >= startMs && endedMs < endMs && (route === undefined || p.route === route);
    });
  }

  totals(startMs: number, endMs: number): ClientTotals {
    return totalsOf(this.between(startMs, endMs));
  }
}

/** Whether there was an answer, even an error. */
export const isAnswered = (point: LoadPoint): boolean =>
  point.ok || point.failure === 'status' || point.failure === 'body';

export function totalsOf(points: readonly LoadPoint[]): ClientTotals {
  const routes: ClientTotals['routes'] = {};
  for (const name of new Set(points.map((p) => p.route))) {
    const own = points.filter((p) => p.route === name);
    routes[name] = {
      requests: own.length,
      errors: own.filter((p) => !p.ok).length,
      p95Ms: quantile(own, 0.95),
    };
  }
  return {
    requests: points.length,
    errors: points.filter((p) => !p.ok).length,
    p50Ms: quantile(points, 0.5),
    p95Ms: quantile(points, 0.95),
    p99Ms: quantile(points, 0.99),
    routes,
  };
}

/** Nearest rank, rounded to a hundredth of a millisecond; 0 without points. */
export function quantile(points: readonly LoadPoint[], q: number): number {
  if (points.length === 0) return 0;
  const sorted = Float64Array.from(points, (p) => p.ms).sort();
  const at = Math.min(sorted.length - 1, Math.max(0, Math.ceil(q * sorted.length) - 1));
  return Math.round((sorted[at] as number) * 100) / 100;
}
