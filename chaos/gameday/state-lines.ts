/** Lines that other commands add to a file of the state folder while a drill runs, one JSON object each. */
import { appendFileSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { makeFolder } from '../../base/make-folder.js';
import { exitCode, messageOf, UserError } from '../../base/errors.js';
import { systemReason } from '../../base/write-file.js';

/** Throws a UserError (exit code 5) if the file cannot be written. */
export function addLine(file: string, line: object): void {
  try {
    makeFolder(dirname(file), 0o700);
    appendFileSync(file, `${JSON.stringify(line)}\n`, { mode: 0o600 });
  } catch (error) {
    const why = systemReason(error) ?? messageOf(error);
    throw new UserError(`cannot write ${file}: ${why}`, exitCode.environment);
  }
}

/** The last `most` lines that `isLine` accepts, in order; others are skipped, and so is a file that cannot be read. */
export function linesOf<Line>(
  file: string,
  most: number,
  isLine: (said: Partial<Line>) => boolean,
): Line[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return [];
  }
  return text
    .split('\n')
    .slice(-most)
    .flatMap((line) => {
      try {
        const said = JSON.parse(line) as Line;
        return isLine(said) ? [said] : [];
      } catch {
        return [];
      }
    });
}
