/**
 * Keeps the heap near its live size: V8 lets a small heap grow to several times its size before a full collection,
 * which is expensive beside an app that has 64 MB for its proxy. Needs --expose-gc (launch.ts); without it nothing
 * happens.
 */
import { getHeapStatistics } from 'node:v8';
import type { Clock, Timer } from '../../base/clock.js';

const lookMs = 2000;
/**
 * Garbage that triggers a collection, which takes some 10 ms: at full load this much takes some seconds to
 * accumulate.
 */
const slackBytes = 1.5 * 1024 * 1024;

export function startHeapTrim(clock: Clock): Timer | undefined {
  const { gc } = globalThis as { gc?: () => void };
  if (!gc) return undefined;
  // The first collection removes garbage from the start.
  let liveBytes = 0;
  return clock.every(lookMs, () => {
    if (getHeapStatistics().used_heap_size < liveBytes + slackBytes) return;
    gc();
    liveBytes = getHeapStatistics().used_heap_size;
  });
}
