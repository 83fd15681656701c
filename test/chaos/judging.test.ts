/** The rules of a drill: those that SLOs and the library generate, beside the user's own files. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { libraryGroups } from '../../alerts/index.js';
import { asset } from '../../base/paths.js';
import { judgingOf } from '../../chaos/gameday/judging.js';
import { compileSlos, readSlos, type RuleGroup, ruleFileText } from '../../slo/index.js';

const folder = mkdtempSync(join(tmpdir(), 'judging-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const slos = [asset('examples/slo/retail.yaml')];

function judging(files: Record<string, readonly RuleGroup[]>, library = true) {
  const rules = Object.entries(files).map(([name, groups]) => {
    const file = join(folder, name);
    writeFileSync(file, ruleFileText(groups));
    return file;
  });
  return judgingOf({ drill: { library }, slos, rules, timeScale: 1 / 60, allowanceMs: 2000 });
}

const alertsOf = (groups: readonly RuleGroup[]): string[] =>
  groups
    .flatMap((group) => group.rules)
    .flatMap((r) => (r.kind === 'alert' ? [`${r.alert} ${r.labels.severity} ${r.labels.slo}`] : []))
    .sort();

const recordsOf = (groups: readonly RuleGroup[]): string[] =>
  groups
    .flatMap((group) => group.rules)
    .flatMap((r) => (r.kind === 'record' ? [`${r.record} ${r.labels.slo}`] : []));

test('rules that were generated into the rule files count no event and page nobody twice', () => {
  const alone = judging({});
  expect(alone.remarks.join()).not.toContain('left out');
  const files = { 'slos.yaml': compileSlos(readSlos(slos)), 'library.yaml': libraryGroups() };
  const both = judging(files);
  expect(alertsOf(both.groups)).toEqual(alertsOf(alone.groups));
  const records = recordsOf(both.groups);
  expect(records.filter((name) => name.startsWith('slo:events_'))).not.toEqual([]);
  expect(new Set(records).size).toBe(records.length);
  expect(both.remarks).toContainEqual(
    expect.stringMatching(/^\d+ generated rules left out: the rule files have them$/),
  );
});

test('an alert of one SLO in the files leaves the others to be generated', () => {
  const [first] = compileSlos(readSlos(slos))
    .map(({ rules, ...group }) => ({
      ...group,
      rules: rules.filter((rule) => rule.kind === 'alert').slice(0, 1),
    }))
    .filter(({ rules }) => rules.length > 0);
  const { groups, remarks } = judging({ 'one.yaml': [first as RuleGroup] }, false);
  expect(alertsOf(groups)).toEqual(alertsOf(judging({}, false).groups));
  expect(remarks).toContain('1 generated rule left out: the rule files have them');
});
