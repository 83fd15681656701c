/**
 * Rules that Prometheus 3 loads are read; rules that it refuses are refused or need a feature, as in promtool 3.16.
 */
import { describe, expect, test } from 'vitest';
import { checkExpr } from '../../alerts/rules/engine.js';
import { readRuleText } from '../../alerts/rules/read.js';
import { lint } from '../../alerts/lint/lint.js';
import { readLintText } from '../../alerts/lint/source.js';
import { checkQuery } from '../../slo/promql/check-command.js';
import { parse } from '../../slo/promql/index.js';
import { featuresOf } from '../../slo/promql/syntax/features.js';

const rule = (fields: string, group = ''): string =>
  `groups:\n- name: g\n${group}  rules:\n  - expr: up\n${fields}`;

describe('rule files', () => {
  test.each([
    ['a label with a dot', rule('    alert: A\n    labels: {"team.name": x}\n')],
    ['an annotation with a dot', rule('    alert: A\n    annotations: {"run.book": x}\n')],
    ['a record with a space', rule('    record: "a.b:c d"\n')],
    ['an umlaut', rule('    alert: A\n    labels: {"größe": x}\n')],
    ['a limit below 0, which is none', rule('    alert: A\n', '  limit: -1\n')],
    ['292 years', rule('    alert: A\n    for: 292y\n')],
  ])('%s is read', (_, text) => {
    expect(readRuleText('r.yml', text, { checkExpr })[0]?.rules).toHaveLength(1);
  });

  test.each([
    ['a name of series as a label of a group', rule('    alert: A\n', '  labels: {__name__: b}\n')],
    ['a name of series as a label', rule('    alert: A\n    labels: {__name__: b}\n')],
    ['an empty label name', rule('    alert: A\n    labels: {"": b}\n')],
    ['a selector for a record', rule('    record: "up{job=\\"a\\"}"\n')],
    ['300 years', rule('    alert: A\n    for: 300y\n')],
    ['a limit that is a word', rule('    alert: A\n', '  limit: few\n')],
    ['a limit in quotes', rule('    alert: A\n', '  limit: "5"\n')],
    ['an endless limit', rule('    alert: A\n', '  limit: .inf\n')],
    ['half a character', rule('    alert: A\n    labels: {a: "\\ud83d\\ude00"}\n')],
  ])('%s is refused with its place', (_, text) => {
    expect(() => readRuleText('r.yml', text, { checkExpr })).toThrow(/^r\.yml:\d+:\d+: /);
  });
});

test('fields of rule files are read as Prometheus 3.16 reads them', () => {
  const limits = ['0x1F', '0o17', '010', '1_000', '1e3', '1.5', '-5'].map((text) => {
    const [group] = readRuleText('r.yml', `groups: [{name: g, limit: ${text}}]`);
    return group?.limit;
  });
  expect(limits).toEqual([31, 15, 8, 1000, 1000, 1, 0]);
  const text = rule('    record: r\n    annotations: {}\n');
  expect(readRuleText('r.yml', text)[0]?.rules).toHaveLength(1);
});

test('a template without quotes is named as such', () => {
  const text = rule('    alert: A\n    annotations:\n      summary: {{ $labels.job }} is down\n');
  expect(() => readRuleText('r.yml', text)).toThrow(
    /^r.yml:\d+:16: a value that begins with \{\{ is a map; expected quotes around the value/,
  );
});

describe('queries', () => {
  test('holt_winters is gone, and its new name is said', () => {
    const { ok, shown } = checkQuery('holt_winters(x[5m], 0.1, 0.1)', undefined, 'text');
    expect(ok).toBe(false);
    expect(shown).toContain('gone since Prometheus 3.0');
    expect(shown).toContain("did you mean 'double_exponential_smoothing'?");
  });

  const functions = 'promql-experimental-functions';
  test.each([
    ['double_exponential_smoothing(x[5m], 0.1, 0.1)', functions, 'double_exponential_smoothing'],
    ['limitk(1, x)', functions, 'limitk'],
    ['sort_by_label(x, "a")', functions, 'sort_by_label'],
    ['info(x)', functions, 'info'],
    ['mad_over_time(x[5m])', functions, 'mad_over_time'],
    ['a + fill(0) b', 'promql-binop-fill-modifiers', 'fill'],
    ['rate(x[5m * 2])', 'promql-duration-expr', 'a computed range'],
    ['x offset (5m + 1m)', 'promql-duration-expr', 'a computed offset'],
    ['rate(x[5m] smoothed)', 'promql-extended-range-selectors', 'smoothed'],
  ])('%s needs %s', (text, feature, word) => {
    expect(featuresOf(parse(text))).toMatchObject([{ feature, word }]);
    expect(checkQuery(text, undefined, 'text').shown).toContain(`--enable-feature=${feature}`);
    expect(checkQuery(text, undefined, 'text', [feature]).shown).not.toContain('warning');
    const file = readLintText(
      'r.yml',
      `groups: [{name: g, rules: [{record: r, expr: '${text}'}]}]`,
    );
    const found = (enabledFeatures: string[]): string[] =>
      lint([file], { enabledFeatures }).map((f) => f.rule);
    expect(found([])).toContain('promql/feature-flag');
    expect(found([feature])).not.toContain('promql/feature-flag');
  });

  test.each([
    ['rate(x[5m * 2])', '3.14'],
    ['rate(x[5m] anchored)', '3.16'],
  ])('%s needs no feature from Prometheus %s on', (text, release) => {
    const before = `a stock Prometheus before ${release} refuses`;
    expect(checkQuery(text, undefined, 'text').shown).toContain(before);
    expect(checkExpr(text, [])).toBeUndefined();
    expect(checkExpr('info(x)', [])).toMatchObject({ offset: 0 });
  });

  test.each(['rate(x[5m])', 'x offset -5m', 'topk(1, x)', 'round(x)', 'max_over_time(x[1h:5m])'])(
    '%s needs none',
    (text) => expect(featuresOf(parse(text))).toEqual([]),
  );
});
