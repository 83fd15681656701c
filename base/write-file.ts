/** Writes files atomically: a new file is written beside the old one, then renamed. Devices are written to instead. */
import {
  chmodSync,
  createWriteStream,
  existsSync,
  lstatSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { exitCode, messageOf, UserError } from './errors.js';

let count = 0;

/**
 * `mode` applies whatever the umask: 0o600 for keys and tokens. A link stays one, and the file behind it is replaced;
 * keys replace the link instead, which may be another user's. Throws a UserError (exit code 5) if it cannot.
 */
export function writeFileWhole(path: string, content: string | Uint8Array, mode = 0o644): void {
  if (isDevice(path)) return writeFileSync(path, content);
  const target = mode === 0o600 ? path : behindLink(path);
  const beside = besideOf(target);
  try {
    writeFileSync(beside, content, { mode, flag: 'wx' });
    chmodSync(beside, mode);
    renameSync(beside, target);
  } catch (error) {
    throw withoutRest(error, beside, target);
  }
}

/** The same for a text that is too long to hold, in pieces; none of it is left if a piece cannot be made. */
export async function writePiecesWhole(path: string, pieces: AsyncIterable<string>): Promise<void> {
  if (isDevice(path)) return pipeline(pieces, createWriteStream(path));
  const target = behindLink(path);
  const beside = besideOf(target);
  // Opened first: a stream opens its file later, perhaps after a piece has failed and the file was removed.
  const file = await open(beside, 'wx').catch((error: unknown) => {
    throw withoutRest(error, beside, target);
  });
  try {
    await pipeline(pieces, file.createWriteStream());
    renameSync(beside, target);
  } catch (error) {
    throw withoutRest(error, beside, target);
  }
}

/** Removes the begun file. The system's error becomes a UserError that names the file that was asked for. */
function withoutRest(error: unknown, beside: string, target: string): unknown {
  rmSync(beside, { force: true });
  const why = systemReason(error);
  return why === undefined
    ? error
    : new UserError(`cannot write ${target}: ${why}`, exitCode.environment);
}

/** `permission denied (EACCES)`: an error of the system without its call and paths; undefined for any other. */
export function systemReason(error: unknown): string | undefined {
  const [, code, why] = /^(E[A-Z]+): ([^,]+), /.exec(messageOf(error)) ?? [];
  return code === undefined ? undefined : `${why} (${code})`;
}

/** Whether `path` is a device, a pipe or an open file (`/dev/null`, `/dev/stdout`): renaming would destroy it. */
export function isDevice(path: string): boolean {
  if (/^\/(dev|proc\/self)\/(std(out|err)|fd\/\d+)$/.test(path)) return true;
  let found;
  try {
    found = lstatSync(path);
  } catch {
    return false;
  }
  return !found.isFile() && !found.isDirectory() && !found.isSymbolicLink();
}

/** The file behind a link; the path itself where there is nothing yet. */
export const behindLink = (path: string): string => (existsSync(path) ? realpathSync(path) : path);

const besideOf = (path: string): string => `${path}.${process.pid}-${count++}.tmp`;
