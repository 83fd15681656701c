/**
 * Gives a service its own small disk, and fills it. The disk is a tmpfs in a mount namespace of the service: no other
 * process sees it, and it disappears with the service's processes, however they end. Counts disks found full.
 */
import { closeSync, existsSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';

export interface DiskFull {
  kind: 'disk-full';
  target: string;
  /** Bytes that stay free. */
  leftBytes: number;
}

export const diskSettings = z.strictObject({ leftBytes: z.int().min(0).max(1e12).default(0) });

const unshare = ['/usr/bin/unshare', '/bin/unshare'].find((path) => existsSync(path));

/** The reason why this machine cannot give a service its own disk; undefined if it can. */
export function whyNoDisk(): string | undefined {
  if (unshare === undefined) return 'there is no unshare here (util-linux)';
  if (process.getuid?.() !== 0) return 'a mount namespace takes root';
  return undefined;
}

/**
 * The same command in a mount namespace with a disk of that size at its data folder, or with our files over the
 * machine's.
 */
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

/** The disk's path from outside of its namespace, through a process that lives in it. */
export const diskSeenBy = (pid: number, folder: string): string =>
  join(`/proc/${pid}/root`, folder);

/** Fills the disk except for `leftBytes`; returns whether it is full then. Throws if it cannot be written. */
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

/** Whether the file that fills the disk is there: nobody removed it, and the service has the same disk. */
export const isFilled = (folder: string): boolean => existsSync(join(folder, ballast));

export const emptyDisk = (folder: string): void => rmSync(join(folder, ballast), { force: true });
