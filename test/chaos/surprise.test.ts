/** A day in a random order: the seed decides it, and the terminal does not reveal a drill that is running. */
import { expect, test } from 'vitest';
import { seedOf, surpriseOrder, veiled } from '../../chaos/gameday/surprise.js';

test('X9: the same seed draws the same order, and nothing is lost', () => {
  const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
  expect(surpriseOrder(names, 7)).toEqual(surpriseOrder(names, 7));
  expect(surpriseOrder(names, 7)).not.toEqual(surpriseOrder(names, 8));
  expect(surpriseOrder(names, 7).toSorted()).toEqual(names);
  expect(names).toEqual(['a', 'b', 'c', 'd', 'e', 'f', 'g']);
  expect(surpriseOrder([], 7)).toEqual([]);
});

test('every order of three is drawn equally often', () => {
  const counts = new Map<string, number>();
  for (let seed = 0; seed < 6000; seed++) {
    const order = surpriseOrder(['a', 'b', 'c'], seed).join('');
    counts.set(order, (counts.get(order) ?? 0) + 1);
  }
  expect(counts.size).toBe(6);
  // 1000 each; five standard deviations are 144.
  for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(144);
});

test('of a drill under way its place is told, and neither title nor phase', () => {
  const said: string[] = [];
  const lines: string[] = [];
  const view = veiled(
    {
      progress: (text: string) => void said.push(text),
      line: (text: string) => void lines.push(text),
    },
    ['The controller is killed', 'Payment is slow'],
  );
  view.progress('starting retail');
  view.progress('Payment is slow: preparing');
  view.progress('Payment is slow: fault on, 1 of 2 alerts received');
  view.progress('The controller is killed: rollback');
  view.line('PASS  Payment is slow');
  expect(said).toEqual([
    'starting retail',
    'drill 2 of 2 is under way',
    'drill 2 of 2 is under way',
    'drill 1 of 2 is under way',
  ]);
  expect(lines).toEqual(['PASS  Payment is slow']);
});

test('a seed is a whole number', () => {
  expect(seedOf('42')).toBe(42);
  expect(seedOf('4294967295')).toBe(4_294_967_295);
  for (const bad of ['', '-1', '1.5', 'x', '4294967296']) {
    expect(() => seedOf(bad)).toThrow(`bad seed '${bad}'`);
  }
  expect(seedOf(true)).toBeGreaterThan(0);
});
