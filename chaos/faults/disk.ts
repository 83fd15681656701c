/**
 * A small disk of a service's own, and how it becomes full. The disk is a tmpfs in a mount namespace of the service:
 * nobody else sees it, and it goes with the service's processes, however they end. Counted: disks found full.
 */
import { closeSync, existsSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

export interface DiskFull {
  kind: 'disk-full';
  target: string;
  /** What stays free, in bytes. */
  leftBytes: number;
}

export const diskSettings = z.strictObject({ leftBytes: z.int().min(0).max(1e12).default(0) });

const unshare = ['/usr/bin/unshare', '/bin/unshare'].find((path) => existsSync(path));

/** Why this machine cannot give a service a disk of its own; undefined where it can. */
export function whyNoDisk(): string | undefined {
  if (unshare === undefined) return 'there is no unshare here (util-linux)';
  if (process.getuid?.() !== 0) return 'a mount namespace takes root';
  return undefined;
}

/** The same command, which finds a disk of that size at its data folder, or files of ours over those of the machine. */
export function inMountNamespace(
  argv: readonly string[],
  mounts: { disk?: { folder: string; bytes: number }; files?: Readonly<Record<string, string>> },
): string[] {
  const { disk, files = {} } = mounts;
  const steps = [
    ...(disk
      ? [`mount -t tmpfs -o size=${disk.bytes},mode=700 firedrill-disk ${quoted(disk.folder)}`]
      : []),
    ...Object.entries(files).map(([over, own]) => `mount --bind ${quoted(own)} ${quoted(over)}`),
    'exec "$@"',
  ];
  const script = steps.join(' && ');
  const at = unshare as string;
  return [at, '--mount', '--propagation', 'private', '--', '/bin/sh', '-c', script, 'sh', ...argv];
}

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

const ballast = '.firedrill-disk-full';
const chunk = Buffer.alloc(256 * 1024);

/** The disk as seen from outside of its namespace, through a process that lives in it. */
export const diskSeenBy = (pid: number, folder: string): string =>
  join(`/proc/${pid}/root`, folder);

/** Fills it but for `leftBytes`; whether it is full then. Throws where it cannot be written. */
export function fillDisk(folder: string, leftBytes: number): boolean {
  const file = openSync(join(folder, ballast), 'a', 0o600);
  try {
    for (;;) {
      const room = freeBytes(folder) - leftBytes;
      if (room <= 0) return true;
      try {
        writeSync(file, chunk, 0, Math.min(room, chunk.length));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOSPC') return true;
        throw error;
      }
    }
  } finally {
    closeSync(file);
  }
}

export function freeBytes(folder: string): number {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}

export const emptyDisk = (folder: string): void => rmSync(join(folder, ballast), { force: true });
