import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatDurationMs, parseDurationMs } from '../../base/duration.js';

test.each([
  ['0', 0],
  ['5m', 300_000],
  ['1h30m', 5_400_000],
  ['2500ms', 2500],
  ['30d', 2_592_000_000],
  ['1w', 604_800_000],
])('%s is %i ms', (text, ms) => {
  expect(parseDurationMs(text)).toBe(ms);
});

test.each(['', '5', '5x', '-5m', '5m1h', '1.5h', ' 5m'])('%j is not a duration', (text) => {
  expect(parseDurationMs(text)).toBeUndefined();
});

test('a formatted duration reads back as the same', () => {
  fc.assert(
    fc.property(fc.nat(10 ** 11), (ms) => {
      expect(parseDurationMs(formatDurationMs(ms))).toBe(ms);
    }),
  );
});
