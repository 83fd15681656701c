/** The verdict, row by row: a run without any problem, and the effect of one change on its verdict. */
import { expect, test } from 'vitest';
import type { Notification } from '../../alerts/watch/index.js';
import { firingsOf } from '../../chaos/runner/firings.js';
import { type Evidence, judge } from '../../chaos/runner/judge.js';
import { verdictCode, worst } from '../../chaos/gameday/day-record.js';
import { fault, fires, good, measured, page, scenario, slo } from './evidence.js';

test('a run in which all went well passes, with times counted from the confirmation', () => {
  const judgement = judge(good());
  expect(judgement).toMatchObject({ verdict: 'PASS', reasons: [], unexpected: [], allowed: [] });
  expect(judgement.expectations).toEqual([
    {
      name: 'CartLatency',
      labels: slo,
      severity: 'page',
      // Ten minutes at 1/100, and the allowance.
      deadlineMs: 7000,
      firedAfterMs: 2000,
      receivedAfterMs: 2300,
      inTime: true,
      outcome: { kind: 'notified', text: 'after 2.3 s of 7.0 s' },
      resolve: { withinMs: 13_000, resolvedAfterMs: 5000, inTime: true },
    },
  ]);
});

type Row = [string, Partial<Evidence> | Notification[], string, RegExp | undefined];

