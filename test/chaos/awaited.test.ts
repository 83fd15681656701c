/** A run waits until its expected alerts have come, and then until they have resolved. */
import { expect, test } from 'vitest';
import { cameOf } from '../../chaos/runner/awaited.js';
import { confirmedMs, injectedMs, page, scenario } from './evidence.js';

const wanted = scenario.expect.mustFire;

test.each([
  ['none', [], confirmedMs, 0],
  ['one before the injection', page(99_000, 125_000), confirmedMs, 0],
  ['one after it', page(103_000), confirmedMs, 1],
  ['one that resolved before the fault took effect', page(100_300, 100_600), confirmedMs, 0],
  [
    'one that resolved before, and one after',
    [page(100_300, 100_600), page(103_000)],
    confirmedMs,
    1,
  ],
  ['one that went on when the fault took effect', page(100_300, 101_500), confirmedMs, 1],
  ['one, while no effect is known yet', page(100_300, 100_600), undefined, 1],
] as const)('%s', (_, notifications, confirmed, came) => {
  const facts = { wanted, injectedMs, confirmedMs: confirmed, sightings: [] };
  expect(cameOf({ ...facts, notifications: notifications.flat() })).toBe(came);
});
