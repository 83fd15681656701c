/** The largest or smallest value of each window. */
import { type RangeCall, totalInWindows } from '../engine/range-call.js';

/** NaN is the result only if there is nothing else. */
function scanExtreme(values: Float64Array, low: number, high: number, sign: number): number {
  let best = values[low] as number;
  for (let i = low + 1; i < high; i++) {
    const value = values[i] as number;
    if (sign * value > sign * best || best !== best) best = value;
  }
  return best;
}

/**
 * For windows that overlap a lot, keeps candidates in a queue: each sample enters and leaves it once, and a sample
 * that a later one exceeds never returns.
 */
export function windowExtremes(call: RangeCall, sign: 1 | -1): void {
  const { values } = call.source.floats;
  const { low, high } = call.floatBounds;
  const { out } = call;
  const steps = call.ctx.steps;
  const first = low[0] ?? 0;
  const last = high[steps - 1] ?? 0;
  const queued = totalInWindows(call.floatBounds) > 8 * (last - first);
  const queue = new Int32Array(queued ? last - first : 0);
  let head = 0;
  let tail = 0;
  let next = first;
  for (let step = 0; step < steps; step++) {
    const [from, to] = [low[step] as number, high[step] as number];
    if (to === from) continue;
    out.present[step] = 1;
    if (!queued) {
      out.values[step] = scanExtreme(values, from, to, sign);
      continue;
    }
    for (; next < to; next++) {
      const value = values[next] as number;
      if (value !== value) continue;
      while (tail > head && sign * (values[queue[tail - 1] as number] as number) <= sign * value)
        tail--;
      queue[tail++] = next;
    }
    while (head < tail && (queue[head] as number) < from) head++;
    out.values[step] = head < tail ? (values[queue[head] as number] as number) : NaN;
  }
}
