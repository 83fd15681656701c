/** Mistakes of a scenario about its system: each is reported with its place, before a drill. */
import { expect, test } from 'vitest';
import { asset } from '../../base/paths.js';
import { formatProblem } from '../../base/errors.js';
import { readAmConfigText } from '../../alerts/routing/config.js';
import { judgingOf } from '../../chaos/gameday/judging.js';
import { timingOf } from '../../chaos/gameday/options.js';
import { planOf, planText } from '../../chaos/gameday/plan.js';
import { refuseImpossible, worldOf } from '../../chaos/gameday/world.js';
import { bundledDrill } from '../../chaos/system/bundled.js';
import { readDrill } from '../../chaos/system/drill-file.js';
import { namesOf } from '../../chaos/system/names.js';
import { checkScenario } from '../../chaos/scenarios/check.js';
import { ownScenarios, readScenarios, readScenarioText } from '../../chaos/scenarios/read.js';
import type { World } from '../../chaos/scenarios/world.js';
import { rule } from './evidence.js';

const world: World = {
  system: {
    name: 'carts',
    services: [
      { name: 'cart', workloads: ['cart-1', 'cart-2'], counters: ['received'] },
      { name: 'stock', workloads: ['stock'] },
    ],
    processes: ['cart-1', 'cart-1-proxy', 'stock'],
    parts: ['controller'],
  },
  rules: [
    rule('CartLatency', 'page', { slo: 'cart-latency' }),
    rule('CartLatency', 'ticket', { slo: 'cart-latency' }),
    { ...rule('CartDown', 'critical'), expr: 'sum by (workload) (up) == 0' },
    { ...rule('MeshProxyDown', 'ticket'), expr: 'up == 0' },
  ],
  routes: ['browse', 'buy'],
  receivers: ['cart-oncall', 'tickets'],
  routing: readAmConfigText(
    'alertmanager.yml',
    `route: { receiver: tickets }
receivers: [{ name: tickets }]
inhibit_rules:
  - { source_matchers: [alertname="CartDown", workload="cart-1"], target_matchers: [slo="cart-latency"] }
  - { source_matchers: [alertname="MeshProxyDown"], target_matchers: [slo="nothing"] }
`,
  ),
  silences: ['deploy of carts'],
  sloAlerts: ['CartLatency'],
  pages: new Set(['slow-cart', 'MeshProxyDown']),
};

const text = `apiVersion: firedrill.dev/v1
kind: Scenario
id: slow-cart
title: Slow cart
description: Cart is slow.
blastRadius: carts
runbook: slow-cart
baseline: 5m
hypothesis:
  title: well
  measures: [{ name: errors, client: errorRatio, route: buy, atMost: 0.01 }]
faults:
  - { id: slow, kind: delay, target: cart, settings: { delayMs: 100 } }
fault: { atMost: 10m }
recovery: 10m
steps: [{ at: 1m, restart: stock }]
expect:
  mustFire:
    - { alert: CartLatency, labels: { slo: cart-latency }, within: 10m, receiver: cart-oncall }
    - { alert: CartDown, labels: { workload: cart-1 }, severity: critical, within: 9m }
checks:
  - { name: few, counter: { service: cart, name: received }, atMost: 9 }
abort: [{ name: down, client: errorRatio, above: 0.5 }]
`;

const problems = (change: (text: string) => string, in_: World = world): string[] =>
  checkScenario(readScenarioText('s.yaml', change(text)), in_).map(formatProblem);

test('a scenario that fits its system has no problem', () => {
  expect(problems((t) => t)).toEqual([]);
});

const swap =
  (from: string, to: string) =>
  (t: string): string => {
    expect(t).toContain(from);
    return t.replace(from, to);
  };

