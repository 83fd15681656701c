/** A mistake in a query, with its place in the text. */
import { UserError } from '../../../base/errors.js';
import type { Span } from './ast.js';

export class PromqlError extends Error {
  readonly from: number;
  readonly to: number;
  /** The nearest valid word, if there is one: `rate`. */
  readonly suggestion: string | undefined;

  constructor(message: string, span: Span, suggestion?: string) {
    super(message);
    this.name = 'PromqlError';
    this.from = span.from;
    this.to = span.to;
    this.suggestion = suggestion;
  }
}

/** Line and column, counted from 1 in characters. */
export function lineColumn(text: string, offset: number): { line: number; column: number } {
  const before = text.slice(0, offset).split('\n');
  return { line: before.length, column: (before.at(-1) as string).length + 1 };
}

/** The message, the line with the mistake, and a caret under its place. */
export function withCaret(text: string, error: PromqlError): string {
  const { line, column } = lineColumn(text, error.from);
  const source = text.split('\n')[line - 1] ?? '';
  const width = Math.max(1, Math.min(error.to - error.from, source.length - column + 1));
  const pad = source.slice(0, column - 1).replace(/[^\t]/g, ' ');
  const hint = error.suggestion === undefined ? '' : `; did you mean '${error.suggestion}'?`;
  return `${line}:${column}: ${error.message}${hint}\n  ${source}\n  ${pad}${'^'.repeat(width)}`;
}

/** The same as an error for users, without a stack trace. */
export function asUserError(text: string, error: unknown, file?: string): unknown {
  if (!(error instanceof PromqlError)) return error;
  const place = file === undefined ? '' : `${file}: `;
  return new UserError(`${place}${withCaret(text, error)}`);
}
