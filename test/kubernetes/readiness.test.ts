/** Checklists refer to existing checks and entries, and judge by them (R3). */
import { expect, test } from 'vitest';
import { apiChecks, installedChecks } from '../../mesh/kubernetes/check/cluster-checks.js';
import { identityChecks } from '../../mesh/kubernetes/check/identity-checks.js';
import { proxyChecks } from '../../mesh/kubernetes/check/proxy-checks.js';
import type { CheckResult } from '../../mesh/kubernetes/check/model.js';
import { entries } from '../../mesh/kubernetes/diagnostics/entries.js';
import {
  checklists,
  type Evidence,
  type Item,
} from '../../mesh/kubernetes/readiness/checklists.js';
import type { Observed } from '../../mesh/kubernetes/observe/targets.js';
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
  const items: Item[] = [
    { text: 'good', checks: ['a'], entries: ['e'] },
    { text: 'bad', checks: ['a', 'b'] },
    { text: 'unknown', checks: ['a', 'c'] },
    { text: 'found', entries: ['x'] },
    { text: 'nothing to look at', entries: ['e'], needs: ['SLOs'] },
    { text: 'looked at', entries: ['e'], needs: ['pods'] },
    { text: 'people' },
    { text: 'in part', entries: ['v'], needs: ['pods'] },
    { text: 'one proxy of two', entries: ['e'], needs: ['proxies'] },
  ];
  const finding = { id: 'x', symptom: 's', where: 'w', cause: 'c', fix: 'f' };
  const judged = judge(items, {
    results: [result('a', 'success'), result('b', 'error'), result('c', 'unknown')],
    found: [finding],
    given: new Set<Evidence>(['pods', 'proxies']),
    blind: new Map([['v', ['Role']]]),
    silent: ['shop/web (refused)'],
  });
  const verdicts = ['yes', 'no', 'ask', 'no', 'ask', 'yes', 'ask', 'ask', 'ask'];
  expect(judged.map((j) => j.verdict)).toEqual(verdicts);
  expect(judged.slice(7).map((j) => j.reasons)).toEqual([
    ['not judged: you may not list Role'],
    ['no answer from shop/web (refused)'],
  ]);
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

test('a proxy without a route, a retry, a trace or a request is no evidence of them', () => {
  const proxy = (routes: object[], requests: number, more: object = {}): Observed =>
    ({
      config: { state: { destinations: [{ routes }] }, ...more },
      after: [{ name: 'request_total', labels: { direction: 'outbound' }, value: requests }],
    }) as unknown as Observed;
  const of = (...proxies: Observed[]): string[] => [...evidence({ objects: [], proxies })].sort();
  expect(of(proxy([], 19))).toEqual(['proxies']);
  expect(of(proxy([{ name: 'a' }], 0))).toEqual(['proxies', 'routes']);
  expect(of(proxy([{ name: 'a', retry: {} }], 20, { tracing: {} }))).toEqual([
    'proxies',
    'requests',
    'retries',
    'routes',
    'tracing',
  ]);
  const routes = checklists['pre-production']?.find((i) => i.text.startsWith('routes'));
  expect(routes?.needs).toEqual(['proxies', 'routes', 'requests']);
});