test.each([
  [
    'an alert that no rule defines',
    swap('alert: CartLatency', 'alert: CartLatencey'),
    's.yaml:19:16: no rule CartLatencey is loaded: did you mean CartLatency?',
  ],
  [
    'a label value that the rule never has',
    swap('slo: cart-latency }', 'slo: nope }'),
    's.yaml:19:44: CartLatency never has slo=nope; expected cart-latency',
  ],
  [
    'a label that the expression does not carry',
    swap('{ workload: cart-1 }', '{ pod: cart-1 }'),
    "s.yaml:20:41: CartDown has no label 'pod'; expected",
  ],
  [
    'a workload that is not there',
    swap('{ workload: cart-1 }', '{ workload: cart-9 }'),
    "s.yaml:20:46: no workload 'cart-9': did you mean cart-1?",
  ],
  [
    'a severity that no rule has',
    swap('severity: critical', 'severity: page'),
    's.yaml:20:66: no rule CartDown has the severity page; expected critical',
  ],
  [
    'a receiver that is not there',
    swap('receiver: cart-oncall', 'receiver: cart-on-call'),
    "s.yaml:19:83: no receiver 'cart-on-call': did you mean cart-oncall?",
  ],
  [
    'a target that is not there',
    swap('target: cart,', 'target: crat,'),
    "s.yaml:13:38: delay has no target 'crat': did you mean cart?",
  ],
  [
    'a delay of nothing',
    swap('delayMs: 100', 'delayMs: 0'),
    's.yaml:13:54: slow changes nothing: delayMs is 0',
  ],
  [
    'a share of nothing',
    swap('delayMs: 100', 'delayMs: 100, ratio: 0'),
    's.yaml:13:54: slow changes nothing: its ratio is 0',
  ],
  [
    'a fault that starts when it is over',
    swap('target: cart,', 'target: cart, start: 10m,'),
    's.yaml:13:51: slow starts after 10m, when the fault phase is over: it is never put',
  ],
  [
    'a step that comes when it is over',
    swap('at: 1m', 'at: 11m'),
    's.yaml:16:15: this step comes after the fault phase is over; expected less than fault.atMost',
  ],
  [
    'a process that is not there',
    swap('restart: stock', 'restart: stok'),
    "s.yaml:16:28: no process 'stok': did you mean stock?",
  ],
  [
    'a deadline beyond the fault phase',
    swap('within: 10m', 'within: 11m'),
    's.yaml:19:68: the deadline of CartLatency (11m) lies beyond the fault phase',
  ],
  [
    'a route that the load does not have',
    swap('route: buy', 'route: bye'),
    "s.yaml:11:57: the load has no route 'bye'; expected browse, buy",
  ],
  [
    'a service that is not there',
    swap('service: cart,', 'service: carts,'),
    "s.yaml:22:27: no service 'carts': did you mean cart?",
  ],
  [
    'a counter that is not there',
    swap('name: received', 'name: recieved'),
    "s.yaml:22:27: cart has no counter 'recieved': did you mean received?",
  ],
  [
    'a runbook page that is not there',
    swap('runbook: slow-cart', 'runbook: slow-crat'),
    "s.yaml:7:10: no runbook page 'slow-crat': did you mean slow-cart?",
  ],
  [
    'a runbook file that is not there',
    swap('runbook: slow-cart', 'runbook: pages/slow.md'),
    's.yaml:7:10: no file pages/slow.md beside the scenario',
  ],
  [
    'an alert that must fire and must not',
    swap('checks:', '  mustNotFire: [{ alert: CartDown }]\nchecks:'),
    's.yaml:20:16: CartDown must fire and must not',
  ],
  [
    'an alert that must not fire and cannot',
    swap('checks:', '  mustNotFire: [{ alert: Elsewhere }]\nchecks:'),
    's.yaml:21:26: no rule Elsewhere is loaded; expected CartLatency, CartDown',
  ],
  [
    'a typo in what may fire',
    swap('checks:', '  mayFire: [{ alert: CartDwon, why: x }]\nchecks:'),
    's.yaml:21:22: no rule CartDwon is loaded: did you mean CartDown?',
  ],
  [
    'what may fire and is not loaded',
    swap('checks:', '  mayFire: [{ alert: Elsewhere, why: x }]\nchecks:'),
    's.yaml:21:22: no rule Elsewhere is loaded; expected CartLatency, CartDown',
  ],
  [
    'a label that what may fire never has',
    swap('checks:', '  mayFire: [{ alert: CartLatency, labels: { slo: b }, why: x }]\nchecks:'),
    's.yaml:21:50: CartLatency never has slo=b; expected cart-latency',
  ],
  [
    'a resolution after everybody has stopped looking',
    swap('within: 9m', 'within: 9m, resolveWithin: 11m'),
    's.yaml:20:103: CartDown may take 11m to resolve, and nobody looks for so long; expected at most recovery (10m)',
  ],
  [
    'a deadline of nothing',
    swap('within: 9m', 'within: 0s'),
    's.yaml:20:84: CartDown has no time at all; expected a time such as 5m',
  ],
  [
    'a resolution in no time',
    swap('within: 9m', 'within: 9m, resolveWithin: 0s'),
    's.yaml:20:103: CartDown has no time at all',
  ],
  [
    'an alert that may fire and must not',
    swap(
      'checks:',
      '  mayFire: [{ alert: MeshProxyDown, why: x }]\n  mustNotFire: [{ alert: MeshProxyDown }]\nchecks:',
    ),
    's.yaml:21:22: MeshProxyDown may fire and must not: mustNotFire forbids it, too',
  ],
  [
    'the name of another alert as a label',
    swap('{ workload: cart-1 }', '{ alertname: CartDwon }'),
    's.yaml:20:47: CartDown never has alertname=CartDwon; expected CartDown',
  ],
  [
    'an order after itself',
    swap('within: 9m', 'within: 9m, notBefore: { alert: CartDown }'),
    's.yaml:20:108: CartDown cannot come after itself; expected another alert',
  ],
  [
    'a theory of SLOs for another alert',
    swap('within: 9m', 'within: 9m, theory: slo'),
    's.yaml:20:96: CartDown is the alert of no SLO; expected theory: for, or a ratio',
  ],
  [
    'an inhibition by itself',
    swap('within: 10m, receiver: cart-oncall', 'within: 10m, inhibitedBy: CartLatency'),
    's.yaml:19:86: CartLatency cannot inhibit itself; expected another alert',
  ],
  [
    'an inhibition that no rule makes',
    swap('within: 10m, receiver: cart-oncall', 'within: 10m, inhibitedBy: MeshProxyDown'),
    's.yaml:19:86: no inhibit rule lets MeshProxyDown inhibit CartLatency; expected inhibit_rules',
  ],
  [
    'a silence that is not there',
    swap('within: 10m, receiver: cart-oncall', 'within: 10m, silencedBy: weekend'),
    "s.yaml:19:85: no silence has 'weekend' in its comment; expected 'deploy of carts'",
  ],
  [
    'a fault that is over before it is whole',
    swap('target: cart,', 'target: cart, ramp: 3m, start: 1m, stop: 3m,'),
    's.yaml:13:50: slow is over before it has grown to its settings; expected at most 2m',
  ],
  [
    'a process that may end and is not there',
    swap('checks:', '  mayEnd: [{ process: stok, why: x }]\nchecks:'),
    "s.yaml:21:23: no process 'stok': did you mean stock?",
  ],
  [
    'an order after what never happens',
    swap('within: 9m', 'within: 9m, notBefore: { exit: stokc }'),
    "s.yaml:20:107: no process 'stokc': did you mean stock?",
  ],
])('%s', (_, change, message) => {
  const found = problems(change);
  expect(found).toHaveLength(1);
  expect(found[0]).toContain(message);
});

