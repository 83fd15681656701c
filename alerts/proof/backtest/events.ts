import { lookbackMs } from '../../../slo/rules/increments.js';

/** Computes the bad and total events of each step from counters, as an SLO's rules would have recorded them. */

/** Two counters, scraped at a fixed interval; NaN where a scrape failed. */
export interface Counters {
  startMs: number;
  stepMs: number;
  bad: Float64Array;
  total: Float64Array;
}

/** Events of each step; NaN where the rules record nothing. */
export interface StepEvents {
  startMs: number;
  stepMs: number;
  bad: Float64Array;
  total: Float64Array;
}

/** How far back Prometheus looks for a counter's last value. */
const lastValueMs = 5 * 60_000;

/**
 * The increase of the counters in each step, computed as the rules do: a failed scrape is bridged, a counter that was
 * reset counts from 0, and events after a longer gap do not count, because the value before them is unknown.
 * `bothEnds`: a range includes both its ends, as in Prometheus before version 3.
 */
export function stepsOf(counters: Counters, bothEnds = false): StepEvents {
  const { startMs, stepMs } = counters;
  const n = counters.total.length;
  const within = (ms: number): number =>
    bothEnds ? Math.floor(ms / stepMs) : Math.ceil(ms / stepMs) - 1;
  const totalLast = lastValues(counters.total, within(lastValueMs));
  const badLast = lastValues(counters.bad, within(lastValueMs));
  const totalHeld = lastValues(counters.total, within(lookbackMs));
  const badHeld = lastValues(counters.bad, within(lookbackMs));
  const total = new Float64Array(n).fill(NaN);
  const bad = new Float64Array(n).fill(NaN);
  for (let i = 1; i < n; i++) {
    const before = totalHeld[i - 1] as number;
    const now = totalLast[i] as number;
    if (Number.isNaN(before) || Number.isNaN(now)) continue;
    total[i] = now >= before ? now - before : now;
    const badNow = badLast[i] as number;
    if (Number.isNaN(badNow)) {
      bad[i] = 0;
      continue;
    }
    const badBefore = badHeld[i - 1] as number;
    bad[i] = badNow >= badBefore ? badNow - badBefore : badNow;
  }
  return { startMs, stepMs, bad, total };
}

/** The last value at or before each place, at most `reach` places back; NaN where there is none. */
function lastValues(values: Float64Array, reach: number): Float64Array {
  const last = new Float64Array(values.length);
  let at = -Infinity;
  for (let i = 0; i < values.length; i++) {
    if (!Number.isNaN(values[i] as number)) at = i;
    last[i] = i - at <= reach ? (values[at] as number) : NaN;
  }
  return last;
}

/** Running sums and counts, from which the sum over any window takes two look-ups. */
export class Running {
  readonly sums: Float64Array;
  readonly counts: Int32Array;

  constructor(values: Float64Array) {
    const n = values.length;
    this.sums = new Float64Array(n + 1);
    this.counts = new Int32Array(n + 1);
    let sum = 0;
    let count = 0;
    for (let i = 0; i < n; i++) {
      const value = values[i] as number;
      // Only NaN differs from itself.
      if (value === value) {
        sum += value;
        count++;
      }
      this.sums[i + 1] = sum;
      this.counts[i + 1] = count;
    }
  }

  /** The sum of the last `length` places up to and including `end`; NaN where they hold no sample. */
  over(end: number, length: number): number {
    const from = end + 1 > length ? end + 1 - length : 0;
    if (this.counts[end + 1] === this.counts[from]) return NaN;
    return (this.sums[end + 1] as number) - (this.sums[from] as number);
  }
}
