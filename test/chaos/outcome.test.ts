/** The outcome of an alert, by name: each way in which a page fails to arrive, and its words for a person. */
import { expect, test } from 'vitest';
import type { Standing } from '../../alerts/watch/index.js';
import { firingsOf } from '../../chaos/runner/firings.js';
import { type Evidence, judge } from '../../chaos/runner/judge.js';
import type { Sighting } from '../../chaos/runner/sightings.js';
import { type OutcomeKind, outcomeKinds, type Verdict } from '../../runbooks/record.js';
import { fires, good, page, rule, rules, scenario, slo } from './evidence.js';

const labels = { alertname: 'CartLatency', severity: 'page', ...slo };
const seen = (change: Partial<Sighting> = {}): Sighting[] => [
  { labels, pendingAtMs: 102_000, lastSeenMs: 110_000, ...change },
];
const standing = (state: Standing['state'], more: Partial<Standing> = {}): Partial<Evidence> => ({
  firings: [],
  sightings: seen({ firingAtMs: 103_000, standing: { state, ...more } }),
});
const wanting = (change: object): Evidence['scenario'] => ({
  ...scenario,
  expect: {
    ...scenario.expect,
    mustFire: [{ ...scenario.expect.mustFire[0]!, ...change }],
  },
});
const none = { firings: [] };

type Row = [string, Partial<Evidence>, OutcomeKind, Verdict, RegExp];

