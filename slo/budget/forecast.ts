/** Forecasts when the budget runs out at the recent rate, as a range instead of a single guess. */
import type { Bucket, Spending } from './state.js';

export interface Forecast {
  /** Number of days with data; fewer than two give no range. */
  daysSeen: number;
  /** Share of the budget spent a day: the mean, and the range that contains it with 80% confidence. */
  perDay: { mean: number; low: number; high: number };
  /** Days until the budget is exhausted; undefined if it never is at that rate. `low` is the earliest. */
  days: { mean: number | undefined; low: number | undefined; high: number | undefined };
}

/** Two-sided 80% quantile of the normal distribution. */
const z80 = 1.2816;

/**
 * The mean daily spending and its standard error, over the days with data. Old failures that leave the rolling window
 * are ignored, so at a constant rate the real budget lasts at least this long. `dayMs` is a thirtieth of the period if
 * windows are scaled.
 */
export function forecastOf(
  buckets: readonly Bucket[],
  budget: number,
  rolling: Spending,
  dayMs: number,
): Forecast {
  const allowed = budget * rolling.total;
  const days = new Map<number, { bad: number; ms: number }>();
  for (const bucket of buckets) {
    const index = Math.floor((rolling.endMs - bucket.endMs) / dayMs);
    const day = days.get(index) ?? { bad: 0, ms: 0 };
    day.bad += bucket.bad;
    day.ms += bucket.endMs - bucket.startMs;
    days.set(index, day);
  }
  const shares = [...days.values()].map((d) =>
    allowed > 0 && d.ms > 0 ? (d.bad / allowed) * (dayMs / d.ms) : 0,
  );
  const n = Math.max(1, shares.length);
  const mean = shares.reduce((a, b) => a + b, 0) / n;
  const variance = shares.reduce((a, b) => a + (b - mean) ** 2, 0) / Math.max(1, n - 1);
  const error = z80 * Math.sqrt(variance / n);
  const low = Math.max(0, mean - error);
  const high = mean + error;
  const until = (pace: number): number | undefined => {
    if (rolling.remaining <= 0) return 0;
    return pace > 0 ? rolling.remaining / pace : undefined;
  };
  return {
    daysSeen: shares.length,
    perDay: { mean, low, high },
    days: { mean: until(mean), low: until(high), high: until(low) },
  };
}
