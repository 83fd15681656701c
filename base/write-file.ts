/** Writes files atomically: a new file is written beside the old one, then renamed. */
import { chmodSync, createWriteStream, renameSync, rmSync, writeFileSync } from 'node:fs';
import { pipeline } from 'node:stream/promises';

let count = 0;

/** `mode` applies whatever the umask: 0o600 for keys and tokens. */
export function writeFileWhole(path: string, content: string | Uint8Array, mode = 0o644): void {
  const beside = besideOf(path);
  try {
    writeFileSync(beside, content, { mode, flag: 'wx' });
    chmodSync(beside, mode);
    renameSync(beside, path);
  } catch (error) {
    rmSync(beside, { force: true });
    throw error;
  }
}

/** The same for a text that is too long to hold, in pieces; none of it is left if a piece cannot be made. */
export async function writePiecesWhole(path: string, pieces: AsyncIterable<string>): Promise<void> {
  const beside = besideOf(path);
  try {
    await pipeline(pieces, createWriteStream(beside, { flags: 'wx' }));
    renameSync(beside, path);
  } catch (error) {
    rmSync(beside, { force: true });
    throw error;
  }
}

const besideOf = (path: string): string => `${path}.${process.pid}-${count++}.tmp`;
