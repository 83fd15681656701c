/** Converts regular expressions in Go's syntax (RE2) to JavaScript's. */
import { Pattern, PatternError } from '../../../mesh/pattern/pattern.js';

/** A pattern anchored at both ends, as in PromQL; throws an Error with a sentence if the pattern cannot be used. */
export function anchoredRegex(pattern: string): RegExp {
  return compile(pattern, (body) => `^(?:${body})$`, '', 's');
}

/**
 * Whether a pattern matches a whole text. JavaScript's engine tries one way after another and can take years; where
 * that may happen, the engine of routes decides, in a time linear in the text's length. With `on` empty, `.` is no
 * line feed, as in Alertmanager.
 */
export function wholeMatcher(pattern: string, on: 's' | '' = 's'): (text: string) => boolean {
  const regex = compile(pattern, (body) => `^(?:${body})$`, '', on);
  const linear = hasManyWays(pattern)
    ? linearOf(on === '' ? pattern : `(?s)${pattern}`)
    : undefined;
  return linear ? (text) => linear.test(text) : (text) => regex.test(text);
}

/** The same for a match anywhere, without flags of JavaScript: `.` is no line feed. */
export function anywhereMatcher(pattern: string): (text: string) => boolean {
  const regex = anchorlessRegex(pattern);
  const linear = hasManyWays(pattern) ? linearOf(`(?s:.*)(?:${pattern})(?s:.*)`) : undefined;
  return linear ? (text) => linear.test(text) : (text) => regex.test(text);
}

/** Undefined: the pattern has something that the engine of routes does not know, such as a class of Unicode. */
function linearOf(pattern: string): Pattern | undefined {
  try {
    return new Pattern(pattern);
  } catch (error) {
    if (error instanceof PatternError) return undefined;
    throw error;
  }
}

/** Texts in quotes, escapes, classes, flags, the beginnings of groups, repetitions, and other characters. */
const partOfPattern = new RegExp(
  [
    String.raw`\\Q[^]*?(?:\\E|$)`,
    String.raw`\\[^]`,
    String.raw`\[\^?\]?(?:\[:\^?\w+:\]|\\[^]|[^\]\\])*\]`,
    String.raw`\(\?[imsU-]*\)`,
    String.raw`\((?:\?(?:P?<\w+>|[imsU-]*:))?`,
    String.raw`\{\d+(?:,\d*)?\}`,
    '[^]',
  ].join('|'),
  'g',
);

/** More than two repetitions without an end, or one of what may itself match in several ways. */
function hasManyWays(pattern: string): boolean {
  let endless = 0;
  /** Of each open group: whether it has a choice or a repetition. */
  const open = [false];
  let closed = false;
  for (const [part] of pattern.matchAll(partOfPattern)) {
    if (/^([*+?]|\{\d+(,\d*)?\})$/.test(part)) {
      if (closed && part !== '?') return true;
      if (/^[*+]|,\}$/.test(part)) endless++;
      open[open.length - 1] = true;
    }
    closed = false;
    if (/^\((?!\?[imsU-]*\))/.test(part)) open.push(false);
    if (part === '|') open[open.length - 1] = true;
    if (part === ')' && open.length > 1) {
      closed = open.pop() === true;
      if (closed) open[open.length - 1] = true;
    }
  }
  return endless > 2;
}

/** A pattern that matches anywhere; `flags` are those of JavaScript, without `u`, beside the pattern's first ones. */
export function anchorlessRegex(pattern: string, flags = ''): RegExp {
  return compile(pattern, (body) => body, flags, '');
}

function compile(
  pattern: string,
  wrap: (body: string) => string,
  flags: string,
  on: 's' | '',
): RegExp {
  // If the whole pattern ignores case, the engine's flag is faster than classes of both cases.
  const whole = pattern.startsWith('(?i)');
  const source = wrap(new Translation(whole ? pattern.slice(4) : pattern, on).result());
  try {
    return new RegExp(source, `${flags}${whole ? 'i' : ''}u`);
  } catch {
    throw wrong(`\`${pattern}\` cannot be used`);
  }
}

