/** Writes files atomically: a new file is written beside the old one, then renamed. */
import { chmodSync, renameSync, rmSync, writeFileSync } from 'node:fs';

let count = 0;

/** `mode` applies whatever the umask: 0o600 for keys and tokens. */
export function writeFileWhole(path: string, content: string | Uint8Array, mode = 0o644): void {
  const beside = `${path}.${process.pid}-${count++}.tmp`;
  try {
    writeFileSync(beside, content, { mode, flag: 'wx' });
    chmodSync(beside, mode);
    renameSync(beside, path);
  } catch (error) {
    rmSync(beside, { force: true });
    throw error;
  }
}