const rows: Row[] = [
  ['no alert at all', [], 'FAIL', /^CartLatency \(page\) did not fire: its condition never held$/],
  [
    'a page that reaches the receiver too late, though it fired in time',
    page(103_000, 125_000, 108_500),
    'FAIL',
    /^CartLatency \(page\) came after 7.5 s, later than its deadline of 7.0 s$/,
  ],
  [
    'only the ticket',
    fires('CartLatency', 'ticket', 103_000, { labels: slo }),
    'FAIL',
    /^CartLatency \(page\) fired as a ticket, expected a page: nobody was woken$/,
  ],
  [
    'the page of another SLO',
    fires('CartLatency', 'page', 103_000, { labels: { slo: 'other' } }),
    'FAIL',
    /^CartLatency \(page\) fired with slo=other, expected slo=cart-latency$/,
  ],
  ['a page that never resolves', page(103_000), 'FAIL', /did not resolve, where 13.0 s/],
  ['a page that resolves too late', page(103_000, 134_000), 'FAIL', /resolved after 14.0 s/],
  [
    'a page that fires twice, and is judged by its last end',
    [...page(103_000, 110_000), ...page(111_000, 134_000)],
    'FAIL',
    /resolved after 14.0 s/,
  ],
  [
    'another page',
    [...page(103_000, 125_000), ...fires('Other', 'page', 104_000)],
    'FAIL',
    /^Other fired \(page\) and was not expected$/,
  ],
  [
    'another page, for two series: one reason',
    [
      ...page(103_000, 125_000),
      ...fires('Other', 'page', 104_000, { labels: { pod: 'a' } }),
      ...fires('Other', 'page', 104_000, { labels: { pod: 'b' } }),
    ],
    'FAIL',
    /^Other fired \(page\) and was not expected$/,
  ],
  [
    'another ticket, which is told and does not count',
    [...page(103_000, 125_000), ...fires('Other', 'ticket', 104_000)],
    'PASS',
    undefined,
  ],
  [
    'what may fire',
    [...page(103_000, 125_000), ...fires('CartLatency', 'ticket', 104_000)],
    'PASS',
    undefined,
  ],
  [
    'what may fire at a time scale',
    [...page(103_000, 125_000), ...fires('Hiccup', 'page', 104_000)],
    'PASS',
    undefined,
  ],
  [
    'what must not fire, of any severity',
    [...page(103_000, 125_000), ...fires('Never', 'ticket', 104_000)],
    'FAIL',
    /^Never fired/,
  ],
  [
    'another page that fired before the injection, which is set apart',
    [...fires('Other', 'page', 90_000), ...page(103_000, 125_000)],
    'PASS',
    undefined,
  ],
  [
    'the expected page that was firing already, which proves nothing',
    page(90_000, 125_000),
    'INCONCLUSIVE',
    /^CartLatency \(page\) fired 10.0 s before the fault, so that it proves nothing$/,
  ],
  ['not steady before', { before: [measured(false)] }, 'INCONCLUSIVE', /^not steady before/],
  ['not steady under the fault', { during: [measured(false)] }, 'FAIL', /under the fault/],
  ['not steady afterwards', { after: [measured(false)] }, 'FAIL', /after the rollback: errors is/],
  [
    'a fault without effect',
    { faults: [{ ...fault, effect: 0 }] },
    'INCONCLUSIVE',
    /^slow had no effect on cart: 0 requests struck$/,
  ],
  [
    'a call that nobody makes',
    { faults: [{ ...fault, target: 'web/cart', effect: 0 }] },
    'INCONCLUSIVE',
    /^slow had no effect on web\/cart: 0 requests struck; does a route of the load lead there\?$/,
  ],
  [
    'a fault without effect, and so no alert: the alert is not to blame',
    { faults: [{ ...fault, effect: 0 }], firings: [] },
    'INCONCLUSIVE',
    /had no effect/,
  ],
  [
    'a lease that lapsed',
    { faults: [{ ...fault, undo: 'lapsed' as const }] },
    'INCONCLUSIVE',
    /lapsed/,
  ],
  [
    'no load',
    { load: { requests: 3, due: 100, failure: undefined } },
    'INCONCLUSIVE',
    /^the load did not run: 3 of 100 requests$/,
  ],
  [
    'a load that ended',
    { load: { requests: 100, due: 100, failure: 'k6 ended with 107' } },
    'INCONCLUSIVE',
    /k6 ended with 107/,
  ],
  [
    'a check that does not hold',
    { checks: [{ name: 'nobody paid twice', held: false, detail: 'payment.doubleCharges is 1' }] },
    'FAIL',
    /^nobody paid twice: payment/,
  ],
  ['a residue', { residue: ['slow is still on at cart-proxy'] }, 'FAIL', /^left behind: slow/],
  ['an abort condition', { abort: 'down: errorRatio is 0.9' }, 'ABORTED', /^down/],
  [
    'no alert on a machine that cannot keep time',
    { firings: [], lateness: { p50Ms: 40, p95Ms: 150, maxMs: 900 } },
    'INCONCLUSIVE',
    /^this machine was too busy to judge: timers came 150 ms late/,
  ],
  [
    'no alert on a machine that stood still',
    { firings: [], lateness: { p50Ms: 1, p95Ms: 8, maxMs: 900 } },
    'INCONCLUSIVE',
    /^this machine was too busy to judge: it stood still for 900 ms/,
  ],
  [
    'a fault that its holder lost, on a machine that cannot keep time',
    {
      firings: [],
      faults: [{ ...fault, undo: 'lapsed', lapsedBy: 'the proxy db has no slow any more' }],
      lateness: { p50Ms: 40, p95Ms: 150, maxMs: 900 },
    },
    'INCONCLUSIVE',
    /^slow was over before it was rolled back: the proxy db has no slow any more$/,
  ],
  [
    'a fault whose effect ended by itself, though its alert came in time',
    { faults: [{ ...fault, undo: 'lapsed', lapsedBy: 'web goes on: somebody sent it SIGCONT' }] },
    'INCONCLUSIVE',
    /^slow was over before it was rolled back: web goes on/,
  ],
  [
    'a fault without effect, whose holder knows why, on a machine that cannot keep time',
    {
      firings: [],
      faults: [{ ...fault, effect: 0, undo: 'lapsed', lapsedBy: 'web does not run' }],
      lateness: { p50Ms: 40, p95Ms: 150, maxMs: 900 },
    },
    'INCONCLUSIVE',
    new RegExp(`^slow had no effect on ${fault.target}: web does not run$`),
  ],
  [
    'a fault that could not be injected, on a machine that cannot keep time',
    {
      firings: [],
      faults: [{ ...fault, effect: 0 }],
      notInjected: 'slow could not be injected: broken: inject failed: exit code 7',
      lateness: { p50Ms: 40, p95Ms: 150, maxMs: 900 },
    },
    'INCONCLUSIVE',
    /^slow could not be injected: broken: inject failed: exit code 7$/,
  ],
  [
    'an alert that resolves because its data ended',
    { blind: ['no series cart_requests_total'] },
    'INCONCLUSIVE',
    /^CartLatency \(page\) resolved because its data ended \(no series cart_requests_total\)/,
  ],
  [
    'a system that answers nothing afterwards, on a machine that cannot keep time',
    {
      after: [measured(false)],
      notBack: [
        { why: '9 of 9 requests failed: 9 times no answer at root', certain: true },
        { why: 'cart: its metrics at h:1 cannot be scraped' },
      ],
      lateness: { p50Ms: 40, p95Ms: 150, maxMs: 900 },
    },
    'FAIL',
    /^not steady after the rollback: 9 of 9 requests failed: 9 times no answer at root$/,
  ],
  [
    'a system that is not whole afterwards, on a machine that cannot keep time',
    {
      after: [measured(false)],
      notBack: [{ why: '3 of 9 requests failed: 3 times status 500 at root' }],
      lateness: { p50Ms: 40, p95Ms: 150, maxMs: 900 },
    },
    'INCONCLUSIVE',
    /^this machine was too busy/,
  ],
  [
    'all well on a machine that cannot keep time',
    { lateness: { p50Ms: 40, p95Ms: 150, maxMs: 900 } },
    'PASS',
    undefined,
  ],
  ['Ctrl-C', { interrupted: true, firings: [] }, 'ABORTED', /^interrupted$/],
];

