/** Checks function names before parsing: refuses unknown names, and replaces names that the grammar lacks. */
import { aggregateOperators } from './ast.js';
import { PromqlError } from './error.js';
import { formerNames, signatures } from './signatures.js';
import { suggest } from '../../../base/suggest.js';

/** Keywords that may be followed by a parenthesis without being a function. */
const keywords = new Set(
  `${aggregateOperators.join(' ')} by without on ignoring group_left group_right and or unless
  atan2 bool offset fill fill_left fill_right`.split(/\s+/),
);

/** Functions that the grammar lacks, each with a function of equal length that it knows. */
const standIns: Record<string, string> = {
  integral: 'increase',
  max_of: 'minute',
  min_of: 'minute',
};

/** A name by Prometheus' feature `promql-unquoted-utf8-names`. */
export const wideWord = /[\p{L}_:][\p{L}\d_:.]*/u;

// A token: a whole string or comment, or a number with its letters (`5m`, `0x1F`), or a word.
const token =
  /"(?:\\[^]|[^"\\])*"?|'(?:\\[^]|[^'\\])*'?|`[^`]*`?|#[^\n]*|\d[\w.]*|[a-zA-Z_:][\w:]*|[[\]]|\s+|[^]/g;
/** The same, where letters of any language and dots may be in a word. */
const wideToken = new RegExp(
  token.source.replace('[a-zA-Z_:][\\w:]*', () => wideWord.source),
  'gu',
);

/** Words in durations that the grammar only knows in lower case. */
const durationWords = /^(step|range|min_of|max_of)$/i;

/** The token before an operand: none, a bracket, an operator or `bool`. */
const beginsOperand = /^$|^[-(,+*/%^=<>!~]$|^(and|or|unless|atan2|bool)$/;

/** Only these are spaces of PromQL: one of a web page or a word processor stops Prometheus. */
function refuseSpace(token: string, from: number): void {
  const at = token.startsWith('#') ? -1 : token.search(/[^ \t\n\r]/);
  if (at < 0) return;
  const code = token.charCodeAt(at).toString(16).padStart(4, '0');
  throw new PromqlError(`unexpected character: '\\u${code}', which looks like a space`, {
    from: from + at,
    to: from + at + 1,
  });
}

/**
 * The text for the grammar, of equal length; throws if a function does not exist. With `wide`, names without quotes may
 * have dots and letters of any language: in the result, other characters stand for these.
 */
export function prepareNames(text: string, wide = false): string {
  let result = '';
  let brackets = 0;
  let offsetParens = 0;
  /** The last tokens, because a sign and a word may stand between `offset` and its parenthesis. */
  let before: string[] = [];
  const hasOffset = /offset/i.test(text);
  const tokens = [...text.matchAll(wide ? wideToken : token)];
  const next = (i: number): string => {
    let j = i + 1;
    while (j < tokens.length && /^(\s|#)/.test(tokens[j]![0])) j++;
    return tokens[j]?.[0] ?? '';
  };
  tokens.forEach((match, i) => {
    const word = match[0];
    if (/^(\s|#)/.test(word)) {
      refuseSpace(word, match.index);
      // The grammar would make comments nodes among the operands.
      result += word.startsWith('#') ? ' '.repeat(word.length) : word;
      return;
    }
    const afterOffset =
      hasOffset && /offset([-+ ]*)(step|range|min_of|max_of)?$/.test(before.join(' '));
    if (word === '[') brackets++;
    if (word === ']') brackets = Math.max(0, brackets - 1);
    if (word === '(' && (offsetParens > 0 || afterOffset)) offsetParens++;
    if (word === ')') offsetParens = Math.max(0, offsetParens - 1);
    const inDuration = brackets > 0 || offsetParens > 0 || afterOffset;
    const isCalled = next(i) === '(';
    if (/^offset$/i.test(word) && beginsOperand.test(before.at(-1) ?? '')) {
      // A metric may be called so, which the grammar does not know.
      result += 'offse_';
      before.push('a metric');
      return;
    }
    result +=
      wide && !isCalled && /^[\p{L}_:]/u.test(word)
        ? word.replaceAll(/[^\w:]/g, '_')
        : written(word, match.index, inDuration, isCalled);
    if (hasOffset) before = [...before, word.toLowerCase()].slice(-4);
  });
  return result;
}

function written(word: string, index: number, inDuration: boolean, isCalled: boolean): string {
  // In PromQL a number may end in a point, in the grammar it may not.
  if (/^\d+\.$/.test(word)) return word.replace('.', ' ');
  if (!isCalled || !/^[a-zA-Z_:]/.test(word)) return word;
  if (inDuration) return durationWords.test(word) ? word.toLowerCase() : word;
  if (keywords.has(word.toLowerCase())) return word;
  if (!isFunction(word)) refuse(word, index);
  return standIns[word] ?? word;
}

function isFunction(name: string): boolean {
  return signatures.has(name) || /^(start|end)$/i.test(name);
}

function refuse(word: string, from: number): never {
  const known = [...signatures.keys(), ...aggregateOperators];
  const now = formerNames.get(word);
  const gone = now === undefined ? '' : ', which is gone since Prometheus 3.0';
  throw new PromqlError(
    `unknown function with name ${JSON.stringify(word)}${gone}`,
    { from, to: from + word.length },
    now ?? suggest(word, known),
  );
}
