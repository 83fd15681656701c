/** The private folder of the executable's files: unpacked at the first start, and named by the archive's digest. */
import { createHash, randomBytes } from 'node:crypto';
import { lstatSync, mkdirSync, realpathSync, renameSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { addFolders } from '../base/make-folder.js';
import { unpack } from './archive.js';

/** Length of a folder's name, in characters of the SHA-256. */
const nameLength = 32;

/**
 * The folder with the files of the archive whose SHA-256 is `digest`. Throws if the archive is another one, if no
 * folder can be written, or if somebody else can have written to the folder that is there.
 */
export function unpackedHome(digest: string, archive: () => Uint8Array): string {
  const name = digest.slice(0, nameLength);
  let refusal: unknown;
  for (const { parent, own } of places()) {
    const home = join(parent, name);
    try {
      if (own !== undefined) isPrivate(own);
      if (!isPrivate(home)) make(home, digest, archive());
      return realpathSync(home);
    } catch (error) {
      // A home that cannot be written, as of a service's user: the next place.
      if (!unwritable.has((error as NodeJS.ErrnoException).code ?? '')) throw error;
      refusal ??= error;
    }
  }
  throw refusal;
}

const unwritable = new Set(['EACCES', 'EPERM', 'EROFS', 'ENOENT', 'ENOTDIR']);

interface Place {
  parent: string;
  /** A folder above it, in a folder to which every user can write: it must be the user's own. */
  own?: string;
}

/** The cache, as base/paths.ts names it, then a folder of the user's own among the temporary ones. */
function places(): Place[] {
  const cache = process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache');
  const own = join(tmpdir(), `firedrill-${process.getuid?.() ?? 'user'}`);
  return [
    { parent: join(cache, 'firedrill', 'executable') },
    { parent: join(own, 'executable'), own },
  ];
}

/** Whether the folder is there. Throws if somebody else can have written to it. */
function isPrivate(folder: string): boolean {
  const found = lstatSync(folder, { throwIfNoEntry: false });
  if (!found) return false;
  const mine = process.getuid === undefined || found.uid === process.getuid();
  if (found.isDirectory() && mine && (found.mode & 0o077) === 0) return true;
  throw new Error(`${folder} is not a folder that only you can read and write: remove it`);
}

/** Writes the files beside the folder, and renames them into place: a folder that is there is whole. */
function make(home: string, digest: string, archive: Uint8Array): void {
  if (createHash('sha256').update(archive).digest('hex') !== digest) {
    throw new Error('this executable is damaged: its files differ from their digest');
  }
  addFolders(dirname(home), 0o700);
  const beside = `${home}.${randomBytes(6).toString('hex')}`;
  mkdirSync(beside, { mode: 0o700 });
  try {
    unpack(archive, beside);
    renameSync(beside, home);
  } catch (error) {
    rmSync(beside, { recursive: true, force: true });
    // Another start was faster.
    if (!isPrivate(home)) throw error;
  }
}
