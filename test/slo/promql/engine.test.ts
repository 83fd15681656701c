/** The interface of the engine for other folders: parse, append, evaluate, errors with places. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { packageRoot } from '../../../base/paths.js';
import { readYaml } from '../../../base/yaml.js';
import {
  evaluateInstant,
  evaluateRange,
  MemoryStore,
  parse,
  PromqlError,
  withCaret,
} from '../../../slo/promql/index.js';

const startMs = 1_700_000_000_000;

/** Two pods count three and five requests every 15 s, for ten minutes. */
function counters(): MemoryStore {
  const store = new MemoryStore();
  for (const [pod, step] of [
    ['a', 3],
    ['b', 5],
  ] as const) {
    const series = store.series({ __name__: 'requests_total', pod });
    for (let i = 0; i <= 40; i++) series.append(startMs + i * 15_000, i * step);
  }
  return store;
}

function vector(query: string, store: MemoryStore, timeMs = startMs + 600_000): string[] {
  const { value } = evaluateInstant(query, store, timeMs);
  if (value.type !== 'vector') throw new Error(`${query} gave a ${value.type}`);
  return value.samples.map((s) => `${s.labels.toString()} ${s.value}`);
}

describe('instant queries', () => {
  test.each([
    ['requests_total', ['requests_total{pod="a"} 120', 'requests_total{pod="b"} 200']],
    ['sum(requests_total)', ['{} 320']],
    ['sum by (pod) (increase(requests_total[5m]))', ['{pod="a"} 60', '{pod="b"} 100']],
    ['requests_total{pod=~"b|c"} > 100', ['requests_total{pod="b"} 200']],
    ['requests_total > bool 150', ['{pod="a"} 0', '{pod="b"} 1']],
    ['requests_total offset 5m', ['requests_total{pod="a"} 60', 'requests_total{pod="b"} 100']],
    ['-requests_total{pod="a"} offset 5m', ['{pod="a"} -60']],
    [
      'requests_total / on () group_left sum(requests_total)',
      ['{pod="a"} 0.375', '{pod="b"} 0.625'],
    ],
    ['absent(nothing{pod="a"})', ['{pod="a"} 1']],
    ['round(max_over_time(rate(requests_total[1m])[2m:30s]) * 15)', ['{pod="a"} 3', '{pod="b"} 5']],
    [
      'label_replace(requests_total{pod="a"}, "p", "x-$1", "pod", "(.*)")',
      ['requests_total{p="x-a", pod="a"} 120'],
    ],
  ])('%s', (query, expected) => {
    expect(vector(query, counters())).toEqual(expected);
  });

  test('a staleness marker ends a series at once', () => {
    const store = counters();
    store.appendStale({ __name__: 'requests_total', pod: 'a' }, startMs + 610_000);
    expect(vector('requests_total', store, startMs + 615_000)).toEqual([
      'requests_total{pod="b"} 200',
    ]);
  });

  test('ranges are open on the left', () => {
    expect(vector('count_over_time(requests_total{pod="a"}[1m])', counters())).toEqual([
      '{pod="a"} 4',
    ]);
  });
});

test('a range query has one point a step, and none where there is no sample', () => {
  const { series } = evaluateRange(
    'sum(requests_total)',
    counters(),
    startMs - 60_000,
    startMs + 60_000,
    30_000,
  );
  expect(series).toHaveLength(1);
  expect([...(series[0]?.times ?? [])]).toEqual([startMs, startMs + 30_000, startMs + 60_000]);
  expect([...(series[0]?.values ?? [])]).toEqual([0, 16, 32]);
});

test('every expression of the generated rules parses', () => {
  const golden = join(packageRoot, 'test/slo/golden');
  let count = 0;
  for (const folder of readdirSync(golden)) {
    for (const [, expr] of JSON.stringify(
      readYaml(join(golden, folder, 'rules.yaml')).map((d) => d.value),
    ).matchAll(/"expr":("(?:[^"\\]|\\.)*")/g)) {
      expect(() => parse(JSON.parse(expr as string) as string)).not.toThrow();
      count++;
    }
  }
  expect(count).toBeGreaterThan(100);
});

describe('errors', () => {
  test.each([
    ['rat(a[5m])', '1:1: unknown function with name "rat"; did you mean \'rate\'?', '^^^'],
    ['sum(a', "1:4: unclosed '('", '^'],
    [
      'a +\n  b[5m]',
      '2:3: binary expression must contain only scalar and instant vector types',
      '^^^^^',
    ],
    [
      'rate(a)',
      '1:6: expected type range vector in call to function "rate", got instant vector',
      '^',
    ],
  ])('%s', (query, first, caret) => {
    let error: unknown;
    try {
      parse(query);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(PromqlError);
    const lines = withCaret(query, error as PromqlError).split('\n');
    expect(lines[0]).toBe(first);
    expect(lines[2]?.trim()).toBe(caret);
  });

  test('more samples than allowed are refused before they are made', () => {
    const query = (): unknown =>
      evaluateRange('rate(requests_total[1m])', counters(), startMs, startMs + 60_000, 100, {
        samplesMax: 1000,
      });
    expect(query).toThrow('2 series at 601 steps are more than 1000 samples');
  });

  test('labels that become the same are refused', () => {
    const store = new MemoryStore();
    store.append({ __name__: 'a', x: '1' }, startMs, 1);
    store.append({ __name__: 'b', x: '1' }, startMs, 1);
    expect(() => evaluateInstant('abs({__name__=~"a|b"})', store, startMs)).toThrow(
      'vector cannot contain metrics with the same labelset',
    );
  });
});
