/** One side of a histogram: ascending indexes with counts, their sums and merges. */

/** The schema of histograms with custom bounds (`customBounds`). */
export const customSchema = -53;

export interface Buckets {
  indexes: number[];
  counts: number[];
  /** Digits that `counts` lost, for compensated sums. */
  lost?: number[];
}

export function noBuckets(): Buckets {
  return { indexes: [], counts: [] };
}

export function copyBuckets(buckets: Buckets): Buckets {
  const copy: Buckets = { indexes: buckets.indexes.slice(), counts: buckets.counts.slice() };
  if (buckets.lost) copy.lost = buckets.lost.slice();
  return copy;
}

/** A copy that keeps the digits which additions lose. */
export function compensated(buckets: Buckets): Buckets {
  return { ...copyBuckets(buckets), lost: buckets.counts.map(() => 0) };
}

/** The buckets with the lost digits added back. */
export function settled(buckets: Buckets): Buckets {
  const { lost } = buckets;
  if (!lost) return buckets;
  return {
    indexes: buckets.indexes,
    counts: buckets.counts.map((count, i) => count + (lost[i] as number)),
  };
}

/** Adds to the count at position `at`; uses Neumaier's sum if lost digits are kept. */
function addAt(buckets: Buckets, at: number, value: number): void {
  const sum = buckets.counts[at] as number;
  const total = sum + value;
  if (buckets.lost) {
    let lost = buckets.lost[at] as number;
    if (total === Infinity || total === -Infinity) lost = 0;
    else if (Math.abs(sum) >= Math.abs(value)) lost += sum - total + value;
    else lost += value - total + sum;
    buckets.lost[at] = lost;
  }
  buckets.counts[at] = total;
}

/** Adds `sign` times `other` to `target`; indexes up to `skipTo` of `other` are left out. */
export function addBuckets(
  target: Buckets,
  other: Buckets,
  sign: 1 | -1,
  skips: (index: number) => boolean,
): void {
  let at = 0;
  let skipping = true;
  for (let i = 0; i < other.indexes.length; i++) {
    const index = other.indexes[i] as number;
    if (skipping && skips(index)) continue;
    skipping = false;
    const value = sign * (other.counts[i] as number);
    while (at < target.indexes.length && (target.indexes[at] as number) < index) at++;
    if (target.indexes[at] === index) {
      addAt(target, at, value);
      continue;
    }
    target.indexes.splice(at, 0, index);
    target.counts.splice(at, 0, value);
    target.lost?.splice(at, 0, 0);
  }
}

/** The buckets of a finer schema, merged into those of a coarser one. */
export function reduceBuckets(buckets: Buckets, from: number, to: number): Buckets {
  if (from === to) return copyBuckets(buckets);
  const shift = from - to;
  const reduced: Buckets = buckets.lost
    ? { indexes: [], counts: [], lost: [] }
    : { indexes: [], counts: [] };
  for (let i = 0; i < buckets.indexes.length; i++) {
    const index = (((buckets.indexes[i] as number) - 1) >> shift) + 1;
    const last = reduced.indexes.length - 1;
    if (reduced.indexes[last] === index) {
      addAt(reduced, last, buckets.counts[i] as number);
      if (buckets.lost) addAt(reduced, last, buckets.lost[i] as number);
      continue;
    }
    reduced.indexes.push(index);
    reduced.counts.push(buckets.counts[i] as number);
    if (buckets.lost) reduced.lost?.push(buckets.lost[i] as number);
  }
  return reduced;
}

/** The buckets without empty ones. */
export function compactBuckets(buckets: Buckets): Buckets {
  const kept = buckets.indexes
    .map((_, i) => i)
    .filter((i) => buckets.counts[i] !== 0 || (buckets.lost?.[i] ?? 0) !== 0);
  if (kept.length === buckets.indexes.length) return buckets;
  const { lost } = buckets;
  return {
    indexes: kept.map((i) => buckets.indexes[i] as number),
    counts: kept.map((i) => buckets.counts[i] as number),
    ...(lost ? { lost: kept.map((i) => lost[i] as number) } : {}),
  };
}

/** Custom buckets merged into fewer bounds, each of which is among the original ones. */
export function rebound(
  buckets: Buckets,
  bounds: readonly number[],
  fewer: readonly number[],
  keepDigits: boolean,
): Buckets {
  const target: Buckets = {
    indexes: Array.from({ length: fewer.length + 1 }, (_, i) => i),
    counts: Array.from({ length: fewer.length + 1 }, () => 0),
    ...(keepDigits ? { lost: Array.from({ length: fewer.length + 1 }, () => 0) } : {}),
  };
  let at = 0;
  buckets.indexes.forEach((index, i) => {
    const bound = index < bounds.length ? (bounds[index] as number) : Infinity;
    while (at < fewer.length && (fewer[at] as number) < bound) at++;
    addAt(target, at, buckets.counts[i] as number);
    if (buckets.lost) addAt(target, at, buckets.lost[i] as number);
  });
  return target;
}
