/** Latencies of one route, twice: in the classic buckets that dashboards use, and in exponential ones. */
import { latencyBoundsMs } from './names.js';

const bounds = Float64Array.from(latencyBoundsMs);

/** 2^3 buckets to each power of two: each is 9.05% wide, so its middle is at most 4.4% off. */
export const nativeSchema = 3;
const perOctave = 1 << nativeSchema;
/** Observations at or below 2^-10 ms fall into the zero bucket, those above 2^20 ms (17 minutes) into the last. */
export const nativeZeroThresholdMs = 2 ** -10;
export const nativeFirstIndex = -10 * perOctave + 1;
const nativeLastIndex = 20 * perOctave;
const nativeSize = nativeLastIndex - nativeFirstIndex + 1;

/** One traced request of a bucket: it links a slow bucket to the trace of a slow request. */
export interface Exemplar {
  traceId: string;
  ms: number;
  /** Wall clock, milliseconds. */
  atMs: number;
}

export class LatencyHistogram {
  /** Not cumulative; the last is +Inf. */
  readonly counts = new Float64Array(bounds.length + 1);
  /** Bucket i holds (2^((i-1)/8), 2^(i/8)] with i counted from nativeFirstIndex. */
  readonly native = new Float64Array(nativeSize);
  /** The last exemplar of each classic bucket; undefined while nothing is traced. */
  exemplars: (Exemplar | undefined)[] | undefined;
  nativeZero = 0;
  count = 0;
  sumMs = 0;

  observe(ms: number): void {
    this.count++;
    this.sumMs += ms;
    let i = 0;
    while (i < bounds.length && ms > (bounds[i] as number)) i++;
    (this.counts[i] as number)++;
    if (ms <= nativeZeroThresholdMs) {
      this.nativeZero++;
      return;
    }
    const index = Math.ceil(Math.log2(ms) * perOctave);
    const clamped = index > nativeLastIndex ? nativeLastIndex : index;
    (this.native[clamped < nativeFirstIndex ? 0 : clamped - nativeFirstIndex] as number)++;
  }

  /** Adds an exemplar of a request that has been observed. */
  exemplify(exemplar: Exemplar): void {
    const i = bounds.findIndex((bound) => exemplar.ms <= bound);
    (this.exemplars ??= [])[i < 0 ? bounds.length : i] = exemplar;
  }

  /** The value below which a share `q` lies, at most 4.4% off; undefined when nothing was observed. */
  quantileMs(q: number): number | undefined {
    if (this.count === 0) return undefined;
    const rank = Math.max(1, Math.ceil(q * this.count));
    let seen = this.nativeZero;
    if (seen >= rank) return 0;
    for (let i = 0; i < nativeSize; i++) {
      seen += this.native[i] as number;
      // The geometric middle has the smallest maximum relative error.
      if (seen >= rank) return 2 ** ((i + nativeFirstIndex - 0.5) / perOctave);
    }
    return 2 ** (nativeLastIndex / perOctave);
  }
}
