/** The rules of a drill: those that SLOs and the library generate, beside the user's own files. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { libraryGroups } from '../../alerts/index.js';
import { asset } from '../../base/paths.js';
import { autoScale, judgingOf } from '../../chaos/gameday/judging.js';
import {
  type AlertingRule,
  compileSlos,
  readSlos,
  type RuleGroup,
  ruleFileText,
  type Slo,
} from '../../slo/index.js';

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
  const both = judging({
    'slos.yaml': compileSlos(readSlos(slos)),
    'library.yaml': libraryGroups(),
  });
  expect(alertsOf(both.groups)).toEqual(alertsOf(alone.groups));
  const records = recordsOf(both.groups);
  expect(records.filter((name) => name.startsWith('slo:events_total:increase'))).not.toEqual([]);
  expect(records.sort()).toEqual(recordsOf(alone.groups).sort());
  const { remarks } = judging({ 'slos.yaml': compileSlos(readSlos(slos)) }, false);
  expect(remarks).toEqual(alone.remarks);
});

test('rules that the SLOs generate choose no time scale', () => {
  const generated = join(folder, 'generated.yaml');
  writeFileSync(generated, ruleFileText(compileSlos(readSlos(slos))));
  const own = join(folder, 'own.yaml');
  const rules = [{ kind: 'record' as const, record: 'r', expr: 'rate(x[2h])', labels: {} }];
  writeFileSync(own, ruleFileText([{ name: 'own', rules }]));
  expect(autoScale({ slos, rules: [generated] }, 2)).toEqual(autoScale({ slos, rules: [] }, 2));
  const alone = autoScale({ slos: [], rules: [own] }, 2);
  expect(alone.why).toContain('[2h] (r,');
  expect(autoScale({ slos, rules: [generated, own] }, 2)).toEqual(alone);
});

test('a rule in the files that its SLO does not generate any more is refused with its place', () => {
  const [slo, ...others] = readSlos(slos);
  const stale = compileSlos([{ ...(slo as Slo), objective: 90 }, ...others]);
  const forgotten = () => judging({ 'stale.yaml': stale }, false);
  expect(forgotten).toThrow(
    /^.*stale\.yaml:\d+:\d+: \w+ is not the rule that the SLO '[^']+' of the drill/m,
  );
});

test('a rule of an SLO that the drill does not have stays, and so does an edited alert of the library', () => {
  const [group] = libraryGroups();
  const [rule] = (group as RuleGroup).rules.filter((r) => r.kind === 'alert');
  const edited = { ...(rule as AlertingRule), expr: 'vector(1) > 0' };
  const other = {
    ...edited,
    alert: 'CartAvailability',
    labels: { severity: 'page', slo: 'elsewhere' },
  };
  const { groups } = judging({ 'own.yaml': [{ name: 'own', rules: [edited, other] }] });
  const named = groups
    .flatMap((g) => g.rules)
    .filter((r) => r.kind === 'alert' && r.alert === edited.alert);
  expect(named.map((r) => r.expr)).toEqual([edited.expr]);
  expect(alertsOf(groups)).toContain('CartAvailability page elsewhere');
});
