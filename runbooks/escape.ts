/** Escapes each `{{fact}}` of a page for its context: prose, inline code, a shell command or a query. */
import Handlebars from 'handlebars';
import { markdownCode, markdownText } from './markdown.js';

export type Context = 'prose' | 'code' | 'sh' | 'promql';

/** Replaces a missing fact, with one text for prose and commands, and one for the regular expression of a query. */
export class Placeholder {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** A whole query that this package built: it is inserted unescaped, on one line. */
export class Query {
  readonly text: string;

  constructor(text: string) {
    this.text = text.replaceAll(/\s+/g, ' ');
  }
}

/**
 * Queries match labels by `=~`, so that a placeholder can match any value; facts are escaped to match literally, within
 * quotes.
 */
const promqlText = (text: string): string =>
  text
    .replaceAll(/[\\^]/g, (c) => (c === '^' ? '\\\\^' : '\\\\\\\\'))
    .replaceAll(/[$.|?*+()[\]{}]/g, '[$&]')
    .replaceAll('"', '\\"')
    .replaceAll(/\s+/g, ' ');

const shellText = (text: string): string =>
  /^[\w@%+=:,./-]+$/.test(text)
    ? text
    : `'${text.replaceAll(/\s+/g, ' ').replaceAll("'", `'\\''`)}'`;

export function escapeFor(context: Context, value: unknown): string {
  if (value instanceof Placeholder) return context === 'promql' ? '.+' : value.text;
  if (value instanceof Query && context === 'promql') return value.text;
  const text = typeof value === 'number' || typeof value === 'string' ? String(value) : '';
  switch (context) {
    case 'prose':
      return markdownText(text);
    case 'code':
      return markdownCode(text);
    case 'sh':
      return shellText(text);
    case 'promql':
      return promqlText(text);
  }
}

type Node = hbs.AST.Statement;

/** Follows the text of a page and tracks its Markdown context. */
class Position {
  #line = '';
  #fence: string | undefined;

  read(text: string): void {
    for (const [i, part] of text.split('\n').entries()) {
      if (i > 0) this.#endLine();
      this.#line += part;
    }
  }

  #endLine(): void {
    const fence = /^```(\w*)/.exec(this.#line);
    if (fence) this.#fence = this.#fence === undefined ? (fence[1] as string) : undefined;
    this.#line = '';
  }

  get context(): Context {
    if (this.#fence === 'promql') return 'promql';
    if (this.#fence !== undefined) return 'sh';
    return this.#line.split('`').length % 2 === 0 ? 'code' : 'prose';
  }
}

/** The template with each `{{x}}` turned into `{{escape "sh" x}}`, depending on its context. */
export function escapedProgram(template: string): hbs.AST.Program {
  const program = Handlebars.parse(template);
  walk(program, new Position());
  return program;
}

function walk(program: hbs.AST.Program, position: Position): void {
  program.body = program.body.map((node) => visit(node, position));
}

function visit(node: Node, position: Position): Node {
  if (node.type === 'ContentStatement') {
    position.read(String((node as hbs.AST.ContentStatement).original));
    return node;
  }
  if (node.type === 'BlockStatement') {
    const { program, inverse } = node as hbs.AST.BlockStatement;
    walk(program, position);
    if (inverse) walk(inverse, position);
    return node;
  }
  if (node.type !== 'MustacheStatement') return node;
  const mustache = node as hbs.AST.MustacheStatement;
  const context = position.context;
  // The inserted text has no newline and no backtick, so the context does not change.
  const { loc } = mustache;
  const literal = { type: 'StringLiteral', value: context, original: context, loc };
  const name = {
    type: 'PathExpression',
    data: false,
    depth: 0,
    parts: ['escape'],
    original: 'escape',
    loc,
  };
  return { ...mustache, path: name, params: [literal, mustache.path] } as unknown as Node;
}