const rows: Row[] = [
  ['all well', {}, 'notified', 'PASS', /^after 2.3 s of 7.0 s$/],
  [
    'received after its deadline',
    { firings: firingsOf(page(103_000, 125_000, 109_000)) },
    'late',
    'FAIL',
    /^came after 8.0 s, later than its deadline of 7.0 s$/,
  ],
  [
    'received after its deadline, by a rule that cannot meet it',
    {
      firings: firingsOf(page(113_000, 125_000)),
      theories: [
        {
          exactMs: 12_500,
          earliestMs: 12_000,
          latestMs: 13_000,
          evaluationIntervalMs: 250,
          within: true,
          basis: 'x',
        },
      ],
    },
    'late',
    'FAIL',
    /its deadline of 7.0 s; in theory its rule cannot fire before 12.0 s$/,
  ],
  [
    'before the death that it speaks of',
    { moments: [{ what: 'cart died', atMs: 105_000 }] },
    'too-early',
    'FAIL',
    /^fired 2.0 s before cart died: it speaks of something else$/,
  ],
  [
    'of a death that never happened',
    { moments: [{ what: 'cart died', atMs: 'never' }] },
    'too-early',
    'FAIL',
    /^fired, though cart died never happened/,
  ],
  [
    'fired and resolved before the fault took effect, then fired under it',
    { firings: firingsOf([...page(100_300, 100_600), ...page(103_000, 125_000)]) },
    'notified',
    'PASS',
    /^after 2.3 s of 7.0 s$/,
  ],
  [
    'fired and resolved before the fault took effect, and not under it',
    { firings: firingsOf(page(100_300, 100_600)) },
    'too-early',
    'FAIL',
    /^fired for 0.3 s and resolved before the fault took effect, and not again: it speaks of something else$/,
  ],
  [
    'fired before the fault was seen to take effect, and went on',
    { firings: firingsOf(page(100_300, 125_000)) },
    'notified',
    'PASS',
    /^0.4 s before the fault was seen to take effect$/,
  ],
  [
    'for: of ten times the length',
    { ...none, sightings: seen(), rules: [{ ...rules[0]!, forMs: 12_500 }] },
    'pending',
    'FAIL',
    /^was pending for 8.0 s and never fired: its rule waits for 12.5 s \(for\), and its deadline is 7.0 s$/,
  ],
  [
    'for: of just its deadline',
    { ...none, sightings: seen(), rules: [{ ...rules[0]!, forMs: 7000 }] },
    'pending',
    'FAIL',
    /its rule waits for 7.0 s \(for\), and its deadline is 7.0 s$/,
  ],
  [
    'seen by its rule, neither pending nor firing',
    { ...none, sightings: [{ labels, lastSeenMs: 110_000 }] },
    'inactive',
    'FAIL',
    /^did not fire: its condition never held$/,
  ],
  [
    'fired before the fault, and resolved under it',
    { firings: firingsOf(page(99_000, 101_500)) },
    'already-firing',
    'INCONCLUSIVE',
    /^fired 1.0 s before the fault, so that it proves nothing$/,
  ],
  [
    'fired and resolved before the fault',
    { firings: firingsOf(page(99_000, 99_999)) },
    'inactive',
    'FAIL',
    /^did not fire: its condition never held$/,
  ],
  [
    'a ticket where a page was expected',
    { firings: firingsOf(fires('CartLatency', 'ticket', 103_000, { labels: slo })) },
    'wrong-severity',
    'FAIL',
    /^fired as a ticket, expected a page: nobody was woken$/,
  ],
  [
    'a page where a ticket was expected',
    { scenario: wanting({ severity: 'ticket' }) },
    'wrong-severity',
    'FAIL',
    /^fired as a page, expected a ticket$/,
  ],
  [
    'no rule of that severity, and nothing fired',
    { ...none, rules: [rule('CartLatency', 'ticket')] },
    'wrong-severity',
    'FAIL',
    /^is a ticket by its rule, expected a page$/,
  ],
  [
    'another value of a label',
    { scenario: wanting({ labels: { slo: 'cart-9' } }) },
    'wrong-label',
    'FAIL',
    /^fired with slo=cart-latency, expected slo=cart-9$/,
  ],
  [
    'a label that the alert does not have',
    { scenario: wanting({ labels: { solo: 'cart-latency' } }) },
    'wrong-label',
    'FAIL',
    /^fired without the label solo, expected solo=cart-latency$/,
  ],
  [
    'another label, fired and not delivered',
    { ...none, sightings: seen({ firingAtMs: 103_000, labels: { ...labels, slo: 'other' } }) },
    'wrong-label',
    'FAIL',
    /^fired with slo=other, expected slo=cart-latency$/,
  ],
  [
    'another receiver was notified',
    {
      scenario: wanting({ receiver: 'cart-oncall' }),
      firings: firingsOf(page(103_000, 125_000).map((n) => ({ ...n, receiver: 'nobody' }))),
    },
    'routed-elsewhere',
    'FAIL',
    /^fired and was routed to 'nobody': 'cart-oncall' was not notified$/,
  ],
  [
    'routed to a receiver without integrations',
    standing('routed-elsewhere', { receivers: ['void'] }),
    'routed-elsewhere',
    'FAIL',
    /^fired and was routed to 'void': nobody was notified$/,
  ],
  [
    'inhibited',
    standing('inhibited', { by: 'ClusterDown' }),
    'inhibited',
    'FAIL',
    /^fired and was inhibited by ClusterDown: nobody was notified$/,
  ],
  [
    'inhibited, as it must be',
    {
      scenario: wanting({ inhibitedBy: 'ClusterDown' }),
      ...none,
      sightings: seen({
        firingAtMs: 103_000,
        activeAtMs: 102_000,
        endedAtMs: 125_000,
        standing: { state: 'inhibited', by: 'ClusterDown (inhibit rule 1)' },
      }),
    },
    'inhibited',
    'PASS',
    /^fired after 2.0 s and was inhibited by ClusterDown \(inhibit rule 1\), as it must be$/,
  ],
  [
    'inhibited, later than its deadline',
    {
      scenario: wanting({ inhibitedBy: 'ClusterDown' }),
      ...none,
      sightings: seen({
        firingAtMs: 113_000,
        endedAtMs: 125_000,
        standing: { state: 'inhibited', by: 'ClusterDown' },
      }),
    },
    'late',
    'FAIL',
    /^fired after 12.0 s, later than its deadline of 7.0 s, and was inhibited by ClusterDown$/,
  ],
  [
    'notified, where another must inhibit it',
    { scenario: wanting({ inhibitedBy: 'ClusterDown' }) },
    'not-withheld',
    'FAIL',
    /^was notified after 2.3 s, though ClusterDown must inhibit it$/,
  ],
  [
    'muted',
    standing('muted', { by: 'within weekends' }),
    'muted',
    'FAIL',
    /^fired and was muted \(within weekends\): nobody was notified$/,
  ],
  [
    'routed to a receiver without integrations',
    {
      ...standing('routed-elsewhere', {
        by: 'a receiver without integrations',
        receivers: ['cart-oncall'],
      }),
      scenario: wanting({ receiver: 'cart-oncall' }),
    },
    'routed-elsewhere',
    'FAIL',
    /^fired and was routed to 'cart-oncall', a receiver without integrations: nobody was notified$/,
  ],
  ['silenced', standing('silenced', { by: 'ab12' }), 'silenced', 'FAIL', /silenced by ab12/],
  [
    'fired, and nobody knows why nobody was notified',
    { ...none, sightings: seen({ firingAtMs: 103_000 }) },
    'not-delivered',
    'FAIL',
    /^fired, and no receiver was notified$/,
  ],
  [
    'fired, and its route waits for longer than anybody does',
    {
      ...none,
      sightings: seen({ firingAtMs: 103_000, standing: { state: 'firing', waitMs: 30_000 } }),
    },
    'not-delivered',
    'FAIL',
    /^fired, and no receiver was notified: its route waits for 30.0 s before it notifies \(group_wait\)$/,
  ],
  [
    'fired, and its route waits until the deadline',
    {
      ...none,
      sightings: seen({ firingAtMs: 103_000, standing: { state: 'firing', waitMs: 7000 } }),
    },
    'not-delivered',
    'FAIL',
    /its route waits for 7.0 s before it notifies \(group_wait\)$/,
  ],
  [
    'fired without a severity, where a page was expected',
    {
      ...none,
      sightings: seen({ firingAtMs: 103_000, labels: { alertname: 'CartLatency', ...slo } }),
    },
    'wrong-severity',
    'FAIL',
    /^fired as an alert without severity, expected a page: nobody was woken$/,
  ],
  [
    'its rule is gone',
    { ...none, rules: [rule('CartLatencyy', 'page')] },
    'rule-missing',
    'FAIL',
    /^has no rule: none that is loaded has this name; did you mean CartLatencyy\?$/,
  ],
  [
    'its metric was renamed',
    { ...none, gaps: [{ what: 'no series cart_seconds_bucket', underFault: false }] },
    'no-data',
    'INCONCLUSIVE',
    /^has no data to fire on: no series cart_seconds_bucket$/,
  ],
  [
    'its targets were no longer scraped',
    { ...none, gaps: [{ what: 'no series cart_total', underFault: true }] },
    'inactive',
    'FAIL',
    /^did not fire: its data ended under the fault \(no series cart_total\)/,
  ],
  [
    'its condition never held',
    none,
    'inactive',
    'FAIL',
    /^did not fire: its condition never held$/,
  ],
  [
    'it fired before the drill',
    { firings: firingsOf(page(90_000, 125_000)) },
    'already-firing',
    'INCONCLUSIVE',
    /^fired 10.0 s before the fault, so that it proves nothing$/,
  ],
  [
    'it was pending before the drill, and its `for` ended under the fault',
    { sightings: seen({ startsMs: [98_000], firingAtMs: 103_000 }) },
    'already-pending',
    'INCONCLUSIVE',
    /^was pending for 2.0 s before the fault, so that its firing proves nothing$/,
  ],
  [
    'the same of a death that it must follow',
    {
      sightings: seen({ startsMs: [98_000], firingAtMs: 103_000 }),
      moments: [{ what: 'cart died', atMs: 102_000 }],
    },
    'already-pending',
    'INCONCLUSIVE',
    /^was pending for 2.0 s before the fault/,
  ],
  [
    'it was pending before the drill, ended, and held again',
    { sightings: seen({ startsMs: [98_000, 102_000], firingAtMs: 103_000 }) },
    'notified',
    'PASS',
    /^after 2.3 s/,
  ],
  [
    'another of its name was pending before the drill',
    { sightings: seen({ labels: { ...labels, pod: 'b' }, startsMs: [98_000] }) },
    'notified',
    'PASS',
    /^after 2.3 s/,
  ],
  [
    'Alertmanager died',
    { ...none, sightings: seen({ firingAtMs: 103_000 }), trouble: 'Alertmanager ended' },
    'nobody-watching',
    'INCONCLUSIVE',
    /^could not be notified of: Alertmanager ended$/,
  ],
  [
    'nothing was injected',
    {
      injectedMs: undefined,
      firings: [],
      notSteady: [{ why: 'CartLatency (page) fires already' }],
    },
    'not-injected',
    'INCONCLUSIVE',
    /^was not put to the test$/,
  ],
];