const wrong = (why: string): Error => new Error(`error parsing regexp: ${why}`);
/** RE2 refuses more repetitions. */
const repeatMax = 1000;
const escape = String.raw`\\(x\{[0-9a-fA-F]+\}|x[0-9a-fA-F]{2}|[pP](?:\{[^}]*\}|\w)|0[0-7]{0,2}|[1-7][0-7]{1,2}|[^])`;
const escapeHere = new RegExp(escape, 'yu');
const classParts = new RegExp(String.raw`\[:(\^?\w+):\]|${escape}|[[\]]`, 'gu');

const classes: Record<string, string> = {
  alnum: '0-9A-Za-z',
  alpha: 'A-Za-z',
  ascii: '\\x00-\\x7F',
  blank: '\\t ',
  cntrl: '\\x00-\\x1F\\x7F',
  digit: '0-9',
  graph: '!-~',
  lower: 'a-z',
  print: ' -~',
  punct: '!-\\/:-@\\[-`{-~',
  space: '\\t\\n\\v\\f\\r ',
  upper: 'A-Z',
  word: '0-9A-Za-z_',
  xdigit: '0-9A-Fa-f',
};

/** Walks over a pattern; where `(?i` applies, a letter becomes a class of both its cases. */
class Translation {
  readonly #pattern: string;
  #at = 0;
  /** The flags in force: letters of `ims`. */
  #on: string;
  /** The flags outside of each open group. */
  readonly #outer: string[] = [];

  constructor(pattern: string, on: string) {
    this.#pattern = pattern;
    this.#on = on;
  }

