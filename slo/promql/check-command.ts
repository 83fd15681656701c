/** `firedrill promql check`: whether a query is right, and where it is not. */
import { lineColumn, PromqlError, withCaret } from './syntax/error.js';
import { parse } from './syntax/parse.js';
import { typeNames, typeOf } from './syntax/types.js';

export function checkQuery(
  text: string,
  file: string | undefined,
  output: string,
): { ok: boolean; shown: string } {
  try {
    const type = typeNames[typeOf(parse(text))];
    const shown = output === 'json' ? json({ ok: true, type }) : `ok: ${article(type)}\n`;
    return { ok: true, shown };
  } catch (error) {
    if (!(error instanceof PromqlError)) throw error;
    const { message, suggestion, from, to } = error;
    const shown =
      output === 'json'
        ? json({ ok: false, message, suggestion, from, to, ...lineColumn(text, from) })
        : `${file === undefined ? '' : `${file}:`}${withCaret(text, error)}\n`;
    return { ok: false, shown };
  }
}

const json = (value: object): string => `${JSON.stringify(value, undefined, 2)}\n`;
const article = (type: string): string => `${/^[aeiou]/.test(type) ? 'an' : 'a'} ${type}`;
