/**
 * Parses the regular expressions of routes into a tree. Syntax of RE2 that can be matched in linear time is accepted;
 * syntax that needs backtracking (look-around, back references) is refused by name.
 */

/** Inclusive ranges of UTF-16 code units: from, to, from, to… */
export type Ranges = readonly number[];

export type Node =
  | { readonly kind: 'set'; readonly ranges: Ranges }
  | { readonly kind: 'assert'; readonly what: Assertion }
  | { readonly kind: 'sequence'; readonly items: readonly Node[] }
  | { readonly kind: 'choice'; readonly items: readonly Node[] }
  | {
      readonly kind: 'repeat';
      readonly item: Node;
      readonly min: number;
      /** -1: unlimited. */
      readonly max: number;
    };

export type Assertion = 'start' | 'end' | 'boundary' | 'no-boundary';

/** The problem of a pattern, with the place of its character. */
export class PatternError extends Error {}

const maxPatternLength = 2000;
const maxDepth = 100;
const maxRepeat = 1000;
const last = 0xffff;

const digits: Ranges = [48, 57];
const word: Ranges = [48, 57, 65, 90, 95, 95, 97, 122];
const spaces: Ranges = [9, 13, 32, 32];
const named: Record<string, Ranges> = {
  alnum: [48, 57, 65, 90, 97, 122],
  alpha: [65, 90, 97, 122],
  blank: [9, 9, 32, 32],
  cntrl: [0, 31, 127, 127],
  digit: digits,
  graph: [33, 126],
  lower: [97, 122],
  print: [32, 126],
  punct: [33, 47, 58, 64, 91, 96, 123, 126],
  space: spaces,
  upper: [65, 90],
  word,
  xdigit: [48, 57, 65, 70, 97, 102],
};
const classes: Record<string, Ranges> = { d: digits, w: word, s: spaces };
const controls: Record<string, number> = { t: 9, n: 10, v: 11, f: 12, r: 13, a: 7 };

export function parsePattern(text: string): Node {
  if (text.length > maxPatternLength) {
    throw new PatternError(`longer than ${maxPatternLength} characters`);
  }
  return new Parser(text).whole();
}

class Parser {
  readonly #text: string;
  #at = 0;
  #depth = 0;
  #ignoresCase = false;
  #dotIsAll = false;

  constructor(text: string) {
    this.#text = text;
  }

  whole(): Node {
    const node = this.#choice();
    if (this.#at < this.#text.length) this.#fail('a ) that closes nothing');
    return node;
  }

  #fail(what: string): never {
    throw new PatternError(`${what}, at character ${this.#at + 1}`);
  }

