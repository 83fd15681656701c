/** Edges of the verdict: equal times, arms, allowed alerts, and additional reports. */
import { describe, expect, test } from 'vitest';
import { type Evidence, firingBefore, judge } from '../../chaos/runner/judge.js';
import type { ScenarioFault } from '../../chaos/scenarios/schema.js';
import type { TheoryRecord } from '../../runbooks/record.js';
import {
  fault,
  fires,
  good,
  injectedMs,
  measured,
  page,
  rollbackEndMs,
  scenario,
  slo,
} from './evidence.js';

const firedOf = (evidence: Evidence) => judge(evidence).alreadyFiring.map((f) => f.firedAtMs);

describe('what fired before the injection', () => {
  const other = (fromMs: number, endsAtMs?: number) =>
    fires('Other', 'page', fromMs, endsAtMs === undefined ? {} : { endsAtMs });

  test('is set apart where it still fires then, its end included; at the moment itself it is new', () => {
    expect(firedOf(good([...other(90_000, injectedMs), ...page(103_000, 125_000)]))).toEqual([
      90_000,
    ]);
    expect(firedOf(good([...other(90_000, injectedMs - 1), ...page(103_000, 125_000)]))).toEqual(
      [],
    );
    expect(firedOf(good([...other(90_000), ...page(103_000, 125_000)]))).toEqual([90_000]);
    const atOnce = judge(good([...other(injectedMs, 110_000), ...page(103_000, 125_000)]));
    expect(atOnce.alreadyFiring).toEqual([]);
    expect(atOnce.unexpected).toEqual([
      {
        name: 'Other',
        labels: { alertname: 'Other', severity: 'page' },
        severity: 'page',
        firedAtMs: injectedMs,
      },
    ]);
  });

  test('is nothing where nothing was injected', () => {
    const { firings } = good(page(1));
    expect(firingBefore({ firings, injectedMs: undefined })).toEqual([]);
    expect(firingBefore({ firings, injectedMs: 2 })).toHaveLength(1);
  });
});

test('nothing injected: no firing is unexpected, and no measure or arm is judged', () => {
  const evidence = {
    ...good([...page(103_000), ...fires('Other', 'page', 104_000)]),
    injectedMs: undefined,
    confirmedMs: undefined,
    during: [measured(false)],
    after: [measured(false)],
  };
  const judgement = judge(evidence);
  expect(judgement).toMatchObject({ verdict: 'INCONCLUSIVE', unexpected: [], allowed: [] });
  expect(judgement.reasons).toEqual(['nothing was injected']);
  expect(judge({ ...evidence, before: [measured(false)] }).reasons).toEqual([
    'not steady before the injection: errors is 0.2, expected <= 0.01',
  ]);
  expect(judgement.expectations[0]).not.toHaveProperty('firedAfterMs');
});

