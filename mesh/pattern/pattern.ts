/**
 * Matching in time linear in the text's length, whatever the pattern: a pattern becomes a nondeterministic automaton,
 * and its sets of states are cached as states of a deterministic one while texts come. Webhook, registry, `proxy
 * check` and proxy share this engine, so that none accepts a pattern that another refuses.
 */
import { type Assertion, type Node, parsePattern, PatternError, type Ranges } from './parse.js';

export { PatternError } from './parse.js';

/** Limits the cost of one character of a text. */
const maxInstructions = 2000;
/** Cached sets of states; when the cache is full it is emptied. */
const maxStates = 128;

const enum Op {
  Set,
  Split,
  Assert,
  Match,
}

interface Instruction {
  op: Op;
  next: number;
  /** The second target of a split. */
  other: number;
  set: CharacterSet | undefined;
  what: Assertion | undefined;
}

class CharacterSet {
  readonly #low = new Uint8Array(256);
  readonly #ranges: Ranges;

  constructor(ranges: Ranges) {
    this.#ranges = ranges;
    for (let code = 0; code < 256; code++) if (this.#inRanges(code)) this.#low[code] = 1;
  }

  has(code: number): boolean {
    return code < 256 ? this.#low[code] === 1 : this.#inRanges(code);
  }

  #inRanges(code: number): boolean {
    const ranges = this.#ranges;
    for (let i = 0; i < ranges.length; i += 2) {
      if (code >= (ranges[i] as number) && code <= (ranges[i + 1] as number)) return true;
    }
    return false;
  }
}

/** The neighbour of a position: nothing, a word character, or another character. */
const enum Beside {
  Nothing,
  Word,
  Other,
}

class State {
  readonly next: (State | undefined)[] = [];
  /** Undefined: not yet computed. */
  accepts: boolean | undefined;

  constructor(
    readonly at: readonly number[],
    readonly before: Beside,
  ) {}
}

/** A regular expression that must match the whole text. */
export class Pattern {
  readonly source: string;
  readonly #program: Instruction[];
  readonly #marks: Uint32Array;
  #mark = 0;
  /** Whether the pattern contains `\b`: only then does the previous character matter. */
  readonly #asksForWords: boolean;
  #states = new Map<string, State>();
  #first: State;

  /** Throws a PatternError that names the mistake or the unsupported syntax. */
  constructor(source: string) {
    this.source = source;
    this.#program = compile(parsePattern(source));
    this.#marks = new Uint32Array(this.#program.length);
    this.#asksForWords = this.#program.some((i) => i.what?.endsWith('boundary'));
    this.#first = new State([0], Beside.Nothing);
  }

  test(text: string): boolean {
    let state = this.#first;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      const known = code < 256 ? state.next[code] : undefined;
      state = known ?? this.#step(state, code);
      if (state.at.length === 0) return false;
    }
    return (state.accepts ??= this.#closure(state, Beside.Nothing).some(
      (at) => (this.#program[at] as Instruction).op === Op.Match,
    ));
  }

  #step(state: State, code: number): State {
    const kind = isWord(code) ? Beside.Word : Beside.Other;
    const program = this.#program;
    const reached = new Set<number>();
    for (const at of this.#closure(state, kind)) {
      const { op, set, next } = program[at] as Instruction;
      if (op === Op.Set && (set as CharacterSet).has(code)) reached.add(next);
    }
    const at = [...reached].sort((a, b) => a - b);
    const before = this.#asksForWords ? kind : Beside.Other;
    const key = `${before} ${at.join()}`;
    let next = this.#states.get(key);
    if (!next) {
      if (this.#states.size >= maxStates) {
        this.#states.clear();
        this.#first = new State([0], Beside.Nothing);
      }
      next = new State(at, before);
      this.#states.set(key, next);
    }
    if (code < 256) state.next[code] = next;
    return next;
  }

  /** All instructions that are reached without a character; `after` is the next neighbour. */
  #closure(state: State, after: Beside): number[] {
    const program = this.#program;
    const marks = this.#marks;
    const mark = ++this.#mark;
    const found: number[] = [];
    const todo = [...state.at];
    for (let at = todo.pop(); at !== undefined; at = todo.pop()) {
      if (marks[at] === mark) continue;
      marks[at] = mark;
      const { op, next, other, what } = program[at] as Instruction;
      if (op === Op.Split) todo.push(other, next);
      else if (op !== Op.Assert) found.push(at);
      else if (holds(what as Assertion, state.before, after)) todo.push(next);
    }
    return found;
  }
}

/** The problem of a pattern; undefined: none. */
export function patternProblem(source: string): string | undefined {
  try {
    void new Pattern(source);
    return undefined;
  } catch (error) {
    if (error instanceof PatternError) return error.message;
    throw error;
  }
}

function holds(what: Assertion, before: Beside, after: Beside): boolean {
  if (what === 'start') return before === Beside.Nothing;
  if (what === 'end') return after === Beside.Nothing;
  const isBoundary = (before === Beside.Word) !== (after === Beside.Word);
  return isBoundary === (what === 'boundary');
}

const isWord = (code: number): boolean =>
  (code >= 48 && code <= 57) ||
  (code >= 65 && code <= 90) ||
  code === 95 ||
  (code >= 97 && code <= 122);

function compile(root: Node): Instruction[] {
  const program: Instruction[] = [];
  const add = (op: Op, next = -1): number => {
    if (program.length >= maxInstructions) throw new PatternError('too large when written out');
    program.push({ op, next, other: -1, set: undefined, what: undefined });
    return program.length - 1;
  };
  /** Appends the node; its continuation is the next node to be appended. */
  const append = (node: Node): void => {
    switch (node.kind) {
      case 'set': {
        const at = add(Op.Set);
        (program[at] as Instruction).set = new CharacterSet(node.ranges);
        (program[at] as Instruction).next = at + 1;
        return;
      }
      case 'assert': {
        const at = add(Op.Assert);
        (program[at] as Instruction).what = node.what;
        (program[at] as Instruction).next = at + 1;
        return;
      }
      case 'sequence':
        for (const item of node.items) append(item);
        return;
      case 'choice':
        return appendChoice(node.items);
      case 'repeat':
        return appendRepeat(node);
    }
  };
  const appendChoice = (items: readonly Node[]): void => {
    const ends: number[] = [];
    items.forEach((item, i) => {
      const isLast = i === items.length - 1;
      const split = isLast ? -1 : add(Op.Split);
      if (split >= 0) (program[split] as Instruction).next = split + 1;
      append(item);
      if (isLast) return;
      ends.push(add(Op.Split));
      (program[split] as Instruction).other = program.length;
    });
    for (const end of ends) {
      (program[end] as Instruction).next = program.length;
      (program[end] as Instruction).other = program.length;
    }
  };
  const appendRepeat = ({ item, min, max }: Node & { kind: 'repeat' }): void => {
    for (let i = 0; i < min; i++) append(item);
    if (max < 0) {
      const split = add(Op.Split, program.length + 1);
      append(item);
      add(Op.Split, split);
      (program[program.length - 1] as Instruction).other = split;
      (program[split] as Instruction).other = program.length;
      return;
    }
    const splits: number[] = [];
    for (let i = min; i < max; i++) {
      splits.push(add(Op.Split, program.length + 1));
      append(item);
    }
    for (const split of splits) (program[split] as Instruction).other = program.length;
  };
  append(root);
  add(Op.Match);
  return program;
}
