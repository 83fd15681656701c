/** The lines of a stream that somebody else writes: however long one is, little of it is kept. */
import type { Readable } from 'node:stream';

/** Calls `onLine` for each line, cut to `maxCharacters`; the last one needs no end. */
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
