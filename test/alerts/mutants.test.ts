/** A7: edits of rules that tests do not notice, equivalent edits, and the missing tests that are written. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { mutate, scoreOf } from '../../alerts/proof/mutants/mutate.js';
import { mutationsOf } from '../../alerts/proof/mutants/mutations.js';
import { pointsText, testsFor } from '../../alerts/proof/mutants/write-tests.js';
import { parsePoints } from '../../alerts/proof/unit/points.js';
import { program } from '../../base/paths.js';
import { Labels } from '../../slo/promql/index.js';
import { testWith } from '../tools.js';

const rules = `groups:
  - name: shop
    rules:
      - alert: ErrorsHigh
        expr: sum by (service) (rate(errors_total{code="500"}[5m])) > 0.5
        for: 5m
        keep_firing_for: 4m
        labels: { severity: page }
        annotations: { summary: '{{ $labels.service }} fails' }
      - alert: TargetDown
        expr: up{job="shop"} == 0
        labels: { severity: ticket }
`;

/** ErrorsHigh is tested while it fires and never while it is quiet; TargetDown is tested well. */
const tests = `rule_files: [rules.yaml]
evaluation_interval: 1m
tests:
  - name: errors
    interval: 1m
    input_series:
      - { series: 'errors_total{code="500",service="cart",instance="a"}', values: '0x10 0+120x30' }
    alert_rule_test:
      - eval_time: 30m
        alertname: ErrorsHigh
        exp_alerts:
          - exp_labels: { severity: page, service: cart }
            exp_annotations: { summary: cart fails }
  - name: down
    interval: 1m
    input_series:
      - { series: 'up{job="shop",instance="a"}', values: '1x5 0x5' }
      - { series: 'up{job="other",instance="a"}', values: '0x10' }
    alert_rule_test:
      - { eval_time: 3m, alertname: TargetDown, exp_alerts: [] }
      - eval_time: 8m
        alertname: TargetDown
        exp_alerts: [{ exp_labels: { severity: ticket, job: shop, instance: a } }]
`;

let folder: string;
const at = (name: string): string => join(folder, name);
const options = {
  only: undefined,
  stories: true,
  closedRanges: false,
  progress: () => undefined,
};

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'firedrill-mutants-'));
  writeFileSync(at('rules.yaml'), rules);
  writeFileSync(at('tests.yaml'), tests);
});

const changes = (list: { mutation: { change: string } }[]): string[] =>
  list.map((m) => m.mutation.change);

test('an edit that no test notices is named, and one that is noticed is not', () => {
  const { mutants } = mutate([at('rules.yaml')], [at('tests.yaml')], options);
  const survived = changes(mutants.filter((m) => m.state === 'survived'));
  const killed = changes(mutants.filter((m) => m.state === 'killed'));
  expect(survived).toContain('for 5m removed');
  expect(survived).toContain('keep_firing_for 4m removed');
  expect(survived).toContain('threshold 0.5 -> 0.625');
  expect(survived).toContain('matcher code="500" dropped');
  expect(survived).toContain('sum -> max');
  expect(killed).toContain('> -> <');
  expect(killed).toContain('== -> !=');
  expect(killed).toContain('matcher job="shop" dropped');
});

test('the tests that it writes pass, and kill what survived', () => {
  const first = mutate([at('rules.yaml')], [at('tests.yaml')], options);
  const written = testsFor(first.mutants, first.affected, at('missing.yaml'));
  writeFileSync(at('missing.yaml'), written.documents[0]!.text);
  const second = mutate([at('rules.yaml')], [at('tests.yaml'), at('missing.yaml')], options);
  expect(changes(second.mutants.filter((m) => m.state === 'survived'))).toEqual([]);
  expect(scoreOf(second.mutants).percent).toBe(100);
  expect(second.mutants.length).toBe(first.mutants.length);
});

testWith('promtool')('promtool accepts what it writes', () => {
  const version = execFileSync('promtool', ['--version'], { encoding: 'utf8' });
  // A build from the Go module reports no version; it is 3.x.
  const closedRanges = /version 2\./.test(version);
  const { mutants, affected } = mutate([at('rules.yaml')], [at('tests.yaml')], {
    ...options,
    closedRanges,
  });
  const { documents } = testsFor(mutants, affected, at('missing.yaml'));
  writeFileSync(at('missing.yaml'), documents[0]!.text);
  const output = execFileSync('promtool', ['test', 'rules', at('missing.yaml')], {
    encoding: 'utf8',
  });
  expect(output).toContain('SUCCESS');
});

test('an edit that changes nothing is equivalent, and not held against the tests', () => {
  writeFileSync(
    at('rules.yaml'),
    `groups:
  - name: g
    rules:
      - alert: TargetDown
        expr: max by (instance) (max by (instance) (up)) == 0
        labels: { severity: ticket }
`,
  );
  writeFileSync(
    at('tests.yaml'),
    `rule_files: [rules.yaml]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series: [{ series: 'up{instance="a"}', values: '1x5 0x5' }, { series: 'up{instance="b"}', values: '1x10' }]
    alert_rule_test:
      - { eval_time: 3m, alertname: TargetDown, exp_alerts: [] }
      - { eval_time: 8m, alertname: TargetDown, exp_alerts: [{ exp_labels: { severity: ticket, instance: a } }] }
`,
  );
  const { mutants } = mutate([at('rules.yaml')], [at('tests.yaml')], options);
  // The outer maximum is over one series each, so it equals the minimum.
  const outer = mutants.filter((m) => m.mutation.change === 'max -> min');
  expect(outer.map((m) => m.state)).toContain('equivalent');
  expect(scoreOf(mutants).equivalent).toBeGreaterThan(0);
});

