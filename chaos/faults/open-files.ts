/**
 * A process can open no more files or connections: its limit of file descriptors is lowered (prlimit) to those that it
 * has, and raised again. Counted: how often it was found at its limit.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { z } from 'zod';
import type { ProcessLimit, StruckProcess } from './process-fault.js';

export interface OpenFiles {
  kind: 'open-files';
  target: string;
  /** How many more it may open. */
  more: number;
}

const prlimit = ['/usr/bin/prlimit', '/bin/prlimit'].find((path) => existsSync(path));

/** Numbers that are taken; empty where the process has ended. */
function descriptorsOf(pid: number): Set<number> {
  try {
    return new Set(readdirSync(`/proc/${pid}/fd`).map(Number));
  } catch {
    return new Set();
  }
}

/** The kernel gives the lowest free number: below this one there are just so many. */
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
      end() {
        for (const [pid, soft] of before) {
          try {
            setSoftLimit(pid, soft);
          } catch {
            // It ended meanwhile.
          }
        }
      },
    };
  },
};
