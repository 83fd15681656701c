/**
 * Keeps the heap near what is live: V8 lets a small one grow to several times its size before it collects all of it,
 * which is dear beside an app that has 64 MB for its proxy. Needs --expose-gc (launch.ts); without it nothing
 * happens.
 */
import { getHeapStatistics } from 'node:v8';
import type { Clock, Timer } from '../../base/clock.js';

const lookMs = 2000;
/** A collection takes some 10 ms: at full load so much garbage takes some seconds to grow old. */
const slackBytes = 1.5 * 1024 * 1024;

export function startHeapTrim(clock: Clock): Timer | undefined {
  const { gc } = globalThis as { gc?: () => void };
  if (!gc) return undefined;
  // The first one takes what starting left behind.
  let liveBytes = 0;
  return clock.every(lookMs, () => {
    if (getHeapStatistics().used_heap_size < liveBytes + slackBytes) return;
    gc();
    liveBytes = getHeapStatistics().used_heap_size;
  });
}
