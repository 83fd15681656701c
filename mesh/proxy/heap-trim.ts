/**
 * Keeps the heap near its live size: V8 lets a small heap grow to several times its size before a full collection,
 * which is expensive beside an app that has 64 MB for its proxy. After a crowd of connections has gone, the C library
 * gives its free pages back too. Needs --expose-gc (launch.ts); without it nothing happens.
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

/** So many connections held some 10 MB; the call that gives them back brings 2 MB of its own, once. */
const crowd = 200;
/** Clients that were cut off come back within a few seconds. */
const quietLooks = 4;

interface Heap {
  collect: (() => void) | undefined;
  usedBytes(): number;
  giveBack(): void;
}

const heap: Heap = {
  collect: (globalThis as { gc?: () => void }).gc,
  usedBytes: () => getHeapStatistics().used_heap_size,
  giveBack: () => void trimCLibrary(),
};

let mallocTrim: ((keptBytes: number) => number) | undefined;

/** Glibc gives back only the end of its heap by itself, and free pages lie between those in use. */
async function trimCLibrary(): Promise<void> {
  try {
    const { default: koffi } = await import('koffi');
    mallocTrim ??= koffi.load(null).func('int malloc_trim(size_t)') as (kept: number) => number;
    mallocTrim(0);
  } catch {
    // Another C library, or no koffi: the pages wait for the next burst.
  }
}

/** `connections`: those that are open. */
export function startHeapTrim(
  clock: Clock,
  connections: () => number,
  limits = proxyLimits,
  { collect, usedBytes, giveBack } = heap,
): Timer | undefined {
  const { lookMs, slackBytes, quietBytes } = limits;
  if (!collect) return undefined;
  // The first collection removes garbage from the start.
  let liveBytes = 0;
  let lastBytes = 0;
  let most = 0;
  let looksSinceCrowd = 0;
  const collectNow = (): void => {
    collect();
    liveBytes = usedBytes();
    lastBytes = liveBytes;
  };
  return clock.every(lookMs, () => {
    const open = connections();
    most = Math.max(most, open);
    looksSinceCrowd = most - open < crowd ? 0 : looksSinceCrowd + 1;
    if (looksSinceCrowd >= quietLooks) collectNow();
    if (looksSinceCrowd > quietLooks) {
      // The first collection frees a client's certificate, and only the second its issuer's, which the first held.
      giveBack();
      most = open;
    }
    const used = usedBytes();
    const grownBytes = used - lastBytes;
    lastBytes = used;
    if (used >= liveBytes + slackBytes && grownBytes <= quietBytes) collectNow();
  });
}