test.each(rows)('%s', (_, change, kind, verdict, text) => {
  const judgement = judge({ ...good(), ...change });
  expect(judgement.expectations[0]?.outcome).toMatchObject({
    kind,
    text: expect.stringMatching(text),
  });
  expect([judgement.verdict, judgement.reasons.length > 0]).toEqual([verdict, verdict !== 'PASS']);
});

test('every kind of outcome has a row', () => {
  expect(new Set(rows.map((row) => row[2]))).toEqual(new Set(outcomeKinds));
});

test('a busy machine explains a late page, and no ticket in its place', () => {
  const busy = { lateness: { p50Ms: 0, p95Ms: 3, maxMs: 20, cpuPressure: 0.95 } };
  const late = { firings: firingsOf(page(103_000, 125_000, 109_000)) };
  expect(judge({ ...good(), ...busy, ...late })).toMatchObject({
    verdict: 'INCONCLUSIVE',
    reasons: [
      expect.stringContaining('work waited for a CPU in 95% of the time, where 80% are allowed'),
      expect.stringContaining('came after'),
    ],
  });
  const ticket = firingsOf(fires('CartLatency', 'ticket', 103_000, { labels: slo }));
  expect(judge({ ...good(), ...busy, firings: ticket }).verdict).toBe('FAIL');
  const slow = { ...none, sightings: seen(), rules: [{ ...rules[0]!, forMs: 12_500 }] };
  expect(judge({ ...good(), ...busy, ...slow }).verdict).toBe('FAIL');
  const soon = { ...slow, rules: [{ ...rules[0]!, forMs: 6000 }] };
  expect(judge({ ...good(), ...busy, ...soon }).verdict).toBe('INCONCLUSIVE');
});

