/** Arithmetic where Go's and JavaScript's differ, or where plain sums lose digits. */

/** JavaScript says NaN for 1 ** NaN, 1 ** Infinity and (-1) ** Infinity; Go says 1. */
export function goPow(base: number, exponent: number): number {
  if (base === 1) return 1;
  if (base === -1 && (exponent === Infinity || exponent === -Infinity)) return 1;
  return base ** exponent;
}

/** What `a + b` has lost by rounding to `sum`, exactly (Knuth); NaN where the sum overflows. */
export function errorOf(a: number, b: number, sum: number): number {
  const back = sum - a;
  return a - (sum - back) + (b - back);
}

/** A sum with the digits that it lost, after Neumaier; the true sum is `sum + lost`. */
export class CompensatedSum {
  sum: number;
  lost = 0;

  constructor(start = 0) {
    this.sum = start;
  }

  add(value: number): void {
    const { sum } = this;
    const total = sum + value;
    if (total === Infinity || total === -Infinity) this.lost = 0;
    else if (Math.abs(sum) >= Math.abs(value)) this.lost += sum - total + value;
    else this.lost += value - total + sum;
    this.sum = total;
  }

  scale(factor: number): void {
    this.sum *= factor;
    this.lost *= factor;
  }

  get total(): number {
    return this.sum + this.lost;
  }
}

/** Of values in any order; -Infinity and Infinity for quantiles out of range, as Prometheus has it. */
export function quantileOf(q: number, values: Float64Array): number {
  const n = values.length;
  if (n === 0 || Number.isNaN(q)) return NaN;
  if (q < 0) return -Infinity;
  if (q > 1) return Infinity;
  const sorted = sortNanFirst(values);
  const rank = q * (n - 1);
  const lower = Math.max(0, Math.floor(rank));
  const upper = Math.min(n - 1, lower + 1);
  const weight = rank - Math.floor(rank);
  // At a value itself its neighbour does not count: an infinite one would leave no number.
  if (weight === 0) return sorted[lower] as number;
  return (sorted[lower] as number) * (1 - weight) + (sorted[upper] as number) * weight;
}

/** Typed arrays sort NaN to the end; PromQL wants it in front. */
function sortNanFirst(values: Float64Array): Float64Array {
  const sorted = values.slice().sort();
  let nans = 0;
  while (nans < sorted.length && Number.isNaN(sorted[sorted.length - 1 - nans])) nans++;
  if (nans > 0) {
    sorted.copyWithin(nans, 0, sorted.length - nans);
    sorted.fill(NaN, 0, nans);
  }
  return sorted;
}

/** The smallest and the largest; NaN both where any value is. */
export function extremesOf(values: Float64Array): { low: number; high: number } {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return { low, high };
}
