/** Arithmetic in which Go and JavaScript differ, and sums that keep their lost digits. */

/** 1 ** NaN, 1 ** Infinity and (-1) ** Infinity are NaN in JavaScript and 1 in Go. */
export function goPow(base: number, exponent: number): number {
  if (base === 1) return 1;
  if (base === -1 && (exponent === Infinity || exponent === -Infinity)) return 1;
  return base ** exponent;
}

/** The exact rounding error of `sum` = `a + b` (Knuth); NaN if the sum overflows. */
export function errorOf(a: number, b: number, sum: number): number {
  const back = sum - a;
  return a - (sum - back) + (b - back);
}

/** A sum with its rounding error, after Neumaier; the exact sum is `sum + lost`. */
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

/** The quantile of unsorted values; -Infinity and Infinity for `q` outside of 0 to 1, as in Prometheus. */
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
  // Exactly at a value the neighbour must not be used, because an infinite one would give NaN.
  if (weight === 0) return sorted[lower] as number;
  return (sorted[lower] as number) * (1 - weight) + (sorted[upper] as number) * weight;
}

/** Typed arrays sort NaN to the end; PromQL expects it first. */
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

/** The smallest and the largest value; both are NaN if any value is. */
export function extremesOf(values: Float64Array): { low: number; high: number } {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return { low, high };
}