test('an inhibition that a rule makes, by a label of series too, and a silence that is there', () => {
  const by = (text: string): string[] =>
    problems(swap('within: 10m, receiver: cart-oncall', `within: 10m, ${text}`));
  expect(by('inhibitedBy: CartDown')).toEqual([]);
  expect(by('silencedBy: deploy')).toEqual([]);
});

test.each([
  ['disk-full', 'disk', '{}'],
  ['open-files', 'process', '{}'],
])('%s with nothing left is the fault itself, and changes all', (kind, targets, settings) => {
  const { system } = world;
  const possible = { ...world, system: { ...system, targets: { [targets]: ['stock'] } } };
  const change = swap(
    'kind: delay, target: cart, settings: { delayMs: 100 }',
    `kind: ${kind}, target: stock, settings: ${settings}`,
  );
  expect(problems(change, possible)).toEqual([]);
});

test('a fault of DNS names what its target looks up, in any letters', () => {
  const { system } = world;
  const lookedUp = { cart: ['stock.internal'] };
  const possible = { ...world, system: { ...system, targets: { resolver: ['cart'] }, lookedUp } };
  const named = (name: string) =>
    swap(
      'kind: delay, target: cart, settings: { delayMs: 100 }',
      `kind: dns-fails, target: cart, settings: { name: ${name} }`,
    );
  expect(problems(named('STOCK.internal'), possible)).toEqual([]);
  expect(problems(named('stokc.internal'), possible)).toEqual([
    "s.yaml:13:66: cart calls nothing at 'stokc.internal': did you mean stock.internal?",
  ]);
});

