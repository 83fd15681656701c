/** A baseline's reasons against a steady state, other than its measures. */
import { expect, test } from 'vitest';
import { type LoadPoint, LoadPoints } from '../../chaos/load/points.js';
import type { RunContext } from '../../chaos/runner/context.js';
import type { Sources } from '../../chaos/runner/measure.js';
import { notSteady } from '../../chaos/runner/steady.js';
import { scenario } from './evidence.js';

const stretch = { startMs: 0, endMs: 1000 };

async function said(points: readonly Partial<LoadPoint>[], pid = 1): Promise<string[]> {
  const all = new LoadPoints();
  for (const point of points) all.add({ route: 'home', atMs: 1, ms: 1, ok: true, ...point });
  const context = {
    watch: { notifications: [] },
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
