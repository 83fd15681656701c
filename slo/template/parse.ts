/** Parses tokens into a tree: text, actions, if, with, range, define and template, as in Go's text/template. */
import { lex, TemplateError, type Token } from './lex.js';

export type Operand = { offset: number } & (
  | { kind: 'dot' }
  | { kind: 'nil' }
  | { kind: 'field'; path: string[] }
  | { kind: 'variable'; name: string; path: string[] }
  | { kind: 'function'; name: string }
  | { kind: 'constant'; value: string | number | bigint | boolean }
  | { kind: 'pipeline'; pipeline: Pipeline; path: string[] }
);

export interface Command {
  operands: Operand[];
}

export interface Pipeline {
  offset: number;
  /** `$x` or `$i, $x`; `:=` declares them and `=` sets them. */
  variables: string[];
  declares: boolean;
  commands: Command[];
}

export interface ControlNode {
  kind: 'if' | 'with' | 'range';
  pipeline: Pipeline;
  body: Node[];
  otherwise: Node[];
}

export type Node =
  | { kind: 'text'; text: string }
  | { kind: 'action'; pipeline: Pipeline }
  | ControlNode
  | { kind: 'template'; name: string; pipeline: Pipeline | undefined; offset: number }
  | { kind: 'break' | 'continue'; offset: number };

export interface Template {
  body: Node[];
  defined: Map<string, Node[]>;
}

/**
 * Parses a template. `functions` are the callable names, `variables` those defined outside. Throws a TemplateError.
 */
export function parseTemplate(
  text: string,
  functions: ReadonlySet<string>,
  variables: readonly string[],
): Template {
  return new Parser(lex(text), functions, variables).parse();
}

type Ending = 'end' | 'else' | 'eof';

const maxDepth = 200;

class Parser {
  readonly #tokens: Token[];
  readonly #functions: ReadonlySet<string>;
  readonly #defined = new Map<string, Node[]>();
  #variables: string[];
  #at = 0;
  #loops = 0;
  #depth = 0;

  constructor(tokens: Token[], functions: ReadonlySet<string>, variables: readonly string[]) {
    this.#tokens = tokens;
    this.#functions = functions;
    this.#variables = ['$', ...variables];
  }

  parse(): Template {
    const { nodes, ending, offset } = this.#list();
    if (ending !== 'eof') throw new TemplateError(`unexpected {{${ending}}}`, offset);
    return { body: nodes, defined: this.#defined };
  }

  #peek(): Token {
    return this.#tokens[this.#at] as Token;
  }

