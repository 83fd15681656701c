/** Suggests the probable meaning of an unknown name, as the two texts of a problem. */
import { UserError } from '../../base/errors.js';
import { suggest } from '../../base/suggest.js';

/** `expected` is the text for a name that is near no known one. */
export function noScenario(name: string, known: readonly string[], expected: string): UserError {
  const near = suggest(name, known);
  const message = `no scenario '${name}'`;
  return new UserError(
    near === undefined ? { message, expected } : `${message}: did you mean ${near}?`,
  );
}

const shownMax = 8;

/** Suggests the nearest known name as a question if one is near; otherwise lists the known names. */
export function unknownName(
  message: string,
  word: string,
  known: readonly string[],
): [message: string, expected?: string] {
  const near = suggest(word, known);
  if (near !== undefined && near !== word) return [`${message}: did you mean ${near}?`];
  if (known.length === 0) return [`${message}: there is none of its kind`];
  const shown = known.slice(0, shownMax).join(', ');
  return [message, known.length > shownMax ? `${shown}, ...` : shown];
}
