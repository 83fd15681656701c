/** Reads lines from another program's stream, and keeps only the start of a long line. */
import type { Readable } from 'node:stream';

/** Calls `onLine` for each line, cut to `maxCharacters`; the last line needs no line break. */
export function eachLine(
  stream: Readable,
  maxCharacters: number,
  onLine: (line: string) => void,
): void {
  let line = '';
  const end = (): void => {
    onLine(line.endsWith('\r') ? line.slice(0, -1) : line);
    line = '';
  };
  stream.setEncoding('utf8');
  stream.on('data', (text: string) => {
    let from = 0;
    for (;;) {
      const at = text.indexOf('\n', from);
      const to = Math.min(at < 0 ? text.length : at, from + maxCharacters - line.length);
      line += text.slice(from, to);
      if (at < 0) return;
      end();
      from = at + 1;
    }
  });
  stream.on('end', () => {
    if (line !== '') end();
  });
}
