/** What a name that is unknown was probably meant to be: the two texts of a problem. */
import { suggest } from '../../base/suggest.js';

const shownMax = 8;

/** The nearest known name where one is near, as a question; else what there is. */
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
