/** Terminal output: colours only on a terminal (and never with NO_COLOR), and one live line of progress. */

const coloured = (stream: NodeJS.WriteStream): boolean =>
  process.env.NO_COLOR === undefined && (stream.isTTY || process.env.FORCE_COLOR !== undefined);

export interface Style {
  bold(text: string): string;
  dim(text: string): string;
  red(text: string): string;
  green(text: string): string;
  yellow(text: string): string;
  blue(text: string): string;
}

/** The colours for a stream; without a terminal, text stays unchanged. */
export function styleFor(stream: NodeJS.WriteStream): Style {
  const on = coloured(stream);
  const wrap = (open: number, close: number) => (text: string) =>
    on ? `\u001b[${open}m${text}\u001b[${close}m` : text;
  return {
    bold: wrap(1, 22),
    dim: wrap(2, 22),
    red: wrap(31, 39),
    green: wrap(32, 39),
    yellow: wrap(33, 39),
    blue: wrap(34, 39),
  };
}

/**
 * One line of untrusted text that moves no cursor, hides nothing, and reads in its written order. Control characters
 * become spaces, except this file's own colours.
 */
export const printable = (line: string): string =>
  line.replaceAll(
    // eslint-disable-next-line no-control-regex
    /\u001b(?!\[(?:1|2|22|3[1-4]|39)m)|[\u0000-\u001a\u001c-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g,
    ' ',
  );

/** The only sequences that move the cursor: a line of progress is replaced, a screen begins anew. */
const moves = { line: '\r\u001b[K', screen: '\u001b[2J\u001b[H' };

type Stream = Pick<NodeJS.WriteStream, 'isTTY' | 'write'>;

/** The writers of guarded streams as they were before. */
const bare = new WeakMap<Stream, Stream['write']>();

/**
 * From now on a terminal gets every text as `printable`, whoever writes it: names and messages come from files and
 * servers. Anything but a terminal gets the bytes as they are.
 */
export function guardTerminal(stream: Stream): void {
  if (!stream.isTTY || bare.has(stream)) return;
  const write = stream.write.bind(stream) as (chunk: unknown, ...rest: unknown[]) => boolean;
  bare.set(stream, write);
  stream.write = (chunk: unknown, ...rest: unknown[]) =>
    write(typeof chunk === 'string' ? chunk.replaceAll(/[^\n\t]+/g, printable) : chunk, ...rest);
}

/** Moves the cursor of a terminal to the beginning of its line or of its screen, and clears the rest. */
export function startAnew(stream: Stream, what: keyof typeof moves): void {
  (bare.get(stream) ?? stream.write).call(stream, moves[what]);
}

/** `1 file`, `2 files`. */
export const counted = (count: number, one: string, many = `${one}s`): string =>
  `${count} ${count === 1 ? one : many}`;

/** The columns that a terminal uses for a text: two for each wide character, none for a combining one. */
const widthOf = (text: string): number =>
  // eslint-disable-next-line no-control-regex
  /^[\u0000-\u02ff]*$/.test(text)
    ? text.length
    : [...text].reduce((sum, c) => sum + (joined.test(c) ? 0 : wide.test(c) ? 2 : 1), 0);
const joined = /^(\p{Mn}|\u200d)$/u;
const wide =
  /^[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Hangul}\p{Emoji_Presentation}\u3000-\u303e\uff01-\uff60]$/u;

const gap = 2;
/** No column is cut below this many. */
const leastWidth = 8;

/**
 * Columns padded to their widest cell, two spaces apart; callers format numbers. On a terminal, the widest columns are
 * cut until a row fits, the first (a name, an id) last.
 */
export function formatTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  columns = process.stdout.isTTY ? process.stdout.columns : Infinity,
): string {
  const widths = header.map((cell, i) =>
    rows.reduce((most, row) => Math.max(most, widthOf(row[i] ?? '')), widthOf(cell)),
  );
  const total = (): number => widths.reduce((sum, w) => sum + w + gap, -gap);
  while (total() > columns) {
    const most = Math.max(...widths.slice(1));
    const at = most > leastWidth ? widths.lastIndexOf(most) : 0;
    if ((widths[at] as number) <= leastWidth) break;
    widths[at] = (widths[at] as number) - 1;
  }
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => padded(cell, widths[i] as number))
      .join(' '.repeat(gap))
      .trimEnd();
  return [header, ...rows].map(line).join('\n');
}

function padded(text: string, width: number): string {
  if (widthOf(text) <= width) return text + ' '.repeat(width - widthOf(text));
  const characters = [...text];
  while (widthOf(characters.join('')) > width - 1) characters.pop();
  return padded(`${characters.join('')}…`, width);
}

/** Cuts a text to one row of so many columns, because a row that wraps could not be rewritten. */
export function cut(text: string, columns = 80): string {
  const room = Math.max(1, columns - 1);
  return text.length <= room ? text : `${text.slice(0, Math.max(0, room - 1))}…`;
}

/** Progress on standard error: rewritten in place on a terminal, one line for each change elsewhere. */
export class Progress {
  readonly #stream: NodeJS.WriteStream;
  #last = '';
  #live = false;

  constructor(stream: NodeJS.WriteStream = process.stderr) {
    this.#stream = stream;
  }

  /** Shows a temporary state, such as `42% of 30 days`, until the next one; does nothing without a terminal. */
  update(text: string): void {
    if (!this.#stream.isTTY || text === this.#last) return;
    this.#last = text;
    this.#live = true;
    startAnew(this.#stream, 'line');
    this.#stream.write(cut(printable(text), this.#stream.columns));
  }

  /** Prints a line that stays. */
  line(text: string): void {
    this.clear();
    const lines = text.split('\n').map(printable);
    this.#stream.write(`${lines.join('\n')}\n`);
  }

  clear(): void {
    if (!this.#live) return;
    startAnew(this.#stream, 'line');
    this.#live = false;
    this.#last = '';
  }
}
