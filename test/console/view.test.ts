/** The page's figures from events alone: live and recorded days, at any moment, in any order of lines. */
import { expect, test } from 'vitest';
import { pathOf } from '../../console/page/series-path.js';
import { blastRadius, laneName, laneState, viewAt } from '../../console/page/view.js';
import { laneText } from '../../console/page/lane-text.js';
import { type DrillEvent, drillEvents } from '../../runbooks/events.js';
import { wakes } from '../../runbooks/pager.js';
import { badGameDay, goodGameDay } from '../runbooks/fixture.js';

const rounded = (ms: number | undefined): number | undefined =>
  ms === undefined ? undefined : Math.round(ms);

test.each([
  ['good', goodGameDay()],
  ['bad', badGameDay()],
])('a recorded day shows what its record says: %s', (_, record) => {
  const events = drillEvents(record);
  // The final events come last in the file whenever they happened.
  const view = viewAt([...events.slice(-5), ...events.slice(0, -5)], Infinity);
  expect([view.title, view.verdict]).toEqual([record.title, record.verdict]);
  expect(view.scenarios.map((s) => [s.id, s.verdict, s.reasons])).toEqual(
    record.scenarios.map((s) => [s.id, s.verdict, s.reasons]),
  );
  expect(view.pages).toBe(record.alerts.filter((a) => wakes(a.severity)).length);
  expect(view.tickets).toBe(record.alerts.filter((a) => !wakes(a.severity)).length);
  for (const [i, scenario] of record.scenarios.entries()) {
    const own = view.scenarios[i];
    const armed = scenario.confirmedMs === undefined ? [] : scenario.expectations;
    expect(own?.lanes).toHaveLength(armed.length);
    for (const [k, e] of armed.entries()) {
      const lane = own?.lanes[k];
      const after = lane?.notifiedAtMs && lane.notifiedAtMs - lane.armedAtMs;
      expect(rounded(after)).toBe(rounded(e.receivedAfterMs));
      expect(lane?.missed === undefined).toBe(e.inTime);
    }
  }
});

const day: DrillEvent[] = [
  { kind: 'day', atMs: 0, state: 'started', title: 'Game day of shop', scenarios: ['cut', 'kill'] },
  { kind: 'scenario', atMs: 10, scenario: 'cut', state: 'started', title: 'Cut' },
  { kind: 'phase', atMs: 20, scenario: 'cut', phase: 'fault', state: 'started' },
  { kind: 'fault', atMs: 21, scenario: 'cut', id: 'f', fault: 'cut', target: 'a/b', state: 'put' },
  {
    kind: 'fault',
    atMs: 30,
    scenario: 'cut',
    id: 'f',
    fault: 'cut',
    target: 'a/b',
    state: 'confirmed',
  },
  ...['x', 'y'].map((slo): DrillEvent => {
    const own = { kind: 'expectation' as const, scenario: 'cut', alert: 'Burn', severity: 'page' };
    return { ...own, labels: { slo }, atMs: 30, state: 'armed', deadlineAtMs: 1030 };
  }),
  {
    kind: 'expectation',
    scenario: 'cut',
    alert: 'Burn',
    severity: 'page',
    labels: { slo: 'y' },
    atMs: 530,
    state: 'notified',
    afterMs: 500,
  },
  ...['one', 'two'].map((receiver): DrillEvent => {
    const own = { kind: 'alert' as const, alert: 'Other', severity: 'ticket', labels: {} };
    return { ...own, atMs: 600, state: 'notified', receiver };
  }),
];

test('a moment in the middle: later events are not shown yet', () => {
  expect(viewAt(day, 25).scenarios[0]).toMatchObject({ phase: 'fault', lanes: [] });
  expect(viewAt(day, 25).scenarios[0]?.faults[0]).not.toHaveProperty('confirmedAtMs');
  const later = viewAt(day, 2000);
  expect(later.planned).toEqual(['cut', 'kill']);
  const lanes = later.scenarios[0]?.lanes ?? [];
  // Two alerts of one name under two SLOs are two lanes; one was notified.
  expect(lanes.map((l) => [laneName(l), laneText(l, 2000)])).toEqual([
    ['Burn (x)', 'awaited, late by 1.0 s'],
    ['Burn (y)', 'rang after 0.5 s, 0.5 s before its deadline'],
  ]);
  // One alert at two receivers is one.
  expect(later.scenarios[0]?.others).toHaveLength(1);
});