  #take(text: string): boolean {
    if (!this.#text.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }

  #choice(): Node {
    if (++this.#depth > maxDepth) this.#fail('groups nested too deeply');
    const ignoresCase = this.#ignoresCase;
    const dotIsAll = this.#dotIsAll;
    const items = [this.#sequence()];
    while (this.#take('|')) items.push(this.#sequence());
    this.#ignoresCase = ignoresCase;
    this.#dotIsAll = dotIsAll;
    this.#depth--;
    return items.length === 1 ? (items[0] as Node) : { kind: 'choice', items };
  }

  #sequence(): Node {
    const items: Node[] = [];
    while (this.#at < this.#text.length && !'|)'.includes(this.#text[this.#at] as string)) {
      const item = this.#atom();
      if (item) items.push(this.#repeated(item));
    }
    return items.length === 1 ? (items[0] as Node) : { kind: 'sequence', items };
  }

  #repeated(item: Node): Node {
    const from = this.#at;
    const counts = this.#counts();
    if (!counts) return item;
    if (item.kind === 'assert') {
      this.#at = from;
      this.#fail('nothing to repeat');
    }
    const [min, max] = counts;
    // Lazy and greedy quantifiers give the same result for a whole-text match.
    this.#take('?');
    const again = this.#at;
    if (this.#text[again] === '+') this.#fail('a possessive quantifier is not supported');
    if (this.#counts()) {
      this.#at = again;
      this.#fail('two quantifiers in a row');
    }
    return { kind: 'repeat', item, min, max };
  }

  #counts(): [number, number] | undefined {
    if (this.#take('*')) return [0, -1];
    if (this.#take('+')) return [1, -1];
    if (this.#take('?')) return [0, 1];
    const match = /^\{(\d{1,5})(,(\d{0,5}))?\}/.exec(this.#text.slice(this.#at, this.#at + 14));
    if (!match) return undefined;
    const min = Number(match[1]);
    const max = match[2] === undefined ? min : match[3] === '' ? -1 : Number(match[3]);
    if (min > maxRepeat || max > maxRepeat) this.#fail(`more than ${maxRepeat} repetitions`);
    if (max >= 0 && max < min) this.#fail('repetitions out of order');
    this.#at += match[0].length;
    return [min, max];
  }

  /** Undefined: only flags. */
  #atom(): Node | undefined {
    const character = this.#text[this.#at] as string;
    switch (character) {
      case '(':
        return this.#group();
      case '[':
        return this.#set(this.#bracket());
      case '.':
        this.#at++;
        return { kind: 'set', ranges: this.#dotIsAll ? [0, last] : [0, 9, 11, last] };
      case '^':
        this.#at++;
        return { kind: 'assert', what: 'start' };
      case '$':
        this.#at++;
        return { kind: 'assert', what: 'end' };
      case '\\':
        return this.#escape();
      case '*':
      case '+':
      case '?':
        return this.#fail('nothing to repeat');
      default: {
        this.#at++;
        const code = character.charCodeAt(0);
        return this.#set([code, code]);
      }
    }
  }

  #set(ranges: Ranges): Node {
    return { kind: 'set', ranges: this.#ignoresCase ? foldCase(ranges) : ranges };
  }

  #group(): Node | undefined {
    const from = this.#at;
    this.#at++;
    if (this.#take('?')) {
      const refused = ['=', '!', '<=', '<!', '>'].find((s) => this.#text.startsWith(s, this.#at));
      if (refused !== undefined) {
        this.#at = from;
        const what = refused === '>' ? 'an atomic group' : 'look-around';
        return this.#fail(
          `${what} (?${refused} is not supported: it cannot be matched in linear time`,
        );
      }
      const name = /^P?<[A-Za-z_]\w*>/.exec(this.#text.slice(this.#at));
      if (name) this.#at += name[0].length;
      else if (!this.#take(':')) return this.#flags();
    }
    return this.#closed(this.#choice());
  }

  #closed(node: Node): Node {
    if (!this.#take(')')) this.#fail('a ( that is not closed');
    // A group may be repeated even if it holds only an assertion.
    return node.kind === 'assert' ? { kind: 'sequence', items: [node] } : node;
  }

  /** `(?i)` for the rest of this group, `(?i:…)` for its own contents. */
  #flags(): Node | undefined {
    const match = /^([is]*)(?:-([is]+))?([:)])/.exec(this.#text.slice(this.#at));
    if (!match) return this.#fail('a group (? of a kind that is not supported');
    const [all, on = '', off = '', end] = match;
    this.#at += all.length;
    const { ignoresCase, dotIsAll } = { ignoresCase: this.#ignoresCase, dotIsAll: this.#dotIsAll };
    if (on.includes('i')) this.#ignoresCase = true;
    if (on.includes('s')) this.#dotIsAll = true;
    if (off.includes('i')) this.#ignoresCase = false;
    if (off.includes('s')) this.#dotIsAll = false;
    if (end === ')') return undefined;
    const node = this.#closed(this.#choice());
    this.#ignoresCase = ignoresCase;
    this.#dotIsAll = dotIsAll;
    return node;
  }

  #escape(): Node {
    const letter = this.#text[this.#at + 1];
    switch (letter) {
      case 'A':
        this.#at += 2;
        return { kind: 'assert', what: 'start' };
      case 'z':
        this.#at += 2;
        return { kind: 'assert', what: 'end' };
      case 'b':
        this.#at += 2;
        return { kind: 'assert', what: 'boundary' };
      case 'B':
        this.#at += 2;
        return { kind: 'assert', what: 'no-boundary' };
      default:
        return this.#set(this.#escapedRanges());
    }
  }

  /** The ranges of an escape that stands for characters, inside and outside of brackets. */
  #escapedRanges(): Ranges {
    const from = this.#at;
    const letter = this.#text[from + 1];
    if (letter === undefined) this.#fail('a \\ at the end');
    this.#at += 2;
    const ranges = classes[letter.toLowerCase()];
    if (ranges) return letter === letter.toLowerCase() ? ranges : inverted(ranges);
    const control = controls[letter];
    if (control !== undefined) return [control, control];
    const hex = /^(?:x([0-9A-Fa-f]{2})|x\{([0-9A-Fa-f]{1,4})\}|u([0-9A-Fa-f]{4}))/.exec(
      this.#text.slice(from + 1),
    );
    if (hex) {
      this.#at = from + 1 + hex[0].length;
      const code = parseInt(hex[1] ?? hex[2] ?? hex[3] ?? '0', 16);
      return [code, code];
    }
    this.#at = from;
    if (/[1-9k]/.test(letter)) {
      this.#fail(
        `a back reference \\${letter} is not supported: it cannot be matched in linear time`,
      );
    }
    if (/[A-Za-z0]/.test(letter)) this.#fail(`\\${letter} is not supported`);
    this.#at += 2;
    const code = letter.charCodeAt(0);
    return [code, code];
  }

  #bracket(): Ranges {
    const from = this.#at;
    this.#at++;
    const isInverted = this.#take('^');
    const found: number[] = [];
    for (let first = true; ; first = false) {
      if (this.#at >= this.#text.length) {
        this.#at = from;
        this.#fail('a [ that is not closed');
      }
      if (!first && this.#take(']')) break;
      const range = this.#member();
      if (range.length === 2 && range[0] === range[1] && this.#isRange()) {
        this.#at++;
        const to = this.#member();
        if (to.length !== 2 || to[0] !== to[1]) this.#fail('a range that ends in no character');
        if ((to[0] as number) < (range[0] as number)) this.#fail('a range out of order');
        found.push(range[0] as number, to[0] as number);
      } else found.push(...range);
    }
    const ranges = this.#ignoresCase ? foldCase(found) : found;
    return isInverted ? inverted(ranges) : ranges;
  }

  #isRange(): boolean {
    const next = this.#text[this.#at + 1];
    return this.#text[this.#at] === '-' && next !== undefined && next !== ']';
  }

  #member(): Ranges {
    const posix = /^\[:(\^?)([a-z]+):\]/.exec(this.#text.slice(this.#at, this.#at + 12));
    if (posix) {
      const ranges = named[posix[2] as string];
      if (!ranges) this.#fail(`no class ${posix[0]}`);
      this.#at += posix[0].length;
      return posix[1] === '^' ? inverted(ranges) : ranges;
    }
    if (this.#text[this.#at] === '\\') {
      if (this.#text[this.#at + 1] === 'b') {
        this.#at += 2;
        return [8, 8];
      }
      return this.#escapedRanges();
    }
    const code = this.#text.charCodeAt(this.#at++);
    return [code, code];
  }
}

function inverted(ranges: Ranges): Ranges {
  const pairs: [number, number][] = [];
  for (let i = 0; i < ranges.length; i += 2) {
    pairs.push([ranges[i] as number, ranges[i + 1] as number]);
  }
  pairs.sort((a, b) => a[0] - b[0]);
  const out: number[] = [];
  let next = 0;
  for (const [from, to] of pairs) {
    if (from > next) out.push(next, from - 1);
    next = Math.max(next, to + 1);
  }
  if (next <= last) out.push(next, last);
  return out;
}

/** ASCII letters in both cases; other characters are not folded. */
function foldCase(ranges: Ranges): Ranges {
  const out = [...ranges];
  for (let i = 0; i < ranges.length; i += 2) {
    const from = ranges[i] as number;
    const to = ranges[i + 1] as number;
    const upper = [Math.max(from, 65), Math.min(to, 90)] as const;
    const lower = [Math.max(from, 97), Math.min(to, 122)] as const;
    if (upper[0] <= upper[1]) out.push(upper[0] + 32, upper[1] + 32);
    if (lower[0] <= lower[1]) out.push(lower[0] - 32, lower[1] - 32);
  }
  return out;
}
