/** Reads numbers, durations and strings in PromQL's syntax. */
import { parseDurationMs } from '../../../base/duration.js';

/** Prometheus cannot represent longer durations in nanoseconds. */
export const maxSeconds = 9_223_372_036;

/** The value of a number or duration; undefined if the text is neither. */
export function parseNumber(text: string): number | undefined {
  const sign = text.startsWith('-') ? -1 : 1;
  const bare = text.replace(/^[+-]\s*/, '');
  const lower = bare.toLowerCase();
  if (lower === 'inf') return sign * Infinity;
  if (lower === 'nan') return NaN;
  if (/^0x[0-9a-f]+(_[0-9a-f]+)*$/.test(lower)) return sign * Number(lower.replaceAll('_', ''));
  // A leading zero makes an integer octal, as in Go.
  if (/^0[0-7]+$/.test(bare)) return sign * parseInt(bare, 8);
  if (/^(\d+(_\d+)*)?(\.(\d+(_\d+)*)?)?(e[+-]?\d+)?$/.test(lower) && /\d/.test(lower)) {
    return sign * Number(lower.replaceAll('_', ''));
  }
  const ms = parseDurationMs(bare);
  return ms === undefined ? undefined : (sign * ms) / 1000;
}

/** Go's escapes of one letter, in PromQL's strings and in templates. */
export const simpleEscapes: Readonly<Record<string, string>> = {
  a: '\u0007',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  "'": "'",
  '"': '"',
};

/** Matches any of Go's escapes: hexadecimal, Unicode short and long, octal, or one character. */
export const goEscape =
  /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|([^]))/g;

/** The value of a quoted literal; undefined if it does not end or an escape is invalid. */
export function parseString(literal: string): string | undefined {
  const mark = literal[0];
  if (literal.length < 2 || literal.at(-1) !== mark) return undefined;
  const body = literal.slice(1, -1);
  if (mark === '`') return body;
  if (mark !== '"' && mark !== "'") return undefined;
  let bad = false;
  // Escaped bytes (\xe2\x82\xac) form a character only together.
  const bytes: { text: string; byte: boolean }[] = [];
  let end = 0;
  for (const match of body.matchAll(goEscape)) {
    bytes.push({ text: body.slice(end, match.index), byte: false });
    end = match.index + match[0].length;
    const [, hex, short, long, octal, simple] = match;
    const code =
      octal === undefined ? parseInt(hex ?? short ?? long ?? '', 16) : parseInt(octal, 8);
    if (simple !== undefined) {
      const char = simpleEscapes[simple];
      if (char === undefined) bad = true;
      else bytes.push({ text: char, byte: false });
    } else if (hex !== undefined || octal !== undefined) {
      if (code > 255) bad = true;
      bytes.push({ text: String.fromCharCode(code), byte: true });
    } else if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) {
      bad = true;
    } else {
      bytes.push({ text: String.fromCodePoint(code), byte: false });
    }
  }
  bytes.push({ text: body.slice(end), byte: false });
  return bad ? undefined : joinBytes(bytes);
}

function joinBytes(parts: readonly { text: string; byte: boolean }[]): string {
  let text = '';
  let run: number[] = [];
  const flush = (): void => {
    if (run.length > 0) text += Buffer.from(run).toString('utf8');
    run = [];
  };
  for (const part of parts) {
    if (part.byte) {
      run.push(part.text.charCodeAt(0));
    } else if (part.text !== '') {
      flush();
      text += part.text;
    }
  }
  flush();
  return text;
}

/** Reads a float like Go: decimal with an exponent, hexadecimal, `inf`, `infinity` or `nan` in any case. */
export function parseGoFloat(text: string): number | undefined {
  const lower = text.toLowerCase();
  if (/^[+-]?inf(inity)?$/.test(lower)) return lower.startsWith('-') ? -Infinity : Infinity;
  if (/^[+-]?nan$/.test(lower)) return NaN;
  if (/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/.test(lower)) return Number(lower);
  return /^[+-]?0x[0-9a-f]+$/.test(lower) ? Number(lower.replace(/^[+-]/, '')) : undefined;
}