  result(): string {
    let out = '';
    while (this.#at < this.#pattern.length) out += this.#next();
    return out;
  }

  #take(regex: RegExp): RegExpExecArray | undefined {
    regex.lastIndex = this.#at;
    const match = regex.exec(this.#pattern);
    if (match) this.#at += match[0].length;
    return match ?? undefined;
  }

  #next(): string {
    const quoted = this.#take(/\\Q([^]*?)(?:\\E|$)/y);
    if (quoted) {
      return [...(quoted[1] as string)]
        .map((c) => this.#bothCases(c.replace(/[\\^$.*+?()[\]{}|]/, '\\$&')))
        .join('');
    }
    const escaped = this.#take(escapeHere);
    if (escaped) return escapeText(escaped[1] as string, '');
    const flags = this.#take(/\(\?([imsU]*)(?:-([imsU]+))?([:)])/y);
    if (flags) return this.#flags(flags[1] as string, flags[2] ?? '', flags[3] === ':');
    const named = this.#take(/\(\?P?<(?![=!])/y);
    if (named) {
      this.#outer.push(this.#on);
      return '(?<';
    }
    const perl = this.#take(/\(\?(?:<?[^])?/y);
    if (perl) throw wrong(`invalid or unsupported Perl syntax: \`${perl[0]}\``);
    const repeat = this.#take(/\{(\d+)(?:,(\d*))?\}/y);
    if (repeat) return repeatText(repeat);
    if (this.#pattern[this.#at] === '[') return this.#class();
    const char = this.#pattern[this.#at++] as string;
    if (char === '(') this.#outer.push(this.#on);
    if (char === ')') this.#on = this.#outer.pop() ?? '';
    if (char === '{' || char === '}' || char === ']') return `\\${char}`;
    // JavaScript's own `.`, `^` and `$` know more ends of lines than a line feed.
    if (char === '.') return this.#on.includes('s') ? '[^]' : '[^\\n]';
    if (char === '^' && this.#on.includes('m')) return '(?<![^\\n])';
    if (char === '$' && this.#on.includes('m')) return '(?![^\\n])';
    return this.#bothCases(char);
  }

  #flags(on: string, off: string, opens: boolean): string {
    if (opens) this.#outer.push(this.#on);
    this.#on = [...this.#on, ...on].filter((flag) => !off.includes(flag)).join('');
    return opens ? '(?:' : '';
  }

  #bothCases(char: string): string {
    if (!this.#on.includes('i') || char.toLowerCase() === char.toUpperCase()) return char;
    return `[${char.toLowerCase()}${char.toUpperCase()}]`;
  }

  #class(): string {
    const match = this.#take(/\[(\^?)(\]?(?:\[:\^?\w+:\]|\\[^]|[^\]\\])*)\]/y);
    if (!match) throw wrong(`missing closing ]: \`${this.#pattern.slice(this.#at)}\``);
    const [, not, body] = match as unknown as [string, string, string];
    const inside = body.replaceAll(classParts, (part, named?: string, escaped?: string) => {
      if (named !== undefined) return classes[named] ?? noClass(part);
      return escaped === undefined ? `\\${part}` : escapeText(escaped, '-');
    });
    // After a class of its own a hyphen is a hyphen.
    const plain = inside.replaceAll(/(\\(?:[dDsSwW]|[pP]\{[^}]*\}))-/g, '$1\\-');
    return `[${not}${plain}${this.#on.includes('i') ? otherCase(inside) : ''}]`;
  }
}

function repeatText([text, from, to]: RegExpExecArray): string {
  const most = Number(to === undefined || to === '' ? from : to);
  if (Math.max(Number(from), most) <= repeatMax && Number(from) <= most) return text;
  throw wrong(`invalid repeat count: \`${text}\``);
}

function noClass(text: string): never {
  throw wrong(`invalid character class range: \`${text}\``);
}

/** `also` is a character that may stay escaped, which is needed within a class. */
function escapeText(escaped: string, also: '' | '-'): string {
  if (also === '' && escaped === 'A') return '^';
  if (also === '' && escaped === 'z') return '$';
  if (escaped === 'a') return '\\x07';
  if (escaped.startsWith('x{')) return `\\u${escaped.slice(1)}`;
  if (/^[0-7]/.test(escaped) && (escaped.length > 1 || escaped === '0'))
    return `\\u{${Number.parseInt(escaped, 8).toString(16)}}`;
  if (/^[pP]/.test(escaped) && escaped.length > 1) return propertyText(escaped);
  if (/^x./.test(escaped) || /^[fnrtvdDsSwW]$/.test(escaped)) return `\\${escaped}`;
  if (also === '' && /^[bB]$/.test(escaped)) return `\\${escaped}`;
  if (/^[$^\\.*+?()[\]{}|/]$/.test(escaped) || escaped === also) return `\\${escaped}`;
  if (/^[!-~]$/.test(escaped) && !/[0-9A-Za-z]/.test(escaped)) return escaped;
  if (/^\s$/.test(escaped)) return escaped;
  throw wrong(`invalid escape sequence: \`\\${escaped}\``);
}

/** A class of Unicode: a category such as `Lu`, or a script such as `Greek`. */
function propertyText(escaped: string): string {
  const [, not, name = ''] = /^.\{?(\^?)(\w*)/.exec(escaped) as unknown as string[];
  const sign = escaped.startsWith('P') === (not === '^') ? 'p' : 'P';
  const value = /^(Any|[A-Z][a-z]?)$/.test(name) ? name : `Script=${name}`;
  const text = `\\${sign}{${value}}`;
  try {
    return new RegExp(text, 'u').source;
  } catch {
    return noClass(`\\${escaped}`);
  }
}

/** The letters and ranges of letters in the other case. */
function otherCase(body: string): string {
  const swap = (c: string): string => (c === c.toLowerCase() ? c.toUpperCase() : c.toLowerCase());
  let out = '';
  for (const [whole, from, to] of body.matchAll(
    /\\(?:[upP]\{[^}]*\}|x..|[^])|([a-zA-Z])-([a-zA-Z])|[a-zA-Z]/g,
  )) {
    if (from && to) out += `${swap(from)}-${swap(to)}`;
    else if (!whole.startsWith('\\')) out += swap(whole);
  }
  return out;
}

/** The literals of a pattern that is only an alternation of literals (`a|b|c`); undefined for any other. */
export function literalsOf(pattern: string): readonly string[] | undefined {
  return /^[\w\-/:, ~@%&=!#'"<>;]*(\|[\w\-/:, ~@%&=!#'"<>;]*)*$/.test(pattern)
    ? pattern.split('|')
    : undefined;
}