describe('what else fires', () => {
  const also = (severity: string) => [
    ...page(103_000, 125_000),
    ...fires('Other', severity, 104_000, { endsAtMs: 110_000 }),
  ];
  const withElse = (nothingElse: 'page' | 'all' | 'off', severity: string) =>
    judge({
      ...good(also(severity)),
      scenario: { ...scenario, expect: { ...scenario.expect, nothingElse } },
    });

  test.each([
    ['all', 'ticket', 'FAIL'],
    ['all', 'page', 'FAIL'],
    ['off', 'page', 'PASS'],
    ['page', 'page', 'FAIL'],
    ['page', 'critical', 'FAIL'],
    ['page', 'ticket', 'PASS'],
  ] as const)('%s, a %s: %s', (nothingElse, severity, verdict) => {
    const judgement = judge0(nothingElse, severity);
    expect(judgement.verdict).toBe(verdict);
    // An ignored firing is reported as allowed or unexpected, and never both.
    expect(judgement.allowed.length + judgement.unexpected.length).toBe(1);
    expect(judgement.allowed.length).toBe(verdict === 'PASS' ? 1 : 0);
  });
  const judge0 = withElse;

  test('one of several that must fire is expected, and so is one of several that must not', () => {
    const [first] = scenario.expect.mustFire;
    const expect2 = {
      ...scenario.expect,
      mustFire: [first!, { ...first!, alert: 'Second', labels: {}, resolveWithin: undefined }],
      mustNotFire: [
        { alert: 'Never', labels: {} },
        { alert: 'Nor', labels: { a: 'b' } },
      ],
    } as unknown as typeof scenario.expect;
    const second = fires('Second', 'page', 104_000);
    const evidence = (more: ReturnType<typeof page>) => ({
      ...good([...page(103_000, 125_000), ...second, ...more]),
      scenario: { ...scenario, expect: expect2 },
    });
    expect(judge(evidence([])).unexpected).toEqual([]);
    const nor = fires('Nor', 'ticket', 105_000, { labels: { a: 'b' } });
    expect(judge(evidence(nor)).reasons).toEqual(['Nor fired (ticket) and was not expected']);
    expect(judge(evidence(fires('Nor', 'ticket', 105_000))).reasons).toEqual([]);
  });
});

describe('deadlines', () => {
  test('are met at the very moment, and missed a millisecond later', () => {
    // Ten minutes at 1/100 and a second: 7 s after the confirmation at 101 s.
    const at = (receivedMs: number) =>
      judge(good(page(103_000, 125_000, receivedMs))).expectations[0];
    expect(at(108_000)).toMatchObject({ receivedAfterMs: 7000, inTime: true });
    expect(at(108_001)).toMatchObject({ receivedAfterMs: 7001, inTime: false });
  });

  test('resolving has its own, and what ended before the rollback took no time', () => {
    const at = (endMs: number) => judge(good(page(103_000, endMs))).expectations[0]?.resolve;
    expect(at(rollbackEndMs + 13_000)).toMatchObject({ resolvedAfterMs: 13_000, inTime: true });
    expect(at(rollbackEndMs + 13_001)).toMatchObject({ inTime: false });
    expect(at(110_000)).toMatchObject({ resolvedAfterMs: 0, inTime: true });
  });

  test('an end is told only where every firing has one, and where there was a rollback', () => {
    const open = judge(good([...page(103_000, 110_000), ...page(111_000)])).expectations[0];
    expect(open?.resolve).toEqual({ withinMs: 13_000, inTime: false });
    const none = judge(good([])).expectations[0];
    expect(none?.resolve).toEqual({ withinMs: 13_000, inTime: false });
    expect(none).not.toHaveProperty('receivedAfterMs');
    expect(none).not.toHaveProperty('firedAfterMs');
    expect(none?.inTime).toBe(false);
    const never = judge({ ...good(), rollbackEndMs: undefined }).expectations[0];
    expect(never?.resolve).toEqual({ withinMs: 13_000, inTime: false });
    const [first] = scenario.expect.mustFire;
    const { resolveWithin: _, ...unbound } = first!;
    const without = { ...scenario.expect, mustFire: [unbound] } as typeof scenario.expect;
    const free = judge({ ...good(page(103_000)), scenario: { ...scenario, expect: without } });
    expect(free.expectations[0]).not.toHaveProperty('resolve');
    expect(free.verdict).toBe('PASS');
  });

  test('times that cannot count from a confirmation are not told', () => {
    const { expectations } = judge({ ...good(), confirmedMs: undefined });
    expect(expectations[0]).not.toHaveProperty('receivedAfterMs');
  });
});

