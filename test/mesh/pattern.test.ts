/** Route patterns: the same results as JavaScript's expressions, in time linear in the text. */
import { expect, test } from 'vitest';
import { seededRandom } from '../../base/random.js';
import { Pattern, patternProblem } from '../../mesh/pattern/pattern.js';

const random = seededRandom(11);
const one = <T>(list: readonly T[]): T => list[random.below(list.length)] as T;

function arbitraryPattern(depth: number): string {
  const atoms = [
    'a',
    'b',
    '/',
    '.',
    '\\d',
    '\\w',
    '[ab]',
    '[^a]',
    '[a-c/]',
    '\\.',
    '^',
    '$',
    '\\b',
  ];
  const parts: string[] = [];
  for (let i = random.below(4); i >= 0; i--) {
    let part = depth > 0 && random.next() < 0.4 ? `(${arbitraryPattern(depth - 1)})` : one(atoms);
    if (!/^[\^$]|\\b/.test(part) && random.next() < 0.4) {
      part += one(['*', '+', '?', '*?', '{2}', '{1,3}', '{0,}']);
    }
    parts.push(part);
  }
  const text = parts.join('');
  return random.next() < 0.2 ? `${text}|${arbitraryPattern(0)}` : text;
}

function arbitraryText(): string {
  let text = '';
  for (let i = random.below(9); i > 0; i--) text += one(['a', 'b', 'c', '/', '1', '.', 'ä']);
  return text;
}

test('a pattern matches what JavaScript’s regular expression matches, whole', () => {
  let matched = 0;
  for (let i = 0; i < 4000; i++) {
    const source = arbitraryPattern(2);
    const theirs = new RegExp(`^(?:${source})$`, 's');
    const ours = new Pattern(`(?s)${source}`);
    for (let j = 0; j < 8; j++) {
      const text = arbitraryText();
      expect([source, text, ours.test(text)]).toEqual([source, text, theirs.test(text)]);
      if (theirs.test(text)) matched++;
    }
  }
  expect(matched).toBeGreaterThan(1000);
});

test.each([
  ['(a+)+b', `${'a'.repeat(30_000)}c`],
  ['/items/([a-z0-9]+-?)+', `/items/${'a'.repeat(30_000)}!`],
  ['/v1/.*/items/.*/parts/.*/x', `/v1/${'/items/'.repeat(700)}${'/parts/'.repeat(700)}`],
  ['(x|x|x)*y', 'x'.repeat(30_000)],
  ['(a*)*(b*)*c', 'ab'.repeat(15_000)],
  ['.*a.{0,300}b', 'a'.repeat(30_000)],
  ['(?:a?){200}a{200}', 'a'.repeat(199)],
])('%s is linear', (source, text) => {
  const pattern = new Pattern(source);
  const startMs = performance.now();
  expect(pattern.test(text)).toBe(false);
  // JavaScript's own engine needs seconds to years for these.
  expect(performance.now() - startMs).toBeLessThan(2000);
});

test.each([
  ['/(?i)CART/[0-9]+', '/cart/12', true],
  ['/(?i:cart)/A', '/CART/a', false],
  ['(?P<name>a)(?<other>b)', 'ab', true],
  ['[[:alpha:]_]+[[:^digit:]]', 'ab_-', true],
  ['\\A/x\\z', '/x', true],
  ['/x{', '/x{', true],
  ['[]a]+', ']a', true],
  ['[a-]+', 'a-', true],
  ['', '', true],
  ['a|', '', true],
  ['\\x41\\x{42}\\u0043', 'ABC', true],
  ['ä+', 'ää', true],
  ['\\u20ac', '€', true],
])('%s on %s is %s', (source, text, matches) => {
  expect(new Pattern(source).test(text)).toBe(matches);
});

test.each([
  ['look-around (?= is not supported', '(?=a)'],
  ['look-around (?! is not supported', '(?!a)b'],
  ['look-around (?<= is not supported', '(?<=a)b'],
  ['an atomic group (?> is not supported', '(?>a)b'],
  ['a back reference \\1 is not supported', '(a)\\1'],
  ['a back reference \\k is not supported', '\\k<name>'],
  ['\\p is not supported', '\\p{L}'],
  ['a possessive quantifier is not supported', 'a++'],
  ['two quantifiers in a row', 'a**'],
  ['nothing to repeat, at character 1', '*a'],
  ['a ( that is not closed', '(a'],
  ['a ) that closes nothing, at character 2', 'a)'],
  ['a [ that is not closed', '[a'],
  ['a range out of order', '[b-a]'],
  ['repetitions out of order', 'a{3,2}'],
  ['more than 1000 repetitions', 'a{1001}'],
  ['too large when written out', '((a{100}){100}){100}'],
  ['a group (? of a kind that is not supported', '(?m)a'],
  ['a \\ at the end', 'a\\'],
  ['groups nested too deeply', '('.repeat(200)],
  ['longer than 2000 characters', 'a'.repeat(3000)],
])('%s: refused', (why, source) => {
  expect(patternProblem(source)).toContain(why);
});
