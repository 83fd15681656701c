/** A user's file, or standard input as `-`, as text; a sentence says why it cannot be read. */
import { constants } from 'node:buffer';
import { closeSync, openSync, readSync } from 'node:fs';
import { messageOf, UserError } from './errors.js';

const chunkBytes = 256 * 1024;
/** Standard input comes once; a command that names it in two places gets the same text. */
let standardInput: string | undefined;

/** By the error's code, since Node's own text repeats the path or names the system call. */
const reasons: Record<string, string | undefined> = {
  ENOENT: 'no such file',
  EISDIR: 'a folder; expected a file',
  EACCES: 'no right to read it',
};

/** The name of `file` in messages. */
export const inputName = (file: string): string => (file === '-' ? '<stdin>' : file);

/**
 * The text of a file. `bytesMax`: more is refused, since a pipe or a device may never end; by default more than
 * the longest text of the runtime (512 MiB).
 *
 * @throws UserError where the file is missing, unreadable or too large.
 */
export function readInput(file: string, bytesMax = constants.MAX_STRING_LENGTH): string {
  try {
    if (file === '-') return (standardInput ??= readAtMost(0, file, bytesMax));
    const opened = openSync(file, 'r');
    try {
      return readAtMost(opened, file, bytesMax);
    } finally {
      closeSync(opened);
    }
  } catch (error) {
    if (error instanceof UserError) throw error;
    const { code = '' } = error as NodeJS.ErrnoException;
    throw new UserError(`${file}: ${reasons[code] ?? messageOf(error)}`);
  }
}

function readAtMost(opened: number, file: string, bytesMax: number): string {
  const chunks: Buffer[] = [];
  for (let total = 0; ;) {
    const chunk = Buffer.allocUnsafe(chunkBytes);
    const length = readSync(opened, chunk);
    if (length === 0) return decoded(Buffer.concat(chunks), file);
    total += length;
    if (total > bytesMax) throw tooLarge(inputName(file), bytesMax);
    chunks.push(chunk.subarray(0, length));
  }
}

/** The text of UTF-8, or of UTF-16 with its byte order mark, as PowerShell writes it; a mark is not of the text. */
function decoded(bytes: Buffer, file: string): string {
  const mark = bytes.toString('hex', 0, 2);
  const encoding = mark === 'fffe' ? 'utf-16le' : mark === 'feff' ? 'utf-16be' : 'utf-8';
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch {
    const before = new TextDecoder(encoding).decode(bytes).split('\uFFFD', 1)[0] as string;
    const line = before.split('\n').length;
    const column = before.length - before.lastIndexOf('\n');
    const place = { file: inputName(file), line, column };
    throw new UserError({ place, message: 'a character that is not UTF-8', expected: 'UTF-8' });
  }
}

/** The refusal of a text above its limit. */
export const tooLarge = (name: string, bytes: number): UserError =>
  new UserError({
    message: `${name} is too large`,
    expected: bytes % 2 ** 20 === 0 ? `at most ${bytes / 2 ** 20} MiB` : `at most ${bytes} bytes`,
  });