test('an alert that came before the effect was seen has its lane, and no other', () => {
  const own = { alert: 'Burn', severity: 'page', labels: { slo: 'x' } };
  const alert = { ...own, kind: 'alert' as const, labels: { ...own.labels, region: 'eu' } };
  const events: DrillEvent[] = [
    ...day,
    { ...alert, atMs: 25, state: 'notified' },
    { ...alert, atMs: 28, state: 'notified', labels: { slo: 'z' } },
    { ...own, kind: 'expectation', scenario: 'cut', atMs: 25, state: 'notified', afterMs: -5 },
    { ...alert, atMs: 700, state: 'resolved' },
  ];
  const early = viewAt(events, 29).scenarios[0];
  expect(early?.others.map((o) => o.alert)).toEqual(['Burn']);
  const [x] = viewAt(events, 2000).scenarios[0]?.lanes ?? [];
  expect([laneState(x!, 2000), laneText(x!, 2000), x?.resolvedAtMs]).toEqual([
    'came',
    'rang 0.0 s before the fault was seen to take effect, 1.0 s before its deadline',
    700,
  ]);
  expect(viewAt(events, 2000).scenarios[0]?.others.map((o) => o.alert)).toEqual(['Other']);
});

test('the expected time: as far as it was known then, and as it was judged where nothing was known', () => {
  const own = { kind: 'theory' as const, scenario: 'cut', alert: 'Burn', severity: 'page' };
  const band = (atMs: number, slo: string, earliestAtMs: number, within?: boolean): DrillEvent => ({
    ...own,
    atMs,
    labels: { slo },
    armedAtMs: 30,
    earliestAtMs,
    latestAtMs: 600,
    ...(within !== undefined && { within }),
  });
  const events = [...day, band(50, 'x', 400), band(60, 'x', 420), band(900, 'x', 430, true)];
  events.push(band(900, 'y', 440, false));
  const bands = (untilMs: number) =>
    viewAt(events, untilMs).scenarios[0]?.lanes.map((l) => l.theory?.earliestAtMs);
  expect([40, 55, 100, 1000].map(bands)).toEqual([
    [430, 440],
    [400, 440],
    [420, 440],
    [430, 440],
  ]);
  const [x] = viewAt(events, 55).scenarios[0]?.lanes ?? [];
  expect(laneText(x!, 55)).toBe('awaited, 1.0 s left; expected after 0.4 s to 0.6 s');
});

test('an acknowledgement is shown at the last page, or at the one that it names', () => {
  const ack = { kind: 'acknowledgement' as const, by: 'on call' };
  const texts = (event: DrillEvent) =>
    viewAt([...day, event], 2000).scenarios[0]?.lanes.map((l) => laneText(l, 2000));
  const seen = 'rang after 0.5 s, 0.5 s before its deadline; acknowledged 1.0 s later';
  expect(texts({ ...ack, atMs: 1530 })?.[1]).toBe(seen);
  expect(texts({ ...ack, atMs: 1530, alert: 'Burn' })?.[1]).toBe(seen);
  expect(texts({ ...ack, atMs: 1530, alert: 'Other' })?.[1]).not.toContain('acknowledged');
  // Before any page there is nothing to acknowledge.
  expect(texts({ ...ack, atMs: 100 })?.[1]).not.toContain('acknowledged');
});

test('an alert after the end of the day is counted by neither the record nor the page', () => {
  const record = badGameDay();
  const last = drillEvents(record);
  const late: DrillEvent = {
    kind: 'alert',
    atMs: record.endedMs + 50,
    alert: 'Late',
    severity: 'ticket',
    labels: {},
    state: 'notified',
  };
  const { tickets, scenarios } = viewAt([...last, late], Infinity);
  expect(tickets).toBe(record.alerts.filter((a) => !wakes(a.severity)).length);
  expect(scenarios.flatMap((s) => s.others).map((o) => o.alert)).not.toContain('Late');
});

test('a point between two gaps is drawn, and a series of one point', () => {
  const x = (ms: number) => ms;
  expect(pathOf([[5, 1]], x, x)).toBe('M5.0,1.0h2');
  const gap: [number, number][] = [
    [1, 1],
    [2, 1],
    [3, NaN],
    [4, 1],
    [5, NaN],
    [6, 2],
    [7, 2],
  ];
  expect(pathOf(gap, x, x)).toBe('M1.0,1.0L2.0,1.0M4.0,1.0h2M6.0,2.0L7.0,2.0');
  expect(pathOf([], x, x)).toBe('');
});