test.each(rows)('%s', (_, change, verdict, reason) => {
  const evidence = Array.isArray(change) ? good(change) : { ...good(), ...change };
  const judgement = judge(evidence);
  expect(judgement.verdict).toBe(verdict);
  if (reason === undefined) expect(judgement.reasons).toEqual([]);
  else expect(judgement.reasons[0]).toMatch(reason);
  expect(judgement.reasons).toEqual([...new Set(judgement.reasons)]);
});

test('what may fire only at a time scale is unexpected in production time', () => {
  const notifications = [...page(103_000, 125_000), ...fires('Hiccup', 'page', 104_000)];
  expect(judge({ ...good(notifications), scale: 1 }).reasons).toEqual([
    'Hiccup fired (page) and was not expected',
  ]);
});

test('arms are held to what they were to show', () => {
  const runs = [
    { name: 'storm', description: '', faults: [], expect: 'either', amplificationAtLeast: 2 },
    { name: 'budget', description: '', faults: [], expect: 'recovered', amplificationAtMost: 1.5 },
  ];
  const arms = { ...scenario.arms, runs } as unknown as Evidence['scenario']['arms'];
  const arm = {
    description: '',
    triggerStartMs: 1,
    triggerEndMs: 2,
    goodputBefore: 10,
    goodputAfter: 10,
    amplificationAfter: 1,
  };
  const evidence = { ...good(), scenario: { ...scenario, arms } };
  const storm = { ...arm, name: 'storm', amplificationDuring: 4, verdict: 'metastable' as const };
  const calm = { ...arm, name: 'budget', amplificationDuring: 1.2, verdict: 'recovered' as const };
  expect(judge({ ...evidence, arms: [storm, calm] }).reasons).toEqual([]);
  const weak = { ...storm, amplificationDuring: 1.5 };
  const stuck = { ...calm, verdict: 'metastable' as const };
  expect(judge({ ...evidence, arms: [weak, stuck] }).reasons).toEqual([
    "arm 'storm' made 1.50 tries for each request, expected at least 2",
    "arm 'budget' is metastable, expected recovered",
  ]);
  expect(judge({ ...evidence, arms: [storm] }).reasons).toEqual(["arm 'budget' did not run"]);
});

test('what the receiver got becomes firings: said twice is one, again after its end is another', () => {
  const notifications = [...page(1000), ...page(1000), ...page(1000, 2000).slice(1), ...page(3000)];
  expect(firingsOf(notifications)).toMatchObject([
    { firedAtMs: 1000, receivedAtMs: 1300, resolvedAtMs: 2000 },
    { firedAtMs: 3000 },
  ]);
});

test('the worst verdict counts, and nothing judged is no pass', () => {
  expect(worst(['PASS', 'FAIL', 'INCONCLUSIVE'])).toBe('FAIL');
  expect(worst(['PASS', 'INCONCLUSIVE'])).toBe('INCONCLUSIVE');
  expect(worst(['FAIL', 'ABORTED', 'PASS'])).toBe('ABORTED');
  expect(worst([])).toBe('INCONCLUSIVE');
  expect(new Set(Object.values(verdictCode)).size).toBe(4);
});

test('a run that was interrupted says so, and what it left behind, and nothing else', () => {
  const { reasons } = judge({ ...good(), interrupted: true, firings: [], residue: ['a fault'] });
  expect(reasons).toEqual(['interrupted', 'left behind: a fault']);
});
