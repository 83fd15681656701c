/** Judges a canary upgrade: proxies at the new control plane beside those of the same workload at the old one. */
import { quantile, type Traffic, traffic, workloadOf } from './rows.js';
import type { Observed } from './targets.js';

export interface Side {
  proxies: number;
  requests: number;
  successRatio: number | null;
  latencyMsP99: number | null;
}

export interface Comparison {
  workload: string;
  stable: Side;
  canary: Side;
  /** `unknown`: one of the sides has too few requests. */
  verdict: 'no worse' | 'worse' | 'unknown';
  why: string;
}

export interface Tolerance {
  /** Minimum number of requests on each side. */
  minRequests: number;
  /** Failures above random variation (three sigma) that are still acceptable, as a ratio of requests. */
  failureRatio: number;
  /** The 99th percentile may grow by this factor, and by this many milliseconds. */
  latencyFactor: number;
  latencyMs: number;
}

export const defaultTolerance: Tolerance = {
  minRequests: 100,
  failureRatio: 0.0005,
  latencyFactor: 1.5,
  latencyMs: 10,
};

/** Whether a proxy follows that revision's controller: by the service's name, or by one of the given addresses. */
export const follows =
  (revision: string, addresses: readonly string[]) =>
  ({ config }: Observed): boolean =>
    (config.controller?.addresses ?? []).some(
      (a) => addresses.includes(a) || (a.split('.')[0] ?? '').endsWith(`-controller-${revision}`),
    );

/** One row for each workload with a proxy at the canary; only inbound traffic counts. */
export function compareRevisions(
  proxies: readonly Observed[],
  isCanary: (proxy: Observed) => boolean,
  tolerance: Tolerance = defaultTolerance,
): Comparison[] {
  const workloads = [...new Set(proxies.filter(isCanary).map(workloadOf))].sort();
  const moved = proxies.filter(isCanary);
  const left = proxies.filter((p) => !isCanary(p));
  const sideOf = (list: readonly Observed[], workload: string): [Side, Traffic | undefined] => {
    const own = list.filter((p) => workloadOf(p) === workload);
    const seen = traffic(own, (labels) => (labels.direction === 'inbound' ? workload : undefined));
    const t = seen.get(workload);
    return [
      {
        proxies: own.length,
        requests: t?.requests ?? 0,
        successRatio: t && t.requests > 0 ? t.success / t.requests : null,
        latencyMsP99: (t && quantile(t.buckets, 0.99)) ?? null,
      },
      t,
    ];
  };
  return workloads.map((workload) => {
    const [stable, before] = sideOf(left, workload);
    const [canary, after] = sideOf(moved, workload);
    return { workload, stable, canary, ...judge(stable, canary, before, after, tolerance) };
  });
}

function judge(
  stable: Side,
  canary: Side,
  before: Traffic | undefined,
  after: Traffic | undefined,
  tolerance: Tolerance,
): Pick<Comparison, 'verdict' | 'why'> {
  const fewest = Math.min(stable.requests, canary.requests);
  if (!before || !after || fewest < tolerance.minRequests) {
    const which = stable.requests < canary.requests ? 'stable' : 'canary';
    return { verdict: 'unknown', why: `only ${fewest} requests at the ${which}` };
  }
  const [was, is] = [before.failure / before.requests, after.failure / after.requests];
  const pooled = (before.failure + after.failure) / (before.requests + after.requests);
  const sigma = Math.sqrt(pooled * (1 - pooled) * (1 / before.requests + 1 / after.requests));
  if (is - was > Math.max(3 * sigma, tolerance.failureRatio)) {
    const percent = (ratio: number): string => `${(100 * ratio).toFixed(2)}%`;
    return { verdict: 'worse', why: `${percent(is)} fail, ${percent(was)} at the stable one` };
  }
  const [old, now] = [stable.latencyMsP99, canary.latencyMsP99];
  if (old === null || now === null)
    return { verdict: 'unknown', why: 'latencies were not counted' };
  if (now > old * tolerance.latencyFactor && now > old + tolerance.latencyMs) {
    const why = `p99 is ${Math.round(now)} ms, ${Math.round(old)} ms at the stable one`;
    return { verdict: 'worse', why };
  }
  return { verdict: 'no worse', why: 'failures and p99 are within tolerance' };
}
