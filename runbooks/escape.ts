/** Every `{{fact}}` of a page is escaped for where it stands: prose, inline code, a shell command or a query. */
import Handlebars from 'handlebars';
import { markdownCode, markdownText } from './markdown.js';

export type Context = 'prose' | 'code' | 'sh' | 'promql';

/** A fact that nobody gave: what stands in its place, in prose and commands, and in a query's regular expression. */
export class Placeholder {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** A whole query, made here and not given from outside: it stands as it is, on one line. */
export class Query {
  readonly text: string;

  constructor(text: string) {
    this.text = text.replaceAll(/\s+/g, ' ');
  }
}

/** Queries match labels by `=~`, so that a placeholder can mean any; facts are made literal, within quotes. */
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

/** Follows the text of a page and knows where in Markdown it stands. */
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

/** The template with each `{{x}}` turned into `{{escape "sh" x}}`, by where it stands. */
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
  // What it becomes has no newline and no backtick, so that the position is as before.
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
