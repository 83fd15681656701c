/** Alerts that must fire without a notification: which firing counts, and its outcome. */
import { expect, test } from 'vitest';
import type { Standing } from '../../alerts/watch/index.js';
import { unresolvedOf } from '../../chaos/runner/awaited.js';
import { type Sighting } from '../../chaos/runner/sightings.js';
import {
  firedSighting,
  isWithheld,
  withheldOf,
  withheldOutcome,
} from '../../chaos/runner/withheld.js';
import { confirmedMs, fires, injectedMs, page, scenario, slo } from './evidence.js';

const [wanted] = scenario.expect.mustFire;
const labels = { alertname: 'CartLatency', severity: 'page', ...slo };

const sighting = (change: Partial<Sighting> = {}): Sighting => ({
  labels,
  firingAtMs: 103_000,
  lastSeenMs: 110_000,
  ...change,
});
const inhibited = { ...wanted!, inhibitedBy: 'Down' };
const silenced = { ...wanted!, silencedBy: 'moved' };

test.each([
  ['fired under the fault', sighting(), 103_000],
  ['only pending', sighting({ firingAtMs: undefined } as never), undefined],
  ['before the injection', sighting({ firingAtMs: 99_999 }), undefined],
  ['at the injection', sighting({ firingAtMs: injectedMs }), injectedMs],
  ['its condition held before', sighting({ activeAtMs: 99_999 }), undefined],
  ['its condition held since', sighting({ activeAtMs: injectedMs }), 103_000],
  ['another severity', sighting({ labels: { ...labels, severity: 'ticket' } }), undefined],
  ['no severity', sighting({ labels: { alertname: 'CartLatency', ...slo } }), undefined],
  ['another name', sighting({ labels: { ...labels, alertname: 'X' } }), undefined],
  ['no name', sighting({ labels: { severity: 'page', ...slo } }), undefined],
])('%s', (_, seen, atMs) => {
  const later = sighting({ firingAtMs: 109_000, labels: { ...labels, pod: 'b' } });
  expect(firedSighting(inhibited, [seen], injectedMs)?.firingAtMs).toBe(atMs);
  expect(firedSighting(inhibited, [later, seen], injectedMs)?.firingAtMs).toBe(atMs ?? 109_000);
  expect(firedSighting(inhibited, [seen], undefined)).toBeUndefined();
});

test('one without a severity label is found as none', () => {
  const bare = sighting({ labels: { alertname: 'CartLatency', ...slo } });
  expect(firedSighting({ ...inhibited, severity: 'none' }, [bare], injectedMs)).toBe(bare);
});

test.each([
  [inhibited, 'inhibited', 'Down', true],
  [inhibited, 'inhibited', 'Down (inhibit rule 2)', true],
  [inhibited, 'inhibited', 'Downs', false],
  [inhibited, 'inhibited', undefined, false],
  [inhibited, 'silenced', 'Down', false],
  [silenced, 'silenced', "'cart is moved' (alice)", true],
  [silenced, 'silenced', 'another', false],
] as const)('%#: hidden by the right one', (one, state, by, expected) => {
  const standing: Standing = { state, ...(by !== undefined && { by }) };
  expect(isWithheld(sighting({ standing }), withheldOf(one)!)).toBe(expected);
  expect(isWithheld(sighting(), withheldOf(one)!)).toBe(false);
});

const after = { deadlineMs: 7000, firedMs: 2000, receivedMs: undefined, rollbackEndMs: 20_000 };
const by = (state: Standing['state'], text?: string) =>
  sighting({ standing: { state, ...(text !== undefined && { by: text }) } });
test.each([
  [
    inhibited,
    by('inhibited', 'Down'),
    {},
    'inhibited',
    'fired after 2.0 s and was inhibited by Down, as it must be',
  ],
  [
    inhibited,
    by('inhibited', 'Down'),
    { firedMs: 7000 },
    'inhibited',
    'fired after 7.0 s and was inhibited by Down, as it must be',
  ],
  [
    inhibited,
    by('inhibited', 'Down'),
    { firedMs: undefined },
    'inhibited',
    'fired and was inhibited by Down, as it must be',
  ],
  [
    inhibited,
    by('inhibited', 'Down'),
    { receivedMs: 20_500 },
    'inhibited',
    'fired after 2.0 s and was inhibited by Down, as it must be; it went on, and was notified 0.5 s after the rollback',
  ],
  [
    inhibited,
    by('inhibited', 'Down'),
    { receivedMs: 20_000 },
    'not-withheld',
    'was notified after 20.0 s, though Down must inhibit it',
  ],
  [
    silenced,
    by('silenced', 'moved'),
    { receivedMs: 3000, rollbackEndMs: undefined },
    'not-withheld',
    'was notified after 3.0 s, though moved must silence it',
  ],
  [
    inhibited,
    by('inhibited', 'Other'),
    {},
    'inhibited',
    'fired and was inhibited by Other, expected Down',
  ],
  [
    inhibited,
    by('inhibited'),
    {},
    'inhibited',
    'fired and was inhibited by another, expected Down',
  ],
  [
    silenced,
    by('silenced', 'moved'),
    { firedMs: 7100 },
    'late',
    'fired after 7.1 s, later than its deadline of 7.0 s, and was silenced by moved',
  ],
  [inhibited, by('silenced', 'Down'), {}, undefined, undefined],
  [inhibited, sighting(), {}, undefined, undefined],
  [inhibited, undefined, {}, undefined, undefined],
] as const)('%#: its outcome', (one, seen, change, kind, text) => {
  const outcome = withheldOutcome(withheldOf(one)!, seen, { ...after, ...change });
  expect([outcome?.kind, outcome?.text]).toEqual([kind, text]);
  expect(outcome?.certain).toBe(text?.includes('expected') ? true : undefined);
});

test('nothing says that it must be hidden', () => {
  expect(withheldOf(wanted!)).toBeUndefined();
  expect(withheldOf(inhibited)).toEqual({ how: 'inhibited', by: 'Down' });
  expect(withheldOf(silenced)).toEqual({ how: 'silenced', by: 'moved' });
});

test.each([
  ['a page that fires', { notifications: page(103_000) }, 1],
  ['a page that resolved', { notifications: page(103_000, 110_000) }, 0],
  ['a page of before the injection', { notifications: page(99_999) }, 0],
  ['at the injection', { notifications: page(injectedMs) }, 1],
  ['no injection', { notifications: page(103_000), injectedMs: undefined }, 0],
  [
    'one that need not resolve',
    { notifications: page(103_000), wanted: [{ ...wanted!, resolveWithin: undefined }] },
    0,
  ],
  ['another alert', { notifications: fires('Other', 'page', 103_000) }, 0],
  ['a hidden one that fires', { wanted: [inhibited], sightings: [sighting()] }, 1],
  ['a hidden one that ended', { wanted: [inhibited], sightings: [sighting({ endedAtMs: 1 })] }, 0],
  ['one that fires, and is not hidden', { sightings: [sighting()] }, 0],
  ['one that was never seen', { wanted: [inhibited] }, 0],
])('unresolved: %s', (_, change, count) => {
  const usual = { wanted: [wanted!], injectedMs, confirmedMs, notifications: [], sightings: [] };
  expect(unresolvedOf({ ...usual, ...change })).toBe(count);
});
