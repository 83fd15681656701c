/** Arbitrary records for properties: odd numbers, hostile texts, and any optional field may be missing. */
import fc from 'fast-check';
import type { GameDayRecord } from '../../runbooks/record.js';
import { badGameDay, goodGameDay } from './fixture.js';

const hostile = fc.constantFrom(
  '<script>alert(1)</script>',
  '"><img src=x onerror=alert(1)>',
  "'; rm -rf ~; echo '",
  '```\n# heading\n```',
  '| a | b |\n| --- |',
  '[x](javascript:alert(1))',
  '\u001b[2J\u0007\u0000',
  '{{#each this}}{{this}}{{/each}}',
  '&amp; <b> </svg> ]]>',
  '',
);

const texts = fc.oneof({ weight: 1, arbitrary: hostile }, { weight: 1, arbitrary: fc.string() });
const numbers = fc.oneof(
  fc.constantFrom(0, -1, 1, 0.5, 1e-9, 1e15, 8.64e15, -8.64e15, 2 ** 53),
  fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e15, max: 1e15 }),
  fc.integer({ min: 0, max: 100_000 }),
);

/** Texts whose values have a meaning in the code are not replaced. */
const fixed = new Set([
  'verdict',
  'kind',
  'panel',
  'unit',
  'source',
  'undo',
  'measuredFrom',
  'version',
]);
/** Fields that may be absent, if their object contains this other field. */
const optional: Record<string, string> = {
  confirmedMs: 'faults|effect',
  endedMs: 'effect',
  onsetMs: 'faults',
  firedAfterMs: 'inTime',
  receivedAfterMs: 'deadlineMs',
  theory: 'deadlineMs',
  resolve: 'deadlineMs',
  resolvedAfterMs: 'withinMs',
  recoveredAfterMs: 'goodputAfter',
  resolvedAtMs: 'receivedAtMs',
  value: 'held',
  runbook: 'receivedAtMs',
  failureMode: 'faults',
  sections: 'services',
  trustDomain: 'services',
  certificateLifetimeMs: 'services',
  prometheusVersion: 'scrapeIntervalMs',
  abort: 'faults',
  scenario: 'receivedAtMs|atMs',
  arm: 'startMs',
};

const mayMiss = (key: string, object: object): boolean =>
  (optional[key] ?? '').split('|').some((beside) => beside !== '' && beside in object);

/** A made-up record with some of its leaves replaced, dropped or, for lists, emptied. */
export const records: fc.Arbitrary<GameDayRecord> = fc
  .tuple(
    fc.boolean(),
    fc.infiniteStream(texts),
    fc.infiniteStream(numbers),
    fc.infiniteStream(fc.integer({ min: 0, max: 99 })),
    fc.integer({ min: 1, max: 40 }),
  )
  .map(([good, someText, someNumber, chance, share]) => {
    const next = <T>(stream: Iterator<T>): T => stream.next().value as T;
    const hit = (): boolean => next(chance) < share;
    const change = (value: unknown, key: string): unknown => {
      if (typeof value === 'string') return !fixed.has(key) && hit() ? next(someText) : value;
      if (typeof value === 'number') return key !== 'version' && hit() ? next(someNumber) : value;
      if (typeof value === 'boolean') return hit() ? !value : value;
      if (Array.isArray(value)) {
        if (key === 'points') return value.slice(0, next(chance));
        return hit() && next(chance) < 20 ? [] : value.map((v) => change(v, key));
      }
      if (typeof value !== 'object' || value === null) return value;
      return Object.fromEntries(
        Object.entries(value)
          .filter(([k]) => !(mayMiss(k, value) && hit()))
          .map(([k, v]) => [k, change(v, k)]),
      );
    };
    const record = good ? goodGameDay() : badGameDay();
    return change(record, '') as GameDayRecord;
  });

/** Words that no reader may see. */
export const leaks = /\bNaN\b|\bundefined\b|\[object |\bInfinity\b/;
