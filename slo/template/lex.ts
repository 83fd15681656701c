/** Splits Go's template syntax into tokens: text outside of braces, and words within them. */
import { goEscape, simpleEscapes } from '../promql/syntax/literals.js';

export class TemplateError extends Error {
  /** Offset into the template's text. */
  readonly offset: number;

  constructor(message: string, offset: number) {
    super(message);
    this.name = 'TemplateError';
    this.offset = offset;
  }
}

export type TokenKind =
  | 'text'
  | 'open'
  | 'close'
  | 'word'
  | 'field'
  | 'variable'
  | 'string'
  | 'char'
  | 'number'
  | 'symbol'
  | 'space'
  | 'end';

export interface Token {
  kind: TokenKind;
  /** The value of a string without quotes, the name of a field without its dot. */
  text: string;
  offset: number;
}

const space = /[ \t\r\n]/;
const inside = new RegExp(
  [
    /([ \t\r\n]+)/,
    /\.([A-Za-z_][A-Za-z0-9_]*)/,
    /(\$[A-Za-z0-9_]*)/,
    /([A-Za-z_][A-Za-z0-9_]*)/,
    /("(?:[^"\\\n]|\\[^\n])*")/,
    /(`[^`]*`)/,
    /('(?:[^'\\\n]|\\[^\n])+')/,
    /([+-]?(?:0[xX][0-9a-fA-F_]+|(?:[0-9][0-9_]*)?\.?[0-9]+(?:[eE][+-]?[0-9]+)?\.?))/,
    /(:=|[=|(),.])/,
  ]
    .map((part) => part.source)
    .join('|'),
  'y',
);

export function lex(text: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  let trimNext = false;
  while (at < text.length) {
    const open = text.indexOf('{{', at);
    const end = open < 0 ? text.length : open;
    const trims = open >= 0 && text[open + 2] === '-' && space.test(text[open + 3] ?? '');
    let body = text.slice(at, end);
    if (trimNext) body = body.replace(/^[ \t\r\n]+/, '');
    if (trims) body = body.replace(/[ \t\r\n]+$/, '');
    if (body !== '') tokens.push({ kind: 'text', text: body, offset: at });
    trimNext = false;
    if (open < 0) break;
    at = open + (trims ? 4 : 2);

    if (text.startsWith('/*', at)) {
      const close = text.indexOf('*/', at + 2);
      if (close < 0) throw new TemplateError('unclosed comment', open);
      const after = /(\s-)?\}\}/y;
      after.lastIndex = close + 2;
      const match = after.exec(text);
      if (!match) throw new TemplateError('comment ends before closing delimiter', open);
      trimNext = match[1] !== undefined;
      at = after.lastIndex;
      continue;
    }
    tokens.push({ kind: 'open', text: '{{', offset: open });
    const closed = lexAction(text, at, open, tokens);
    at = closed.at;
    trimNext = closed.trims;
  }
  tokens.push({ kind: 'end', text: '', offset: text.length });
  return tokens;
}

function lexAction(
  text: string,
  from: number,
  open: number,
  tokens: Token[],
): { at: number; trims: boolean } {
  let at = from;
  for (;;) {
    const close = /([ \t\r\n]+-)?\}\}/y;
    close.lastIndex = at;
    const closing = close.exec(text);
    if (closing) {
      tokens.push({ kind: 'close', text: '}}', offset: at });
      return { at: close.lastIndex, trims: closing[1] !== undefined };
    }
    if (at >= text.length) throw new TemplateError('unclosed action', open);
    inside.lastIndex = at;
    const match = inside.exec(text);
    if (!match) {
      const char = text[at] as string;
      const quoted = char === '"' ? 'unterminated quoted string' : undefined;
      const raw = char === '`' ? 'unterminated raw quoted string' : undefined;
      throw new TemplateError(
        quoted ?? raw ?? `unexpected ${JSON.stringify(char)} in an action`,
        at,
      );
    }
    tokens.push(tokenOf(match, at));
    at = inside.lastIndex;
  }
}

function tokenOf(match: RegExpExecArray, offset: number): Token {
  const [all, blank, field, variable, word, quoted, raw, char, number] = match;
  if (blank !== undefined) return { kind: 'space', text: ' ', offset };
  if (field !== undefined) return { kind: 'field', text: field, offset };
  if (variable !== undefined) return { kind: 'variable', text: variable, offset };
  if (word !== undefined) return { kind: 'word', text: word, offset };
  if (quoted !== undefined) return { kind: 'string', text: unquote(quoted, offset), offset };
  if (raw !== undefined) return { kind: 'string', text: raw.slice(1, -1), offset };
  if (char !== undefined) {
    const text = unquote(char, offset);
    if ([...text].length === 1) return { kind: 'char', text, offset };
    throw new TemplateError(`malformed character constant: ${char}`, offset);
  }
  if (number !== undefined) return { kind: 'number', text: number, offset };
  return { kind: 'symbol', text: all, offset };
}

function unquote(literal: string, offset: number): string {
  return literal.slice(1, -1).replace(goEscape, (_, x, u, long, octal, one) => {
    const hex = (x ?? u ?? long) as string | undefined;
    if (hex !== undefined || octal !== undefined) {
      const code = hex === undefined ? parseInt(octal as string, 8) : parseInt(hex, 16);
      if (code <= 0x10ffff) return String.fromCodePoint(code);
      throw new TemplateError('invalid syntax: no such character', offset);
    }
    const char = simpleEscapes[one as string];
    if (char === undefined) throw new TemplateError(`invalid syntax: \\${one as string}`, offset);
    return char;
  });
}
