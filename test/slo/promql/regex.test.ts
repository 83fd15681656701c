/** Regular expressions as RE2 reads them: each row was held against Go's regexp. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { evaluateInstant, MemoryStore } from '../../../slo/promql/index.js';
import { findRefusal } from '../../../slo/spec/query.js';
import { anchoredRegex, anywhereMatcher, wholeMatcher } from '../../../slo/promql/store/regex.js';

test.each([
  ['(?!health).*', 'invalid or unsupported Perl syntax: `(?!`'],
  ['(?=b)', 'invalid or unsupported Perl syntax: `(?=`'],
  ['(?<=b)c', 'invalid or unsupported Perl syntax: `(?<=`'],
  ['(?>a)', 'invalid or unsupported Perl syntax: `(?>`'],
  ['(?#c)a', 'invalid or unsupported Perl syntax: `(?#`'],
  ['(?P=n)', 'invalid or unsupported Perl syntax: `(?P`'],
  ['(a)\\1', 'invalid escape sequence: `\\1`'],
  ['\\k<n>', 'invalid escape sequence: `\\k`'],
  ['\\u00e9', 'invalid escape sequence: `\\u`'],
  ['\\cA', 'invalid escape sequence: `\\c`'],
  ['\\Z', 'invalid escape sequence: `\\Z`'],
  ['\\é', 'invalid escape sequence: `\\é`'],
  ['[\\b]', 'invalid escape sequence: `\\b`'],
  ['a{1001}', 'invalid repeat count: `{1001}`'],
  ['a{0,1001}', 'invalid repeat count: `{0,1001}`'],
  ['a{3,1}', 'invalid repeat count: `{3,1}`'],
  ['[[:foo:]]', 'invalid character class range: `[:foo:]`'],
  ['\\p{Foo}', 'invalid character class range: `\\p{Foo}`'],
  ['[a', 'missing closing ]: `[a`'],
  ['a**', '`a**` cannot be used'],
  ['(a', '`(a` cannot be used'],
])('%s is refused, as Prometheus refuses it', (pattern, why) => {
  expect(() => anchoredRegex(pattern)).toThrow(`error parsing regexp: ${why}`);
});

test.each<[string, string[], string[]]>([
  ['\\p{Greek}+', ['αβ'], ['p{Greek}', 'a']],
  ['\\p{^Greek}', ['a'], ['α']],
  ['\\pN', ['5'], ['pN', 'a']],
  ['[\\p{Lu}x-]+', ['Ax-'], ['a']],
  ['[\\d-z]+', ['5-z'], ['e']],
  ['[\\[\\]]', ['[', ']'], ['\\']],
  ['[^[:digit:]]', ['a'], ['5']],
  ['\\_\\-\\@\\ \\.', ['_-@ .'], ['_-@ x']],
  ['\\101[\\102]\\x43\\x{1F600}', ['ABC😀'], ['101']],
  ['a{,5}', ['a{,5}'], ['aa', '']],
  ['{}]', ['{}]'], ['']],
  ['(?i:a)b', ['Ab'], ['AB']],
  ['(?i)[a\\x{62}]', ['A', 'B'], ['x']],
  ['(?P<n>a)|(?<m>b)', ['a', 'b'], ['ab']],
  ['a{1000}', ['a'.repeat(1000)], ['a'.repeat(999)]],
  ['.', ['\n', '😀'], ['ab']],
  ['\\Q(a.b\\E', ['(a.b'], ['(axb']],
])('%s matches as in Go', (pattern, yes, no) => {
  const regex = anchoredRegex(pattern);
  expect([yes.filter((t) => !regex.test(t)), no.filter((t) => regex.test(t))]).toEqual([[], []]);
});

test.each<[string, string[], string[]]>([
  ['.+', ['a\r', '\u2028'], ['a\n']],
  ['(?s).+', ['a\n'], ['']],
  ['(?s:.)x|a.', ['\nx', 'ab'], ['a\n']],
  ['(?m)a$(?s:.)^b', ['a\nb'], ['a\rb']],
  ['(x+x+)+.', ['xxx', 'xx\r'], ['xx\n']],
])("%s without Prometheus's flag matches as in Go", (pattern, yes, no) => {
  const matches = wholeMatcher(pattern, '');
  expect([yes.filter((t) => !matches(t)), no.filter(matches)]).toEqual([[], []]);
});

test('the flag that Prometheus sets can be taken back', () => {
  expect(anchoredRegex('(?-s:.)').test('\n')).toBe(false);
  expect(anchoredRegex('(?-s).|a').test('a')).toBe(true);
});

test('a query with such a pattern is refused where it is read', () => {
  expect(findRefusal('x{path=~"(?!health).*"}')?.message).toContain('unsupported Perl syntax');
});

test.each([
  ['(x+x+)+y', 'x'],
  ['(?:x|x)*y', 'x'],
  ['(?P<n>x*)*y', 'x'],
  ['(x?x?){90}y', 'x'],
  ['.*x.*x.*x.*x.*y', 'x'],
  ['(?i)([a-x]+)+y', 'X'],
  ['(\\w|x)+y', 'x'],
])('%s ends soon on a long text that it does not match', (pattern, letter) => {
  const long = letter.repeat(20_000);
  expect(wholeMatcher(pattern)(long)).toBe(false);
  expect(anywhereMatcher(pattern)(long)).toBe(false);
  expect(anywhereMatcher(pattern)(`${long}y`)).toBe(true);
  const { value } = evaluateInstant(
    `label_replace(vector(1), "b", "$1", "a", ${JSON.stringify(pattern)})`,
    new MemoryStore(),
    0,
  );
  expect(value.type).toBe('vector');
});

test('both engines decide alike', () => {
  const atom = fc.constantFrom('a', 'b', '.', '[ab]', '[^a]', '\\d', '\\w', '\\n', '(?i)a', 'é');
  const pattern = fc.letrec<{ node: string }>((tie) => ({
    node: fc.oneof(
      { depthSize: 'small' },
      atom,
      fc.tuple(tie('node'), tie('node')).map(([a, b]) => a + b),
      fc.tuple(tie('node'), tie('node')).map(([a, b]) => `(${a}|${b})`),
      fc
        .tuple(tie('node'), fc.constantFrom('*', '+', '?', '{2}', '{1,3}', '*?', '+?'))
        .map(([a, q]) => `(?:${a})${q}`),
      tie('node').map((a) => `^${a}$`),
    ),
  })).node;
  const text = fc.string({
    unit: fc.constantFrom('a', 'b', 'A', '1', '\n', 'é', ' '),
    maxLength: 8,
  });
  fc.assert(
    fc.property(pattern, text, (source, subject) => {
      const regex = anchoredRegex(source);
      expect([source, subject, wholeMatcher(source)(subject)]).toEqual([
        source,
        subject,
        regex.test(subject),
      ]);
    }),
    { numRuns: 3000, seed: 7 },
  );
});
