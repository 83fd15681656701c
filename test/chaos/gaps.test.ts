/** Series that a condition lost under a fault, although their recording rules still have values. */
import { expect, test } from 'vitest';
import { gapOf, lostOf } from '../../chaos/runner/gaps.js';
import type { RuleGroup } from '../../slo/index.js';

const record = (name: string, expr: string): RuleGroup['rules'][number] => ({
  kind: 'record',
  record: name,
  expr,
  labels: {},
});
const groups: RuleGroup[] = [
  {
    name: 'slo',
    intervalMs: 1000,
    rules: [
      record('slo:bad', 'sum(rate(requests_total{job="cart",code=~"5.."}[1m])) or vector(0)'),
      record('slo:total', 'sum(rate(requests_total{job="cart"}[1m])) + 0 * slo:total'),
      record('slo:ratio', 'slo:bad / slo:total unless on () absent(requests_total)'),
    ],
  },
];

/** Answers with a value if the selector has data. */
const having = (...selectors: string[]) => ({
  groups,
  startMs: 0,
  endMs: 1000,
  watch: {
    query: (expr: string) => {
      const there = selectors.some((s) => expr === `count(last_over_time(${s}[1s]))`);
      return Promise.resolve(there ? [{ labels: {}, value: 1 }] : []);
    },
  },
});

const bad = 'requests_total{job="cart",code=~"5.."}';
const total = 'requests_total{job="cart"}';

test.each([
  ['nothing', having(total), having(total, bad), undefined],
  ['what is scraped', having(total, bad), having(), `no series ${bad}, ${total} any more`],
  ['what was never there is not lost', having(), having(), undefined],
  ['one of two', having(total, bad), having(total), `no series ${bad} any more`],
])('%s', async (_, before, later, said) => {
  expect(await lostOf('slo:ratio > 0.1', before, later)).toBe(said);
});

test('what cannot be read has lost nothing', async () => {
  expect(await lostOf('slo:ratio >', having(total), having())).toBeUndefined();
});

test('data that is there now, and was not at the offset, is named with it', async () => {
  const young = (sinceMs: number) => ({
    groups,
    startMs: 60_000,
    endMs: 61_000,
    watch: {
      query: (expr: string, atMs?: number) =>
        Promise.resolve(
          atMs! >= sinceMs && expr.endsWith('[1s]))') ? [{ labels: {}, value: 1 }] : [],
        ),
    },
  });
  const growth = `rate(${total}[1m]) > 2 * rate(${total}[1m] offset 42s)`;
  expect(await gapOf(growth, young(50_000))).toBe(`no series ${total} offset 42s`);
  expect(await gapOf(growth, young(10_000))).toBeUndefined();
});

const own = (expr: string, more: Record<string, string> = {}): RuleGroup => ({
  name: 'own',
  rules: [{ kind: 'record', record: 'own:a', expr, labels: more }],
});

test.each([
  ['a > 1', [], 'no series a'],
  ['a > 1', ['a'], undefined],
  ['a > on () b > on () c', [], 'no series a, b, c'],
  ['a > on () b > on () c > on () a', [], 'no series a, b, c'],
  ['a > on () b > on () c > on () d', [], 'no series a, b, c and more'],
  ['a and b', ['a'], 'no series b'],
  ['a or b', ['a'], undefined],
  ['a or b', ['b'], undefined],
  ['a or b', [], 'no series a, b'],
  ['a unless b', ['a'], undefined],
  ['a unless b', ['b'], 'no series a'],
  ['absent(a) or absent_over_time(b[5m])', [], undefined],
  ['absent(a) and b', [], 'no series b'],
  ['absent_over_time(a[5m]) and b', [], 'no series b'],
  ['sum(a) and b', ['b'], 'no series a'],
  ['-(sum(rate(a[5m]))) > 1', [], 'no series a'],
  ['max_over_time(a[5m:1m]) > vector(1)', [], 'no series a'],
  ['label_replace(a, "b", "c", "d", "e") > 1', [], 'no series a'],
  ['{job="cart"} > 1', [], undefined],
  ['a{job="cart"} > 1', ['a'], undefined],
  ['a offset 10s > 1', ['a'], undefined],
  ['a offset -10s > 1', ['a'], undefined],
  ['a >', [], undefined],
])('%s, where %j exist: %s', async (expr, there, said) => {
  expect(await gapOf(expr, having(...there))).toBe(said);
});

test.each([
  ['own:a > 1', own('rate(a[5m])'), [], 'no series a'],
  ['own:a > 1', own('rate(a[5m])'), ['own:a'], undefined],
  ['own:a{x="1"} > 1', own('rate(a[5m])', { x: '1' }), ['a'], undefined],
  ['own:a{x="1"} > 1', own('rate(a[5m])', { x: '2' }), ['a'], 'no series own:a'],
  ['own:a{x!="2"} > 1', own('rate(b[5m])', { x: '2' }), [], 'no series b'],
  ['own:a{y="1"} > 1', own('rate(a{y="1"}[5m])', { x: '2' }), ['a'], 'no series a{y="1"}'],
  ['own:a > 1', own('a{y="1"} / b{z="1"} / c'), ['a', 'b', 'c', 'b{z="1"}'], 'no series a{y="1"}'],
  ['own:a > 1', own('a / own:a'), ['a'], 'no series own:a'],
  ['own:a > 1', own('{y="1"} / a{y="1"}'), ['a'], 'no series a{y="1"}'],
])('%s, recorded by %j, where %j exist: %s', async (expr, group, there, said) => {
  expect(await gapOf(expr, { ...having(...there), groups: [group] })).toBe(said);
});

test.each([
  ['absent(a) and b', 'no series b any more'],
  ['sum(absent_over_time(a[5m])) and b', 'no series b any more'],
  ['a + b + c', 'no series a, b, c any more'],
  ['a + b + c + d', 'no series a, b, c and more any more'],
  ['a + a{x="1"} + a', 'no series a, a{x="1"} any more'],
  ['{job="cart"}', undefined],
])('%s loses all that it had: %s', async (expr, said) => {
  const before = having('a', 'b', 'c', 'd', 'a{x="1"}');
  expect(await lostOf(expr, before, having())).toBe(said);
});

test('a watch that fails tells no gap', async () => {
  const failing = { ...having(), watch: { query: () => Promise.reject(new Error('down')) } };
  expect(await gapOf('a > 1', failing)).toBeUndefined();
  expect(await lostOf('a > 1', failing, failing)).toBeUndefined();
});
