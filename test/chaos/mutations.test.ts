/**
 * One mutation at a time, between a fault and the pager: the verdict names it. The runner, the rules and the routing
 * are real; only the system is small.
 */
import { expect, test } from 'vitest';
import { formatProblem } from '../../base/errors.js';
import { checkScenario } from '../../chaos/scenarios/check.js';
import { readScenarioText } from '../../chaos/scenarios/read.js';
import type { OutcomeKind } from '../../runbooks/record.js';
import { cartErrors, errorsExpr, type Mutation, scenarioText, smallDrill } from './small-drill.js';

const limitMs = 60_000;

const routing = (route: string, more = ''): string => `route:
  receiver: oncall
  group_wait: 1s
  group_interval: 5s
  group_by: ['...']
  routes:
${route}
receivers: [{ name: oncall, webhook_configs: [{ url: http://pager.example }] }, { name: nobody }]
${more}`;
const toOncall = '    - { receiver: oncall, matchers: [severity="page"] }';
const named = (text: string): string =>
  text.replace('alert: CartErrors,', 'alert: CartErrors, receiver: oncall,');
const always = cartErrors({ alert: 'Cluster', expr: 'vector(1)', labels: { severity: 'info' } });

const clusterHidesPages =
  'inhibit_rules: [{ source_matchers: [alertname="Cluster"], target_matchers: [severity="page"] }]';
const maintenance = {
  matchers: [{ name: 'severity', value: 'page', isRegex: false, isEqual: true }],
  startsAt: new Date(0).toISOString(),
  endsAt: '9999-01-01T00:00:00Z',
  createdBy: 'alice',
  comment: 'cart is moved',
};

type Row = [string, Mutation, OutcomeKind | undefined, RegExp];

const rows: Row[] = [
  ['nothing', {}, 'notified', /^$/],
  [
    'nothing, by the user’s own routing',
    { alertmanager: routing(toOncall), scenario: named },
    'notified',
    /^$/,
  ],
  ['1 rule deleted', { rules: [always] }, 'rule-missing', /^CartErrors \(page\) has no rule/],
  [
    '2 for x 10',
    { rules: [cartErrors({ forMs: 10_000 })] },
    'pending',
    /was pending for \d.\d s and never fired: its rule waits for 10.0 s \(for\)/,
  ],
  [
    '3 wrong severity',
    { rules: [cartErrors({ labels: { severity: 'ticket' } })] },
    'wrong-severity',
    /fired as a ticket, expected a page: nobody was woken/,
  ],
  [
    '4 misrouted',
    {
      alertmanager: routing('    - { receiver: nobody, matchers: [alertname="CartErrors"] }'),
      scenario: named,
    },
    'routed-elsewhere',
    /fired and was routed to 'nobody': 'oncall' was not notified/,
  ],
  [
    '5 inhibited',
    {
      rules: [always, cartErrors()],
      alertmanager: routing(toOncall, clusterHidesPages),
      scenario: named,
    },
    'inhibited',
    /fired and was inhibited by .*Cluster.*: nobody was notified/,
  ],
  [
    'inhibited, as it must be',
    {
      rules: [always, cartErrors()],
      alertmanager: routing(toOncall, clusterHidesPages),
      scenario: (text) => text.replace('CartErrors,', 'CartErrors, inhibitedBy: Cluster,'),
    },
    'inhibited',
    /^$/,
  ],
  [
    'inhibited by another',
    {
      rules: [always, cartErrors(), cartErrors({ alert: 'Region', expr: 'vector(0) > 1' })],
      alertmanager: routing(toOncall, clusterHidesPages),
      scenario: (text) => text.replace('CartErrors,', 'CartErrors, inhibitedBy: Region,'),
    },
    'inhibited',
    /fired and was inhibited by Cluster \(inhibit rule 1\), expected Region/,
  ],
  [
    'not inhibited, and must be',
    {
      rules: [always, cartErrors()],
      alertmanager: routing(toOncall),
      scenario: (text) => text.replace('CartErrors,', 'CartErrors, inhibitedBy: Cluster,'),
    },
    'not-withheld',
    /was notified after \d.\d s, though Cluster must inhibit it/,
  ],
  [
    'silenced',
    { alertmanager: routing(toOncall), silences: [maintenance], scenario: named },
    'silenced',
    /fired and was silenced by 'cart is moved' \(alice\): nobody was notified/,
  ],
  [
    'silenced, as it must be',
    {
      alertmanager: routing(toOncall),
      silences: [maintenance],
      scenario: (text) => text.replace('CartErrors,', 'CartErrors, silencedBy: cart is moved,'),
    },
    'silenced',
    /^$/,
  ],
  [
    '6 metric renamed',
    { rules: [cartErrors({ expr: errorsExpr.replaceAll('requests_total', 'request_total') })] },
    'no-data',
    /has no data to fire on: no series request_total/,
  ],
  [
    '7 fault without effect',
    { harmless: true },
    undefined,
    /dead had no effect on cart: 0 processes killed/,
  ],
  ['8 no load', { noLoad: true }, undefined, /the load did not run: \d+ of \d+ requests/],
  [
    '9 page already firing',
    { rules: [cartErrors({ expr: 'vector(1)' })] },
    'not-injected',
    /not steady before the injection: CartErrors \(page\) fires already/,
  ],
  [
    'a page pending already, whose `for` ends under the fault',
    { rules: [cartErrors({ expr: 'vector(1)', forMs: 2_400 })] },
    'already-pending',
    /CartErrors \(page\) was pending for \d\.\d s before the fault, so that its firing proves nothing/,
  ],
  [
    '10 scrape stopped',
    { unscraped: true },
    'inactive',
    /its data ended under the fault \(no series requests_total.*\), so that its rule is blind to it/,
  ],
  ['11 undo fails', { undoStatus: 500 }, undefined, /left behind: dead at cart: .* answered 500/],
];

test.concurrent.each(rows)(
  '%s',
  async (name, mutation, kind, words) => {
    const record = await smallDrill(mutation);
    const [e] = record.expectations;
    if (kind !== undefined) expect([e?.outcome, record.reasons, e?.outcome?.kind]).toContain(kind);
    const why = record.reasons.filter((r) => !r.includes('too busy to judge')).join('\n');
    expect(why).toMatch(new RegExp(words.source, 'm'));
    const right = name.startsWith('nothing') || name.includes('as it must be');
    if (right) expect([why, e?.inTime]).toEqual(['', true]);
    else expect(record.verdict).not.toBe('PASS');
  },
  limitMs,
);

test('12 runbook page gone', () => {
  const read = readScenarioText('s.yaml', scenarioText());
  const world = {
    system: {
      name: 'small',
      services: [{ name: 'cart', workloads: ['cart'] }],
      processes: ['cart'],
      parts: [],
    },
    rules: [cartErrors()],
    pages: new Set<string>(),
  };
  expect(checkScenario(read, world).map(formatProblem)).toEqual([
    "s.yaml:7:10: no runbook page 'killed-pod': there is none of its kind",
  ]);
  expect(checkScenario(read, { ...world, pages: new Set(['killed-pod']) })).toEqual([]);
});
