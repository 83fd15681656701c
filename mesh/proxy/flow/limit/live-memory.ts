/**
 * How much of its limit the process needs: what is live, not what the C library keeps of earlier bursts, which the
 * next one uses again, nor the program's own pages, which all processes share and no container is charged for.
 */
import { getHeapStatistics } from 'node:v8';
import { privateBytes } from '../../telemetry/process-metrics.js';

/** Code, stacks and the heap's own structures, where the system does not tell. */
const usualOverheadBytes = 10 * 1024 * 1024;
const mostOverheadBytes = 24 * 1024 * 1024;

function liveBytes(): number {
  // process.memoryUsage() asks the system for what is resident, too: that is all that an idle proxy would do.
  const { used_heap_size, external_memory } = getHeapStatistics();
  return used_heap_size + external_memory;
}

/** A function that tells it; what the process needs beside live bytes is measured now, while nothing has come yet. */
export function liveMemory(): () => number {
  const all = privateBytes();
  const overhead = all === undefined ? usualOverheadBytes : Math.max(0, all - liveBytes());
  const bounded = Math.min(overhead, mostOverheadBytes);
  return () => liveBytes() + bounded;
}
