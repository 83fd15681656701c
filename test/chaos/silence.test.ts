/** Callers failed and nobody was paged: the definition of a silent failure, and the rule that would have fired. */
import { expect, test } from 'vitest';
import { judge } from '../../chaos/runner/judge.js';
import { onsetOfSlo, onsetWithin } from '../../chaos/runner/onset.js';
import { type SilenceFacts, silencesIn } from '../../chaos/runner/silence.js';
import type { LoadPoint } from '../../chaos/load/points.js';
import { asset } from '../../base/paths.js';
import { ruleText, silenceText } from '../../runbooks/words.js';
import { readSlos } from '../../slo/index.js';
import { good } from './evidence.js';

/** Ten requests per second; those from `fromMs` until `untilMs` fail. */
const points = (fromMs: number, untilMs: number, more: Partial<LoadPoint> = {}): LoadPoint[] =>
  Array.from({ length: 600 }, (_, i) => {
    const atMs = i * 100;
    const fails = atMs >= fromMs && atMs < untilMs;
    return {
      route: 'dispatch',
      atMs,
      ms: 20,
      ok: !fails,
      ...(fails && { failure: 'body' as const, ...more }),
    };
  });

const facts = (change: Partial<SilenceFacts> = {}): SilenceFacts => ({
  points: points(5000, 55_000),
  fromMs: 5000,
  untilMs: 58_000,
  toleratedMs: 12_000,
  pagedAtMs: [],
  toldAtMs: [],
  slos: [
    { slo: 'frontend-errors', bad: 0, total: 480 },
    { slo: 'route-errors', bad: 0, total: 0 },
  ],
  fired: [],
  seen: [],
  ...change,
});

test('callers failed for 50 s and nobody was told: the SLOs that were blind, and the probe that is not', () => {
  const [found, ...more] = silencesIn(facts());
  expect(more).toEqual([]);
  expect(silenceText(found!)).toBe(
    'callers of dispatch failed for 49.9 s (500 of 500 requests), and nobody was told; ' +
      'frontend-errors counted 0% bad, route-errors had no events',
  );
  expect(ruleText(found!)).toBe(
    'A probe of the route dispatch that checks the body of the answer would have seen it: probe_success == 0',
  );
});

test('answers that came in another order, and an SLO that counted some of it', () => {
  const slos = [{ slo: 'frontend-errors', bad: 120, total: 480 }];
  const turned = facts({ slos, points: points(5000, 55_000).toReversed() });
  const [found] = silencesIn(turned);
  expect(found).toMatchObject({ startMs: 5000, failedMs: 49_920, errors: 500, requests: 500 });
  expect(found?.slos).toEqual([{ slo: 'frontend-errors', badRatio: 0.25 }]);
});

test.each([
  ['no-answer', 'connects as a client does'],
  ['status', 'checks the status of the answer'],
  ['timeout', 'gives up after the client’s timeout'],
] as const)('most failures are %s: a probe that %s', (failure, does) => {
  const failing = points(5000, 55_000, { failure });
  for (const [i, point] of failing.entries()) if (i % 3 === 0 && !point.ok) point.failure = 'body';
  expect(silencesIn(facts({ points: failing }))[0]?.rule?.probe).toBe(
    `of the route dispatch that ${does}`,
  );
});

test.each([
  ['as long as is tolerated', 16_980, 0],
  ['longer', 17_100, 1],
])('a stretch %s', (_, untilMs, count) => {
  // The last failed answer ends 20 ms after its request.
  const toleratedMs = 11_920;
  expect(silencesIn(facts({ points: points(5000, untilMs), toleratedMs }))).toHaveLength(count);
});

/** Failures of a route at these times, 20 ms each, among `good` answers a second before them. */
const failing = (good: number, ...times: number[]): LoadPoint[] => [
  ...Array.from({ length: good }, (_, i) => {
    return { route: 'dispatch', atMs: times[0]! + 1 + i, ms: 1, ok: true };
  }),
  ...times.map((atMs) => ({ route: 'dispatch', atMs, ms: 20, ok: false })),
];
const spread = (count: number, everyMs: number): number[] =>
  Array.from({ length: count }, (_, i) => 10_000 + i * everyMs);

test.each([
  ['five failures', failing(0, ...spread(5, 1000)), 1],
  ['four failures', failing(0, ...spread(4, 1000)), 0],
  ['as far apart as one stretch may be', failing(0, ...spread(5, 2020)), 1],
  ['further apart', failing(0, ...spread(5, 2021)), 0],
  ['one in twenty', failing(95, ...spread(5, 1000)), 1],
  ['fewer than one in twenty', failing(96, ...spread(5, 1000)), 0],
  ['few, and half of the requests', failing(4, ...spread(4, 1000)), 0],
])('%s', (_, all, count) => {
  const found = silencesIn(facts({ points: all, toleratedMs: 100 }));
  expect(found).toHaveLength(count);
  // A failure without a kind is none of the kinds.
  if (count > 0) expect(found[0]?.rule?.probe).toContain('checks the body');
});

test.each([
  ['ended as the fault began', 5000, [4980, 6000, 7000, 8000, 9000], 1],
  ['ended before the fault', 5001, [4980, 6000, 7000, 8000, 9000], 0],
  ['began before the phase ended', 5000, [54_000, 55_000, 56_000, 57_000, 57_999], 1],
  ['began as the phase ended', 5000, [54_000, 55_000, 56_000, 57_000, 58_000], 0],
])('of five failures one %s', (_, fromMs, times, count) => {
  const change = { points: failing(0, ...times), fromMs, toleratedMs: 100 };
  expect(silencesIn(facts(change))).toHaveLength(count);
});

