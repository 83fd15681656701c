/** The arithmetic for each expected alert, and its measurements: every query is written out by hand. */
import { expect, test } from 'vitest';
import { theoriesOf, theoryFor } from '../../chaos/runner/theories.js';
import type { ScenarioRun } from '../../chaos/runner/run-scenario.js';
import type { Firing } from '../../runbooks/record.js';
import { readSloText, type RuleGroup } from '../../slo/index.js';
import { rule } from './evidence.js';

const injectedMs = 100_000;
const confirmedMs = 101_000;
const faultEndMs = 160_000;

const [slo] = readSloText(
  't.yaml',
  `apiVersion: firedrill.dev/v1
service: cart
slos:
  - name: availability
    objective: 99
    sli: { events: { bad: e_total, total: t_total } }
    alerting:
      windows:
        - { severity: page, factor: 10, long: 1h, short: 5m }
        - { severity: ticket, factor: 2, long: 6h, short: 30m }
`,
);

type Wanted = Partial<ScenarioRun['scenario']['expect']['mustFire'][number]>;
interface Told {
  wanted?: Wanted[];
  points?: { ok: boolean; atMs: number; ms: number }[];
  /** Answers by the beginning of the query. */
  answers?: Record<string, number[]>;
  ranges?: Record<string, [number, number][]>;
  groups?: RuleGroup[];
  run?: Record<string, unknown>;
  firings?: Partial<Firing>[];
}

const timing = {
  timeScale: 1 / 60,
  stepMs: 30_000,
  scrapeIntervalMs: 250,
  evaluationIntervalMs: 400,
};
const twoGroups: RuleGroup[] = [
  { name: 'none', rules: [{ kind: 'record', record: 'A', expr: '1', labels: {} }] },
  {
    name: 'slow',
    intervalMs: 2000,
    rules: [rule('A', 'ticket'), { ...rule('A', 'page'), forMs: 3000 }],
  },
];

async function told({ wanted = [{}], points = [], answers = {}, ranges = {}, ...more }: Told) {
  const asked: [string, number][] = [];
  const scenario = {
    expect: {
      mustFire: wanted.map((w) => ({
        alert: 'A',
        labels: {},
        severity: 'page',
        since: 'confirmed',
        theory: 'for',
        ...w,
      })),
    },
  };
  const run = {
    scenario,
    injectedMs,
    nowMs: 200_000,
    armStretches: [],
    phases: [
      { kind: 'baseline', startMs: 0, endMs: injectedMs },
      { kind: 'fault', startMs: injectedMs, endMs: faultEndMs },
      { kind: 'fault', startMs: 170_000, endMs: 180_000 },
    ],
    sightings: { all: [] },
    sources: { points: { all: () => points } },
    context: {
      groups: more.groups ?? twoGroups,
      slos: [slo],
      watchedSinceMs: 40_000,
      timing,
      watch: {
        query(expr: string, atMs: number) {
          asked.push([expr, atMs]);
          const found = Object.entries(answers).find(([begin]) => expr.startsWith(begin));
          return Promise.resolve((found?.[1] ?? []).map((value) => ({ labels: {}, value })));
        },
        queryRange(expr: string, startMs: number, endMs: number, stepMs: number) {
          asked.push([`${expr} ${startMs} ${endMs} ${stepMs}`, 0]);
          const found = Object.entries(ranges).find(([begin]) => expr.startsWith(begin));
          return Promise.resolve(found ? [{ labels: {}, points: found[1] }] : []);
        },
      },
    },
    ...more.run,
  };
  const firings = (more.firings ?? []).map((f) => ({
    name: 'A',
    labels: {},
    severity: 'page',
    firedAtMs: 105_000,
    ...f,
  }));
  const found = await theoriesOf(
    run as unknown as ScenarioRun,
    'confirmedMs' in (more.run ?? {}) ? undefined : confirmedMs,
    firings as unknown as Firing[],
  );
  return { ...found, asked, theory: found.theories[0] };
}

test('nothing confirmed is no theory; the first error is told all the same', async () => {
  const points = [
    { ok: false, atMs: 90_000, ms: 100 },
    { ok: true, atMs: 100_100, ms: 1 },
    { ok: false, atMs: 101_500, ms: 50 },
    { ok: false, atMs: 100_900, ms: 300 },
  ];
  const { theories, onsetMs } = await told({ points, run: { confirmedMs: undefined } });
  expect([theories, onsetMs]).toEqual([[], 101_200]);
  expect((await told({ run: { injectedMs: undefined }, points })).onsetMs).toBeUndefined();
  expect((await told({ points: points.slice(0, 2) })).onsetMs).toBeUndefined();
  // A failure answered at the very time of the injection counts.
  expect((await told({ points: [{ ok: false, atMs: 99_990, ms: 10 }] })).onsetMs).toBe(100_000);
});

