/** Untrusted text must not move a terminal's cursor, hide text or change its order. */
import { expect, test } from 'vitest';
import { formatTable, guardTerminal, printable, Progress, startAnew } from '../../base/terminal.js';

test.each([
  ['\u001b]0;title\u0007x', ' ]0;title x'],
  ['\u001b[2J\u001b[8mhidden', ' [2J [8mhidden'],
  ['a\rb\u009bc', 'a b c'],
  ['abc\u202edef', 'abc def'],
  ['\u001b[31mours\u001b[39m', '\u001b[31mours\u001b[39m'],
  ['Büro – 你好', 'Büro – 你好'],
])('%j', (text, shown) => {
  expect(printable(text)).toBe(shown);
});

test('a table fits its terminal: the widest column is cut, the name last, and wide characters count twice', () => {
  const rows = [
    ['名前-checkout', 'a long text about it', 'x'],
    ['é-cart', 'short', 'y'],
  ];
  expect(formatTable(['NAME', 'TEXT', 'N'], rows, Infinity)).toBe(
    [
      'NAME           TEXT                  N',
      '名前-checkout  a long text about it  x',
      'é-cart         short                 y',
    ].join('\n'),
  );
  expect(formatTable(['NAME', 'TEXT', 'N'], rows, 28)).toBe(
    [
      'NAME           TEXT        N',
      '名前-checkout  a long te…  x',
      'é-cart         short       y',
    ].join('\n'),
  );
  // Nothing is cut to a few letters: a terminal of ten columns wraps.
  expect(formatTable(['NAME', 'TEXT', 'N'], rows, 10).split('\n')[1]).toBe('名前-ch…  a long …  x');
});

test.each([true, false])(
  'whoever writes to a stream that is a terminal (%s), only startAnew moves its cursor',
  (isTTY) => {
    const written: unknown[] = [];
    const stream = { isTTY, write: (chunk: unknown) => written.push(chunk) > 0 };
    guardTerminal(stream);
    guardTerminal(stream);
    const hostile = 'a\u001b[2J\rb\n\tc';
    stream.write(hostile);
    startAnew(stream, 'screen');
    expect(written).toEqual([isTTY ? 'a [2J b\n\tc' : hostile, '\u001b[2J\u001b[H']);
  },
);

test('a line of progress replaces the one before, on a guarded terminal, too', () => {
  let written = '';
  const stream = { isTTY: true, columns: 80, write: (chunk: string) => (written += chunk) !== '' };
  guardTerminal(stream);
  const progress = new Progress(stream as unknown as NodeJS.WriteStream);
  progress.update('1 of 2');
  progress.update('2 of 2');
  progress.clear();
  expect(written).toBe('\r\u001b[K1 of 2\r\u001b[K2 of 2\r\u001b[K');
});