test('struck services and their blast radius: the callers, and their callers', () => {
  const system = {
    kind: 'system' as const,
    atMs: 0,
    name: 'shop',
    services: ['web', 'cart', 'pay', 'news'],
    dependencies: ['db'],
    calls: [
      { from: 'web', to: 'cart' },
      { from: 'cart', to: 'db' },
      { from: 'web', to: 'news' },
    ],
  };
  expect([...blastRadius(system, ['db'])].sort()).toEqual(['cart', 'db', 'web']);
  expect([...blastRadius(system, ['pay'])]).toEqual(['pay']);
  expect([...blastRadius(system, [])]).toEqual([]);
});

test('abort distances and budgets: the latest of each, and minutes where they were told', () => {
  const budget = { kind: 'budget' as const, slo: 'checkout' };
  const distance = { kind: 'distance' as const, scenario: 'cut', forMs: 900, above: 0.9 };
  const view = viewAt(
    [
      ...day,
      { ...budget, atMs: 100, spentOfPeriod: 0.1, budgetMinutes: 43.2 },
      { ...budget, atMs: 200, spentOfPeriod: 0.2 },
      { ...budget, atMs: 200, slo: 'worst', spentOfPeriod: 0.5 },
      { ...distance, atMs: 100, condition: 'down', value: 0.1, heldMs: 0 },
      { ...distance, atMs: 100, condition: 'gone', heldMs: 0 },
      { ...distance, atMs: 200, condition: 'down', value: 0.95, heldMs: 100 },
    ],
    2000,
  );
  expect(view.budgets).toEqual([
    { slo: 'worst', spentOfPeriod: 0.5 },
    { slo: 'checkout', spentOfPeriod: 0.2, budgetMinutes: 43.2 },
  ]);
  expect(view.scenarios[0]?.distances.map((d) => [d.condition, d.value, d.heldMs])).toEqual([
    ['down', 0.95, 100],
    ['gone', undefined, 0],
  ]);
});

const hiddenBy = { how: 'inhibited' as const, by: 'PlaneDown' };
const hiding: DrillEvent[] = [
  { kind: 'scenario', atMs: 0, scenario: 'cut', state: 'started', title: 'Cut' },
  { kind: 'fault', atMs: 0, scenario: 'cut', id: 'f', fault: 'cut', target: 'a/b', state: 'put' },
];
const ofHidden = { kind: 'expectation', scenario: 'cut', alert: 'Lost', severity: 'page' } as const;
const armed: DrillEvent = {
  ...ofHidden,
  labels: {},
  atMs: 0,
  state: 'armed',
  deadlineAtMs: 1000,
  withheld: hiddenBy,
};
const notified: DrillEvent = { ...ofHidden, labels: {}, atMs: 900, state: 'notified' };
const gone: DrillEvent = { ...hiding[1]!, atMs: 800, state: 'removed' } as DrillEvent;
const wasHidden: DrillEvent = {
  ...ofHidden,
  labels: {},
  atMs: 400,
  state: 'withheld',
  text: 'fired after 0.4 s and was inhibited by PlaneDown',
};

test.each<[string, DrillEvent[], string, string]>([
  ['not judged yet', [], 'awaited', 'must fire, and must be inhibited by PlaneDown: judged'],
  ['hidden', [wasHidden], 'came', 'fired after 0.4 s and was inhibited by PlaneDown'],
  ['notified', [notified], 'late', 'rang after 0.9 s, and must be inhibited by PlaneDown'],
  ['notified after the rollback', [gone, notified, wasHidden], 'came', 'fired after 0.4 s'],
  [
    'neither',
    [{ ...ofHidden, labels: {}, atMs: 2000, state: 'missed', text: 'did not fire' }],
    'late',
    'did not fire',
  ],
])('an alert that must be hidden is late by its verdict alone: %s', (_, more, state, text) => {
  const [lane] = viewAt([...hiding, armed, ...more], Infinity).scenarios[0]!.lanes;
  // Long after the deadline.
  expect(laneState(lane!, 5000)).toBe(state);
  expect(laneText(lane!, 5000)).toContain(text);
});
