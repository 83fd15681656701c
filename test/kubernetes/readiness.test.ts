/** Checklists refer to existing checks and entries, and judge by them (R3). */
import { expect, test } from 'vitest';
import { apiChecks, installedChecks } from '../../mesh/kubernetes/check/cluster-checks.js';
import { identityChecks } from '../../mesh/kubernetes/check/identity-checks.js';
import { proxyChecks } from '../../mesh/kubernetes/check/proxy-checks.js';
import type { CheckResult } from '../../mesh/kubernetes/check/model.js';
import { entries } from '../../mesh/kubernetes/diagnostics/entries.js';
import { checklists, type Evidence } from '../../mesh/kubernetes/readiness/checklists.js';
import { evidence, judge } from '../../mesh/kubernetes/readiness/readiness-command.js';

test('every item names checks and entries that exist', () => {
  const known = new Set([
    ...[...apiChecks, ...installedChecks, ...identityChecks, ...proxyChecks].map((c) => c.id),
    ...entries.map((e) => e.id),
  ]);
  const named = Object.values(checklists).flatMap((list) =>
    list.flatMap((i) => [...(i.checks ?? []), ...(i.entries ?? [])]),
  );
  expect(named.filter((id) => !known.has(id))).toEqual([]);
  expect(Object.keys(checklists)).toEqual(['pre-production', 'production', 'incident']);
});

test('a failed check is a no, one that was not made is a question, people answer the rest', () => {
  const result = (id: string, verdict: CheckResult['result']): CheckResult => ({
    id,
    category: 'c',
    description: 'd',
    result: verdict,
    reason: 'why',
  });
  const items = [
    { text: 'good', checks: ['a'], entries: ['e'] },
    { text: 'bad', checks: ['a', 'b'] },
    { text: 'unknown', checks: ['a', 'c'] },
    { text: 'found', entries: ['x'] },
    { text: 'nothing to look at', entries: ['e'], needs: 'SLOs' as const },
    { text: 'looked at', entries: ['e'], needs: 'pods' as const },
    { text: 'people' },
  ];
  const finding = { id: 'x', symptom: 's', where: 'w', cause: 'c', fix: 'f' };
  const judged = judge(
    items,
    [result('a', 'success'), result('b', 'error'), result('c', 'skipped')],
    [finding],
    new Set<Evidence>(['pods']),
  );
  expect(judged.map((j) => j.verdict)).toEqual(['yes', 'no', 'ask', 'no', 'ask', 'yes', 'ask']);
  expect(judged[3]?.reasons).toEqual(['x: w: c']);
  expect(judged[4]?.reasons).toEqual(['not judged: no SLOs to look at (give them with -i)']);
});

test('an item that entries judge says what they look at, unless a check stands for it', () => {
  const silent = Object.values(checklists)
    .flat()
    .filter((i) => i.entries && !i.checks && !i.needs);
  expect(silent.map((i) => i.text)).toEqual([]);
});

test('what there is to look at: nothing of an empty cluster', () => {
  const slo = { apiVersion: '', kind: '', metadata: { name: 'f' }, service: 'cart', slos: [] };
  expect([...evidence({ objects: [], proxies: [] })]).toEqual([]);
  expect([...evidence({ objects: [slo], proxies: [] })]).toEqual(['SLOs']);
});
