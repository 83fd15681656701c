/** A baseline's reasons against a steady state, other than its measures. */
import { describe, expect, test } from 'vitest';
import { type LoadPoint, LoadPoints } from '../../chaos/load/points.js';
import type { RunContext } from '../../chaos/runner/context.js';
import type { Sources } from '../../chaos/runner/measure.js';
import { notSteady } from '../../chaos/runner/steady.js';
import { fires, rule, scenario } from './evidence.js';

const stretch = { startMs: 0, endMs: 1000 };

async function said(points: readonly Partial<LoadPoint>[], pid = 1): Promise<string[]> {
  const all = new LoadPoints();
  for (const point of points) all.add({ route: 'home', atMs: 1, ms: 1, ok: true, ...point });
  const context = {
    watch: { notifications: [] },
    timing: { timeScale: 1 / 240 },
    groups: [],
    system: {
      refresh: () => Promise.resolve(),
      description: { processes: [{ name: 'cart', kind: 'service', pid, ports: {} }] },
    },
  } as unknown as RunContext;
  const sources = { points: all } as unknown as Sources;
  const found = await notSteady(context, { ...scenario, abort: [] }, stretch, sources);
  return found.map(({ why, certain }) => `${why}${certain ? ', on any machine' : ''}`);
}

const failed = { ok: false, failure: 'status', status: 404 } as const;

test('all is well', async () => {
  expect(await said([{}, {}])).toEqual([]);
});

test('requests that fail are told by how they fail and where', async () => {
  const lost = { ok: false, failure: 'no-answer', route: 'pay' } as const;
  expect(await said([failed, failed, lost, {}])).toEqual([
    '3 of 4 requests failed: 2 times status 404 at home, 1 times no answer at pay',
  ]);
});

test('where every request failed, a quiet machine would see the same', async () => {
  expect(await said([failed, failed])).toEqual([
    '2 of 2 requests failed: 2 times status 404 at home, on any machine',
  ]);
});

test('so few failures as the scenario allows are not told', async () => {
  expect(await said([failed, ...Array.from({ length: 99 }, () => ({}))])).toEqual([]);
});

test('a process that does not run is told by name', async () => {
  expect(await said([{}], 0)).toEqual(['cart does not run, on any machine']);
});

describe('beside requests and processes', () => {
  const [wanted] = scenario.expect.mustFire;
  const paging = rule('CartLatency', 'page', { slo: 'cart-latency' });
  const record = { kind: 'record' as const, record: 'a', expr: 'b', labels: {} };

  async function reasons(
    change: object,
    given: {
      rules?: unknown[];
      notifications?: unknown[];
      fails?: boolean;
      has?: boolean;
      timeScale?: number;
    } = {},
  ): Promise<unknown> {
    const query = () =>
      given.fails
        ? Promise.reject(new Error('down'))
        : Promise.resolve(given.has === false ? [] : [{ labels: {}, value: 1 }]);
    const context = {
      watch: { notifications: given.notifications ?? [], query },
      timing: { timeScale: given.timeScale ?? 1 / 240 },
      groups: [{ name: 'g', rules: given.rules ?? [paging] }],
      system: { refresh: () => Promise.reject(new Error('gone')), description: { processes: [] } },
    } as unknown as RunContext;
    const sources = { points: new LoadPoints(), watch: { query }, fill: (t: string) => t };
    const own = { ...scenario, abort: [], ...change };
    return notSteady(context, own, stretch, sources);
  }

  const told = (alert: string, severity: string) => fires(alert, severity, 10);
  const expecting = (more: object) => ({ expect: { ...scenario.expect, ...more } });

  test.each([
    ['nothing', {}, {}, []],
    ['a page fires', {}, { notifications: told('Down', 'page') }, ['Down (page) fires already']],
    [
      'it is told twice',
      {},
      {
        notifications: [
          ...told('Down', 'page'),
          ...fires('Down', 'page', 20, { labels: { a: '1' } }),
        ],
      },
      ['Down (page) fires already'],
    ],
    ['a ticket fires', {}, { notifications: told('Down', 'ticket') }, []],
    [
      'a page that resolved',
      {},
      { notifications: fires('Down', 'page', 10, { endsAtMs: 20 }) },
      [],
    ],
    [
      'a page fires, which is allowed',
      expecting({ alreadyFiring: 'allowed' }),
      { notifications: told('Down', 'page') },
      [],
    ],
    [
      'the expected ticket fires',
      expecting({ mustFire: [{ ...wanted!, severity: 'ticket', labels: {} }] }),
      { notifications: told('CartLatency', 'ticket'), rules: [] },
      ['CartLatency (ticket) fires already'],
    ],
    [
      'its SLO has no data',
      {},
      { has: false },
      ['CartLatency has no data to fire on: no series up'],
    ],
    ['another alert has no data', {}, { has: false, rules: [{ ...paging, alert: 'Other' }] }, []],
    [
      'a ticket has no data',
      {},
      { has: false, rules: [{ ...paging, labels: { slo: 'a', severity: 'ticket' } }] },
      [],
    ],
    [
      'no SLO has no data',
      {},
      { has: false, rules: [{ ...paging, labels: { severity: 'page' } }] },
      [],
    ],
    ['a record has no data', {}, { has: false, rules: [record] }, []],
  ])('%s', async (_, change, given, whys) => {
    const found = (await reasons(change, given)) as { why: string }[];
    expect(found.map((f) => f.why)).toEqual(whys);
  });

  test('a page that fires in production time is no fault of a busy machine', async () => {
    const notifications = told('Down', 'page');
    const why = 'Down (page) fires already';
    expect(await reasons({}, { notifications })).toEqual([{ why }]);
    expect(await reasons({}, { notifications, timeScale: 1 })).toEqual([{ why, certain: true }]);
  });

  test.each([
    ['has data', {}, []],
    ['has none', { has: false }, ["the abort condition 'a' has no data: up"]],
    ['cannot be asked', { fails: true }, ["the abort condition 'a' has no data: up"]],
  ])('an abort condition %s', async (_, given, whys) => {
    const abort = [
      { name: 'a', promql: 'up', above: 1, for: 0, noData: 'abort' },
      { name: 'b', promql: 'up', above: 1, for: 0, noData: 'ignore' },
    ];
    const found = await reasons({ abort }, { rules: [], ...given });
    expect(found).toEqual(whys.map((why) => ({ why, certain: true })));
  });
});

test('of many kinds of failures the three most frequent are told', async () => {
  const kinds = ['a', 'b', 'b', 'c', 'c', 'c', 'd', 'd', 'd', 'd'];
  const points = kinds.map((route) => ({ route, ok: false, failure: 'no-answer' as const }));
  expect(await said(points)).toEqual([
    '10 of 10 requests failed: 4 times no answer at d, 3 times no answer at c, 2 times no answer at b, on any machine',
  ]);
});
