/**
 * Scenario files: the built-in ones are valid, and a user's mistake is reported with its place and the expected value.
 */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { asset } from '../../base/paths.js';
import { UserError } from '../../base/errors.js';
import { alertNames } from '../../alerts/index.js';
import { badPlaceholder, fillQuery } from '../../chaos/scenarios/query.js';
import {
  ownScenarios,
  readScenarios,
  readScenarioText,
  scenarioText,
} from '../../chaos/scenarios/read.js';
import { scenarioJsonSchema } from '../../chaos/scenarios/schema.js';
import { readPages } from '../../runbooks/pages.js';
import { readSlos } from '../../slo/index.js';

const good = `apiVersion: firedrill.dev/v1
kind: Scenario
id: slow-cart
title: Slow cart
description: Cart is slow.
blastRadius: carts
runbook: slow-cart
baseline: 5m
hypothesis:
  title: all is well
  measures:
    - { name: errors, client: errorRatio, atMost: 0.01 }
faults:
  - { id: slow, kind: delay, target: cart, settings: { delayMs: 100 } }
fault: { atMost: 10m }
recovery: 10m
expect: {}
abort:
  - { name: down, client: errorRatio, above: 0.5 }
`;

const problem = (from: string, to: string): string => {
  expect(good).toContain(from);
  try {
    readScenarioText('s.yaml', good.replace(from, to));
  } catch (error) {
    expect(error).toBeInstanceOf(UserError);
    return (error as UserError).message;
  }
  return 'no problem';
};

test('X3: each of our scenarios is well formed, and names its runbook and its abort conditions', () => {
  const scenarios = readScenarios(ownScenarios());
  expect(scenarios.length).toBeGreaterThanOrEqual(3);
  const pages = readPages();
  for (const { scenario, file } of scenarios) {
    expect([scenario.id, pages.has(scenario.runbook)]).toEqual([scenario.id, true]);
    expect(`${scenario.id}.yaml`).toBe(file.split('/').at(-1));
    expect(scenario.abort.length).toBeGreaterThan(0);
  }
});

test('every alert that our scenarios speak of exists', () => {
  const slos = readSlos([asset('examples/slo/retail.yaml')]);
  const known = new Set([
    ...Object.keys(alertNames),
    ...slos.flatMap((s) => [s.alerting.name, `${s.alerting.name}NoData`]),
  ]);
  for (const { scenario } of readScenarios(ownScenarios())) {
    const { mustFire, mayFire, mustNotFire } = scenario.expect;
    for (const { alert } of [...mustFire, ...mayFire, ...mustNotFire]) {
      expect([scenario.id, alert, known.has(alert)]).toEqual([scenario.id, alert, true]);
    }
  }
});

test.each([
  ['baseline: 5m', 'baseline: 5 minutes', 's.yaml:8:11: baseline: expected a duration'],
  ['id: slow-cart', 'id: Slow Cart', 's.yaml:3:5: id: expected lower case letters'],
  ['title: Slow cart', 'titel: Slow cart', "s.yaml:4:1: unknown field 'titel'"],
  [
    'kind: delay',
    'kind: delya',
    "s.yaml:14:23: faults.0.kind: there is no fault 'delya'; expected delay",
  ],
  ['kind: delay', 'kind: clock', "there is no fault 'clock'; expected identity-skew, which dates"],
  ['kind: delay', 'kind: netem', "there is no fault 'netem'; expected latency, loss or bandwidth"],
  ['delayMs: 100', 'delayMs: lots', 's.yaml:14:65: faults.0.settings.delayMs: expected a number'],
  [
    'delayMs: 100',
    'delayMs: 100, foo: 1',
    "s.yaml:14:70: unknown field 'foo' in faults.0.settings",
  ],
  ['atMost: 0.01', 'atMost: 0.01, atLeast: 0', 'expected either atMost or atLeast'],
  ['atMost: 0.01', 'atMost: 1', 's.yaml:12:51: this always holds'],
  ['atMost: 0.01', 'atMost: -1', 's.yaml:12:51: this never holds'],
  ['atMost: 0.01', 'atLeast: 0', 's.yaml:12:52: this always holds'],
  ['baseline: 5m', 'baseline: 0s', 's.yaml:8:11: nothing is measured'],
  [
    'expect: {}',
    'expect: { mustFire: [{ alert: A, within: 5m }, { alert: A, within: 6m }] }',
    's.yaml:17:48: the same alert is awaited twice',
  ],
  [
    'client: errorRatio, atMost',
    'promql: "sum(", atMost',
    's.yaml:12:31: the query ends too early',
  ],
  [
    'client: errorRatio, atMost',
    'promql: "x[{{5 min}}]", atMost',
    "'{{5 min}}' is no duration; expected {{5m}} or {{since}}",
  ],
  [
    'fault: { atMost: 10m }',
    'fault: { atLeast: 1h, atMost: 10m }',
    'atLeast is longer than atMost',
  ],
  ['target: cart,', 'target: cart, start: 5m, stop: 1m,', 'it stops before it starts'],
  [
    'expect: {}',
    'expect: { mustNotFire: [{ alert: A, arm: first }] }',
    "no arm 'first'; expected no arm: this scenario has none",
  ],
  [
    'abort:\n  - { name: down,',
    'abort:\n  - { name: "\\e[8mdown",',
    's.yaml:19:13: abort.0.name: expected a text without control characters',
  ],
  [
    'abort:\n  - { name: down, client: errorRatio, above: 0.5 }',
    'abort: []',
    's.yaml:18:8: abort: expected at least one condition',
  ],
])('a mistake is told: %s -> %s', (from, to, message) => {
  expect(problem(from, to)).toContain(message);
});

test('a name that is none of ours, and a file that is not there', () => {
  expect(() => readScenarios(['nonsense'])).toThrow(
    /no scenario 'nonsense'; expected a file, or one of anchor-expiry, certificate-expiry/,
  );
  expect(() => readScenarios(['./nowhere.yaml'])).toThrow('./nowhere.yaml: no such file');
  expect(() => readScenarios(['/dev/zero'])).toThrow(
    '/dev/zero is too large; expected at most 1 MiB',
  );
  expect(() => readScenarios(['retry-storm', 'retry-storm'])).toThrow('have the same id');
});

test('durations in a query are scaled, and hold four scrapes at least', () => {
  expect(fillQuery('rate(x[{{1h}}])', 1 / 240, 250)).toBe('rate(x[15s])');
  expect(fillQuery('rate(x[{{ 1m }}])', 1 / 240, 250)).toBe('rate(x[1s])');
  expect(fillQuery('increase(x[{{since}}])', 1, 250, 4321)).toBe('increase(x[4s321ms])');
  expect([badPlaceholder('x[{{5m}}]'), badPlaceholder('x[{{abc}}]')]).toEqual([
    undefined,
    '{{abc}}',
  ]);
});

test('the JSON Schema for editors beside our scenarios is the present one', () => {
  const text = readFileSync(asset('chaos/scenarios/schema.json'), 'utf8');
  expect(JSON.parse(text)).toEqual(scenarioJsonSchema());
});

test('a built-in scenario is shown as it is written, and an unknown name is refused', () => {
  const text = scenarioText('killed-pod');
  expect(text).toContain('# Durations are in production time');
  expect(readScenarioText('mine.yaml', text).scenario.id).toBe('killed-pod');
  expect(() => scenarioText('killed-pot')).toThrow('did you mean killed-pod?');
});
