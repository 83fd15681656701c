/** Untrusted text must not move a terminal's cursor, hide text or change its order. */
import { expect, test } from 'vitest';
import { formatTable, printable } from '../../base/terminal.js';

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
