/** Restarts one of our programs with a leak until V8 runs out of memory; `memory-leak.ts` holds real memory. */
import * as z from 'zod';
import { program } from '../../base/paths.js';

export interface Leak {
  kind: 'leak';
  target: string;
  megabytesPerSecond: number;
  heapMegabytes: number;
}

export const leakSettings = z.strictObject({
  megabytesPerSecond: z.number().min(1).max(500),
  heapMegabytes: z.int().min(64).max(512),
});

interface NodeProgram {
  nodeFlags?: readonly string[];
  env?: Record<string, string>;
}

/** The same program with a small heap, and with the module that fills it. */
export const leaking = <P extends NodeProgram>(
  own: P,
  { megabytesPerSecond, heapMegabytes }: Leak,
): P => ({
  ...own,
  nodeFlags: [
    ...(own.nodeFlags ?? []),
    `--max-old-space-size=${heapMegabytes}`,
    '--import',
    program('chaos/faults/memory-leak'),
  ],
  env: { ...own.env, FIREDRILL_LEAK_MB_PER_SECOND: String(megabytesPerSecond) },
});
