/**
 * Many files as one: a length in four bytes, an index in JSON, and the files' bytes one after another, compressed. The
 * build packs; the executable unpacks at its first start.
 */
import { chmodSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { brotliCompressSync, brotliDecompressSync, constants } from 'node:zlib';
import { addFolders } from '../base/make-folder.js';

export interface PackedFile {
  /** Below the folder of the archive, with slashes. */
  path: string;
  contents: Buffer;
  /** Permissions, such as 0o644. */
  mode: number;
}

type Index = [path: string, bytes: number, mode: number][];

/** The highest qualities take minutes and save a tenth. */
const quality = 9;

export function pack(files: readonly PackedFile[]): Buffer {
  const entries: Index = files.map(({ path, contents, mode }) => [path, contents.length, mode]);
  const index = Buffer.from(JSON.stringify(entries));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(index.length);
  const whole = Buffer.concat([length, index, ...files.map(({ contents }) => contents)]);
  return brotliCompressSync(whole, {
    params: { [constants.BROTLI_PARAM_QUALITY]: quality, [constants.BROTLI_PARAM_LGWIN]: 24 },
  });
}

/** Writes the archive's files below `folder`, which exists. Nobody but the user can read the folders. */
export function unpack(archive: Uint8Array, folder: string): void {
  const whole = brotliDecompressSync(archive);
  const length = whole.readUInt32LE(0);
  const index = JSON.parse(whole.toString('utf8', 4, 4 + length)) as Index;
  const made = new Set([folder]);
  let at = 4 + length;
  for (const [path, bytes, mode] of index) {
    const file = join(folder, path);
    const parent = dirname(file);
    if (!made.has(parent)) addFolders(parent, 0o700);
    made.add(parent);
    writeFileSync(file, whole.subarray(at, at + bytes));
    if (mode & 0o100) chmodSync(file, 0o700);
    at += bytes;
  }
}
