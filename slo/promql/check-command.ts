/** `firedrill promql check`: whether a query is valid, and where it is not. */
import { lineColumn, PromqlError, withCaret } from './syntax/error.js';
import { type FeatureUse, featuresOf, refusing } from './syntax/features.js';
import { parse } from './syntax/parse.js';
import { typeNames, typeOf } from './syntax/types.js';

/**
 * `enabled` are the features of the Prometheus that will run the query; for any other feature that the query needs,
 * the output says so.
 */
export function checkQuery(
  text: string,
  file: string | undefined,
  output: string,
  enabled: readonly string[] = [],
): { ok: boolean; shown: string } {
  try {
    const unquotedNames = enabled.includes('promql-unquoted-utf8-names');
    const expr = parse(text, { unquotedNames });
    const type = typeNames[typeOf(expr)];
    const needs = featuresOf(expr).filter((use) => !enabled.includes(use.feature));
    if (output === 'json') return { ok: true, shown: json({ ok: true, type, needs }) };
    const warnings = needs.map((use) => `${warning(text, file, use)}\n`);
    return { ok: true, shown: `ok: ${article(type)}\n${warnings.join('')}` };
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

function warning(text: string, file: string | undefined, use: FeatureUse): string {
  const { line, column } = lineColumn(text, use.from);
  const place = `${file === undefined ? '' : `${file}:`}${line}:${column}`;
  return (
    `${place}: warning: ${refusing(use)} refuses ${use.word}, and with it the whole rule file; ` +
    `it takes --enable-feature=${use.feature}`
  );
}

const json = (value: object): string => `${JSON.stringify(value, undefined, 2)}\n`;
const article = (type: string): string => `${/^[aeiou]/.test(type) ? 'an' : 'a'} ${type}`;
