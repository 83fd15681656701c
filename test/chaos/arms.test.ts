/** Arms under a stepped clock: the ratio of attempts to requests, the recovery of goodput, and the rollback. */
import { expect, test } from 'vitest';
import { runArms } from '../../chaos/runner/arms.js';
import type { ScenarioRun } from '../../chaos/runner/run-scenario.js';
import type { Unsteady } from '../../chaos/runner/steady.js';
import { LoadPoints } from '../../chaos/load/points.js';
import type { ArmRecord } from '../../runbooks/record.js';

const injectedMs = 100_000;
const triggerMs = 10_000;
const observeMs = 8_000;
const lagMs = 200;

interface Story {
  /** Good answers per second at each time. */
  good: (atMs: number) => number;
  /** The counters' values at each time. */
  counts?: (atMs: number) => { requests: number; tries: number };
  /** The fault that is never confirmed. */
  unconfirmed?: string;
  arms?: string[];
  /** Whether a runbook is proved in the first arm, and the calls that it received. */
  proof?: boolean;
  baseline?: number;
}

/** A run whose time advances by its waits. */
async function told({
  good,
  counts,
  unconfirmed,
  arms = ['plain'],
  baseline = 10_000,
  proof,
}: Story) {
  const log: string[] = [];
  const waits: string[] = [];
  const points = new LoadPoints();
  const add = (ok: boolean, route: string, atMs: number, ms: number): void =>
    points.add({ ok, route, atMs, ms, status: ok ? 200 : 503 });
  for (let atMs = 85_000; atMs < 190_000; atMs += 10) {
    const each = 100 / Math.max(good(atMs), 1e-9);
    if (Math.floor(atMs / 10 / each) !== Math.floor((atMs + 10) / 10 / each)) {
      add(true, 'checkout', atMs - 5, 5);
    }
    if (atMs % 100 !== 0) continue;
    // Failures and other routes do not count as goodput.
    add(false, 'checkout', atMs, 0);
    add(true, 'cart', atMs, 0);
  }
  const confirmed: [string, number][] = [];
  const run = {
    nowMs: injectedMs,
    injectedMs,
    arms: [] as ArmRecord[],
    armStretches: [] as { name: string; confirmedMs?: number; startMs: number; endMs: number }[],
    scenario: {
      baseline,
      arms: {
        trigger: [{ fault: 't1' }, { fault: 't2' }],
        triggerFor: triggerMs,
        observeFor: observeMs,
        goodput: { route: 'checkout', backTo: 0.9 },
        amplification: { requests: 'pay.requests', tries: 'pay.tries' },
        runs: arms.map((name) => ({
          name,
          description: name,
          faults: [{ fault: 'p1' }, { fault: 'p2' }],
        })),
      },
    },
    context: {
      ...(proof && {
        proof: { notTried: (why: string) => log.push(why), ask: () => log.push('asked') },
      }),
      progress: () => undefined,
      load: { lagMs },
      system: {
        counters: (service: string) =>
          Promise.resolve(service === 'pay' ? (counts?.(run.nowMs) ?? {}) : { requests: -1 }),
      },
    },
    unsteady: [] as Unsteady[],
    injections: [{ record: {} }],
    sources: { points },
    live: { arm: (name: string, ms: number) => confirmed.push([name, ms]) },
    real: (ms: number) => ms,
    async phase(kind: string, _: string, body: () => Promise<void>) {
      log.push(kind);
      const startMs = run.nowMs;
      await body();
      return { startMs, endMs: run.nowMs };
    },
    wait(ms: number, why: string, aborts: boolean) {
      run.nowMs += ms;
      const text = `${why} ${aborts}`;
      if (waits.at(-1) !== text) waits.push(text);
      return Promise.resolve();
    },
    inject({ fault }: { fault: string }) {
      log.push(`+${fault}`);
      run.nowMs += 100;
      const effect = 3;
      const record = fault === unconfirmed ? { effect } : { effect, confirmedMs: run.nowMs };
      return Promise.resolve({ fault, record });
    },
    endInjection({ fault }: { fault: string }) {
      log.push(`-${fault}`);
      return Promise.resolve();
    },
  };
  await runArms(run as unknown as ScenarioRun);
  return { run, log, waits, confirmed, arm: run.arms[0] as ArmRecord };
}

/** Both policies and 500 ms, then both triggers: the start and end of the trigger's phase. */
const triggerStartMs = injectedMs + 200 + 500;
const triggerEndMs = triggerStartMs + 200 + triggerMs;

test('goodput that comes back a second after the trigger is recovered, and says when', async () => {
  const backMs = triggerEndMs + 1000;
  const { arm } = await told({ good: (t) => (t > triggerStartMs && t < backMs ? 1 : 20) });
  expect(arm).toMatchObject({ verdict: 'recovered', triggerStartMs, triggerEndMs });
  expect(arm.goodputBefore).toBeCloseTo(20, 0);
  expect(arm.goodputAfter).toBeCloseTo(20, 0);
  // The first good window of a second begins within a step of the recovery.
  expect(arm.recoveredAfterMs).toBeGreaterThanOrEqual(750);
  expect(arm.recoveredAfterMs).toBeLessThanOrEqual(1250);
});

test('goodput that stays down is metastable, and nothing says when it was back', async () => {
  const { arm, run } = await told({ good: (t) => (t > triggerStartMs ? 10 : 20) });
  expect(arm.verdict).toBe('metastable');
  expect(arm).not.toHaveProperty('recoveredAfterMs');
  expect(arm.goodputAfter).toBeCloseTo(10, 0);
  // Between arms the run waits for goodput, up to a limit.
  expect(run.nowMs - (triggerEndMs + observeMs + lagMs)).toBe(40_000);
  // No arm follows.
  expect(run.unsteady).toEqual([]);
});

