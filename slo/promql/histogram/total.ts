/** The sum or mean of many histograms, with the digits that plain addition loses. */
import { adjustHint, addCustomBuckets, addExponentialBuckets, IncompatibleBuckets } from './add.js';
import { compensated, settled } from './buckets.js';
import { Histogram } from './histogram.js';
import { divideHistogram } from './scale.js';
import { CompensatedSum } from '../engine/math.js';
import { reconcileZeroBuckets } from './zero-bucket.js';

/** Sums above this may overflow, so each addition is first tried on a copy. */
const nearOverflow = 1e300;

/** A histogram whose numbers are all compensated sums. */
class CompensatedHistogram {
  readonly value: Histogram;
  #zero: CompensatedSum;
  #count: CompensatedSum;
  #sum: CompensatedSum;

  constructor(histogram: Histogram) {
    this.value = histogram.copy();
    this.value.positive = compensated(this.value.positive);
    this.value.negative = compensated(this.value.negative);
    this.#zero = new CompensatedSum(histogram.zeroCount);
    this.#count = new CompensatedSum(histogram.count);
    this.#sum = new CompensatedSum(histogram.sum);
  }

  copy(): CompensatedHistogram {
    const copy = new CompensatedHistogram(this.value);
    copy.value.positive.lost = this.value.positive.lost?.slice() ?? [];
    copy.value.negative.lost = this.value.negative.lost?.slice() ?? [];
    for (const [from, to] of [
      [this.#zero, copy.#zero],
      [this.#count, copy.#count],
      [this.#sum, copy.#sum],
    ] as const) {
      to.sum = from.sum;
      to.lost = from.lost;
    }
    return copy;
  }

  /** Adds a histogram; true if custom bounds had to be dropped. */
  add(other: Histogram): boolean {
    const { value } = this;
    if (value.usesCustomBuckets !== other.usesCustomBuckets) throw new IncompatibleBuckets();
    adjustHint(value, other);
    this.#count.add(other.count);
    this.#sum.add(other.sum);
    if (value.usesCustomBuckets) return addCustomBuckets(value, other, 1);
    value.zeroCount = this.#zero.sum;
    const threshold = value.zeroThreshold;
    const zero = reconcileZeroBuckets(value, other);
    if (value.zeroThreshold !== threshold) {
      this.#zero.sum = value.zeroCount;
      this.#zero.lost += zero.targetLost;
    }
    this.#zero.add(zero.count);
    this.#zero.add(zero.lost);
    addExponentialBuckets(value, other, 1);
    return false;
  }

  scale(factor: number): void {
    for (const sum of [this.#zero, this.#count, this.#sum]) sum.scale(factor);
    for (const side of [this.value.positive, this.value.negative]) {
      side.counts = side.counts.map((c) => c * factor);
      side.lost = side.lost?.map((c) => c * factor) ?? [];
    }
  }

  divide(divisor: number): void {
    for (const sum of [this.#zero, this.#count, this.#sum]) {
      sum.sum /= divisor;
      sum.lost /= divisor;
    }
    for (const side of [this.value.positive, this.value.negative]) {
      side.counts = side.counts.map((c) => c / divisor);
      side.lost = side.lost?.map((c) => c / divisor) ?? [];
    }
  }

  get largest(): number {
    const sides = [this.value.positive, this.value.negative].flatMap((side) => side.counts);
    const all = [this.#zero.sum, this.#count.sum, this.#sum.sum, ...sides];
    return all.reduce((max, v) => Math.max(max, Number.isNaN(v) ? 0 : Math.abs(v)), 0);
  }

  settle(): Histogram {
    const { value } = this;
    return new Histogram({
      ...value,
      zeroCount: this.#zero.total,
      count: this.#count.total,
      sum: this.#sum.total,
      positive: settled(value.positive),
      negative: settled(value.negative),
    });
  }
}

export class HistogramTotal {
  #sum: CompensatedHistogram | undefined;
  #isMeanAlready = false;
  #count = 0;
  #resetSeen = false;
  #notResetSeen = false;
  reconciledBounds = false;

  /** Throws IncompatibleBuckets. */
  add(histogram: Histogram, forMean: boolean): void {
    this.#resetSeen ||= histogram.hint === 'reset';
    this.#notResetSeen ||= histogram.hint === 'not_reset';
    this.#count++;
    if (!this.#sum) {
      this.#sum = new CompensatedHistogram(histogram);
      return;
    }
    if (!this.#isMeanAlready) {
      const careful = forMean && this.#sum.largest > nearOverflow;
      const next = careful ? this.#sum.copy() : this.#sum;
      this.reconciledBounds = next.add(histogram) || this.reconciledBounds;
      if (!careful || next.largest !== Infinity) {
        this.#sum = next;
        return;
      }
      this.#isMeanAlready = true;
      this.#sum.divide(this.#count - 1);
    }
    this.#sum.scale((this.#count - 1) / this.#count);
    const share = divideHistogram(histogram.copy(), this.#count);
    this.reconciledBounds = this.#sum.add(share) || this.reconciledBounds;
  }

  get resetCollision(): boolean {
    return this.#resetSeen && this.#notResetSeen;
  }

  sum(): Histogram | undefined {
    return this.#sum?.settle();
  }

  mean(): Histogram | undefined {
    if (!this.#sum) return undefined;
    if (this.#isMeanAlready) return this.#sum.settle();
    this.#sum.divide(this.#count);
    return this.#sum.settle();
  }
}
