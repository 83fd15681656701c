/** Start times of counters, which show resets that the values hide. */
import { messages } from '../engine/messages.js';
import { metricNameOf, type RangeCall } from '../engine/range-call.js';
import type { Tally } from '../engine/annotations.js';

/** Whether the counter was reset between sample `i` and the one before it. */
export function isStartReset(starts: Float64Array, times: Float64Array, i: number): boolean {
  return startsAnew(
    starts[i - 1] as number,
    times[i - 1] as number,
    starts[i] as number,
    times[i] as number,
  );
}

/**
 * A start of 0 is unknown, and one at or after its own sample is ignored, as is one that has not changed. A start
 * exactly at the previous sample marks a delta, unless the previous sample's start is unknown as well.
 */
export function startsAnew(
  previousStartMs: number,
  previousMs: number,
  startMs: number,
  timeMs: number,
): boolean {
  if (startMs === previousStartMs || startMs === 0) return false;
  if (startMs >= timeMs || startMs < previousMs) return false;
  if (startMs > previousMs) return true;
  if (previousStartMs > previousMs) return false;
  return previousStartMs !== 0 && previousStartMs !== previousMs;
}

class Occurrences implements Tally {
  count = 1;
  text(): string {
    return this.count > 1 ? ` (${this.count} occurrences)` : '';
  }
  merge(other: Occurrences): void {
    this.count += other.count;
  }
}

/** Warns about a start time that is before the previous sample and differs from that sample's start time. */
export function warnOverlaps(
  call: RangeCall,
  starts: Float64Array,
  times: Float64Array,
  first: number,
  last: number,
): void {
  for (let i = first + 1; i <= last; i++) {
    const [start, previousStart] = [starts[i] as number, starts[i - 1] as number];
    if (start === 0 || start >= (times[i - 1] as number) || start === previousStart) continue;
    call.ctx.annotations.warn(
      messages.startOverlap(metricNameOf(call)),
      call.range,
      new Occurrences(),
    );
    return;
  }
}
