/** The inputs for silent failures: what the SLOs counted, and what callers saw. */
import { expect, test } from 'vitest';
import { LoadPoints } from '../../chaos/load/points.js';
import { firingsOf } from '../../chaos/runner/firings.js';
import type { ScenarioRun } from '../../chaos/runner/run-scenario.js';
import { silencesOf } from '../../chaos/runner/silences.js';
import { fires, injectedMs, page } from './evidence.js';

const calls: unknown[] = [];
const run = (change: { ok?: boolean; injectedMs?: number | undefined; fails?: boolean } = {}) => {
  const points = new LoadPoints();
  for (let atMs = 95_000; atMs < 130_000; atMs += 100) {
    points.add({ route: 'buy', atMs, ms: 10, ok: change.ok ?? atMs < 101_000 });
  }
  calls.length = 0;
  return {
    injectedMs,
    phases: [
      { kind: 'baseline', endMs: 100_000 },
      { kind: 'fault', endMs: 115_000 },
      { kind: 'fault', endMs: 120_000 },
      { kind: 'recovery', endMs: 130_000 },
    ],
    sources: { points },
    sightings: { all: [] },
    context: {
      slos: [{ id: 'cart-errors' }, { id: 'empty' }],
      timing: {
        timeScale: 1 / 100,
        allowanceMs: 1000,
        stepMs: 60_000,
        scrapeIntervalMs: 250,
        evaluationIntervalMs: 200,
      },
      watch: {
        query: (expr: string, atMs: number) => {
          calls.push([expr, atMs]);
          if (change.fails) return Promise.reject(new Error('down'));
          const value = expr.includes('empty') ? undefined : expr.includes('bad') ? 30 : 200;
          return Promise.resolve(value === undefined ? [] : [{ labels: {}, value }]);
        },
        queryRange: (...asked: unknown[]) => {
          calls.push(asked);
          if (change.fails) return Promise.reject(new Error('down'));
          return Promise.resolve([
            {
              labels: { dst: 'cart.retail' },
              points: [
                [102_000, 0.5],
                [103_000, 0.6],
              ],
            },
            { labels: {}, points: [[101_000, 0.5]] },
            { labels: { dst: 'none' }, points: [] },
          ]);
        },
      },
    },
    ...('injectedMs' in change && { injectedMs: change.injectedMs }),
  } as unknown as ScenarioRun;
};

test('the SLOs and the callers are asked of the time from the injection to the last fault’s end', async () => {
  const [found, ...more] = await silencesOf(run(), []);
  expect(more).toEqual([]);
  expect(found).toEqual({
    route: 'buy',
    startMs: 101_000,
    failedMs: 18_910,
    errors: 190,
    requests: 190,
    told: 'nobody',
    slos: [{ slo: 'cart-errors', badRatio: 0.15 }, { slo: 'empty' }],
    rule: {
      expr:
        'sum(rate(response_total{direction="outbound",dst="cart.retail",classification="failure"}[1m])) / ' +
        'sum(rate(response_total{direction="outbound",dst="cart.retail"}[1m])) > 0.05',
      afterMs: 1000,
    },
  });
  const sum = (metric: string, slo: string) => [
    `sum(sum_over_time(slo:events_${metric}:increase1m{slo="${slo}"}[20s]))`,
    120_000,
  ];
  expect(calls.slice(0, 4)).toEqual([
    sum('bad', 'cart-errors'),
    sum('bad', 'empty'),
    sum('total', 'cart-errors'),
    sum('total', 'empty'),
  ]);
  const rate = (more: string) =>
    `sum by (dst) (rate(response_total{direction="outbound"${more}}[1s]))`;
  const failing = `${rate(',classification="failure"')} / ${rate('')} > 0.05`;
  expect(calls.slice(4)).toEqual([[failing, injectedMs, 120_000, 250]]);
});

test.each([
  ['nothing was injected', { injectedMs: undefined }, [], 0],
  ['nobody failed', { ok: true }, [], 0],
  ['a page came', {}, page(103_000), 0],
  ['a page of before', {}, page(98_000), 1],
  ['a ticket came', {}, fires('CartLatency', 'ticket', 103_000), 1],
  ['a ticket of before', {}, fires('CartLatency', 'ticket', 98_000), 1],
])('%s', async (_, change, notifications, count) => {
  const found = await silencesOf(run(change), firingsOf(notifications));
  expect(found).toHaveLength(count);
  expect(calls.length > 0).toBe(count > 0);
  if (count > 0) {
    const isTicket = notifications.some(
      (n) => n.labels.severity === 'ticket' && n.startsAtMs > injectedMs,
    );
    expect(found[0]?.told).toBe(isTicket ? 'a ticket' : 'nobody');
  }
});

test('a watch that fails says neither that the SLOs had no events, nor which rule is missing', async () => {
  const [found] = await silencesOf(run({ fails: true }), []);
  expect(found?.slos).toEqual([]);
  expect(found).not.toHaveProperty('rule');
});
