/**
 * Prevents a process from opening files or connections: its limit of file descriptors is lowered (prlimit) to those in
 * use, and raised again. Counts how often the process was found at its limit.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import * as z from 'zod';
import type { ProcessLimit, StruckProcess } from './process-fault.js';

export interface OpenFiles {
  kind: 'open-files';
  target: string;
  /** Number of descriptors that the process may still open. */
  more: number;
}

const prlimit = ['/usr/bin/prlimit', '/bin/prlimit'].find((path) => existsSync(path));

/** Descriptors in use; empty if the process has ended. */
function descriptorsOf(pid: number): Set<number> {
  try {
    return new Set(readdirSync(`/proc/${pid}/fd`).map(Number));
  } catch {
    return new Set();
  }
}

/** The kernel assigns the lowest free number, so this limit leaves exactly `more` free numbers. */
function limitFor(taken: ReadonlySet<number>, more: number): number {
  let number = 0;
  for (let free = 0; ; number++) {
    if (taken.has(number)) continue;
    if (free === more) return number;
    free++;
  }
}

function softLimitOf(pid: number): string | undefined {
  try {
    const line = readFileSync(`/proc/${pid}/limits`, 'utf8').match(/^Max open files\s+(\S+)/m);
    return line?.[1];
  } catch {
    return undefined;
  }
}

const setSoftLimit = (pid: number, limit: number | string): void => {
  execFileSync(prlimit as string, ['--pid', String(pid), `--nofile=${limit}:`], {
    stdio: 'ignore',
    timeout: 5000,
  });
};

export const openFilesLimit = {
  settings: z.strictObject({ more: z.int().min(0).max(1_000_000).default(0) }),

  whyNot(): string | undefined {
    if (prlimit === undefined) return 'there is no prlimit here (util-linux)';
    return existsSync('/proc/self/fd') ? undefined : 'there is no /proc here';
  },

  put({ more }: OpenFiles, { pids }: StruckProcess): ProcessLimit {
    const before = new Map<number, string>();
    const limits = new Map<number, number>();
    for (const pid of pids()) {
      const soft = softLimitOf(pid);
      if (soft === undefined) continue;
      const limit = limitFor(descriptorsOf(pid), more);
      setSoftLimit(pid, limit);
      before.set(pid, soft);
      limits.set(pid, limit);
    }
    const isFull = ([pid, limit]: [number, number]): boolean => {
      const taken = descriptorsOf(pid);
      return taken.size > 0 && limitFor(taken, 0) >= limit;
    };
    return {
      look: () => [...limits].filter(isFull).length,
      lost() {
        const now = [...limits].map(([pid, limit]) => [softLimitOf(pid), String(limit)] as const);
        if (now.some(([soft, limit]) => soft === limit)) return undefined;
        return now.some(([soft]) => soft !== undefined)
          ? 'its limit of open files was changed by somebody else'
          : 'the limited process has ended';
      },
      end() {
        for (const [pid, soft] of before) {
          try {
            setSoftLimit(pid, soft);
          } catch {
            // The process ended meanwhile.
          }
        }
      },
    };
  },
};
