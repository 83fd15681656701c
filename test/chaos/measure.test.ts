/** One measure of a hypothesis, by the client’s points or by PromQL. */
import { expect, test } from 'vitest';
import { LoadPoints } from '../../chaos/load/points.js';
import { boundText, clientValue, exprText, holds, measure } from '../../chaos/runner/measure.js';

const points = new LoadPoints();
for (let i = 0; i < 20; i++) {
  points.add({ route: i % 4 ? 'a' : 'b', atMs: 1000 + 50 * i, ms: 10 * i, ok: i % 5 > 0 });
}
const sources = {
  points,
  fill: (text: string) => `filled ${text}`,
  watch: {
    query: (expr: string, atMs?: number) =>
      expr === 'filled bad'
        ? Promise.reject(new Error('no such metric'))
        : Promise.resolve(
            expr === 'filled none'
              ? [{ labels: {}, value: NaN }]
              : [
                  { labels: {}, value: 1 },
                  { labels: {}, value: atMs! / 1000 },
                  { labels: {}, value: NaN },
                ],
          ),
  },
};
const stretch = { startMs: 1000, endMs: 2000 };

test.each([
  [{ client: 'errorRatio', atMost: 0.2 }, 0.2, true, 'client errorRatio <= 0.2'],
  [{ client: 'errors', atMost: 3 }, 4, false, 'client errors <= 3'],
  [{ client: 'requestsPerSecond', atLeast: 20 }, 20, true, 'client requestsPerSecond >= 20'],
  [
    { client: 'requestsPerSecond', route: 'a', atLeast: 15.1 },
    15,
    false,
    'client requestsPerSecond of a >= 15.1',
  ],
  [{ client: 'p50Ms', route: 'b', atMost: 80 }, 80, true, 'client p50Ms of b <= 80'],
  [
    { client: 'errorRatio', route: 'c', atMost: 1 },
    undefined,
    false,
    'client errorRatio of c <= 1',
  ],
  [
    { client: 'requestsPerSecond', route: 'c', atMost: 1 },
    0,
    true,
    'client requestsPerSecond of c <= 1',
  ],
  // Of several series the worst counts: one proxy of two that is down is not up.
  [{ promql: 'up', atLeast: 2 }, 1, false, 'promql up >= 2'],
  [{ promql: 'up', atLeast: 1 }, 1, true, 'promql up >= 1'],
  [{ promql: 'up', atMost: 1 }, 2, false, 'promql up <= 1'],
  [{ promql: 'none', atLeast: 0 }, undefined, false, 'promql none >= 0'],
  [{ promql: 'bad', atLeast: 0 }, undefined, false, 'promql bad >= 0'],
] as const)('%j', async (item, value, held, text) => {
  const record = await measure({ name: 'x', ...item }, stretch, sources);
  expect([record.value, record.held]).toEqual([value, held]);
  expect('value' in record).toBe(value !== undefined);
  expect([record.source, record.expr, record.bound].join(' ')).toBe(text);
  expect([record.name, record.unit]).toEqual(['x', '']);
  expect((await measure({ name: 'x', unit: 's', ...item }, stretch, sources)).unit).toBe('s');
  expect(`${exprText(item)} ${boundText(item)}`).toBe(text.slice(text.indexOf(' ') + 1));
});

test.each([
  [undefined, { atMost: 1 }, false],
  [1, {}, true],
  [2, { atMost: 1, atLeast: 0 }, false],
  [-1, { atMost: 1, atLeast: 0 }, false],
  [0, { atMost: 1, atLeast: 0 }, true],
])('%j within %j', (value, bound, held) => {
  expect(holds(value, bound)).toBe(held);
});

test('without points there is no latency', () => {
  expect(clientValue('p99Ms', [], stretch)).toBeUndefined();
});