describe('theory', () => {
  const theory = (within: boolean): TheoryRecord => ({
    exactMs: 4000,
    earliestMs: 3000,
    latestMs: 5000,
    evaluationIntervalMs: 250,
    within,
    basis: 'by hand',
  });
  const judged = (firedMs: number, within: boolean, mayMissTheory?: string) => {
    const [first] = scenario.expect.mustFire;
    const mustFire = [{ ...first!, ...(mayMissTheory !== undefined && { mayMissTheory }) }];
    return judge({
      ...good(page(firedMs, 125_000)),
      scenario: { ...scenario, expect: { ...scenario.expect, mustFire } },
      theories: [theory(within)],
    });
  };

  test('that the alert fits is told, and fails nothing', () => {
    const judgement = judged(105_000, true);
    expect(judgement.verdict).toBe('PASS');
    expect(judgement.expectations[0]?.theory).toEqual(theory(true));
  });

  test('that the alert misses fails, with how far on which side', () => {
    expect(judged(103_000, false).reasons).toEqual([
      'CartLatency (page) fired after 2.0 s, 1.0 s earlier than expected (3.0 s to 5.0 s: by hand)',
    ]);
    expect(judged(107_500, false).reasons[0]).toBe(
      'CartLatency (page) fired after 6.5 s, 1.5 s later than expected (3.0 s to 5.0 s: by hand)',
    );
    const allowed = judged(103_000, false, 'a slow machine');
    expect(allowed.reasons).toEqual([]);
    expect(allowed.expectations[0]?.theory).toMatchObject({ mayMiss: 'a slow machine' });
  });
});

