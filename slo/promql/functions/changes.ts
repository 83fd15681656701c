/** `changes` and `resets`: how often a series became another, and how often a counter began anew. */
import {
  eachWindow,
  type RangeCall,
  type RangeFunction,
  type Window,
} from '../engine/range-call.js';
import { startsAnew } from './start-times.js';

type What = 'changes' | 'resets';

export const changesAndResets =
  (what: What): RangeFunction =>
  (call) => {
    if (!call.source.histograms && !call.extension) return countFloats(call, what);
    eachWindow(call, (window) => countMixed(call, what, window));
  };

function differs(call: RangeCall, what: What, i: number): boolean {
  const { values, times, starts } = call.source.floats;
  const [before, now] = [values[i - 1] as number, values[i] as number];
  if (what === 'changes') return now !== before && !(Number.isNaN(now) && Number.isNaN(before));
  if (now < before) return true;
  if (!starts || !call.ctx.options.startTimestamps) return false;
  const [previousStart, start] = [starts[i - 1] as number, starts[i] as number];
  return startsAnew(previousStart, times[i - 1] as number, start, times[i] as number);
}

/** Counted once from the first window's start on; a window's number is the difference of two counts. */
function countFloats(call: RangeCall, what: What): void {
  const { low, high } = call.floatBounds;
  const first = low[0] ?? 0;
  const last = high[high.length - 1] ?? 0;
  const counts = new Int32Array(Math.max(1, last - first));
  for (let i = first + 1; i < last; i++) {
    counts[i - first] = (counts[i - first - 1] as number) + (differs(call, what, i) ? 1 : 0);
  }
  for (let step = 0; step < call.ctx.steps; step++) {
    const [from, to] = [low[step] as number, high[step] as number];
    if (to === from) continue;
    call.out.values[step] = (counts[to - 1 - first] as number) - (counts[from - first] as number);
    call.out.present[step] = 1;
  }
}

function countMixed(_call: RangeCall, _what: What, _window: Window): number | undefined {
  return undefined;
}
