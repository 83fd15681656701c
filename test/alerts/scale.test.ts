/** Rules at a time scale: how each construct is rewritten, which remarks it gets, and that scaled rules fire alike. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { readRuleText } from '../../alerts/rules/read.js';
import {
  chooseScale,
  readRules,
  scaleReadGroups,
  scaleRuleFiles,
} from '../../alerts/scale/index.js';
import { proveScaling } from '../../alerts/scale/proof.js';
import { findTool } from '../../base/tools.js';

const folder = mkdtempSync(join(tmpdir(), 'firedrill-scale-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const shapes = ['store', 'cluster', 'hosts'].map((name) => `test/alerts/scale/${name}.rules.yaml`);

function scaled(expr: string, timeScale = 1 / 60) {
  const text = `groups:\n- name: g\n  rules:\n  - alert: A\n    expr: ${JSON.stringify(expr)}\n`;
  const read = readRuleText('r.yaml', text);
  const { groups, unscalable, adjusted } = scaleReadGroups(read, { timeScale });
  return { expr: groups[0]!.rules[0]!.expr, unscalable, adjusted };
}

describe('expressions', () => {
  test.each([
    ['rate(x_total[5m]) > 3', 'rate(x_total[5s]) > 3'],
    ['x offset 1h - x offset -30m', 'x offset 1m - x offset -30s'],
    ['max_over_time(rate(x[5m])[1h:1m])', 'max_over_time(rate(x[5s])[1m:1s])'],
    ['max_over_time(x[1h:])', 'max_over_time(x[1m:1s])'],
    ['increase(x_total[1h]) > 60', 'increase(x_total[1m]) > 1'],
    ['60 < increase(x_total[1h])', '1 < increase(x_total[1m])'],
    ['increase(x_total[1h]) > 6 * 10', 'increase(x_total[1m]) > 1'],
    ['(increase(x_total[1h])) >= (120)', '(increase(x_total[1m])) >= (2)'],
    ['increase(a[1h]) / increase(b[1h]) > 0.1', 'increase(a[1m]) / increase(b[1m]) > 0.1'],
    ['increase(a[1h]) / (increase(b[1h]) + 60)', 'increase(a[1m]) / (increase(b[1m]) + 1)'],
    ['increase(a[1h]) / 3600 > 60', 'increase(a[1m]) / 3600 > 1'],
    ['sum(increase(a[1h]) or vector(60)) > 120', 'sum(increase(a[1m]) or vector(1)) > 2'],
    ['clamp_max(increase(a[1h]), 60)', 'clamp_max(increase(a[1m]), 1)'],
    ['round(increase(a[1h])) > 60', 'round(increase(a[1m]), 0.0166666666667) > 1'],
    ['a_total - a_total offset 1h > 60', 'a_total - a_total offset 1m > 1'],
    ['predict_linear(x[6h], 4 * 3600) < 5', 'predict_linear(x[6m], 240) < 5'],
    ['deriv(x[10m]) > 0.5', 'deriv(x[10s]) > 30'],
    ['increase(x_total[1h]) > 0', 'increase(x_total[1m]) > 0'],
    ['delta(x[10m]) > 3', 'delta(x[10s]) > 3'],
    ['time() - timestamp(x) > 120', 'time() - timestamp(x) > 2'],
    ['time() - ALERTS_FOR_STATE{a="b"} >= 1800', 'time() - ALERTS_FOR_STATE{a="b"} >= 30'],
    ['rate(x[1s]) > 1', 'rate(x[17ms]) > 1'],
    ['x{a="5m"} > 300', 'x{a="5m"} > 300'],
  ])('%s', (expr, wanted) => {
    expect(scaled(expr).expr).toBe(wanted);
  });

  test.each([
    ['time() - last_success > 3600', 'r.yaml:5:36', '3600 is compared with a time'],
    ['(expiry_seconds - time()) / 86400 < 7', 'r.yaml:5:48', '7 is compared with a time'],
    ['rate(x_total[5m]) * 300 > 10', 'r.yaml:5:32', '300 is the length of the range'],
    ['changes(x[15m]) > 5', 'r.yaml:5:30', '5 is a number of changes'],
    ['count_over_time(x[15m]) > 5', 'r.yaml:5:38', '5 is a number of samples'],
    ['hour() > 5', 'r.yaml:5:12', 'hour() uses the wall clock'],
    ['x @ 1700000000 > 5', 'r.yaml:5:12', '@ 1700000000 is a moment'],
    ['increase(a[1h]) > b', 'r.yaml:5:12', 'sides change differently'],
    ['time() % 3600 < bool 60', 'r.yaml:5:21', '3600 is a wall-clock period'],
  ])('%s is named', (expr, place, words) => {
    const { unscalable } = scaled(expr);
    const texts = unscalable.map(
      ({ place: p, message }) => `${p.file}:${p.line}:${p.column} ${message}`,
    );
    expect(texts.join('\n')).toContain(place);
    expect(texts.join('\n')).toContain(words);
  });

  test('a test for any event keeps its threshold, without a remark', () => {
    for (const expr of ['changes(x[15m]) > 0', 'rate(x[5m]) * 100 > 5', 'up == 0', 'a / b > 2']) {
      expect([expr, scaled(expr).unscalable, scaled(expr).adjusted]).toEqual([expr, [], []]);
    }
  });

  test('changes are reported with their places', () => {
    const { adjusted } = scaled('increase(x_total[1h]) > 60');
    expect(adjusted).toMatchObject([
      {
        place: { line: 5, column: 36 },
        rule: 'A',
        message: expect.stringContaining('60 became 1'),
      },
    ]);
  });
});

test('rules, groups and what is recorded', () => {
  const file = join(folder, 'rules.yaml');
  writeFileSync(
    file,
    `groups:
- name: g
  interval: 30s
  query_offset: 1m
  limit: 7
  labels: { team: a }
  rules:
  - record: job:errors:increase1h
    expr: sum by (job) (increase(errors_total[1h]))
  - alert: Errors
    expr: job:errors:increase1h > 120
    for: 10m
    keep_firing_for: 1h
    labels: { window: 1h }
    annotations: { summary: 'in 1h' }
`,
  );
  const { groups, adjusted } = scaleRuleFiles([file], { timeScale: 1 / 60 });
  expect(groups).toEqual([
    {
      name: 'g',
      intervalMs: 500,
      queryOffsetMs: 1000,
      limit: 7,
      rules: [
        {
          kind: 'record',
          record: 'job:errors:increase1h',
          expr: 'sum by (job) (increase(errors_total[1m]))',
          labels: { team: 'a' },
        },
        {
          kind: 'alert',
          alert: 'Errors',
          expr: 'job:errors:increase1h > 2',
          forMs: 10_000,
          keepFiringForMs: 60_000,
          labels: { team: 'a', window: '1h' },
          annotations: { summary: 'in 1h' },
        },
      ],
    },
  ]);
  expect(adjusted).toHaveLength(1);
  const fast = scaleRuleFiles([file], { timeScale: 1 / 3600, scrapeIntervalMs: 300 });
  expect(fast.groups[0]!.intervalMs).toBe(300);
  expect(fast.unscalable).toMatchObject([{ kind: 'too-short', rule: 'job:errors:increase1h' }]);
});

test('the scale is as short as the shortest range, the scrapes and the machine allow', () => {
  const rules = (range: string) =>
    readRuleText(
      'r.yaml',
      `groups:\n- name: g\n  rules:\n  - alert: A\n    expr: rate(x[${range}]) > 1\n`,
    );
  const choose = (range: string, targets = 10, cpus = 4) =>
    chooseScale(rules(range), 15_000, { cpus, targets });
  expect(choose('5m').scale).toBe(1 / 240);
  expect(choose('1m').scale).toBe(1 / 60);
  expect(choose('30s').scale).toBe(1 / 30);
  expect(choose('5m', 100, 2).scale).toBe(1 / 30);
  expect(choose('500ms').scale).toBe(1);
  expect(choose('1m').scrapeIntervalMs).toBe(250);
  expect(choose('1m').why).toMatch(
    /^1\/60: the shortest range is \[1m\] \(A, r.yaml:4\) .* 4 scrapes/,
  );
  const none = readRuleText(
    'r.yaml',
    'groups:\n- name: g\n  rules:\n  - alert: A\n    expr: up == 0\n',
  );
  expect(chooseScale(none, 15_000, { cpus: 1, targets: 1 })).toMatchObject({ scale: 1 / 240 });
});

describe('scaled rules fire as the originals do, by the engine here and by promtool', () => {
  test.each(shapes)('%s', { timeout: 300_000 }, async (file) => {
    const read = readRules([file]);
    const seeds = [1, 2].map((seed) => proveScaling(read, { timeScale: 1 / 60, seed }));
    for (const proof of await Promise.all(seeds)) {
      expect(proof.differing).toEqual([]);
      expect(proof.promtool).toBe(findTool('promtool') ? 'equal' : undefined);
      expect(proof.fired.length).toBeGreaterThan(2);
    }
  });

  test('and the proof fails where a length of time was not scaled with the others', async () => {
    const read = readRuleText(
      'r.yaml',
      'groups:\n- name: g\n  rules:\n  - alert: A\n    expr: min_over_time(queue_length[10m:]) > 3\n',
    );
    const proof = await proveScaling(read, {
      timeScale: 1 / 60,
      seed: 1,
      subqueryStepMs: 3_600_000,
    });
    expect(proof).toMatchObject({ equal: false, differing: ['A'] });
  });
});
