/**
 * Alert coverage: proven alerts, alerts that never fired or cannot fire, with reasons; kept over runs, with
 * regressions.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  type AlertCoverage,
  coverageFile,
  coverageMarkdown,
  coverageOf,
  type CoverageRun,
  coverageText,
  keepCoverage,
  readCoverage,
  regressionsOf,
  standNow,
} from '../../alerts/coverage/index.js';
import { program } from '../../base/paths.js';
import { needOf, recordsOf, selectorsOf } from '../../alerts/coverage/needs.js';
import type { AlertingRule, RuleGroup } from '../../slo/rules/model.js';

const alert = (name: string, expr: string, severity = 'page'): AlertingRule => ({
  kind: 'alert',
  alert: name,
  expr,
  forMs: 0,
  keepFiringForMs: 0,
  labels: { severity },
  annotations: {},
});

const groups: RuleGroup[] = [
  {
    name: 'all',
    rules: [
      {
        kind: 'record',
        record: 'job:errors:ratio',
        expr: 'rate(errors_total[5m]) / rate(all_total[5m])',
        labels: {},
      },
      { kind: 'record', record: 'job:lost:ratio', expr: 'rate(gone_total[5m])', labels: {} },
      alert('Fired', 'up == 0'),
      alert('Quiet', 'requests_total{status=~"5.."} > 0'),
      alert('Recorded', 'job:errors:ratio > 0.1'),
      alert('LostRecord', 'job:lost:ratio > 0.1'),
      alert('Impossible', 'sum(rate(nowhere_total[5m])) > 0', 'ticket'),
    ],
  },
];

describe('the metrics that an expression needs', () => {
  const has = (name: string): boolean => ['a', 'b'].includes(name);
  test.each<[string, boolean, string[]]>([
    ['a > 1', true, []],
    ['a / x', false, ['x']],
    ['x / y', false, ['x', 'y']],
    ['a or x', true, []],
    ['x or y', false, ['x', 'y']],
    ['a unless x', true, []],
    ['x unless a', false, ['x']],
    ['a and on () x', false, ['x']],
    ['absent(x)', true, []],
    ['absent_over_time(x[5m]) and a', true, []],
    ['vector(1) > 0', true, []],
    ['max_over_time(rate(x[1m])[5m:1m]) > 1', false, ['x']],
    ['histogram_quantile(0.9, sum by (le) (rate(x[5m]))) > 1', false, ['x']],
    ['-(x)', false, ['x']],
    ['topk(scalar(x), a)', true, []],
    ['{__name__=~"x.*"} > 1', true, []],
    ['ALERTS{alertname="A"}', true, []],
  ])('%s', (expr, possible, missing) => {
    expect(needOf(expr, has, new Map())).toEqual({ possible, missing });
  });

  test('through recorded metrics down to scraped ones, and round in circles without end', () => {
    const records = recordsOf(groups);
    expect(needOf('job:lost:ratio > 0', () => false, records).missing).toEqual(['gone_total']);
    const circle = new Map([['r', ['r + x']]]);
    expect(needOf('r', () => false, circle)).toEqual({ possible: false, missing: ['r', 'x'] });
    expect(
      selectorsOf(
        'job:x or requests{status="500"} offset 5m',
        new Map([['job:x', ['up{job="a"}']]]),
      ),
    ).toEqual(['up{job="a"}', 'requests{status="500"}']);
  });
});

test('rules that read each other many times are walked once', () => {
  const levels = Array.from({ length: 60 }, (_, at) => at);
  const records = new Map(
    levels.map((at) => [`l${at}`, [`l${at + 1} + l${at + 1}`, `l${at + 1} or l0`]]),
  );
  const { possible, missing } = needOf('l0 > 1', () => false, records);
  expect([possible, missing.includes('l60')]).toEqual([false, true]);
});

test('a circle with a way out is possible, wherever it is entered', () => {
  const records = new Map([
    ['x', ['n or c']],
    ['n', ['x']],
    ['lost', ['lost or gone']],
  ]);
  const possible = (expr: string): boolean => needOf(expr, (m) => m === 'c', records).possible;
  expect(['x * n', 'n * x', 'n', 'x', 'lost'].map(possible)).toEqual([
    true,
    true,
    true,
    true,
    false,
  ]);
});

const there = ['up', 'requests_total', 'errors_total', 'all_total'];
const asked: string[] = [];
const query = async (expr: string): Promise<{ labels: Record<string, string> }[]> => {
  asked.push(expr);
  if (expr.startsWith('count by (__name__)'))
    return there.map((n) => ({ labels: { __name__: n } }));
  return expr.includes('5..') ? [] : [{ labels: {} }];
};

const proof = { scenario: 'kill', run: 'r1', atMs: 5000, afterMs: 1200, expected: true };

test('each alert is proven, never fired, or cannot, with the series that are missing', async () => {
  const alerts = await coverageOf({
    groups,
    proofs: [{ alert: 'Fired', severity: 'page', ...proof, receiver: 'oncall' }],
    query,
    lookBackMs: 60_000,
  });
  const rule = expect.stringMatching(/^[0-9a-f]{16}$/) as string;
  expect(alerts).toEqual([
    {
      alert: 'Fired',
      severity: 'page',
      rule,
      state: 'proven',
      proof: { ...proof, receiver: 'oncall' },
    },
    {
      alert: 'Quiet',
      severity: 'page',
      rule,
      state: 'never',
      unmatched: ['requests_total{status=~"5.."}'],
    },
    { alert: 'Recorded', severity: 'page', rule, state: 'never' },
    { alert: 'LostRecord', severity: 'page', rule, state: 'cannot', missing: ['gone_total'] },
    { alert: 'Impossible', severity: 'ticket', rule, state: 'cannot', missing: ['nowhere_total'] },
  ]);
  // Only the rules' own metrics are asked for, by name.
  expect(asked.filter((expr) => expr.startsWith('count by'))).toEqual([
    'count by (__name__) (last_over_time({__name__=~"errors_total|all_total|gone_total|up|requests_total|' +
      'job:errors:ratio|job:lost:ratio|nowhere_total"}[60s]))',
  ]);
  const run = runOf('r1', alerts);
  expect(coverageText(run)).toMatch(
    /1 of 5 alerts were proven to fire; 2 never fired, 2 could not: a metric has no series/,
  );
  expect(coverageText(run)).toMatch(/Fired +page +proven +kill +1\.2 s +oncall +1970-01-01 00:00/);
  expect(coverageMarkdown(run)).toContain(
    '| Impossible | ticket | cannot | could not fire: no series of nowhere_total |',
  );
});

test('an alert of another severity proves nothing of this one', async () => {
  const [first] = await coverageOf({
    groups,
    proofs: [{ alert: 'Fired', severity: 'ticket', ...proof }],
    query,
    lookBackMs: 1000,
  });
  expect(first?.state).toBe('never');
});

const runOf = (
  run: string,
  alerts: AlertCoverage[],
  more: Partial<CoverageRun> = {},
): CoverageRun => ({
  run,
  atMs: 0,
  system: 'shop',
  timeScale: 1,
  scenarios: ['kill'],
  alerts,
  ...more,
});

describe('over runs', () => {
  const fired = (afterMs: number, receiver = 'oncall'): AlertCoverage => ({
    alert: 'A',
    severity: 'page',
    state: 'proven',
    proof: { ...proof, afterMs, receiver },
  });
  const silent: AlertCoverage = { alert: 'A', severity: 'page', state: 'never' };

  test('kept in the state folder; a proof of an earlier run still counts', () => {
    const state = mkdtempSync(join(tmpdir(), 'firedrill-coverage-'));
    expect(readCoverage(state)).toEqual([]);
    keepCoverage(state, runOf('r1', [fired(1000)]));
    keepCoverage(state, runOf('r2', [silent], { scenarios: ['other'] }));
    keepCoverage(state, runOf('r3', [silent], { system: 'else' }));
    expect(readCoverage(state).map((r) => r.run)).toEqual(['r1', 'r2', 'r3']);
    expect(standNow(readCoverage(state), 'shop')).toMatchObject({
      run: 'r2',
      alerts: [{ state: 'proven', proof: { afterMs: 1000 } }],
    });
    writeFileSync(coverageFile(state), '{"version":2}');
    expect(() => keepCoverage(state, runOf('r4', []))).toThrow(/is not a history/);
    expect(readFileSync(coverageFile(state), 'utf8')).toBe('{"version":2}');
  });

  test('of no alerts, no share was proven', () => {
    const state = mkdtempSync(join(tmpdir(), 'firedrill-coverage-'));
    const code = (): number | null =>
      spawnSync(process.execPath, [
        program('cli'),
        'alerts',
        'coverage',
        '--state',
        state,
        '--fail-under',
        '50',
      ]).status;
    keepCoverage(state, runOf('r1', []));
    expect(code()).toBe(1);
    keepCoverage(state, runOf('r2', [fired(1000), { ...silent, severity: 'ticket' }]));
    expect(code()).toBe(0);
  });

  test('a proof counts only for the rule that it proved', () => {
    const [before, now] = [
      { ...fired(1000), rule: 'a' },
      { ...silent, rule: 'b' },
    ];
    const stand = (...runs: CoverageRun[]): AlertCoverage | undefined =>
      standNow(runs, 'shop')?.alerts[0];
    const changed = stand(runOf('1', [before]), runOf('2', [now]));
    expect(changed).toMatchObject({ state: 'never', changed: true });
    expect(coverageText(runOf('2', [changed!]))).toContain('not proven since its rule changed');
    expect(stand(runOf('1', [before]), runOf('2', [{ ...now, rule: 'a' }]))?.state).toBe('proven');
    // Histories of before, and runs at another time scale, cannot tell.
    expect(stand(runOf('1', [fired(1)]), runOf('2', [now]))?.state).toBe('proven');
    const slower = runOf('1', [before], { timeScale: 2 });
    expect(stand(slower, runOf('2', [now]))?.state).toBe('proven');
  });

  test.each<[string, CoverageRun[], string | undefined]>([
    ['the same', [runOf('1', [fired(1000)]), runOf('2', [fired(2000)])], undefined],
    ['first of all', [runOf('1', [fired(1000)])], undefined],
    ['did not fire', [runOf('1', [fired(1000)]), runOf('2', [silent])], 'lost'],
    [
      'its scenario was not run',
      [runOf('1', [fired(1000)]), runOf('2', [silent], { scenarios: [] })],
      undefined,
    ],
    ['rule gone', [runOf('1', [fired(1000)]), runOf('2', [])], 'gone'],
    [
      'metric gone',
      [runOf('1', [fired(1000)]), runOf('2', [{ ...silent, state: 'cannot', missing: ['up'] }])],
      'cannot',
    ],
    [
      'slower than usual',
      [runOf('1', [fired(1000)]), runOf('2', [fired(1200)]), runOf('3', [fired(4000)])],
      'slower',
    ],
    [
      'slower at another time scale',
      [runOf('1', [fired(1000)]), runOf('2', [fired(9000)], { timeScale: 0.5 })],
      undefined,
    ],
    [
      'somebody else was told',
      [runOf('1', [fired(1000)]), runOf('2', [fired(1000, 'nobody')])],
      'receiver',
    ],
  ])('%s', (_, runs, kind) => {
    const found = regressionsOf(runs, 'shop');
    expect(found.map((r) => r.kind)).toEqual(kind === undefined ? [] : [kind]);
  });
});
