/** Function names found before parsing: unknown ones are refused, and ones the grammar lacks are stood in for. */
import { aggregateOperators } from './ast.js';
import { PromqlError } from './error.js';
import { formerNames, signatures } from './signatures.js';
import { suggest } from './suggest.js';

/** Words that a parenthesis may follow without being a function call. */
const keywords = new Set(
  `${aggregateOperators.join(' ')} by without on ignoring group_left group_right and or unless
  atan2 bool offset fill fill_left fill_right`.split(/\s+/),
);

/** Functions that the grammar does not know, each with one of the same length that it does know. */
const standIns: Record<string, string> = {
  max_of: 'minute',
  min_of: 'minute',
  holt_winters: 'day_of_month',
};

// Strings and comments are skipped whole; a number keeps its letters (`5m`, `0x1F`) to itself.
const token =
  /"(?:\\[^]|[^"\\])*"?|'(?:\\[^]|[^'\\])*'?|`[^`]*`?|#[^\n]*|\d[\w.]*|[a-zA-Z_:][\w:]*|[[\]]|\s+|[^]/g;

/** The text to give to the grammar, of the same length; throws where a function does not exist. */
export function prepareNames(text: string): string {
  let result = '';
  let brackets = 0;
  const tokens = [...text.matchAll(token)];
  const next = (i: number): string => {
    let j = i + 1;
    while (j < tokens.length && /^(\s|#)/.test(tokens[j]![0])) j++;
    return tokens[j]?.[0] ?? '';
  };
  let before = '';
  tokens.forEach((match, i) => {
    const word = match[0];
    if (word === '[') brackets++;
    if (word === ']') brackets = Math.max(0, brackets - 1);
    let written = word;
    if (/^[a-zA-Z_:]/.test(word) && next(i) === '(' && !keywords.has(word.toLowerCase())) {
      if (!isFunction(word)) refuse(word, match.index);
      // Durations have their own min_of and max_of, which the grammar does know.
      if (brackets === 0 && !/offset[-+]*$/.test(before)) written = standIns[word] ?? word;
    }
    result += written;
    if (!/^(\s|#)/.test(word)) before = `${before}${word.toLowerCase()}`.slice(-16);
  });
  return result;
}

export function isFunction(name: string): boolean {
  return signatures.has(name) || formerNames.has(name) || /^(start|end)$/i.test(name);
}

function refuse(word: string, from: number): never {
  const known = [...signatures.keys(), ...aggregateOperators];
  throw new PromqlError(
    `unknown function with name ${JSON.stringify(word)}`,
    { from, to: from + word.length },
    suggest(word, known),
  );
}
