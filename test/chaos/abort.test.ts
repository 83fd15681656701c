/** Abort conditions under a stepped clock: a request counts when it ends, and missing data counts as bad. */
import { expect, test } from 'vitest';
import { LoadPoints } from '../../chaos/load/points.js';
import { AbortWatch } from '../../chaos/runner/abort.js';
import type { AbortCondition } from '../../chaos/scenarios/schema.js';

const condition: AbortCondition = {
  name: 'all fails for too long',
  client: 'errorRatio',
  above: 0.95,
  for: 15_000,
  noData: 'abort',
};

/** The condition that tripped within `forMs`, and its time; requests begin every `everyMs` from 0. */
async function watched(
  request: (atMs: number) => { ms: number; ok: boolean } | undefined,
  forMs = 40_000,
) {
  let nowMs = 0;
  const points = new LoadPoints();
  const open: { atMs: number; ms: number; ok: boolean }[] = [];
  const clock = { nowMs: () => nowMs, monotonicMs: () => nowMs };
  const watch = new AbortWatch([condition], 1, clock as never, {
    points,
    watch: { query: () => Promise.resolve([]) },
    fill: (text) => text,
  });
  for (; nowMs < forMs; nowMs += 250) {
    const made = request(nowMs);
    if (made) open.push({ atMs: nowMs, ...made });
    for (const { atMs, ms, ok } of open.filter((p) => p.atMs + p.ms === nowMs)) {
      points.add({ route: 'dispatch', atMs, ms, ok });
    }
    // The first check comes after a second.
    if (nowMs < 1000) continue;
    const why = await watch.tripped();
    if (why !== undefined) return { why, atMs: nowMs };
  }
  return undefined;
}

test('requests that take longer than the stretch and succeed abort nothing', async () => {
  expect(await watched(() => ({ ms: 3500, ok: true }))).toBeUndefined();
});

test('some that fail by their timeout, beside some that are answered, abort nothing', async () => {
  const mixed = (atMs: number) =>
    atMs % 1000 === 0 ? { ms: 250, ok: true } : { ms: 4000, ok: false };
  expect(await watched(mixed)).toBeUndefined();
});

test('where all time out for long enough it aborts, by what was seen and not for want of data', async () => {
  const tripped = await watched(() => ({ ms: 4000, ok: false }));
  expect(tripped?.why).toBe('all fails for too long: errorRatio is 1, above 0.95');
  // Missing data before the first timeout is bad as well.
  expect(tripped?.atMs).toBe(16_000);
});

test('a client that says nothing any more aborts for want of data', async () => {
  const tripped = await watched((atMs) => (atMs < 5000 ? { ms: 250, ok: true } : undefined));
  expect(tripped?.why).toBe('all fails for too long: no data of errorRatio');
  // The last request ended at 5000, and is visible for two seconds.
  expect(tripped?.atMs).toBe(22_250);
});

test.each([
  [
    'of PromQL aborts after two seconds',
    { promql: 'up', below: 1 },
    {},
    2000,
    'down: no data of up',
  ],
  [
    'of a client aborts after seven',
    { client: 'errors', above: 1 },
    {},
    7000,
    'down: no data of errors',
  ],
  [
    'aborts after its own time',
    { promql: 'up', above: 1, for: 9000 },
    {},
    9000,
    'down: no data of up',
  ],
  [
    'that may have none does not abort',
    { promql: 'up', below: 1, noData: 'ignore' },
    {},
    undefined,
    undefined,
  ],
  ['is below its bound', { promql: 'up', below: 1 }, { value: 0.5 }, 0, 'down: up is 0.5, below 1'],
  ['is at its bound', { promql: 'up', below: 1 }, { value: 1 }, undefined, undefined],
  [
    'is above its bound',
    { promql: 'up', above: 1 },
    { value: 1.23456 },
    0,
    'down: up is 1.235, above 1',
  ],
  ['is not above its bound', { promql: 'up', above: 1 }, { value: 1 }, undefined, undefined],
  ['fails to be asked', { promql: 'up', above: 1 }, { fails: true }, 2000, 'down: no data of up'],
  [
    'is above for long enough',
    { promql: 'up', above: 1, for: 500 },
    { value: 2 },
    500,
    'down: up is 2, above 1',
  ],
] as const)('a condition %s', async (_, given, answer, atMs, why) => {
  let nowMs = 0;
  const clock = { nowMs: () => nowMs } as never;
  const own = { name: 'down', for: 0, noData: 'abort' as const, ...given };
  const query = () => {
    if ('fails' in answer) return Promise.reject(new Error('down'));
    return Promise.resolve('value' in answer ? [{ labels: {}, value: answer.value }] : []);
  };
  const sources = { points: new LoadPoints(), watch: { query }, fill: (text: string) => text };
  const watch = new AbortWatch([own], 1, clock, sources);
  let tripped: [number, string] | undefined;
  for (; nowMs <= 12_000 && !tripped; nowMs += 250) {
    const said = await watch.tripped();
    if (said !== undefined) tripped = [nowMs, said];
  }
  expect(tripped).toEqual(why === undefined ? undefined : [atMs, why]);
  const reading = watch.readings.get('down');
  expect(reading).toMatchObject({
    condition: 'down',
    value: 'value' in answer ? answer.value : undefined,
  });
  expect([reading?.above, reading?.below]).toEqual([
    'above' in given ? 1 : undefined,
    'below' in given ? 1 : undefined,
  ]);
});

test('a condition that held, and holds no more, begins anew', async () => {
  let nowMs = 0;
  let value = 2;
  const query = () => Promise.resolve([{ labels: {}, value }]);
  const sources = { points: new LoadPoints(), watch: { query }, fill: (text: string) => text };
  const own = { name: 'down', promql: 'up', above: 1, for: 1000, noData: 'abort' as const };
  const watch = new AbortWatch([own], 0.5, { nowMs: () => nowMs } as never, sources);
  const heldMs: unknown[] = [];
  for (const next of [2, 2, 0, 2, 2, 2]) {
    value = next;
    const said = await watch.tripped();
    const { heldMs: held, forMs } = watch.readings.get('down')!;
    heldMs.push([nowMs, held, forMs, said ?? 'goes on']);
    nowMs += 250;
  }
  expect(heldMs).toEqual([
    [0, 0, 500, 'goes on'],
    [250, 250, 500, 'goes on'],
    [500, 0, 500, 'goes on'],
    [750, 0, 500, 'goes on'],
    [1000, 250, 500, 'goes on'],
    [1250, 500, 500, 'down: up is 2, above 1'],
  ]);
});