test.each([
  ['as the fault began', 5000, 0],
  ['before', 4999, 1],
  ['as late as is tolerated', 66_920, 0],
  ['later', 66_921, 1],
])('a page %s', (_, pagedAtMs, count) => {
  expect(silencesIn(facts({ pagedAtMs: [pagedAtMs] }))).toHaveLength(count);
});

test.each([
  [4999, 'nobody'],
  [5000, 'a ticket'],
  [54_920, 'a ticket'],
  [54_921, 'nobody'],
])('a ticket at %d', (atMs, told) => {
  expect(silencesIn(facts({ toldAtMs: [atMs] }))[0]?.told).toBe(told);
});

test('of two routes the longer failure comes first', () => {
  const both = [
    ...points(5000, 30_000),
    ...points(5000, 50_000, {}).map((p) => ({ ...p, route: 'b' })),
  ];
  expect(silencesIn(facts({ points: both })).map((s) => s.route)).toEqual(['b', 'dispatch']);
});

test.each([
  ['a page came', { pagedAtMs: [30_000] }, 0],
  ['a page of before the fault does not count', { pagedAtMs: [4000] }, 1],
  ['a page that came too late to be of it', { pagedAtMs: [80_000] }, 1],
  ['it was short', { points: points(5000, 16_000) }, 0],
  ['it was over before the fault', { points: points(0, 4000) }, 0],
  ['a few failures', { points: points(5000, 5400) }, 0],
  ['a small share', { points: points(0, 0).map((p, i) => ({ ...p, ok: i % 25 !== 0 })) }, 0],
  ['no load', { points: [] }, 0],
])('%s', (_, change, count) => {
  expect(silencesIn(facts(change))).toHaveLength(count);
});

test('two outages with a calm between are two, and the longer one is told', () => {
  const twice = points(5000, 20_000).map((p) =>
    p.atMs >= 30_000 && p.atMs < 55_000 ? { ...p, ok: false, failure: 'timeout' as const } : p,
  );
  const [found] = silencesIn(facts({ points: twice }));
  expect([found?.startMs, found?.requests]).toEqual([30_000, 250]);
  expect(found?.rule?.probe).toContain('gives up after');
});

test('a ticket is said, and what callers’ proxies counted makes the smallest rule', () => {
  const seen = [
    { expr: 'late > 0.05', firstTrueMs: 20_000 },
    { expr: 'soon > 0.05', firstTrueMs: 6500 },
    { expr: 'before > 0.05', firstTrueMs: 1000 },
  ];
  const [found] = silencesIn(facts({ toldAtMs: [9000], seen }));
  expect(found?.told).toBe('a ticket');
  expect(ruleText(found!)).toBe('This rule would have seen it after 1.5 s: soon > 0.05');
});

test('where an alert fired and reached nobody, no other rule is named', () => {
  const seen = [{ expr: 'soon > 0.05', firstTrueMs: 6500 }];
  const [found] = silencesIn(facts({ seen, fired: ['CartErrors', 'CartErrors'] }));
  expect(found).toMatchObject({ told: 'nobody', fired: ['CartErrors'] });
  expect(found).not.toHaveProperty('rule');
  expect(ruleText(found!)).toBe(
    'No rule is missing: CartErrors fired, and its notification reached nobody',
  );
});

test('it fails the scenario, unless the scenario says why it may be silent', () => {
  const silences = silencesIn(facts());
  const judgement = judge({ ...good(), silences });
  expect([judgement.verdict, judgement.reasons[0]]).toEqual([
    'FAIL',
    `silent failure: ${silenceText(silences[0]!)}`,
  ]);
  const { scenario } = good();
  const declared = { ...scenario, expect: { ...scenario.expect, mayBeSilent: 'known' } };
  expect(judge({ ...good(), scenario: declared, silences }).verdict).toBe('PASS');
});

const slo = readSlos([asset('examples/slo/retail.yaml')]).find(
  (s) => s.id === 'checkout-availability',
)!;
const sources = {
  points: [
    { route: 'browse', atMs: 100_100, ms: 10, ok: false },
    { route: 'checkout', atMs: 104_600, ms: 50, ok: false },
    { route: 'checkout', atMs: 104_700, ms: 50, ok: false },
  ],
  sinceMs: 100_000,
  endMs: 110_000,
  stepMs: 60_000,
  stepRealMs: 250,
  scrapeIntervalMs: 250,
};

test('the first error of an SLO is one of its own requests, and not of any route', async () => {
  const series = (bad: [number, number][]) => ({
    queryRange: (expr: string) =>
      Promise.resolve([
        {
          labels: {},
          points: expr.includes('_bad') ? bad : bad.map(([atMs]): [number, number] => [atMs, 100]),
        },
      ]),
  });
  // 0.5% of 100 are allowed: the first step with one bad request is that of 104.75 s.
  const steps: [number, number][] = [
    [100_250, 0],
    [104_500, 0.4],
    [104_750, 3],
    [105_000, 50],
  ];
  expect(await onsetOfSlo(slo, { ...sources, watch: series(steps) })).toBe(104_650);
  expect(await onsetOfSlo(slo, { ...sources, watch: series([[100_250, 0]]) })).toBeUndefined();
  const none = { queryRange: () => Promise.resolve([]) };
  expect(await onsetOfSlo(slo, { ...sources, watch: none })).toBeUndefined();
});

test('where the client saw no failure in that time, it is the middle of it, and never before the fault', () => {
  expect(onsetWithin(103_000, sources)).toBe(102_750);
  expect(onsetWithin(100_100, { ...sources, points: [] })).toBe(100_050);
});
