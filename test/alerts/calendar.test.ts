/** Calendars of planned maintenance: the windows across time zones, and mistakes with their places. */
import { describe, expect, test } from 'vitest';
import { plannedWindows, planSilences, readCalendarText } from '../../alerts/routing/calendar.js';
import { UserError } from '../../base/errors.js';

const head = 'apiVersion: firedrill.dev/v1\nkind: MaintenanceCalendar\nwindows:\n';
const once = `${head}  - name: disks
    why: new disks
    owner: shop
    match: ['service="payment"']
    from: 2026-12-01T22:00:00+01:00
    to: 2026-12-01T23:30:00+01:00
`;
const weekly = `${head}  - name: weekly
    why: restarts
    owner: platform
    match: ['alertname=~"MeshProxyDown|MeshProxyRestarting"']
    every: { days: [sunday], at: '02:30', for: 1h, timezone: Europe/Berlin, until: 2026-11-01T12:00:00Z }
`;
const dayMs = 86_400_000;

const starts = (text: string, now: string, days: number): string[] =>
  plannedWindows(readCalendarText('c.yaml', text), Date.parse(now), days * dayMs).map((w) =>
    new Date(w.fromMs).toISOString(),
  );

describe('windows', () => {
  test('a window that is over, or beyond the horizon, is not planned; one under way is', () => {
    expect(starts(once, '2026-11-30T00:00:00Z', 14)).toEqual(['2026-12-01T21:00:00.000Z']);
    expect(starts(once, '2026-12-01T22:00:00Z', 14)).toEqual(['2026-12-01T21:00:00.000Z']);
    expect(starts(once, '2026-12-01T22:30:00Z', 14)).toEqual([]);
    expect(starts(once, '2026-11-01T00:00:00Z', 14)).toEqual([]);
  });

  test('every Sunday by the clock on the wall, through the end of summer time, until it ends', () => {
    expect(starts(weekly, '2026-10-16T00:00:00Z', 30)).toEqual([
      '2026-10-18T00:30:00.000Z',
      // The night in which this hour occurs twice.
      expect.stringMatching(/^2026-10-25T0[01]:30/),
      '2026-11-01T01:30:00.000Z',
    ]);
  });

  test('the short day on which summer time begins, planned late on the evening before', () => {
    expect(starts(weekly, '2026-03-28T22:30:00Z', 3)).toEqual([
      expect.stringMatching(/^2026-03-29T0[01]:30/),
    ]);
  });

  test('silences of people are left alone', () => {
    const windows = plannedWindows(
      readCalendarText('c.yaml', once),
      Date.parse('2026-12-01T00:00:00Z'),
      dayMs,
    );
    const [wanted] = planSilences(windows, []).create;
    const theirs = { ...wanted!, comment: 'mine', id: '1' };
    expect(planSilences([], [theirs])).toEqual({ create: [], expire: [], keep: [] });
    const begun = {
      ...wanted!,
      id: '2',
      startsAt: '2026-12-01T21:00:07.000Z',
      status: { state: 'active' as const },
    };
    expect(planSilences(windows, [begun])).toMatchObject({ create: [], expire: [], keep: [begun] });
    expect(planSilences([], [begun])).toMatchObject({ expire: [begun] });
  });
});

describe('mistakes', () => {
  test.each([
    ['match: [\'service="payment"\']', 'match: [\'service=~".*"\']', '7:12', /silence everything/],
    ['match: [\'service="payment"\']', 'match: [service]', '7:13', /the matcher service/],
    ['match: [\'service="payment"\']', 'match: []', '7:12', /./],
    ['to: 2026-12-01T23', 'to: 2026-12-01T20', '9:9', /ends before it begins/],
    ['to: 2026-12-01T23', 'to: 2026-12-11T23', '9:9', /longer than a week/],
    ['to: 2026-12-01T23:30:00+01:00', 'to: tomorrow', '9:9', /with its offset/],
    ['    to: 2026-12-01T23:30:00+01:00\n', '', '4:5', /ends before|from and to/],
    [
      '    from: 2026-12-01T22:00:00+01:00\n    to: 2026-12-01T23:30:00+01:00\n',
      '',
      '4:5',
      /either from and to/,
    ],
    ['why: new disks', 'why: ""', '5:10', /./],
    ['name: disks', 'name: New Disks', '4:11', /word such as/],
    ['owner: shop', 'owners: shop', '6:5', /unknown field/],
  ])('%j -> %j', (from, to, place, words) => {
    const text = once.replace(from, () => to);
    expect(text).not.toBe(once);
    let error: unknown;
    try {
      readCalendarText('c.yaml', text);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(UserError);
    expect((error as UserError).message).toMatch(words);
    expect((error as UserError).message).toContain(`c.yaml:${place}`);
  });

  test.each([
    ["at: '02:30'", "at: '2:30'", /the time 2:30/],
    ['for: 1h', 'for: 2d', /at most a day/],
    ['Europe/Berlin', 'Europe/Atlantis', /time zone/],
    ['days: [sunday]', 'days: [sun]', /sunday/],
  ])('%j -> %j', (from, to, words) => {
    expect(() => readCalendarText('c.yaml', weekly.replace(from, to))).toThrow(words);
  });
});
