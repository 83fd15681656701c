/** Answers that differ: neither noise nor a clock counts as a difference. */
import { expect, test } from 'vitest';
import { differs, linesOf, seriesOf } from '../../chaos/runner/answers.js';

const at = (atMs: number, values: Record<string, number>) => ({
  atMs,
  values: new Map(Object.entries(values)),
});

test.each([
  ['the same', { a: 1 }, { a: 1 }, { a: 1 }, false],
  ['a rate that moves by itself', { a: 9 }, { a: 11 }, { a: 13 }, false],
  ['a rate that moves more', { a: 10 }, { a: 10.1 }, { a: 20 }, true],
  ['a little of nothing', { a: 0 }, { a: 0 }, { a: 0.4 }, true],
  ['a series that comes', {}, {}, { a: 1 }, true],
  ['a series that goes', { a: 1 }, { a: 1 }, {}, true],
  ['a series that was there once', { a: 1 }, {}, {}, false],
  ['time left, which runs on', { a: 100 }, { a: 99 }, { a: 90 }, false],
  ['time left, which jumps', { a: 100 }, { a: 99 }, { a: -5 }, true],
  ['falls fast and evenly', { a: 10 }, { a: 5 }, { a: -40 }, false],
  ['rises fast and evenly', { a: 5 }, { a: 10 }, { a: 55 }, false],
  ['falls, and rises as fast', { a: 10 }, { a: 5 }, { a: 50 }, true],
  ['rises, and falls as fast', { a: 5 }, { a: 10 }, { a: -35 }, true],
  ['moves as far as it may', { a: 6 }, { a: 8 }, { a: 12 }, false],
  ['moves a little further', { a: 6 }, { a: 8 }, { a: 12.1 }, true],
  ['is as due as it may be', { a: 5 }, { a: 10 }, { a: 45 }, false],
  ['is less due than that', { a: 5 }, { a: 10 }, { a: 44.9 }, true],
  ['stays, and then moves a quarter', { a: -8 }, { a: -8 }, { a: -10 }, false],
  ['no number, as before', { a: NaN }, { a: NaN }, { a: NaN }, false],
  ['no number any more', { a: 1 }, { a: 1 }, { a: NaN }, true],
])('%s', (_, first, second, under, expected) => {
  expect(differs(at(0, first), at(1000, second), at(10_000, under))).toBe(expected);
});

test('of a command count its lines without numbers, and how it ended', () => {
  const before = { atMs: 0, values: linesOf('up 3 s\n127.0.0.1:80 ready\n', 0) };
  const later = { atMs: 1, values: linesOf('up 9 s\n127.0.0.1:81 ready\n', 0) };
  const under = { atMs: 2, values: linesOf('up 12 s\n127.0.0.1:81 gone\n', 0) };
  const failed = { atMs: 2, values: linesOf('up 12 s\n127.0.0.1:81 ready\n', 1) };
  expect(differs(before, later, later)).toBe(false);
  expect(differs(before, later, under)).toBe(true);
  expect(differs(before, later, failed)).toBe(true);
});

test('labels in another order are the same series', () => {
  const one = seriesOf([{ labels: { a: '1', b: '2' }, value: 1 }]);
  const two = seriesOf([{ labels: { b: '2', a: '1' }, value: 1 }]);
  expect([...one.keys()]).toEqual([...two.keys()]);
});

test.each([
  ['5m30s 1.5 12:30', '## # #'],
  ['  a   b\t', 'a b'],
  ['x1 10.0.0.1:80 ready', 'x# # ready'],
])('of %j counts %j', (line, words) => {
  expect([...linesOf(`${line}\n\n${line}`, 'timeout')]).toEqual([
    ['ended with timeout', 1],
    [words, 2],
  ]);
});

test('five hundred lines count', () => {
  const lines = Array.from({ length: 600 }, (_, i) => 'a'.repeat(i + 1));
  expect(linesOf(lines.join('\n'), 0).size).toBe(501);
});
