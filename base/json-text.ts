/** Reads JSON of users and of earlier runs: a mistake is told without the parser's words, which repeat the text. */
import { messageOf, UserError } from './errors.js';

/**
 * The value of `text`. Throws a UserError that names `file`, and the mistake's place if the parser tells it. `line` is
 * the text's line in the file, if it is one of several; `expected` ends the message.
 */
export function parseJson(file: string, text: string, expected: string, line?: number): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const said = messageOf(error);
    const at = / position (\d+)/.exec(said)?.[1] ?? (/end of JSON/.test(said) ? text.length : 0);
    const before = text.slice(0, Number(at)).split('\n');
    const column = (before.at(-1) as string).length + 1;
    const place = { file, line: (line ?? 1) + before.length - 1, column };
    throw new UserError(
      at === 0 && line === undefined
        ? { message: `${file}: not JSON`, expected }
        : { place, message: 'not JSON', expected },
    );
  }
}
