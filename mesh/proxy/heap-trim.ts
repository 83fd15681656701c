/**
 * Keeps the heap near its live size: V8 lets a small heap grow to several times its size before a full collection,
 * which is expensive beside an app that has 64 MB for its proxy. Needs --expose-gc (launch.ts); without it nothing
 * happens.
 */
import { getHeapStatistics } from 'node:v8';
import type { Clock, Timer } from '../../base/clock.js';

const mebi = 1024 * 1024;

export interface TrimLimits {
  lookMs: number;
  /** Garbage that triggers a collection. */
  slackBytes: number;
  /** A heap that has grown by more since the last look is at work, and left alone. */
  quietBytes: number;
}

/** A collection takes some 10 ms; at full load this much garbage takes some seconds to accumulate. */
const proxyLimits: TrimLimits = {
  lookMs: 2000,
  slackBytes: 1.5 * mebi,
  quietBytes: Number.POSITIVE_INFINITY,
};

/** A collection takes 50 ms and more, by which a change would reach the proxies later. */
export const controllerLimits: TrimLimits = {
  lookMs: 2000,
  slackBytes: 4 * mebi,
  quietBytes: 0.5 * mebi,
};

const heap = {
  collect: (globalThis as { gc?: () => void }).gc,
  usedBytes: () => getHeapStatistics().used_heap_size,
};

export function startHeapTrim(
  clock: Clock,
  limits = proxyLimits,
  { collect, usedBytes } = heap,
): Timer | undefined {
  const { lookMs, slackBytes, quietBytes } = limits;
  if (!collect) return undefined;
  // The first collection removes garbage from the start.
  let liveBytes = 0;
  let lastBytes = 0;
  return clock.every(lookMs, () => {
    const used = usedBytes();
    const grownBytes = used - lastBytes;
    lastBytes = used;
    if (used < liveBytes + slackBytes || grownBytes > quietBytes) return;
    collect();
    liveBytes = usedBytes();
    lastBytes = liveBytes;
  });
}
