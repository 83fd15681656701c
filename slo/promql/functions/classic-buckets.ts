/** Quantiles and fractions of a classic histogram: cumulative counts under upper bounds. */

export interface ClassicBucket {
  upper: number;
  count: number;
}

/** Smaller relative differences between neighbours come from rounding, not from observations. */
const noise = 1e-12;

export interface Corrections {
  /** Upper bounds of the buckets whose counts were raised, and the largest difference. */
  readonly lowest: number;
  readonly highest: number;
  readonly largest: number;
}

/** Sorts the buckets and merges equal bounds; undefined if the bucket +Inf is missing. */
function arranged(buckets: readonly ClassicBucket[]): ClassicBucket[] | undefined {
  const sorted = [...buckets].sort((a, b) => (a.upper < b.upper ? -1 : a.upper > b.upper ? 1 : 0));
  if (sorted.at(-1)?.upper !== Infinity) return undefined;
  const merged: ClassicBucket[] = [];
  for (const bucket of sorted) {
    const last = merged.at(-1);
    if (last?.upper === bucket.upper) last.count += bucket.count;
    else merged.push({ ...bucket });
  }
  return merged;
}

/** A wider bucket cannot count less than a narrower one; such counts are raised. */
function liftDecreases(buckets: ClassicBucket[]): Corrections | undefined {
  let [lowest, highest, largest] = [Infinity, -Infinity, 0];
  let previous = buckets[0]?.count ?? 0;
  for (const bucket of buckets.slice(1)) {
    const { count } = bucket;
    if (count === previous) continue;
    if (nearlyEqual(count, previous)) {
      bucket.count = previous;
    } else if (count < previous) {
      bucket.count = previous;
      lowest = Math.min(lowest, bucket.upper);
      highest = Math.max(highest, bucket.upper);
      largest = Math.max(largest, previous - count);
    } else {
      previous = count;
    }
  }
  return highest === -Infinity ? undefined : { lowest, highest, largest };
}

function nearlyEqual(a: number, b: number): boolean {
  if (Number.isNaN(a) && Number.isNaN(b)) return true;
  const sum = Math.abs(a) + Math.abs(b);
  const difference = Math.abs(a - b);
  const smallest = 2.2250738585072014e-308;
  if (a === 0 || b === 0 || sum < smallest) return difference < noise * smallest;
  return difference / Math.min(sum, Number.MAX_VALUE) < noise;
}

export function classicQuantile(
  q: number,
  given: readonly ClassicBucket[],
): { value: number; corrections?: Corrections } {
  if (Number.isNaN(q)) return { value: NaN };
  if (q < 0) return { value: -Infinity };
  if (q > 1) return { value: Infinity };
  const buckets = arranged(given);
  if (!buckets) return { value: NaN };
  const corrections = liftDecreases(buckets);
  const value = quantileIn(buckets, q);
  return corrections ? { value, corrections } : { value };
}

/** Interpolates linearly within a bucket; the lowest bucket begins at zero, the highest has no width. */
function quantileIn(buckets: readonly ClassicBucket[], q: number): number {
  const observations = buckets.at(-1)?.count ?? 0;
  if (buckets.length < 2 || observations === 0 || Number.isNaN(observations)) return NaN;
  const rank = q * observations;
  const last = buckets.length - 1;
  let at = buckets.findIndex((b, i) => i === last || b.count >= rank);
  if (at < 0) at = last;
  const [bucket, before] = [buckets[at] as ClassicBucket, buckets[at - 1]];
  if (at === last) return (before as ClassicBucket).upper;
  if (!before && bucket.upper <= 0) return bucket.upper;
  const start = before?.upper ?? 0;
  const below = before?.count ?? 0;
  return start + (bucket.upper - start) * ((rank - below) / (bucket.count - below));
}

export function classicFraction(
  lower: number,
  upper: number,
  given: readonly ClassicBucket[],
): number {
  const buckets = arranged(given);
  const count = buckets?.at(-1)?.count ?? 0;
  if (!buckets || count === 0 || Number.isNaN(lower) || Number.isNaN(upper)) return NaN;
  if (lower >= upper) return 0;
  const rank = (value: number): number => Math.min(rankIn(buckets, value) ?? count, count);
  return (rank(upper) - rank(lower)) / count;
}

function rankIn(buckets: readonly ClassicBucket[], value: number): number | undefined {
  let start = (buckets[0]?.upper ?? 0) <= 0 ? -Infinity : 0;
  let rank = 0;
  for (const { upper, count } of buckets) {
    if (start >= value) return rank;
    if (upper > value) {
      if (start === -Infinity) return count;
      return rank + ((count - rank) * (value - start)) / (upper - start);
    }
    start = upper;
    rank = count;
  }
  return undefined;
}
