/**
 * Reads files of a report's folder, which may come from anywhere: links out of the folder, pipes and endless files
 * are refused.
 */
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../base/errors.js';
import type { GameDayRecord } from '../runbooks/record.js';
import { parseRecord } from '../runbooks/record-schema.js';

/** A report of a long day has some megabytes. */
const maxBytes = 64 * 1024 * 1024;

/** Opens a plain file for reading, without blocking. Undefined when there is no such file. */
export function openPlain(folder: string, name: string): number | undefined {
  const path = join(folder, name);
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    if (code === 'ELOOP' || code === 'EMLINK') {
      throw new UserError(`${path} is a link: only a report's own files are shown`);
    }
    throw error;
  }
  if (fstatSync(fd).isFile()) return fd;
  closeSync(fd);
  throw new UserError(`${path} is no plain file`);
}

/** Undefined when there is no such file; throws a UserError when it is too large or not the report's own. */
export function readOwn(folder: string, name: string): Buffer | undefined {
  const fd = openPlain(folder, name);
  if (fd === undefined) return undefined;
  try {
    const { size } = fstatSync(fd);
    if (size > maxBytes) {
      const megabytes = Math.round(size / 1e6);
      throw new UserError(`${join(folder, name)} has ${megabytes} MB: more than a report's`);
    }
    return readFileSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** The record of a finished drill. Undefined when there is none; throws a UserError when it is not valid. */
export function recordIn(folder: string): GameDayRecord | undefined {
  const name = 'record.json';
  const bytes = readOwn(folder, name);
  return bytes && parseRecord(join(folder, name), bytes.toString('utf8'));
}
