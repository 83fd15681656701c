/**
 * The memory that counts against the limit: live data only. Two things are left out: freed memory that the C library
 * keeps and the next burst uses again, and the program's own pages, which all processes share and which no container
 * is charged for.
 */
import { getHeapStatistics } from 'node:v8';
import { privateBytes } from '../../telemetry/process-metrics.js';

/** Code, stacks and the heap's own structures, where the system does not report them. */
const usualOverheadBytes = 10 * 1024 * 1024;
const mostOverheadBytes = 24 * 1024 * 1024;

function liveBytes(): number {
  // Cheaper than process.memoryUsage(), which also asks the system for the resident size: an idle proxy would do
  // little else.
  const { used_heap_size, external_memory } = getHeapStatistics();
  return used_heap_size + external_memory;
}

/**
 * Returns a function that measures live bytes. The overhead beside them is measured now, before any request has come.
 */
export function liveMemory(): () => number {
  const all = privateBytes();
  const overhead = all === undefined ? usualOverheadBytes : Math.max(0, all - liveBytes());
  const bounded = Math.min(overhead, mostOverheadBytes);
  return () => liveBytes() + bounded;
}