test('a fault that the carrier of a call does not know is refused', () => {
  const { system } = world;
  const kindsOf = { cart: ['latency', 'cut'] };
  expect(problems((t) => t, { ...world, system: { ...system, kindsOf } })).toEqual([
    's.yaml:13:23: cart cannot do delay; expected latency, cut',
  ]);
});

test('what a controller does is refused where there is none', () => {
  const { system } = world;
  const change = (t: string): string =>
    t
      .replace('{ at: 1m, restart: stock }', '{ at: 1m, publish: true }')
      .replace('checks:', 'checks:\n  - { name: r, rollout: arrives }');
  expect(problems(change)).toEqual([]);
  expect(problems(change, { ...world, system: { ...system, parts: [] } })).toEqual([
    's.yaml:16:28: nothing is published: there is no controller',
    's.yaml:22:25: nothing is published: there is no controller',
  ]);
});

test('a scenario that expects nothing is refused, unless it says in writing that nothing may page', () => {
  const nothing = (expect_: string) => (t: string) =>
    `${t.slice(0, t.indexOf('expect:'))}expect: ${expect_}\n${t.slice(t.indexOf('abort:'))}`;
  const words = 's.yaml:17:9: nothing is expected: whatever happens passes';
  for (const none of ['{}', '{ mustFire: [] }', '{ nothingElse: off }']) {
    expect(problems(nothing(none))).toEqual([expect.stringContaining(words)]);
  }
  expect(problems(nothing('{ nothingElse: page }'))).toEqual([]);
  expect(problems(nothing('{ mustNotFire: [{ alert: CartDown }] }'))).toEqual([]);
});

test('a receiver cannot be asked for where there is no routing, nor a page of ours that is gone', () => {
  const { receivers: _, ...unrouted } = world;
  expect(problems((t) => t, unrouted)).toEqual([
    expect.stringContaining('a receiver is expected, and no alertmanager.yml is given'),
  ]);
  const gone = { ...world, pages: new Set(['slow-cart']) };
  const proxy = swap(
    'alert: CartLatency, labels: { slo: cart-latency }',
    'alert: MeshProxyDown, severity: ticket',
  );
  expect(problems(proxy, gone)).toEqual([
    expect.stringContaining('MeshProxyDown has no runbook page: its link leads nowhere'),
  ]);
});

test('each of our scenarios fits the shop, whose own program says its names; and its plan can be read', async () => {
  const { timing, groups, slos } = judgingOf({
    drill: { library: true },
    slos: [asset('examples/slo/retail.yaml')],
    rules: [],
    timeScale: 1 / 240,
    allowanceMs: 2000,
  });
  const shop = worldOf(await namesOf(readDrill(bundledDrill())), { groups, slos });
  const scenarios = readScenarios(ownScenarios());
  expect(() => refuseImpossible(scenarios, shop)).not.toThrow();
  const plan = planOf(
    scenarios.map((s) => s.scenario),
    shop.rules,
    { timing, routing: undefined },
  );
  const page = planText(plan, timing);
  expect(page).toContain('must fire   MeshProxyDown (ticket, workload=catalog-2) within 6.0 s');
  expect(plan.flatMap((s) => s.expected).filter((e) => e.warning !== undefined)).toEqual([]);
});

