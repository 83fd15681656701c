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
