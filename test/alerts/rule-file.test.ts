/** Rule files are read as in Prometheus, and refused with the place of each mistake. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { plainGroups, readRuleFile, readRuleText } from '../../alerts/rules/read.js';
import { UserError } from '../../base/errors.js';
import { readInput } from '../../base/input.js';
import { asset, program } from '../../base/paths.js';
import { compileSlos, readSlos } from '../../slo/index.js';

test('the output of slo generate is read back unchanged', () => {
  const groups = compileSlos(readSlos([asset('test/slo/golden/retail/in.yaml')]));
  expect(plainGroups(readRuleFile(asset('test/slo/golden/retail/rules.yaml')))).toEqual(groups);
});

test('texts stay texts, and a group gives its labels to its rules', () => {
  const [group] = readRuleText(
    'r.yaml',
    `groups:
  - name: a
    limit: 7
    query_offset: 11s
    labels: {team: x, tier: 1}
    rules:
      - {alert: A, expr: 1, for: 3m, keep_firing_for: 1h, labels: {version: 1.10, tier: "2"}}
      - {record: "a:b", expr: vector(1)}
`,
  );
  expect(group).toMatchObject({ limit: 7, queryOffsetMs: 11_000 });
  expect(group?.rules.map((r) => r.rule)).toEqual([
    {
      kind: 'alert',
      alert: 'A',
      expr: '1',
      forMs: 180_000,
      keepFiringForMs: 3_600_000,
      labels: { team: 'x', tier: '2', version: '1.10' },
      annotations: {},
    },
    { kind: 'record', record: 'a:b', expr: 'vector(1)', labels: { team: 'x', tier: '1' } },
  ]);
  expect(group?.rules[1]?.place).toEqual({ file: 'r.yaml', line: 8, column: 9 });
});

const rule = (lines: string): string =>
  `groups:\n- name: a\n  rules:\n  - alert: X\n    expr: up == 0\n${lines}`;

test.each([
  [rule('    for: 5x\n'), 'r.yaml:6:10: groups.0.rules.0.for: not a duration'],
  [rule('    fur: 5m\n'), "r.yaml:6:5: unknown field 'fur' in groups.0.rules.0"],
  [
    rule('    annotations:\n      s: "hi {{ $value | foo }}"\n'),
    'r.yaml:7:26: template of s: function "foo" not defined',
  ],
  [rule('    record: x\n'), "r.yaml:4:5: only one of 'record' and 'alert' must be set"],
  [rule('    labels: {__name__: x}\n'), 'r.yaml:6:14: invalid label name: __name__'],
  [rule('- name: a\n'), 'r.yaml:6:9: groupname: "a" is repeated in the same file'],
  [
    'groups:\n- name: a\n  rules:\n  - expr: up\n',
    "r.yaml:4:5: one of 'record' or 'alert' must be set",
  ],
  ['groups:\n- name: a\n  rules:\n  - record: x\n', "r.yaml:4:5: field 'expr' must be set in rule"],
  [
    'groups:\n- name: a\n  rules:\n  - {record: x, expr: 1, for: 1m}\n',
    "r.yaml:4:26: invalid field 'for' in recording rule",
  ],
  ['a: [', 'r.yaml:1:'],
])('%j', (text, message) => {
  let said = '';
  try {
    readRuleText('r.yaml', text);
  } catch (error) {
    expect(error).toBeInstanceOf(UserError);
    said = (error as UserError).message;
  }
  expect(said).toContain(message);
});

const object = (spec: string): string =>
  `apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata: { name: a }\nspec:\n${spec}`;

test('PrometheusRule objects of Kubernetes are read, several in a file, with their places', () => {
  const group = (name: string): string =>
    object(`  groups:\n  - name: ${name}\n    rules:\n    - { alert: Down, expr: up == 0 }\n`);
  const read = readRuleText('r.yaml', `${group('a')}---\n${group('b')}`);
  expect(read.map((g) => g.name)).toEqual(['a', 'b']);
  expect(read[1]?.rules[0]?.placeInExpr(3)).toEqual({ file: 'r.yaml', line: 17, column: 31 });
  const beside = 'apiVersion: v1\nkind: Service\nmetadata: { name: a }\n---\n';
  expect(readRuleText('r.yaml', beside + group('c')).map((g) => g.name)).toEqual(['c']);
  const indented = group('d').replaceAll('\n', '\n  ');
  const listed = readRuleText('r.yaml', `apiVersion: v1\nkind: List\nitems:\n- ${indented}`);
  expect(listed[0]?.name).toBe('d');
  expect(listed[0]?.rules[0]?.placeInExpr(3)).toEqual({ file: 'r.yaml', line: 11, column: 33 });
  expect(() => readRuleText('r.yaml', beside)).toThrow(
    'r.yaml:2:7: an object of Kubernetes without rules; expected a PrometheusRule',
  );
  expect(() => readRuleText('r.yaml', `groups: []\n---\n${group('b')}`)).toThrow(
    'r.yaml:3:1: a second document in a rule file',
  );
  expect(() => readRuleText('r.yaml', object('  rules: []\n'))).toThrow(
    "r.yaml:5:3: unknown field 'rules' in spec",
  );
});

test('a folder stands for its rule files in every command that reads rules', () => {
  const folder = mkdtempSync(join(tmpdir(), 'firedrill-rules-'));
  try {
    const alert = (name: string): string =>
      `groups:\n- name: ${name}\n  rules:\n  - alert: ${name}\n    expr: up == 0\n` +
      '    labels: { severity: page, owner: shop, service: cart }\n' +
      `    annotations: { runbook_url: "https://r/none" }\n`;
    for (const name of ['One', 'Two']) writeFileSync(join(folder, `${name}.yaml`), alert(name));
    const history = join(tmpdir(), `firedrill-history-${process.pid}.om`);
    writeFileSync(history, '# TYPE up gauge\nup 0 0\nup 0 60\n# EOF\n');
    const commands = [
      ['alerts', 'scale', folder, '--time-scale', '1/10'],
      ['alerts', 'backtest', '--openmetrics', history, '--rules', folder],
      ['runbook', 'lint', '--rules', folder],
    ];
    for (const command of commands) {
      const run = spawnSync(process.execPath, [program('cli'), ...command], { encoding: 'utf8' });
      expect(run.stdout + run.stderr).toMatch(/One[^]*Two/);
    }
    rmSync(history);
    const init = spawnSync(
      process.execPath,
      [program('cli'), 'alerts', 'routes', 'init', '--rules', folder],
      { encoding: 'utf8' },
    );
    expect([init.status, init.stdout]).toEqual([0, expect.stringContaining('shop')]);
    expect(() => readInput(folder)).toThrow(`${folder}: a folder; expected a file`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test.each(['', '~', 'null'])('%j is no value, as for Go', (none) => {
  const [group] = readRuleText(
    'r.yaml',
    `groups:
  - name: a
    interval: ${none}
    limit: ${none}
    rules:
      - alert: A
        expr: up
        for: ${none}
        keep_firing_for: ${none}
        labels: {k: ${none}}
        annotations:
          k: ${none}
      - record: b
        expr: up
        labels: ${none}
`,
  );
  expect(group).toMatchObject({ limit: 0 });
  expect(group?.intervalMs).toBeUndefined();
  expect(group?.rules.map((r) => r.rule)).toMatchObject([
    { forMs: 0, keepFiringForMs: 0, labels: { k: '' }, annotations: { k: '' } },
    { labels: {} },
  ]);
});

test.each([
  ['groups: ~', []],
  ['groups:', []],
  ['---', []],
])('%j has no groups', (text, groups) => {
  expect(readRuleText('r.yaml', text)).toEqual(groups);
});

test.each([
  ['groups:\n- name: ~\n  rules: []', 'r.yaml:2:9: the group has no name'],
  ['groups:\n- name: a\n  rules:\n  - {alert: A, expr: up, for: ""}', '4:31: groups.0.rules.0.for'],
  ['groups:\n- name: a\n  rules:\n  - {record: ~, expr: up}', "4:5: one of 'record' or 'alert'"],
  [
    'groups:\n- name: a\n  rules:\n  - {alert: A, expr: up, extra: ~}',
    "4:26: unknown field 'extra'",
  ],
  [
    'groups:\n- name: a\n  rules:\n  - {alert: A, expr: up, labels: {[a]: b}}',
    '4:35: a key is a text',
  ],
])('%j is refused', (text, message) => {
  expect(() => readRuleText('r.yaml', text)).toThrow(message);
});