const timing = timingOf(1 / 240, 2000);

test('a rule that waits longer than its deadline is warned of in the plan', () => {
  const { scenario } = readScenarioText('s.yaml', text);
  const slow = world.rules.map((r) => ({ ...r, forMs: 60_000 }));
  const [plan] = planOf([scenario], slow, { timing, routing: undefined });
  expect(plan?.expected[0]?.warning).toBe(
    'its rule waits for 60.0 s (for): it cannot fire before its deadline',
  );
});

test('a rule that is in time by the allowance of a drill alone is warned of', () => {
  const { scenario } = readScenarioText('s.yaml', text);
  const slow = world.rules.map((r) => ({ ...r, forMs: 600_000 / 240 }));
  const [plan] = planOf([scenario], slow, { timing, routing: undefined });
  expect(plan?.expected[0]?.warning).toBe(
    'its rule waits for 2.5 s (for): in production it cannot fire before its deadline, ' +
      'which is drawn out in a drill',
  );
});

test.each([
  [{ expr: 'up == 0 and up offset 2m == 1' }, /^its rule asks for data \(offset\) that is older/],
  [{ expr: 'up == 0 and up offset 2s == 1' }, undefined],
  [{ keepFiringForMs: 60_000 }, /^its rule fires for 60.0 s longer \(keep_firing_for\) than/],
])('a rule of %j', (change, warning) => {
  const { scenario } = readScenarioText(
    's.yaml',
    text.replace('10m, receiver', '10m, resolveWithin: 9m, receiver'),
  );
  const rules = world.rules.map((r) => ({ ...r, ...change }));
  const [plan] = planOf([scenario], rules, { timing, routing: undefined });
  const said = plan?.expected[0]?.warning;
  if (warning === undefined) expect(said).toBeUndefined();
  else expect(said).toMatch(warning);
});

const routing = `route:
  receiver: tickets
  routes:
    - { receiver: cart-oncall, matchers: [slo="cart-latency", severity="page"], group_wait: 10s }
receivers: [{ name: tickets }, { name: cart-oncall }, { name: nobody }]
`;

/** The warning for CartLatency, which must reach cart-oncall within ten minutes. */
function warned(change: (text: string) => string): string | undefined {
  const { scenario } = readScenarioText('s.yaml', text);
  const judging = { timing, routing: readAmConfigText('alertmanager.yml', change(routing)) };
  return planOf([scenario], world.rules, judging)[0]?.expected[0]?.warning;
}

test.each([
  ['as it must', (t: string) => t, undefined],
  [
    'routed elsewhere',
    swap('receiver: cart-oncall, m', 'receiver: nobody, m'),
    "its routes lead to 'nobody', and not to 'cart-oncall'",
  ],
  [
    'caught by nobody of its own',
    swap('severity="page"', 'severity="ticket"'),
    "its routes lead to 'tickets', and not to 'cart-oncall'",
  ],
  [
    'held back',
    swap('group_wait: 10s', 'group_wait: 10m'),
    'its route waits for 10m (group_wait): nobody is notified before its deadline',
  ],
  ['by a label that only its series have', swap('severity="page"', 'workload="cart-1"'), undefined],
  ['by a part of the name', swap('severity="page"', 'alertname=~"Cart.*"'), undefined],
] as const)('routes that are known before the alert fires: %s', (_, change, warning) => {
  expect(warned(change)).toBe(warning);
});

test('a load of the drill says its routes; of one that is there anyway nobody knows what clients see', async () => {
  const drill = readDrill(asset('examples/systems/two-services/firedrill.yaml'));
  const names = await namesOf(drill);
  expect(worldOf(names, { groups: [] }, drill.load).routes).toEqual(['price']);
  const existing = worldOf(names, { groups: [] }, { kind: 'existing' });
  expect(existing.routes).toBeUndefined();
  const found = problems((t) => t, { ...world, isClientUnseen: existing.isClientUnseen === true });
  expect(found).toEqual([
    's.yaml:11:38: load: existing: nobody measures what its clients see; expected promql',
    's.yaml:23:31: load: existing: nobody measures what its clients see; expected promql',
  ]);
});
