/** Stretches of time in which the budget burned fast, and what each of them spent. */
import type { Bucket } from './state.js';

export interface Incident {
  startMs: number;
  endMs: number;
  bad: number;
  total: number;
  /** Share of the whole period's budget. */
  spent: number;
  /** The worst bucket's burn rate. */
  peakBurn: number;
}

/** A bucket belongs to an incident from this burn rate on: what would page. */
const burnFrom = 3;

/** Adjacent fast buckets are one incident; a single quiet bucket does not part it. The costliest first. */
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
    const burn = bucket.total > 0 ? bucket.bad / bucket.total / budget : 0;
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
