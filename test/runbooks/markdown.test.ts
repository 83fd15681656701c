/** Texts of any author as HTML: shown as they are, and in a time that grows with their length. */
import { expect, test } from 'vitest';
import { markdownText, markdownToHtml } from '../../runbooks/markdown.js';

const shown = (html: string): string =>
  html.replaceAll(/&#(\d+);/g, (_, code: string) => String.fromCharCode(Number(code)));

test('an escaped text is shown as it is, with its backticks', () => {
  for (const text of ['a `b` c', '`', '\\`x\\`', '[a](https://b)', '**x** | # _y_'])
    expect(shown(markdownToHtml(markdownText(text)))).toBe(`<p>${text}</p>`);
  expect(markdownToHtml('a\\\\`b` and `c\\|d`')).toBe(
    '<p>a&#92;<code>b</code> and <code>c|d</code></p>',
  );
});

test.each(['a\n\n', '[', '[](', '**', '`', '`a', '# a\n', '```\n', '|a|b\n', '- a\n'])(
  'a text of nothing but %j does not hold its reader',
  (piece) => {
    expect(markdownToHtml(piece.repeat(300_000 / piece.length))).not.toBe('');
  },
  20_000,
);
