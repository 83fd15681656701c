/** A native histogram: counts in exponential buckets, or in buckets with bounds of its own. */

export type ResetHint = 'unknown' | 'reset' | 'not_reset' | 'gauge';

/** The schema of histograms with bounds of their own (`customBounds`). */
export const customSchema = -53;

/** Populated buckets only need to be here; indexes ascend. */
export interface Buckets {
  indexes: number[];
  counts: number[];
}

export class Histogram {
  /** -4 to 8: each power of two is cut into 2^schema buckets; -53: the bounds are in `customBounds`. */
  schema = 0;
  zeroThreshold = 0;
  zeroCount = 0;
  count = 0;
  sum = 0;
  positive: Buckets = { indexes: [], counts: [] };
  negative: Buckets = { indexes: [], counts: [] };
  /** Upper bounds, ascending; shared between histograms, never changed. */
  customBounds: readonly number[] = [];
  hint: ResetHint = 'unknown';

  constructor(fields: Partial<Omit<Histogram, 'usesCustomBuckets' | 'copy'>> = {}) {
    Object.assign(this, fields);
  }

  get usesCustomBuckets(): boolean {
    return this.schema === customSchema;
  }

  copy(): Histogram {
    return new Histogram({
      schema: this.schema,
      zeroThreshold: this.zeroThreshold,
      zeroCount: this.zeroCount,
      count: this.count,
      sum: this.sum,
      positive: copyBuckets(this.positive),
      negative: copyBuckets(this.negative),
      customBounds: this.customBounds,
      hint: this.hint,
    });
  }
}

export function copyBuckets(buckets: Buckets): Buckets {
  return { indexes: buckets.indexes.slice(), counts: buckets.counts.slice() };
}