describe('arms', () => {
  const stretches = [
    { name: 'a', startMs: 102_000, endMs: 110_000, confirmedMs: 102_500 },
    { name: 'b', startMs: 110_000, endMs: 118_000, confirmedMs: 110_500 },
  ];
  const [first] = scenario.expect.mustFire;
  const bound = (arm: string, notifications = page(105_000, 125_000)): Evidence => ({
    ...good(notifications),
    scenario: {
      ...scenario,
      expect: {
        ...scenario.expect,
        mustFire: [{ ...first!, arm }],
        mustNotFire: [{ alert: 'Never', labels: {}, arm }],
      },
    },
    armStretches: stretches,
  });

  test('an alert bound to one counts from its confirmation, and only within it', () => {
    expect(judge(bound('a')).expectations[0]).toMatchObject({
      firedAfterMs: 2500,
      receivedAfterMs: 2800,
    });
    expect(judge(bound('b')).verdict).toBe('FAIL');
    expect(judge(bound('missing')).verdict).toBe('FAIL');
    expect(judge(bound('b', page(110_000, 125_000))).expectations[0]).toMatchObject({
      firedAfterMs: -500,
      inTime: true,
    });
    expect(judge(bound('a', page(110_000, 125_000))).verdict).toBe('FAIL');
    expect(judge(bound('a', page(102_000, 125_000))).verdict).toBe('PASS');
  });

  test('what must not fire in one may fire in another', () => {
    const never = fires('Never', 'ticket', 112_000);
    expect(judge(bound('a', [...page(105_000, 125_000), ...never])).verdict).toBe('PASS');
    expect(judge(bound('b', [...page(111_000, 125_000), ...never])).reasons).toEqual([
      'Never fired (ticket) and was not expected',
    ]);
  });

  const record = {
    name: 'a',
    description: '',
    triggerStartMs: 1,
    triggerEndMs: 2,
    amplificationDuring: 2,
    amplificationAfter: 1,
    goodputBefore: 10,
    goodputAfter: 10,
    verdict: 'recovered' as const,
  };
  const shown = (run: object, arm: object | undefined, more: Partial<Evidence> = {}) =>
    judge({
      ...good(),
      scenario: {
        ...scenario,
        arms: { runs: [{ name: 'a', faults: [], expect: 'either', ...run }] },
      } as unknown as Evidence['scenario'],
      arms: arm === undefined ? [] : [{ ...record, ...arm }],
      ...more,
    }).reasons;

  test('bounds of tries are met at the bound, by the worse of both phases', () => {
    expect(shown({ amplificationAtLeast: 2 }, {})).toEqual([]);
    expect(shown({ amplificationAtMost: 2 }, {})).toEqual([]);
    expect(shown({ amplificationAtMost: 1.9 }, {})).toEqual([
      "arm 'a' made 2.00 tries for each request, expected at most 1.9",
    ]);
    expect(shown({ amplificationAtLeast: 2.1 }, {})).toEqual([
      "arm 'a' made 2.00 tries for each request, expected at least 2.1",
    ]);
    expect(shown({ amplificationAtMost: 2 }, { amplificationAfter: 3 })[0]).toContain('3.00 tries');
    expect(shown({}, { amplificationDuring: 99 })).toEqual([]);
    // Without a request there is no storm, and no proof that there is none.
    const uncounted = ["arm 'a': no try was counted while the trigger was on"];
    expect(shown({ amplificationAtMost: 2 }, { amplificationDuring: 0 })).toEqual(uncounted);
    expect(shown({}, { amplificationDuring: 0 })).toEqual([]);
  });

  test('W1: of the failures that were made, clients see a share within its bounds', () => {
    const seen = { struck: 10, failed: 6 };
    expect(shown({ seenAtMost: 0.6 }, seen)).toEqual([]);
    expect(shown({ seenAtLeast: 0.6 }, seen)).toEqual([]);
    const saw = "arm 'a': clients saw 6 failures of 10 that were made";
    expect(shown({ seenAtMost: 0.59 }, seen)).toEqual([`${saw}, expected 0.59 of them at most`]);
    expect(shown({ seenAtLeast: 0.61 }, seen)).toEqual([`${saw}, expected 0.61 of them at least`]);
    expect(shown({}, seen)).toEqual([]);
    // Too few of them decide nothing, on either side.
    const few = "arm 'a': the trigger struck 4 times, and 5 are the least to judge by";
    expect(shown({ seenAtMost: 0.6 }, { struck: 4, failed: 0 })).toEqual([few]);
    expect(shown({ seenAtMost: 0.6 }, { struck: 5, failed: 0 })).toEqual([]);
  });

  test('one that did not run is told, unless the run was stopped', () => {
    expect(shown({}, undefined)).toEqual(["arm 'a' did not run"]);
    expect(shown({}, undefined, { abort: 'down' })).toEqual(['down']);
    const refused = 'slow could not be injected: no';
    expect(shown({}, undefined, { notInjected: refused })).toEqual([refused]);
    expect(shown({ expect: 'metastable' }, {})).toEqual([
      "arm 'a' is recovered, expected metastable",
    ]);
  });
});

describe('load and measures', () => {
  test('nine tenths of the requests that were due are enough', () => {
    const load = (requests: number) =>
      judge({ ...good(), load: { requests, due: 100, failure: undefined } }).verdict;
    expect([load(90), load(89)]).toEqual(['PASS', 'INCONCLUSIVE']);
  });

  test('a load that ended is told once, and first', () => {
    const { reasons } = judge({
      ...good(),
      before: [measured(false)],
      load: { requests: 1, due: 100, failure: 'k6 ended' },
    });
    expect(reasons).toEqual([
      'the load ended: k6 ended',
      'not steady before the injection: errors is 0.2, expected <= 0.01',
    ]);
  });

  test('a measure without data says so, and what held is not told', () => {
    const { value: _, ...nothing } = measured(false);
    const { reasons } = judge({ ...good(), during: [nothing as never, measured(true)] });
    expect(reasons).toEqual([
      'not steady under the fault: errors is without data, expected <= 0.01',
    ]);
    const after = judge({
      ...good(),
      after: [measured(true), { ...measured(false), value: 1 / 3 }],
    });
    expect(after.reasons).toEqual([
      'not steady after the rollback: errors is 0.3333, expected <= 0.01',
    ]);
  });

  test('checks that hold are not told', () => {
    const checks = [
      { name: 'a', held: true, detail: 'x' },
      { name: 'b', held: false, detail: 'y' },
    ];
    expect(judge({ ...good(), checks }).reasons).toEqual(['b: y']);
  });

  test('what else was not steady, and a pager that is gone, are inconclusive', () => {
    const judgement = judge({
      ...good(),
      notSteady: [{ why: 'a page fires' }],
      trouble: 'it ended',
    });
    expect(judgement.verdict).toBe('INCONCLUSIVE');
    expect(judgement.reasons).toContain('not steady before the injection: a page fires');
    expect(judgement.reasons).toContain('not watched to the end: it ended');
    const { reasons } = judge({ ...good(), firings: [], trouble: 'it ended' });
    expect(reasons).toContain('nobody could be notified of anything: it ended');
  });
});