test('a condition that holds at once: its own rule by severity, its group by interval', async () => {
  const { theory } = await told({ firings: [{ firedAtMs: 107_000 }] });
  // Pending 3 s; a scrape and two evaluations of 2 s at worst.
  expect(theory).toMatchObject({
    exactMs: 3000,
    earliestMs: 3000,
    latestMs: 3000 + 250 + 4000,
    evaluationIntervalMs: 2000,
    within: true,
  });
  const ticket = await told({
    wanted: [{ severity: 'ticket' }],
    firings: [{ severity: 'ticket' }],
  });
  expect(ticket.theory).toMatchObject({ exactMs: 500, within: true });
  const unknown = await told({ wanted: [{ alert: 'B' }] });
  expect(unknown.theory).toMatchObject({ exactMs: 0, evaluationIntervalMs: 400, within: false });
  const { labels: _, ...bare } = rule('C', 'page');
  const unlabelled = [{ name: 'g', rules: [{ ...bare, labels: {}, forMs: 700 }] }];
  const none = await told({ wanted: [{ alert: 'C', severity: 'none' }], groups: unlabelled });
  expect(none.theory?.exactMs).toBe(700);
});

test('only a firing after the injection counts, and it must be the wanted one', async () => {
  expect((await told({ firings: [{ firedAtMs: 99_999 }] })).theory?.within).toBe(false);
  expect((await told({ firings: [{ firedAtMs: 104_000, name: 'B' }] })).theory?.within).toBe(false);
  const both = await told({ firings: [{ firedAtMs: 99_000 }, { firedAtMs: 104_500 }] });
  expect(both.theory?.within).toBe(true);
  const atOnce = await told({
    wanted: [{ alert: 'B' }],
    firings: [{ name: 'B', firedAtMs: 101_200 }],
  });
  expect(atOnce.theory?.within).toBe(true);
});

test('one that nobody must be told of is taken as its rule was seen', async () => {
  const sighting = { labels: { alertname: 'A', severity: 'page' }, firingAtMs: 104_500 };
  const sightings = { all: [sighting] };
  const hidden = await told({ wanted: [{ inhibitedBy: 'Cause' }], run: { sightings } });
  expect(hidden.theory?.within).toBe(true);
  expect((await told({ run: { sightings } })).theory?.within).toBe(false);
  const unseen = await told({ wanted: [{ silencedBy: 'works' }] });
  expect(unseen.theory?.within).toBe(false);
});

test('times of an arm count from its own confirmation, if it has one', async () => {
  const armStretches = [
    { name: 'a', startMs: 0, endMs: 1, confirmedMs: 102_500 },
    { name: 'b', startMs: 0, endMs: 1, confirmedMs: undefined },
  ];
  const firings = [{ firedAtMs: 109_900 }];
  const within = async (arm: string | undefined) =>
    (await told({ wanted: [arm === undefined ? {} : { arm }], firings, run: { armStretches } }))
      .theory;
  // 7.4 s after the arm's confirmation is within 7.25 s and an evaluation; 8.9 s after the first is within 9.25 s.
  expect((await within('a'))?.within).toBe(true);
  const late = [{ firedAtMs: 111_000 }];
  const of = async (arm: string) =>
    (await told({ wanted: [{ arm }], firings: late, run: { armStretches } })).theory?.within;
  expect([await of('a'), await of('b')]).toEqual([true, false]);
});

test('theory `none` says nothing, and one that cannot be asked leaves the others', async () => {
  expect((await told({ wanted: [{ theory: 'none' }] })).theories).toEqual([undefined]);
  const broken = { since: { promql: 'x' } } as Wanted;
  const run = {
    context: {
      groups: twoGroups,
      slos: [],
      watchedSinceMs: 0,
      timing,
      watch: { query: () => Promise.reject(new Error('gone')) },
    },
  };
  const { theories } = await told({ wanted: [broken, {}], run });
  expect(theories[0]).toBeUndefined();
  expect(theories[1]?.exactMs).toBe(3000);
});

test('an onset that is asked: the earliest number, in seconds, at the end of the first fault', async () => {
  const wanted = [{ since: { promql: 'min(expiry)' } }] as Wanted[];
  const { theory, asked } = await told({ wanted, answers: { 'min(expiry)': [103, NaN, 102] } });
  expect(asked).toEqual([['min(expiry)', faultEndMs]]);
  expect(theory).toMatchObject({ exactMs: 4000, earliestMs: 4000 });
  expect((await told({ wanted, answers: { 'min(expiry)': [NaN] } })).theory).toBeUndefined();
  const early = await told({ wanted, run: { phases: [] } });
  expect(early.asked).toEqual([['min(expiry)', 200_000]]);
});

