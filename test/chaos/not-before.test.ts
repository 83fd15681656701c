/** The event that an alert must not precede. */
import { expect, test } from 'vitest';
import { firingsOf } from '../../chaos/runner/firings.js';
import { momentOf } from '../../chaos/runner/not-before.js';
import type { ProcessEvent } from '../../chaos/system/model.js';
import { confirmedMs, fault, fires, injectedMs, scenario } from './evidence.js';

const [wanted] = scenario.expect.mustFire;

const died = (process: string, atMs: number, event: ProcessEvent['event'] = 'exited') => ({
  process,
  atMs,
  event,
});
const sources = {
  injectedMs,
  events: [
    died('cart', 99_999),
    died('cart', 108_000),
    died('cart', 107_000, 'killed'),
    died('cart', 106_000, 'started'),
    died('db', 105_000),
  ],
  firings: firingsOf([...fires('Down', 'page', 99_000), ...fires('Late', 'page', 104_000)]),
  faults: [fault],
};

test.each([
  [undefined, undefined],
  [{ exit: 'cart' }, { what: 'cart died', atMs: 107_000 }],
  [{ exit: 'web' }, { what: 'web died', atMs: 'never' }],
  [{ alert: 'Late' }, { what: 'Late fired', atMs: 104_000 }],
  [{ alert: 'Down' }, { what: 'Down fired', atMs: 'never' }],
  [{ fault: 'slow' }, { what: 'the fault slow took effect', atMs: confirmedMs }],
  [{ fault: 'other' }, { what: 'the fault other took effect', atMs: 'never' }],
])('%j', (notBefore, moment) => {
  expect(momentOf({ ...wanted!, notBefore }, sources)).toEqual(moment);
});

test.each([
  [99_999, 'never'],
  [injectedMs, injectedMs],
])('an event at %d counts from the injection on', (atMs, expected) => {
  const own = { ...sources, events: [died('cart', atMs)], firings: [] };
  expect(momentOf({ ...wanted!, notBefore: { exit: 'cart' } }, own)?.atMs).toBe(expected);
  const fired = { ...sources, firings: firingsOf(fires('Late', 'page', atMs)) };
  expect(momentOf({ ...wanted!, notBefore: { alert: 'Late' } }, fired)?.atMs).toBe(expected);
});