describe('faults', () => {
  const second = { ...scenario.faults[0], id: 'later' } as ScenarioFault;
  const two = { ...scenario, faults: [...scenario.faults, second] };

  test('one that was never put is told, unless the run was stopped', () => {
    const never = 'the fault later was never put: the fault phase ended before it was due';
    expect(judge({ ...good(), scenario: two }).reasons).toEqual([never]);
    expect(judge({ ...good(), scenario: two, abort: 'down' }).reasons).toEqual(['down']);
    expect(judge({ ...good(), scenario: { ...two, faults: [] }, faults: [] }).reasons).toContain(
      'nothing was injected',
    );
    expect(judge({ ...good(), scenario: { ...two, faults: [] }, faults: [fault] }).reasons).toEqual(
      [],
    );
  });
});

test('a busy machine excuses what is late, and not what is wrong as it is written', () => {
  const lateness = { p50Ms: 40, p95Ms: 150, maxMs: 900 };
  const ticket = fires('CartLatency', 'ticket', 103_000, { labels: slo });
  const wrong = judge({ ...good(ticket), lateness });
  expect(wrong.verdict).toBe('FAIL');
  const residue = judge({ ...good([]), lateness, residue: ['slow is still on'] });
  expect(residue.verdict).toBe('FAIL');
  expect(residue.reasons[0]).not.toContain('too busy');
  const already = judge({ ...good(page(90_000, 125_000)), lateness });
  expect(already.reasons[0]).toContain('too busy to judge');
  const { value: _, ...unmeasured } = measured(false);
  const blind = judge({ ...good(), lateness, before: [{ ...unmeasured, source: 'promql' }] });
  expect(blind.reasons).toEqual([
    'not steady before the injection: errors is without data, expected <= 0.01',
    expect.stringContaining('too busy to judge'),
  ]);
  const idle = judge({ ...good(), lateness, faults: [{ ...fault, effect: 0 }] });
  expect(idle.reasons).toEqual([
    expect.stringContaining('had no effect on'),
    expect.stringContaining('too busy to judge'),
  ]);
  const gone = { why: 'cart does not run', certain: true as const };
  const dead = judge({ ...good(), lateness, notSteady: [gone, { why: 'a page fires' }] });
  expect(dead.reasons.slice(0, 3)).toEqual([
    'not steady before the injection: cart does not run',
    'not steady before the injection: a page fires',
    expect.stringContaining('too busy to judge'),
  ]);
});

test('a silent failure fails, unless the scenario says why it may be', () => {
  const silences: Evidence['silences'] = [
    {
      route: 'cart',
      startMs: injectedMs,
      failedMs: 1000,
      errors: 5,
      requests: 10,
      told: 'nobody',
      slos: [],
    },
  ];
  expect(judge({ ...good(), silences }).reasons[0]).toMatch(/^silent failure: /);
  const quiet = { ...scenario.expect, mayBeSilent: 'nobody is served at night' };
  expect(judge({ ...good(), silences, scenario: { ...scenario, expect: quiet } }).reasons).toEqual(
    [],
  );
});