test('goodput that was back and fell again is not back', async () => {
  const fell = triggerEndMs + observeMs - 2000;
  const { arm } = await told({
    good: (t) => (t < triggerStartMs || (t > triggerEndMs + 500 && t < fell) ? 20 : 1),
  });
  expect(arm.verdict).toBe('metastable');
});

test('tries for a request are counted while the trigger is on, and in the last half of what is watched', async () => {
  const half = triggerEndMs + observeMs / 2;
  const counts = (t: number) => {
    const requests = t / 10;
    const during = Math.min(Math.max(0, t - triggerStartMs), triggerEndMs - triggerStartMs);
    const between = Math.min(Math.max(0, t - triggerEndMs), half - triggerEndMs);
    const late = Math.max(0, t - half);
    return { requests, tries: (during * 3 + between * 50 + late * 1.5) / 10 };
  };
  const { arm } = await told({ good: () => 20, counts });
  expect(arm.amplificationDuring).toBeCloseTo(3, 6);
  expect(arm.amplificationAfter).toBeCloseTo(1.5, 6);
  const silent = await told({ good: () => 20 });
  expect(silent.arm).toMatchObject({ amplificationDuring: 0, amplificationAfter: 0 });
});

test('each wait says why, and only what settles between arms aborts nothing', async () => {
  const { waits } = await told({ good: () => 20 });
  expect(waits).toEqual([
    'plain: policy rolls out true',
    'plain: trigger on true',
    'plain: trigger gone true',
    'plain: the last answers come in true',
    'plain: settling false',
  ]);
});

test('a short baseline is looked at over two seconds, as far back as answers are in', async () => {
  // The baseline excludes earlier requests, and requests that ended at the injection; both of its seconds count.
  const endMs = injectedMs - lagMs;
  const good = (t: number) =>
    t < endMs - 2000 ? 100 : t < endMs - 1000 ? 20 : t < endMs ? 60 : 99;
  const { arm } = await told({ good, baseline: 100 });
  expect(Math.abs(arm.goodputBefore - 40)).toBeLessThan(2);
});

test('a scenario without arms waits for nothing', async () => {
  const run = { scenario: {} } as unknown as ScenarioRun;
  await expect(runArms(run)).resolves.toBeUndefined();
});

test('what was put in last goes first, and the policies only after the system was watched', async () => {
  const { log, run } = await told({ good: () => 20, arms: ['a', 'b'] });
  const one = 'injection +p1 +p2 fault +t1 +t2 -t2 -t1 recovery rollback -p2 -p1 recovery'.split(
    ' ',
  );
  expect(log).toEqual([...one, ...one]);
  expect(run.arms.map((a) => a.name)).toEqual(['a', 'b']);
  // A steady system only delays the run by the time to detect the steady state.
  const [a, b] = run.armStretches;
  expect(a!.endMs).toBe(b!.startMs);
  expect(a!.endMs - (triggerEndMs + observeMs + lagMs)).toBe(250);
});

test('an arm is confirmed with the last of its faults, and not at all where one never was', async () => {
  const { confirmed, run } = await told({ good: () => 20 });
  expect(confirmed).toEqual([['plain', triggerStartMs + 200]]);
  expect(run.armStretches[0]!.confirmedMs).toBe(triggerStartMs + 200);
  const without = await told({ good: () => 20, unconfirmed: 't1' });
  expect(without.confirmed).toEqual([]);
  expect(without.run.armStretches[0]!.confirmedMs).toBeUndefined();
});

test('a later arm is measured by the baseline, and not by what an earlier one left', async () => {
  const settledMs = triggerEndMs + observeMs + lagMs + 3000;
  const good = (t: number) => (t > triggerStartMs && t < settledMs ? 10 : 19);
  const { run } = await told({ good: (t) => (t < injectedMs ? 20 : good(t)), arms: ['a', 'b'] });
  expect(run.unsteady).toEqual([]);
  expect(run.arms[1]!.goodputBefore).toBeCloseTo(20, 0);
});

test('an arm that leaves the system down is the last one, and says so', async () => {
  const { run } = await told({ good: (t) => (t > triggerStartMs ? 10 : 20), arms: ['a', 'b'] });
  expect(run.arms.map((a) => a.name)).toEqual(['a']);
  expect(run.armStretches.map((a) => a.name)).toEqual(['a']);
  expect(run.unsteady).toEqual([
    { why: "goodput was not back 40 s after 'a': the next is not run" },
  ]);
});

test('the page is held against the first arm where that stays down, before its policy is taken back', async () => {
  const back = { good: () => 20, arms: ['a', 'b'], proof: true };
  const well = await told(back);
  expect(well.log.filter((l) => / /.test(l))).toEqual(['the system had come back by itself']);
  const down = await told({ good: (t) => (t > triggerStartMs ? 10 : 20), proof: true });
  // This page contains no step that a program can do.
  expect(down.log.slice(-7)).toEqual([
    'recovery',
    'asked',
    'no command of its Mitigation can be run as it stands',
    'rollback',
    '-p2',
    '-p1',
    'recovery',
  ]);
});

test('what the triggers struck is set beside the failures that clients of the route saw meanwhile', async () => {
  const { arm } = await told({ good: () => 20 });
  // Both triggers; ten failures per second of this route from the first trigger on, and none of another route.
  expect(arm.struck).toBe(6);
  expect(Math.abs(arm.failed! - 102)).toBeLessThanOrEqual(1);
});
