/** A user's file as text, or a sentence that says why not. */
import { readFileSync } from 'node:fs';
import { messageOf, UserError } from '../../base/errors.js';

export function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw new UserError(missing ? `${file}: no such file` : `${file}: ${messageOf(error)}`);
  }
}