test('the receiver that was named is the one whose time counts', () => {
  const [first, end] = page(103_000, 125_000);
  const notifications = [
    { ...first!, receiver: 'chat' },
    { ...first!, receiver: 'cart-oncall', receivedMs: 105_000 },
    end!,
  ];
  const named = wanting({ receiver: 'cart-oncall' });
  const [record] = judge({
    ...good(),
    scenario: named,
    firings: firingsOf(notifications),
  }).expectations;
  expect(record).toMatchObject({ receivedAfterMs: 4000, receiver: 'cart-oncall' });
});

test('an alert that only another receiver got is no alert that nobody expected', () => {
  const elsewhere = page(103_000, 125_000).map((n) => ({ ...n, receiver: 'chat' }));
  const judgement = judge({
    ...good(),
    scenario: wanting({ receiver: 'cart-oncall' }),
    firings: firingsOf(elsewhere),
  });
  expect(judgement).toMatchObject({
    verdict: 'FAIL',
    unexpected: [],
    allowed: [],
    reasons: ["CartLatency (page) fired and was routed to 'chat': 'cart-oncall' was not notified"],
  });
  // One that reached its receiver does not excuse another that did not.
  const other = fires('CartLatency', 'page', 104_000, { labels: { ...slo, pod: 'b' } });
  const both = [
    ...page(103_000, 125_000).map((n) => ({ ...n, receiver: 'cart-oncall' })),
    ...other.map((n) => ({ ...n, receiver: 'chat' })),
  ];
  const told = { scenario: wanting({ receiver: 'cart-oncall' }), firings: firingsOf(both) };
  expect(judge({ ...good(), ...told }).reasons).toEqual([
    'CartLatency fired (page) and was not expected',
  ]);
});

test('theory missed by more than an evaluation interval fails, unless the scenario says why it may', () => {
  const missed = {
    theories: [
      {
        exactMs: 500,
        earliestMs: 400,
        latestMs: 1000,
        evaluationIntervalMs: 250,
        within: false,
        basis: 'errors step',
      },
    ],
  };
  const judgement = judge({ ...good(), ...missed });
  expect(judgement.verdict).toBe('FAIL');
  expect(judgement.reasons).toEqual([
    'CartLatency (page) fired after 2.0 s, 1.0 s later than expected (0.4 s to 1.0 s: errors step)',
  ]);
  const declared = wanting({ mayMissTheory: 'a slow start' });
  const allowed = judge({ ...good(), ...missed, scenario: declared });
  expect([allowed.verdict, allowed.expectations[0]?.theory?.mayMiss]).toEqual([
    'PASS',
    'a slow start',
  ]);
});

test('a fault that was never put, and a target that dies by itself, have their own words', () => {
  const faults = { faults: [] };
  expect(judge({ ...good(), ...faults })).toMatchObject({
    verdict: 'INCONCLUSIVE',
    reasons: ['the fault slow was never put: the fault phase ended before it was due'],
  });
  expect(judge({ ...good(), dead: [{ name: 'cart' }] })).toMatchObject({
    verdict: 'FAIL',
    reasons: ['cart died, and no fault of this scenario took it'],
  });
});

test.each([
  [7000, undefined],
  [7001, true],
])(
  'a route that waits %d ms of 7000: it is certain that it cannot notify: %s',
  (waitMs, certain) => {
    const evidence = standing('firing', { waitMs });
    expect(judge({ ...good(), ...evidence }).expectations[0]?.outcome?.certain).toBe(certain);
  },
);

test.each([
  [7000, undefined],
  [7001, true],
])('a rule that waits %d ms of 7000: it is certain that it cannot fire: %s', (forMs, certain) => {
  const evidence = { ...none, sightings: seen(), rules: [{ ...rules[0]!, forMs }] };
  expect(judge({ ...good(), ...evidence }).expectations[0]?.outcome?.certain).toBe(certain);
});
