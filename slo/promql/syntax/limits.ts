/** Turns the runtime's own limits, which a hostile query reaches, into an error of that query. */
import type { Span } from './ast.js';
import { PromqlError } from './error.js';

export const tooDeep = 'nested too deeply';

/** The result of `run`; throws a PromqlError if the stack or the length of a text does not suffice for it. */
export function withinLimits<T>(span: Span, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    if (/call stack/.test(error.message)) throw new PromqlError(tooDeep, span);
    if (/^Invalid (string|array) length/.test(error.message))
      throw new PromqlError('the result is too large', span);
    throw error;
  }
}
