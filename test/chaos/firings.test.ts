/** Notifications become firings, each with its receipts and its end. */
import { expect, test } from 'vitest';
import { firingsOf, receivedMs } from '../../chaos/runner/firings.js';
import { page } from './evidence.js';

const [one] = page(103_000);
const at = (receiver: string | undefined, receivedMs: number) => ({
  ...one!,
  receivedMs,
  ...(receiver !== undefined && { receiver }),
});

test.each([
  ['no receiver has a name', [at(undefined, 5), at(undefined, 9)], undefined],
  ['each receiver, by its first receipt', [at('a', 5), at('b', 6), at('a', 9)], { a: 5, b: 6 }],
  ['a named one after one without a name', [at(undefined, 5), at('b', 6)], { b: 6 }],
])('receipts: %s', (_, notifications, receipts) => {
  const firings = firingsOf(notifications);
  expect(firings.map((f) => [f.receivedAtMs, f.receipts])).toEqual([[5, receipts]]);
});

test('an end without a time is the time of its receipt, and an end without a start is none', () => {
  const ended = { ...one!, status: 'resolved' as const, receivedMs: 125_300 };
  expect(firingsOf([ended])).toEqual([]);
  expect(firingsOf([one!, ended])[0]?.resolvedAtMs).toBe(125_300);
  expect(firingsOf(page(103_000, 125_000))[0]?.resolvedAtMs).toBe(125_000);
});

test('labels in another order are the same firing; bare ones have no severity and no name', () => {
  const { severity, ...rest } = one!.labels;
  const turned = { ...one!, labels: { severity: severity!, ...rest } };
  expect(firingsOf([one!, turned])).toHaveLength(1);
  expect(firingsOf([{ ...one!, labels: {} }])).toMatchObject([{ name: '', severity: 'none' }]);
});

test.each([
  [undefined, 5],
  ['a', 7],
  ['c', 5],
])('the time of %s', (receiver, ms) => {
  const [firing] = firingsOf([at('b', 5), at('a', 7)]);
  expect(receivedMs(firing!, receiver)).toBe(ms);
  expect(receivedMs({ ...firing!, receipts: undefined } as never, receiver)).toBe(5);
});