  #next(): Token {
    return this.#tokens[this.#at++] as Token;
  }

  #skipSpace(): void {
    while (this.#peek().kind === 'space') this.#at++;
  }

  /** The next token that is not a space, without consuming it. */
  #look(): Token {
    this.#skipSpace();
    return this.#peek();
  }

  #close(what: string): void {
    const token = this.#look();
    if (token.kind !== 'close') throw unexpected(token, what);
    this.#at++;
  }

  #list(): { nodes: Node[]; ending: Ending; offset: number } {
    const nodes: Node[] = [];
    for (;;) {
      const token = this.#next();
      if (token.kind === 'end') return { nodes, ending: 'eof', offset: token.offset };
      if (token.kind === 'text') {
        nodes.push({ kind: 'text', text: token.text });
        continue;
      }
      const word = this.#look();
      if (word.kind === 'word' && (word.text === 'end' || word.text === 'else')) {
        this.#at++;
        return { nodes, ending: word.text, offset: word.offset };
      }
      const node = this.#action(word);
      if (node) nodes.push(node);
    }
  }

  #action(word: Token): Node | undefined {
    if (word.kind !== 'word') return this.#plain();
    switch (word.text) {
      case 'if':
      case 'with':
      case 'range':
        this.#at++;
        return this.#control(word.text, word.offset);
      case 'define':
        this.#at++;
        this.#define(word.offset);
        return undefined;
      case 'block': {
        this.#at++;
        const name = this.#define(word.offset, true);
        return { kind: 'template', name: name.name, pipeline: name.pipeline, offset: word.offset };
      }
      case 'template':
        this.#at++;
        return this.#call(word.offset);
      case 'break':
      case 'continue':
        this.#at++;
        if (this.#loops === 0) {
          throw new TemplateError(`{{${word.text}}} outside {{range}}`, word.offset);
        }
        this.#close(word.text);
        return { kind: word.text, offset: word.offset };
      default:
        return this.#plain();
    }
  }

  #plain(): Node {
    const pipeline = this.#pipeline('command');
    this.#close('command');
    return { kind: 'action', pipeline };
  }

  #control(kind: 'if' | 'with' | 'range', offset: number): Node {
    if (++this.#depth > maxDepth) throw new TemplateError('nested too deep', offset);
    const outside = this.#variables.length;
    const pipeline = this.#pipeline(kind);
    if (kind === 'range' && pipeline.variables.length > 2) {
      throw new TemplateError('too many declarations in range', offset);
    }
    this.#close(kind);
    if (kind === 'range') this.#loops++;
    const body = this.#list();
    if (kind === 'range') this.#loops--;
    let otherwise: Node[] = [];
    let ending = body.ending;
    if (ending === 'else') {
      const next = this.#look();
      // `{{else if x}}` is an if within the else that shares its end.
      if (next.kind === 'word' && (next.text === 'if' || next.text === 'with')) {
        this.#at++;
        otherwise = [this.#control(next.text, next.offset)];
        this.#variables.length = outside;
        this.#depth--;
        return { kind, pipeline, body: body.nodes, otherwise };
      }
      this.#close('else');
      const rest = this.#list();
      otherwise = rest.nodes;
      ending = rest.ending;
      if (ending === 'else') throw new TemplateError('expected end; found {{else}}', rest.offset);
    }
    if (ending === 'eof') throw new TemplateError('unexpected EOF: {{end}} is missing', offset);
    this.#close('end');
    this.#variables.length = outside;
    this.#depth--;
    return { kind, pipeline, body: body.nodes, otherwise };
  }

  #define(offset: number, block = false): { name: string; pipeline: Pipeline | undefined } {
    const name = this.#look();
    if (name.kind !== 'string') throw unexpected(name, 'define clause');
    this.#at++;
    const pipeline = block ? this.#pipeline('block clause') : undefined;
    this.#close('define clause');
    const outside = this.#variables;
    this.#variables = ['$'];
    const body = this.#list();
    if (body.ending !== 'end') throw new TemplateError('{{define}} without {{end}}', offset);
    this.#close('end');
    this.#variables = outside;
    this.#defined.set(name.text, body.nodes);
    return { name: name.text, pipeline };
  }

  #call(offset: number): Node {
    const name = this.#look();
    if (name.kind !== 'string') throw unexpected(name, 'template clause');
    this.#at++;
    const pipeline = this.#look().kind === 'close' ? undefined : this.#pipeline('template clause');
    this.#close('template clause');
    return { kind: 'template', name: name.text, pipeline, offset };
  }

  #pipeline(context: string): Pipeline {
    const first = this.#look();
    const declared = this.#declarations(context);
    const commands: Command[] = [this.#command(context)];
    for (;;) {
      const token = this.#look();
      if (token.kind !== 'symbol' || token.text !== '|') break;
      this.#at++;
      commands.push(this.#command(context));
    }
    for (const command of commands.slice(1)) {
      const head = command.operands[0] as Operand;
      if (head.kind === 'constant' || head.kind === 'nil' || head.kind === 'dot') {
        throw new TemplateError('non executable command in pipeline', head.offset);
      }
    }
    if (declared.declares) this.#variables.push(...declared.variables);
    return { offset: first.offset, ...declared, commands };
  }

  #declarations(context: string): { variables: string[]; declares: boolean } {
    const start = this.#at;
    const variables: string[] = [];
    for (;;) {
      const token = this.#look();
      if (token.kind !== 'variable') break;
      this.#at++;
      variables.push(token.text);
      const after = this.#look();
      if (after.kind === 'symbol' && (after.text === ':=' || after.text === '=')) {
        this.#at++;
        if (after.text === '=') for (const name of variables) this.#known(name, token.offset);
        return { variables, declares: after.text === ':=' };
      }
      if (context === 'range' && after.kind === 'symbol' && after.text === ',') {
        this.#at++;
        continue;
      }
      break;
    }
    this.#at = start;
    return { variables: [], declares: false };
  }

  #known(name: string, offset: number): void {
    if (!this.#variables.includes(name)) {
      throw new TemplateError(`undefined variable ${JSON.stringify(name)}`, offset);
    }
  }

  #command(context: string): Command {
    const operands: Operand[] = [];
    for (;;) {
      const token = this.#look();
      if (token.kind === 'close' || token.kind === 'end') break;
      if (token.kind === 'symbol' && (token.text === '|' || token.text === ')')) break;
      operands.push(this.#operand(context));
      const after = this.#peek();
      const ends =
        after.kind === 'space' ||
        after.kind === 'close' ||
        (after.kind === 'symbol' && (after.text === '|' || after.text === ')'));
      if (!ends) throw unexpected(after, 'operand');
    }
    if (operands.length === 0) {
      throw new TemplateError(`missing value for ${context}`, this.#peek().offset);
    }
    const [head, ...rest] = operands;
    if ((head?.kind === 'constant' || head?.kind === 'nil') && rest.length > 0) {
      throw new TemplateError('cannot give argument to a constant', head.offset);
    }
    return { operands };
  }

  #path(): string[] {
    const path: string[] = [];
    while (this.#peek().kind === 'field') path.push(this.#next().text);
    return path;
  }

  #operand(context: string): Operand {
    const token = this.#next();
    const { offset } = token;
    switch (token.kind) {
      case 'field':
        return { kind: 'field', path: [token.text, ...this.#path()], offset };
      case 'variable':
        this.#known(token.text, offset);
        return { kind: 'variable', name: token.text, path: this.#path(), offset };
      case 'string':
        return { kind: 'constant', value: token.text, offset };
      case 'char':
        return { kind: 'constant', value: BigInt(token.text.codePointAt(0) ?? 0), offset };
      case 'number':
        return { kind: 'constant', value: numberOf(token), offset };
      case 'word':
        if (token.text === 'true' || token.text === 'false') {
          return { kind: 'constant', value: token.text === 'true', offset };
        }
        if (token.text === 'nil') return { kind: 'nil', offset };
        if (!this.#functions.has(token.text)) {
          throw new TemplateError(`function ${JSON.stringify(token.text)} not defined`, offset);
        }
        return { kind: 'function', name: token.text, offset };
      case 'symbol':
        if (token.text === '.') return { kind: 'dot', offset };
        if (token.text === '(') {
          const pipeline = this.#pipeline('parenthesized pipeline');
          const close = this.#look();
          if (close.kind !== 'symbol' || close.text !== ')') {
            throw new TemplateError('unclosed left paren', offset);
          }
          this.#at++;
          return { kind: 'pipeline', pipeline, path: this.#path(), offset };
        }
        throw unexpected(token, context);
      default:
        throw unexpected(token, context);
    }
  }
}

/** A whole number is Go's int, any other its float64. */
function numberOf(token: Token): number | bigint {
  const text = token.text.replaceAll('_', '');
  if (/^[+-]?\d+$/.test(text) || /^[+-]?0[xX]/.test(text)) {
    const negative = text.startsWith('-');
    const digits = text.replace(/^[+-]/, '');
    return negative ? -BigInt(digits) : BigInt(digits);
  }
  const value = Number(text);
  if (Number.isNaN(value)) {
    throw new TemplateError(`bad number syntax: ${JSON.stringify(token.text)}`, token.offset);
  }
  return value;
}

function unexpected(token: Token, context: string): TemplateError {
  if (token.kind === 'end') return new TemplateError(`unclosed action in ${context}`, token.offset);
  return new TemplateError(`unexpected ${JSON.stringify(token.text)} in ${context}`, token.offset);
}