test('an onset by the first error of any route, where the alert is of no SLO', async () => {
  const points = [{ ok: false, atMs: 102_000, ms: 500 }];
  const wanted: Wanted[] = [{ since: 'first-error' }];
  expect((await told({ wanted, points })).theory?.exactMs).toBe(1500 + 3000);
  expect((await told({ wanted })).theory).toBeUndefined();
});

test('a firing that resolved before the fault took effect is not the one, nor are its failures', async () => {
  const blip = { firedAtMs: 100_300, resolvedAtMs: 100_600 };
  const firings = [blip, { firedAtMs: 104_500 }];
  expect((await told({ firings })).theory?.within).toBe(true);
  expect((await told({ firings: [blip] })).theory?.within).toBe(false);
  // It still fired when the fault took effect.
  const lasting = { ...blip, resolvedAtMs: confirmedMs };
  expect((await told({ firings: [lasting, { firedAtMs: 104_500 }] })).theory?.within).toBe(false);
  const points = [
    { ok: false, atMs: 100_200, ms: 50 },
    { ok: false, atMs: 101_200, ms: 50 },
  ];
  const wanted: Wanted[] = [{ since: 'first-error' }];
  expect((await told({ wanted, points, firings })).theory?.exactMs).toBe(250 + 3000);
  const early = await told({ wanted, points, firings: [{ firedAtMs: 104_500 }] });
  expect(early.theory?.exactMs).toBe(-750 + 3000);
});

const sloAlert: Wanted = { alert: slo!.alerting.name, since: 'first-error', theory: 'slo' };

test("an onset by the SLO's own bad events, where it has some", async () => {
  const points = [
    { ok: false, atMs: 100_100, ms: 100 },
    { ok: false, atMs: 103_000, ms: 200 },
  ];
  const wanted = [{ ...sloAlert, theory: 'for' as const }];
  // A step of half a second at 1/60, evaluated at 103.4 s: it contains the failure answered at 103.2 s.
  const ranges = {
    'sum(slo:events_bad:increase30s{slo="cart-availability"})': [[103_400, 5]] as [
      number,
      number,
    ][],
    'sum(slo:events_total:increase30s{slo="cart-availability"})': [[103_400, 50]] as [
      number,
      number,
    ][],
  };
  const own = await told({ wanted, points, ranges });
  expect(own.theory?.exactMs).toBe(2200);
  expect(own.asked[0]?.[0]).toMatch(/ 100000 180000 500$/);
  expect((await told({ wanted, points })).theory?.exactMs).toBe(-800);
  const noPhase = await told({ wanted, points, ranges, run: { phases: [] } });
  expect(noPhase.asked[0]?.[0]).toMatch(/ 100000 200000 500$/);
});

test('an SLO: its errors, traffic and history before the onset and after it', async () => {
  const wanted = [{ ...sloAlert, since: 'confirmed' as const }];
  // From 61 s before the onset, clipped to the start of the watch, to the onset; then to the firing, a step and a
  // scrape.
  const answers = {
    'sum(sum_over_time(slo:events_total:increase30s{slo="cart-availability"}[4s750ms]))': [950],
    'sum(sum_over_time(slo:events_bad:increase30s{slo="cart-availability"}[4s750ms]))': [475],
    'sum(sum_over_time(slo:events_total:increase30s{slo="cart-availability"}[1m]))': [6000],
    'sum(sum_over_time(slo:events_bad:increase30s{slo="cart-availability"}[1m]))': [0],
  };
  const firings = [{ name: slo!.alerting.name, firedAtMs: 105_000 }];
  const { theory, asked } = await told({ wanted, answers, firings });
  expect(theory?.basis).toBe(
    'errors of cart-availability step from 0% to 50% where 1% are allowed',
  );
  expect(asked.map(([expr, atMs]) => [/\[(\w+)\]/.exec(expr)?.[1], atMs])).toEqual([
    ['4s750ms', 105_750],
    ['1m', confirmedMs],
    ['1m', confirmedMs],
    ['4s750ms', 105_750],
  ]);
  // 10% of a minute that contains 60 s of 100 per second, then 200 per second of which half fail: x 0.5 = 0.1 (60 s - x
  // + 2 x).
  expect(theory?.exactMs).toBeCloseTo((60_000 * 0.1) / (2 * 0.5 - 0.1 * 1), -2);
  const quiet = { ...answers, [Object.keys(answers)[2] as string]: [0] };
  expect((await told({ wanted, answers: quiet, firings })).theory).toBeUndefined();
  expect((await told({ wanted, firings })).theory).toBeUndefined();
});

