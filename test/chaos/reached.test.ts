/** How near a condition came to its threshold, asked of the real engine. */
import { expect, test } from 'vitest';
import { QueryEngine } from '../../alerts/rules/engine.js';
import { reachedOf } from '../../chaos/runner/reached.js';
import { MemoryStore } from '../../slo/promql/index.js';

/** Samples a second apart, from 0 on. */
function sourcesOf(series: Record<string, number[]>) {
  const store = new MemoryStore();
  for (const [name, values] of Object.entries(series)) {
    const own = store.series({ __name__: name, job: 'cart' });
    values.forEach((value, i) => own.append(i * 1000, value));
  }
  const engine = new QueryEngine(store, { lookbackMs: 1000 });
  const watch = {
    queryRange: (expr: string, startMs: number, endMs: number, stepMs: number) =>
      Promise.resolve(engine.range(expr, startMs, endMs, stepMs)),
  };
  return { watch, startMs: 1000, endMs: 4000, stepMs: 1000 };
}

// The first and the last value lie outside of the stretch.
const sources = sourcesOf({
  ratio: [0.9, 0.01, 0.0312, 0.02, 0.011, 0.9],
  slow: [0.9, 0.2, 0.1, 0.3, 0.2, 0.9],
  up: [0, 3, 2, 3, 3, 0],
  load: [9, 5, 6, 4, 5, 9],
});

test.each([
  ['ratio > 0.05', 'its highest value was 0.0312, and it fires > 0.05'],
  ['(sum by (job) (ratio)) >= 14.4 * 0.01', 'its highest value was 0.0312, and it fires >= 0.144'],
  ['0.05 < ratio', 'its highest value was 0.0312, and it fires > 0.05'],
  ['min(up) < 1', 'its lowest value was 2, and it fires < 1'],
  ['up == 1', 'its nearest value was 2, and it fires == 1'],
  ['up == 9', 'its nearest value was 3, and it fires == 9'],
  ['9 == up', 'its nearest value was 3, and it fires == 9'],
  ['up == 3', undefined],
  ['up <= 1', 'its lowest value was 2, and it fires <= 1'],
  ['up <= 2', undefined],
  ['up < 2', 'its lowest value was 2, and it fires < 2'],
  ['3 <= up', undefined],
  ['2 > up', 'its lowest value was 2, and it fires < 2'],
  ['up >= 3', undefined],
  ['up > bool 9', undefined],
  ['up + 1', undefined],
  ['nothing > 1 and gone > 2', undefined],
  [
    '(up) > 9 and (load > 9)',
    'the highest value was 3, and it fires > 9 ((up)); the highest value was 6, and it fires > 9 (load)',
  ],
  [
    'up > on (job) load',
    'its left side less its right side was -1 at the nearest, and it fires > 0',
  ],
  ['ratio > 0.05 and slow > 0.1', 'the highest value was 0.0312, and it fires > 0.05 (ratio)'],
  [
    'ratio > 0.05 or slow > 0.5 unless up > 0',
    'the highest value was 0.0312, and it fires > 0.05 (ratio); the highest value was 0.3, and it fires > 0.5 (slow)',
  ],
  ['ratio > 0.03 and slow > 0.2', 'its parts held, and not together'],
  ['ratio > 0.03', undefined],
  ['nothing_there > 1', undefined],
  ['absent(ratio)', undefined],
  ['ratio >', undefined],
])('%s: %s', async (expr, said) => {
  expect(await reachedOf(expr, sources)).toBe(said);
});

test('a long expression is shortened, and a long drill is asked at five hundred points', async () => {
  let steps = 0;
  const long = `ratio{job=~"cart${'|cart'.repeat(30)}"}`;
  const said = await reachedOf(`${long} > 1 or up > 9`, {
    ...sources,
    endMs: 1_001_000,
    watch: {
      queryRange: (_expr, startMs, endMs, stepMs) => {
        steps = (endMs - startMs) / stepMs;
        return Promise.resolve([{ labels: {}, points: [[startMs, 0.5]] }]);
      },
    },
  });
  expect(steps).toBe(500);
  expect(said).toMatch(/^the highest value was 0\.5, and it fires > 0\.5 \(ratio\{.{71}\.\.\.\); /);
});
