/**
 * A counter's values at the edges of `anchored` and `smoothed` ranges, from the samples around each edge and their
 * start times (Prometheus 3.16; without start times, a lower value alone shows a reset).
 */
import type { Edges } from '../engine/interpolate.js';
import { startsAnew } from './start-times.js';

export interface CounterPoint {
  readonly timeMs: number;
  /** The time at which the counter began from zero; 0 if it is unknown. */
  readonly startMs: number;
  readonly value: number;
}

/** A range of a counter's samples, and how the values at its edges are found. */
export interface CounterRange {
  readonly edges: Edges;
  /** The index of the window's first sample, which may be before the range. */
  readonly low: number;
  readonly startMs: number;
  readonly endMs: number;
  /** How far before an edge a counter's start counts. */
  readonly lookbackStartMs: number;
  readonly smoothed: boolean;
  readonly point: (i: number) => CounterPoint;
}

/** Undefined if the only sample is after the range, and its counter did not begin within it. */
export function counterIncrease(range: CounterRange): number | undefined {
  const { edges, startMs, endMs, point } = range;
  const first = point(edges.first);
  if (first.timeMs > endMs) {
    if (!beganAfter(range.lookbackStartMs, first) || beganAfter(endMs, first)) return undefined;
  }
  const left = leftEdge(range);
  const right = rightEdge(range);
  // Only samples within the range count; the values at its edges already include resets there.
  const from = first.timeMs <= startMs ? edges.first + 1 : edges.first;
  const to = point(edges.last).timeMs >= endMs ? edges.last - 1 : edges.last;
  let increase = right.value - left.value;
  let previous = left;
  const pass = (now: CounterPoint): void => {
    const anew = startsAnew(previous.startMs, previous.timeMs, now.startMs, now.timeMs);
    if (now.value < previous.value || anew) increase += previous.value;
    previous = now;
  };
  for (let i = from; i <= to; i++) pass(point(i));
  pass(right);
  return increase;
}

function leftEdge(range: CounterRange): CounterPoint {
  const { edges, startMs, point } = range;
  const first = point(edges.first);
  if (first.timeMs === startMs) return first;
  if (first.timeMs > startMs) return alone(range, first, startMs);
  return between(range, first, point(edges.first + 1), startMs, first);
}

function rightEdge(range: CounterRange): CounterPoint {
  const { edges, endMs, point } = range;
  const last = point(edges.last);
  if (last.timeMs <= endMs) return at(endMs, last.value, last.startMs);
  if (edges.last === range.low) return alone(range, last, endMs);
  return between(range, point(edges.last - 1), last, endMs, last);
}

/** A start after the edge says nothing about the edge. */
const at = (timeMs: number, value: number, startMs: number): CounterPoint => ({
  timeMs,
  value,
  startMs: startMs > timeMs ? 0 : startMs,
});

const beganAfter = (timeMs: number, { startMs, timeMs: sampledMs }: CounterPoint): boolean =>
  startMs !== 0 && startMs > timeMs && startMs < sampledMs;

/** No sample is before the edge: the counter rose from zero at its start, if that is recent enough. */
function alone(range: CounterRange, only: CounterPoint, edgeMs: number): CounterPoint {
  if (!beganAfter(range.lookbackStartMs, only)) return at(edgeMs, only.value, only.startMs);
  if (beganAfter(edgeMs, only) || !range.smoothed) return at(edgeMs, 0, only.startMs);
  return at(edgeMs, risen(began(only), only, edgeMs), only.startMs);
}

/** `own` is the sample whose start holds at the edge if the counter was not reset between the two. */
function between(
  { smoothed }: CounterRange,
  before: CounterPoint,
  after: CounterPoint,
  edgeMs: number,
  own: CounterPoint,
): CounterPoint {
  // From the last sample to the counter's new start, nothing is known to be counted.
  if (beganAfter(edgeMs, after)) return at(edgeMs, smoothed ? 0 : before.value, before.startMs);
  const anew = startsAnew(before.startMs, before.timeMs, after.startMs, after.timeMs);
  const from = anew ? began(after) : before;
  const startMs = anew ? after.startMs : own.startMs;
  return at(edgeMs, smoothed ? risen(from, after, edgeMs) : from.value, startMs);
}

const began = ({ startMs }: CounterPoint): CounterPoint => ({ timeMs: startMs, startMs, value: 0 });

/** Interpolates linearly; a counter that fell rises from zero. */
function risen(from: CounterPoint, to: CounterPoint, timeMs: number): number {
  const base = to.value < from.value ? 0 : from.value;
  return base + ((to.value - base) * (timeMs - from.timeMs)) / (to.timeMs - from.timeMs);
}
