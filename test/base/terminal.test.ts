/** Untrusted text must not move a terminal's cursor, hide text or change its order. */
import { expect, test } from 'vitest';
import { printable } from '../../base/terminal.js';

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