test('an SLO that is watched for less than a minute, and one whose alert never fired', async () => {
  const wanted = [{ ...sloAlert, since: 'confirmed' as const }];
  const base = { groups: twoGroups, slos: [slo], timing };
  const asked: [string, number][] = [];
  const watch = {
    query(expr: string, atMs: number) {
      asked.push([expr, atMs]);
      return Promise.resolve([{ labels: {}, value: 10 }]);
    },
  };
  const run = { context: { ...base, watch, watchedSinceMs: 91_000 } };
  await told({ wanted, run });
  // Without a firing: until the first fault's end, and a step and a scrape more.
  expect(asked.map(([expr, atMs]) => [/\[(\w+)\]/.exec(expr)?.[1], atMs])).toEqual([
    ['59s750ms', 160_750],
    ['10s', confirmedMs],
    ['10s', confirmedMs],
    ['59s750ms', 160_750],
  ]);
  asked.length = 0;
  await told({ wanted, run: { ...run, phases: [] } });
  // Without a firing and without phases: one step after the onset.
  expect(asked[0]?.[1]).toBe(confirmedMs + 500 + 500 + 250);
});

test('while its alert is awaited, an SLO rests on what was recorded until now, and on two steps at least', async () => {
  const asked: [string, number][] = [];
  const run = {
    injectedMs,
    armStretches: [],
    phases: [{ kind: 'baseline', startMs: 0, endMs: injectedMs }],
    context: {
      groups: twoGroups,
      slos: [slo],
      timing,
      watchedSinceMs: 40_000,
      watch: {
        query(expr: string, atMs: number) {
          asked.push([expr, atMs]);
          const isBad = expr.includes('events_bad');
          return Promise.resolve([{ labels: {}, value: isBad ? 50 : 100 }]);
        },
      },
    },
  } as unknown as ScenarioRun;
  const wanted = { ...sloAlert, since: 'confirmed', labels: {}, severity: 'page' } as never;
  const at = (nowMs: number) => theoryFor(run, wanted, undefined, confirmedMs, { nowMs });
  expect(await at(confirmedMs + 1249)).toBeUndefined();
  expect(asked).toEqual([]);
  expect(await at(confirmedMs + 3000)).toMatchObject({ earliestMs: 0, within: false });
  expect([...new Set(asked.map(([, atMs]) => atMs))]).toEqual([confirmedMs + 3000, confirmedMs]);
});

test('the SLO of an alert is told by its label, else by its name; the severity chooses its windows', async () => {
  const theoryOf = async (more: Wanted, bad = 90) =>
    (
      await told({
        wanted: [{ theory: 'slo', ...more }],
        answers: {
          'sum(sum_over_time(slo:events_total': [600],
          'sum(sum_over_time(slo:events_bad': [bad],
        },
      })
    ).theory;
  expect(await theoryOf({ alert: 'Other', labels: { slo: 'cart-availability' } })).toBeDefined();
  expect(await theoryOf({ alert: 'Other' })).toBeUndefined();
  expect(await theoryOf({ alert: slo!.alerting.name, labels: { slo: 'other' } })).toBeUndefined();
  expect(await theoryOf({ alert: slo!.alerting.name })).toMatchObject({ exactMs: 0 });
  // 5% bad before and after: above twice the budget, and not above ten times.
  const own = { alert: slo!.alerting.name };
  expect(await theoryOf({ ...own, severity: 'ticket' }, 30)).toMatchObject({ exactMs: 0 });
  expect(await theoryOf({ ...own, severity: 'page' }, 30)).toBeUndefined();
  expect(await theoryOf({ ...own, severity: 'critical' }, 30)).toBeUndefined();
});

test('a ratio: its value over the time since the onset, windows no shorter than four scrapes', async () => {
  const wanted = [
    { theory: { ratio: 0.25, windows: [30_000, 300_000], value: 'share([{{since}}], [{{5m}}])' } },
  ] as unknown as Wanted[];
  const firings = [{ firedAtMs: 106_000 }];
  const { theory, asked } = await told({ wanted, answers: { 'share(': [0.5] }, firings });
  expect(asked).toEqual([['share([5s], [5s])', 106_000]]);
  // Half a second becomes a second; half of the longer window of 5 s, and 3 s pending.
  expect(theory?.exactMs).toBe(2500 + 3000);
  expect((await told({ wanted, answers: { 'share(': [NaN] }, firings })).theory).toBeUndefined();
  expect((await told({ wanted, firings })).theory).toBeUndefined();
  expect((await told({ wanted, answers: { 'share(': [0.2] }, firings })).theory).toBeUndefined();
  const short = [
    { alert: 'B', theory: { ratio: 0.25, windows: [6000], value: 'share([{{since}}])' } },
  ] as unknown as Wanted[];
  const quick = await told({ wanted: short, answers: { 'share(': [0.5] }, firings: [] });
  expect(quick.theory?.exactMs).toBe(500);
  expect(quick.asked[0]?.[1]).toBe(faultEndMs);
});
