/** Comparisons of game days: regressions are named, and other changes are not. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { compareDays } from '../../chaos/gameday/compare.js';
import { type GameDayResult, resultOf } from '../../runbooks/report/result.js';
import { badGameDay, goodGameDay } from '../runbooks/fixture.js';
import { drillFolder, firedrill } from './drill.js';

const good = (): GameDayResult => resultOf(goodGameDay());
const later = (change: (day: GameDayResult) => void): GameDayResult => {
  const day = structuredClone(good());
  day.startedAt = '2027-01-01T00:00:00.000Z';
  change(day);
  return day;
};
const first = (day: GameDayResult) => day.scenarios[0]!;
const id = first(good()).id;
const { name, severity, firedAfterSeconds } = first(good()).expectedAlerts[0]!;

test.each<[string, (day: GameDayResult) => void, string[]]>([
  ['the same again', () => undefined, []],
  ['a verdict', (d) => (first(d).verdict = 'FAIL'), [`${id}: passed before, and is FAIL`]],
  ['not run', (d) => d.scenarios.shift(), [`${id}: passed before, and was not run`]],
  [
    'an alert',
    (d) => (first(d).expectedAlerts[0]!.inTime = false),
    [`${id}: ${name} (${severity}) came in time before, and does not`],
  ],
  [
    'an expectation that is gone',
    (d) => first(d).expectedAlerts.shift(),
    [`${id}: ${name} (${severity}) came in time before, and is expected no more`],
  ],
  [
    'slower',
    (d) => (first(d).expectedAlerts[0]!.firedAfterSeconds = firedAfterSeconds! * 2 + 2),
    [expect.stringMatching(/ took [\d.]+ s, and [\d.]+ s at most before$/) as string],
  ],
  [
    'slower at another scale',
    (d) => {
      d.timeScale = '1';
      first(d).expectedAlerts[0]!.firedAfterSeconds = firedAfterSeconds! * 100;
    },
    [],
  ],
])('%s', (_, change, expected) => {
  // The order of the arguments does not matter.
  expect(compareDays([later(change), good()]).regressions).toEqual(expected);
});

test('an alert that is expected twice is compared with itself, by its labels', () => {
  const twice = (day: GameDayResult): GameDayResult => {
    const [one] = first(day).expectedAlerts;
    first(day).expectedAlerts = ['cart', 'web'].map((dst) => ({ ...one!, labels: { dst } }));
    return day;
  };
  const worse = later((day) => (first(twice(day)).expectedAlerts[0]!.inTime = false));
  const { regressions, scenarios } = compareDays([twice(good()), worse]);
  expect(scenarios[0]?.alerts.map((a) => a.labels)).toEqual(['dst=cart', 'dst=web']);
  expect(regressions).toEqual([
    `${id}: ${name} (${severity}, dst=cart) came in time before, and does not`,
  ]);
});

test('an alert that was hidden as it must be has no time, and says so', () => {
  const record = goodGameDay();
  const [expected] = record.scenarios[0]!.expectations;
  Object.assign(expected!, {
    inTime: true,
    receivedAfterMs: 7000,
    withheld: { how: 'inhibited', by: 'Other' },
    outcome: { kind: 'inhibited', text: 'it fired and was inhibited' },
  });
  const [row] = compareDays([resultOf(record)]).scenarios[0]!.alerts;
  expect([row?.seconds, row?.hidden]).toEqual([[undefined], ['inhibited']]);
});

test('a report that became worse: exit code 1, and when each mode last passed', async () => {
  const folder = drillFolder();
  const bad = badGameDay();
  bad.startedMs += 86_400_000;
  for (const [at, record] of Object.entries({ one: goodGameDay(), two: bad })) {
    mkdirSync(join(folder, at));
    writeFileSync(join(folder, at, 'record.json'), JSON.stringify(record));
  }
  const side = await firedrill(folder, 'gameday', 'compare', 'two', 'one').ended;
  expect([side.code, side.output]).toEqual([1, expect.stringMatching(/\nworse: .* passed before/)]);
  const modes = await firedrill(folder, 'gameday', 'compare', '--modes', 'one').ended;
  expect(modes.code).toBe(0);
  expect(modes.output).toMatch(/^MODE +SCENARIO +LAST PASSED +PASSED +NEWEST\n/);
  expect(modes.output).toMatch(/^F3 +certificate-expiry +2026-05-12 09:30 +1 of 1 +PASS$/m);
  const alone = await firedrill(folder, 'gameday', 'compare', 'one').ended;
  expect([alone.code, alone.output]).toEqual([2, expect.stringContaining('one report alone')]);
}, 60_000);