test('a rule that fires in no story is not called equivalent', () => {
  writeFileSync(
    at('rules.yaml'),
    'groups: [{ name: g, rules: [{ alert: Never, expr: "absent_metric > 1 and absent_metric < 0" }] }]\n',
  );
  writeFileSync(
    at('tests.yaml'),
    `rule_files: [rules.yaml]
tests:
  - interval: 1m
    input_series: [{ series: absent_metric, values: 5x9 }]
    alert_rule_test: [{ eval_time: 5m, alertname: Never, exp_alerts: [] }]
`,
  );
  const { mutants } = mutate([at('rules.yaml')], [at('tests.yaml')], options);
  const untold = mutants.filter((m) => m.state === 'equivalent');
  expect(untold).toEqual([]);
  expect(mutants.some((m) => m.state === 'survived')).toBe(true);
});

test('an edit of a recording rule counts by the alerts that read it', () => {
  writeFileSync(
    at('rules.yaml'),
    `groups:
  - name: g
    rules:
      - { record: 'job:errors:rate5m', expr: 'sum by (job) (rate(errors_total[5m]))' }
      - { alert: E, expr: 'job:errors:rate5m > 1' }
`,
  );
  writeFileSync(
    at('tests.yaml'),
    `rule_files: [rules.yaml]
tests:
  - interval: 1m
    input_series: [{ series: 'errors_total{job="a"}', values: '0+600x20' }]
    alert_rule_test: [{ eval_time: 10m, alertname: E, exp_alerts: [{ exp_labels: { job: a } }] }]
`,
  );
  const { mutants } = mutate([at('rules.yaml')], [at('tests.yaml')], options);
  const record = mutants.filter((m) => m.name === 'job:errors:rate5m');
  expect(record.find((m) => m.mutation.change === 'sum by (job) without job')?.state).toBe(
    'killed',
  );
  expect(record.find((m) => m.mutation.change === 'sum -> max')?.state).toBe('survived');
});

test('tests that fail unedited, rules that no test loads and files that are not there are refused', () => {
  writeFileSync(at('other.yaml'), rules);
  expect(() => mutate([at('other.yaml')], [at('tests.yaml')], options)).toThrow('no test loads');
  expect(() => mutate([at('none.yaml')], [at('tests.yaml')], options)).toThrow('no such file');
  writeFileSync(at('tests.yaml'), tests.replace('eval_time: 30m', 'eval_time: 3m'));
  expect(() => mutate([at('rules.yaml')], [at('tests.yaml')], options)).toThrow(
    /tests\.yaml:\d+:\d+: the tests fail before any rule is edited/,
  );
});

test('every edit of a rule parses, differs from it, and says what it is', () => {
  const edits = mutationsOf({
    kind: 'alert',
    alert: 'A',
    expr:
      '(sum by (a) (rate(x_total{b="c", d=~"e|f"}[10m] offset 5m)) / on (a) group_left max by (a) (y)) > 2 * 0.05 ' +
      'unless on (a) z',
    forMs: 300_000,
    keepFiringForMs: 0,
    labels: {},
    annotations: {},
  });
  expect(changes(edits.map((mutation) => ({ mutation })))).toMatchInlineSnapshot(`
    [
      "for 5m removed",
      "for 5m -> 10m",
      "for 5m -> 2m30s",
      "unless -> and",
      "on (a) without a",
      "> -> <",
      "on (a) without a",
      "sum -> max",
      "sum by (a) without a",
      "range [10m] -> [20m]",
      "range [10m] -> [5m]",
      "matcher b="c" dropped",
      "matcher d=~"e|f" dropped",
      "offset 5m dropped",
      "max -> min",
      "max by (a) without a",
      "threshold 2 -> 2.5",
      "threshold 2 -> 1.6",
      "threshold 0.05 -> 0.0625",
      "threshold 0.05 -> 0.04",
    ]
  `);
});

test.each([
  ['1 2 3 4', '1+1x3'],
  ['5 5 5', '5x2'],
  ['0.1 0.2 0.3', '0.1 0.2 0.3'],
  ['1 _ _ stale 7', '1 _x2 stale 7'],
  ['9 7 5 3', '9-2x3'],
  ['-1 -2 -3', '-1-1x2'],
])('the points %s are written as %s, and read back alike', (points, text) => {
  const series = { labels: Labels.empty, points: parsePoints(points) };
  expect(pointsText(series)).toBe(text);
  expect(parsePoints(pointsText(series))).toEqual(series.points);
});

test('the command prints the documented JSON, and --min fails', () => {
  const args = [program('cli'), 'alerts', 'mutate', at('rules.yaml'), '--tests', at('tests.yaml')];
  const json = JSON.parse(
    execFileSync(process.execPath, [...args, '--format', 'json'], { encoding: 'utf8' }),
  ) as Record<string, unknown> & { survivors: Record<string, unknown>[] };
  expect(json.mutants).toBe(
    (json.killed as number) + (json.equivalent as number) + json.survivors.length,
  );
  expect(json.survivors[0]).toMatchObject({
    file: at('rules.yaml'),
    line: 4,
    rule: 'ErrorsHigh',
    change: 'for 5m removed',
  });
  expect(() => execFileSync(process.execPath, [...args, '--min', '99'])).toThrow();
  const missing = at('missing.yaml');
  execFileSync(process.execPath, [...args, '--write', missing], { stdio: 'ignore' });
  expect(readFileSync(missing, 'utf8')).toContain('rule_files:');
});
