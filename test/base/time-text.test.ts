/** Times that people write, and texts that are none. */
import { expect, test } from 'vitest';
import { readTimeMs } from '../../base/time-text.js';

test.each([
  ['2026-05-01', '2026-05-01T00:00:00.000Z'],
  ['2026-05-01T12:30', '2026-05-01T12:30:00.000Z'],
  ['2026-05-01 12:30:15', '2026-05-01T12:30:15.000Z'],
  ['2026-05-01T12:30:15.25Z', '2026-05-01T12:30:15.250Z'],
  ['2026-03-29t02:30:00z', '2026-03-29T02:30:00.000Z'],
  ['2026-03-29T02:30:00+02:00', '2026-03-29T00:30:00.000Z'],
  ['2026-01-01T00:00:00-0530', '2026-01-01T05:30:00.000Z'],
  ['2028-02-29', '2028-02-29T00:00:00.000Z'],
])('%s is %s on every machine', (text, wanted) => {
  expect(new Date(readTimeMs(text)).toISOString()).toBe(wanted);
});

test.each([
  '2026-02-30',
  '2026-02-29T00:00:00Z',
  '2026-13-01',
  '2026-00-10',
  '2026-05-01T24:00:00Z',
  '2026-05-01T12:60:00Z',
  '2026-12-31T23:59:60Z',
  '-1',
  '1',
  '2026',
  'yesterday',
  '2026-05-01T12:00:00 Europe/Berlin',
  'May 1 2026',
  '',
])('%s is no time', (text) => {
  expect(readTimeMs(text)).toBeNaN();
});
