/** Converts regular expressions in Go's syntax (RE2) to JavaScript's. */

/** A pattern anchored at both ends, as in PromQL; throws an Error with a sentence if the pattern cannot be used. */
export function anchoredRegex(pattern: string): RegExp {
  return compile(pattern, (body) => `^(?:${body})$`, 's');
}

/** A pattern that matches anywhere. */
export function anchorlessRegex(pattern: string): RegExp {
  return compile(pattern, (body) => body, '');
}

function compile(pattern: string, wrap: (body: string) => string, flags: string): RegExp {
  // If the whole pattern ignores case, the engine's flag is faster than classes of both cases.
  const whole = pattern.startsWith('(?i)');
  const source = wrap(new Translation(whole ? pattern.slice(4) : pattern).result());
  const all = `${flags}${whole ? 'i' : ''}`;
  for (const set of [`${all}u`, all]) {
    try {
      return new RegExp(source, set);
    } catch {
      // Without the flag `u`, JavaScript accepts needless escapes, as Go does.
    }
  }
  throw new Error(`error parsing regexp: \`${pattern}\` cannot be used`);
}

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
  #ignoreCase = false;
  /** Whether case was ignored outside of each open group. */
  readonly #outer: boolean[] = [];

  constructor(pattern: string) {
    this.#pattern = pattern;
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
    const escaped = this.#take(/\\(x\{[0-9a-fA-F]+\}|x[0-9a-fA-F]{2}|[pP](?:\{[^}]*\}|\w)|[^])/y);
    if (escaped) return escapeText(escaped[1] as string);
    const flags = this.#take(/\(\?([imsU]*)(?:-([imsU]+))?([:)])/y);
    if (flags) return this.#flags(flags[1] as string, flags[2] ?? '', flags[3] === ':');
    const named = this.#take(/\(\?P?<(?![=!])/y);
    if (named) {
      this.#outer.push(this.#ignoreCase);
      return '(?<';
    }
    if (this.#pattern[this.#at] === '[') return this.#class();
    const char = this.#pattern[this.#at++] as string;
    if (char === '(') this.#outer.push(this.#ignoreCase);
    if (char === ')') this.#ignoreCase = this.#outer.pop() ?? false;
    return this.#bothCases(char);
  }

  #flags(on: string, off: string, opens: boolean): string {
    if (opens) this.#outer.push(this.#ignoreCase);
    if (on.includes('i')) this.#ignoreCase = true;
    if (off.includes('i')) this.#ignoreCase = false;
    return opens ? '(?:' : '';
  }

  #bothCases(char: string): string {
    if (!this.#ignoreCase || char.toLowerCase() === char.toUpperCase()) return char;
    return `[${char.toLowerCase()}${char.toUpperCase()}]`;
  }

  #class(): string {
    const match = this.#take(/\[(\^?)(\]?(?:\[:\^?\w+:\]|\\[^]|[^\]\\])*)\]/y);
    if (!match) return this.#pattern[this.#at++] as string;
    const [, not, body] = match as unknown as [string, string, string];
    const inside = body
      .replace(/^\]/, '\\]')
      .replace(/\[:(\^?)(\w+):\]/g, (whole, _not: string, name: string) => classes[name] ?? whole)
      .replace(/\\x\{([0-9a-fA-F]+)\}/g, (_, hex: string) => `\\u{${hex}}`)
      .replace(/\[/g, '\\[');
    return `[${not}${inside}${this.#ignoreCase ? otherCase(inside) : ''}]`;
  }
}

function escapeText(escaped: string): string {
  if (escaped === 'A') return '^';
  if (escaped === 'z') return '$';
  if (escaped === 'a') return '\\x07';
  if (escaped.startsWith('x{')) return `\\u${escaped.slice(1)}`;
  return `\\${escaped}`;
}

/** The letters and ranges of letters in the other case. */
function otherCase(body: string): string {
  const swap = (c: string): string => (c === c.toLowerCase() ? c.toUpperCase() : c.toLowerCase());
  let out = '';
  for (const [whole, from, to] of body.matchAll(/\\[^]|([a-zA-Z])-([a-zA-Z])|[a-zA-Z]/g)) {
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
