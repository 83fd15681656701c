/** Sums of windows: differences of running totals where they are exact, compensated sums otherwise. */
import { CompensatedSum, errorOf } from '../engine/math.js';
import { type RangeCall, totalInWindows } from '../engine/range-call.js';

export type WindowSum = (low: number, high: number) => { sum: number; lost: number };

/** A window's sum below this share of the totals may have lost digits. */
const leastShare = 2 ** -30;

/**
 * Returns a function for the sum of any window of the series. If windows overlap a lot, it subtracts running totals
 * kept in two doubles, and sums again where the difference is too small compared with the totals.
 */
export function windowSums(call: RangeCall): WindowSum {
  const { values } = call.source.floats;
  const scan: WindowSum = (low, high) => scanSum(values, low, high);
  const { low, high } = call.floatBounds;
  const first = low[0] ?? 0;
  const last = high[high.length - 1] ?? 0;
  if (totalInWindows(call.floatBounds) < 4 * (last - first)) return scan;
  return runningTotals(values, first, last, scan) ?? scan;
}

function scanSum(values: Float64Array, low: number, high: number): { sum: number; lost: number } {
  let sum = 0;
  let lost = 0;
  for (let i = low; i < high; i++) {
    const value = values[i] as number;
    const total = sum + value;
    lost += errorOf(sum, value, total);
    sum = total;
  }
  return { sum, lost };
}

function runningTotals(
  values: Float64Array,
  first: number,
  last: number,
  scan: WindowSum,
): WindowSum | undefined {
  const totals = new Float64Array(last - first + 1);
  const rests = new Float64Array(last - first + 1);
  let total = 0;
  let rest = 0;
  let largest = 0;
  for (let i = first; i < last; i++) {
    const value = values[i] as number;
    const sum = total + value;
    rest += errorOf(total, value, sum);
    // Renormalizes, so that the rest stays below half of the total's last digit.
    total = sum + rest;
    rest -= total - sum;
    if (!Number.isFinite(total)) return undefined;
    largest = Math.max(largest, Math.abs(total));
    totals[i - first + 1] = total;
    rests[i - first + 1] = rest;
  }
  return (low, high) => {
    const [a, b] = [totals[high - first] as number, totals[low - first] as number];
    const difference = a - b;
    const exact = (rests[high - first] as number) === 0 && (rests[low - first] as number) === 0;
    if (!exact && Math.abs(difference) < largest * leastShare) return scan(low, high);
    const back = a - difference;
    const error = a - (difference + back) + (back - b);
    const lost = error + ((rests[high - first] as number) - (rests[low - first] as number));
    const sum = difference + lost;
    return { sum, lost: lost - (sum - difference) };
  };
}

/** The mean; computed incrementally if the sum would overflow. */
export function meanOf(values: Float64Array, low: number, high: number): number {
  const sum = new CompensatedSum(values[low] as number);
  let mean: CompensatedSum | undefined;
  let count = 1;
  for (let i = low + 1; i < high; i++) {
    const value = values[i] as number;
    count++;
    if (!mean) {
      const [before, lost] = [sum.sum, sum.lost];
      sum.add(value);
      if (Math.abs(sum.sum) !== Infinity) continue;
      mean = new CompensatedSum(before / (count - 1));
      mean.lost = lost / (count - 1);
    }
    mean.scale((count - 1) / count);
    mean.add(value / count);
  }
  return mean ? mean.total : sum.sum / count + sum.lost / count;
}
