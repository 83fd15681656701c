/**
 * A process that ends by itself is reported by name, with its last words and the time; an expected end is not reported.
 */
import { afterEach, expect, test } from 'vitest';
import { addDeaths, deathsOf } from '../../chaos/runner/deaths.js';
import { judge } from '../../chaos/runner/judge.js';
import { Processes } from '../../chaos/system/processes/processes.js';
import type { Scenario } from '../../chaos/scenarios/schema.js';
import type { ProcessEvent, WorkloadDescription } from '../../chaos/system/model.js';
import type { DeathRecord } from '../../runbooks/record.js';
import { deathText } from '../../runbooks/words.js';
import { confirmedMs, fault, good, rollbackEndMs, scenario } from './evidence.js';

const exited = (process: string, atMs: number): ProcessEvent => ({
  atMs,
  process,
  event: 'exited',
  detail: 'ended with 1: Error: read ECONNRESET',
});
const cart: WorkloadDescription = {
  name: 'cart',
  service: 'cart',
  calls: [],
  proxy: 'cart-proxy',
  ports: { app: 1 },
};
const stretch = { startMs: 100_000, endMs: 130_000 };
const { expect: told } = scenario;

type Row = [string, ProcessEvent, Scenario, string[]];

test.each<Row>([
  ['it ended within the scenario', exited('cart', 110_000), scenario, ['cart']],
  ['before it', exited('cart', 99_999), scenario, []],
  ['after it', exited('cart', 130_001), scenario, []],
  ['it was killed by a fault', { ...exited('cart', 110_000), event: 'killed' }, scenario, []],
  [
    'the scenario says that it may',
    exited('cart', 110_000),
    { ...scenario, expect: { ...told, mayEnd: [{ process: 'cart', why: 'it leaks' }] } },
    [],
  ],
  [
    'an alert must not come before that end',
    exited('cart', 110_000),
    {
      ...scenario,
      expect: {
        ...told,
        mustFire: told.mustFire.map((m) => ({ ...m, notBefore: { exit: 'cart' } })),
      },
    },
    [],
  ],
  [
    'its sidecar leaks by a fault',
    exited('cart-proxy', 110_000),
    { ...scenario, faults: scenario.faults.map((f) => ({ ...f, kind: 'leak' as const })) },
    [],
  ],
  [
    'another service leaks',
    exited('cart', 110_000),
    {
      ...scenario,
      faults: scenario.faults.map((f) => ({ ...f, kind: 'leak' as const, target: 'db' })),
    },
    ['cart'],
  ],
  [
    'another fault than a leak strikes its sidecar',
    exited('cart-proxy', 110_000),
    scenario,
    ['cart-proxy'],
  ],
  [
    'it has too little memory by a fault',
    exited('cart', 110_000),
    { ...scenario, faults: scenario.faults.map((f) => ({ ...f, kind: 'memory' as const })) },
    [],
  ],
  ['it ended as the scenario began', exited('cart', 100_000), scenario, ['cart']],
  ['it ended as the scenario ended', exited('cart', 130_000), scenario, ['cart']],
])('%s', (_, event, of, names) => {
  const events = [event, event];
  expect(deathsOf(events, stretch, of, [cart]).map((d) => d.name)).toEqual(names);
});

test.each([
  ['shop-1', ['shop-2-proxy', 'db']],
  ['shop', ['db']],
  ['db', ['shop-1-proxy', 'shop-2-proxy']],
])('a leak in %s foretells the ends of its own processes alone', (target, names) => {
  const shops = ['shop-1', 'shop-2'].map((name) => {
    return { name, service: 'shop', calls: [], proxy: `${name}-proxy`, ports: { app: 1 } };
  });
  const db = { name: 'db', service: 'store', calls: [], ports: { app: 1 } };
  const events = ['shop-1-proxy', 'shop-2-proxy', 'db'].map((name) => exited(name, 110_000));
  const faults = scenario.faults.map((f) => ({ ...f, kind: 'leak' as const, target }));
  const found = deathsOf(events, stretch, { ...scenario, faults }, [...shops, db]);
  expect(found.map((d) => d.name)).toEqual(names);
});

test('one entry for each name: the first end, and an exit before a lack of an answer', () => {
  const twice = [exited('cart', 110_000), { ...exited('cart', 120_000), detail: 'later' }];
  expect(deathsOf(twice, stretch, scenario, [])).toEqual([
    { name: 'cart', atMs: 110_000, how: 'ended with 1: Error: read ECONNRESET' },
  ]);
  const silent = { process: 'db', atMs: 110_000, event: 'exited' as const };
  expect(deathsOf([silent], stretch, scenario, [])).toEqual([{ name: 'db', atMs: 110_000 }]);
  const known: DeathRecord[] = [{ name: 'cart' }, { name: 'db', how: 'ended with 1' }];
  addDeaths(known, [{ name: 'cart', how: 'ended with 2' }, { name: 'db' }, { name: 'web' }]);
  expect(known).toEqual([
    { name: 'cart', how: 'ended with 2' },
    { name: 'db', how: 'ended with 1' },
    { name: 'web' },
  ]);
});

test('the verdict fails, and names it before what followed from it', () => {
  const faults = [{ ...fault, requestedMs: confirmedMs - 500, endedMs: rollbackEndMs }];
  const dead = deathsOf([exited('cart', rollbackEndMs + 54)], stretch, scenario, [cart]);
  const after = [{ ...good().before[0]!, held: false, value: 1 }];
  const text =
    'cart died by itself 54 ms after the fault slow was rolled back: it ended with 1: Error: read ECONNRESET';
  expect(deathText(dead[0]!, faults)).toBe(text);
  const { verdict, reasons } = judge({ ...good(), faults, dead, after });
  expect([verdict, reasons[0]]).toEqual(['FAIL', text]);
  expect(reasons[1]).toContain('not steady after the rollback');
});

let processes: Processes | undefined;
afterEach(() => processes?.close());

test.each([
  [
    'with',
    'echo "Error: no database" >&2; echo "    at f (a.js:1:2)" >&2; ',
    ': Error: no database',
  ],
  ['without', '', ''],
])(
  'a process with restart is started again after it ended, %s last words',
  async (_, says, words) => {
    processes = new Processes(() => undefined);
    const command = `echo 1; sleep 0.2; ${says}exit 3`;
    await processes.start({
      name: 'cart',
      kind: 'service',
      workload: 'cart',
      restartAfterMs: 100,
      program: {
        command,
        cwd: '/',
        env: {},
        ready: { kind: 'log', pattern: /1/ },
        readyLimitMs: 10_000,
        stop: { signal: 'SIGTERM', withinMs: 1000 },
      },
    });
    await expect
      .poll(() => processes?.events.map((e) => e.event).slice(0, 4), { timeout: 20_000 })
      .toEqual(['started', 'exited', 'started', 'exited']);
    expect(processes.events[1]?.detail).toBe(`ended with 3${words}`);
  },
);
