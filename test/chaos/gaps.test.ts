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
      query: (_: string, atMs?: number) =>
        Promise.resolve(atMs! >= sinceMs ? [{ labels: {}, value: 1 }] : []),
    },
  });
  const growth = `rate(${total}[1m]) > 2 * rate(${total}[1m] offset 42s)`;
  expect(await gapOf(growth, young(50_000))).toBe(`no series ${total} offset 42s`);
  expect(await gapOf(growth, young(10_000))).toBeUndefined();
});
