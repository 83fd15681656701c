/** Periods in which the budget burned fast, with the budget that each of them spent. */
import type { Bucket } from './state.js';

export interface Incident {
  startMs: number;
  endMs: number;
  bad: number;
  total: number;
  /** Share of the period's budget, 0 to 1 or more. */
  spent: number;
  /** Burn rate of the worst bucket. */
  peakBurn: number;
}

/** Minimum burn rate of a bucket in an incident: the rate that pages. */
const burnFrom = 3;

const burnOf = ({ bad, total }: Bucket, budget: number): number =>
  total > 0 ? bad / total / budget : 0;

/** Moves the ends of an incident, which are those of buckets, to the first and the last of its fast steps. */
export function narrow(incident: Incident, steps: readonly Bucket[], budget: number): void {
  const fast = steps.filter((step) => burnOf(step, budget) >= burnFrom);
  incident.startMs = fast[0]?.startMs ?? incident.startMs;
  incident.endMs = fast.at(-1)?.endMs ?? incident.endMs;
}

/**
 * Adjacent fast buckets form one incident; a single quiet bucket does not separate them. Sorted by cost, highest
 * first.
 */
export function incidentsOf(
  buckets: readonly Bucket[],
  budget: number,
  periodTotal: number,
): Incident[] {
  const allowed = budget * periodTotal;
  const incidents: Incident[] = [];
  let current: Incident | undefined;
  let quiet = 0;
  for (const bucket of buckets) {
    const burn = burnOf(bucket, budget);
    if (burn < burnFrom) {
      quiet++;
      if (quiet > 1) current = undefined;
      continue;
    }
    quiet = 0;
    if (!current) {
      const { startMs } = bucket;
      current = { startMs, endMs: startMs, bad: 0, total: 0, spent: 0, peakBurn: 0 };
      incidents.push(current);
    }
    current.endMs = bucket.endMs;
    current.bad += bucket.bad;
    current.total += bucket.total;
    current.spent = allowed > 0 ? current.bad / allowed : 0;
    current.peakBurn = Math.max(current.peakBurn, burn);
  }
  return incidents.sort((a, b) => b.spent - a.spent || a.startMs - b.startMs);
}
