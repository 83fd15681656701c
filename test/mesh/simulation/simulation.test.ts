/** Replayed incidents: one seed, one result; a budget ends a storm; mistakes are reported with their place. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { asset } from '../../../base/paths.js';
import { changed } from '../../../mesh/simulation/change.js';
import { EventClock } from '../../../mesh/simulation/event-clock.js';
import { simulate } from '../../../mesh/simulation/run.js';
import { readIncident, type Incident, type Variant } from '../../../mesh/simulation/spec.js';
import { summarize, summaryTable, timelineTable } from '../../../mesh/simulation/summary.js';

const folder = mkdtempSync(join(tmpdir(), 'firedrill-simulation-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const asIs: Variant = { name: 'as configured', change: {} };
const summaryOf = (incident: Incident, variant = asIs) =>
  summarize(simulate(incident, variant), incident);

/** A quarter of the example's size, with the same effect. */
function storm(): Incident {
  const incident = readIncident(asset('examples/simulate/retry-storm.yaml'));
  return {
    ...incident,
    duration: 30_000,
    clients: incident.clients.map((c) => ({ ...c, ratePerSecond: 250 })),
    servers: [{ endpoint: '*', service: 20, workers: 3, queue: 125 }],
    incident: [{ ...incident.incident[0]!, from: 5000, to: 12_000 }],
  };
}

test('a budget ends a retry storm, and without it the overload outlives its cause', () => {
  const incident = storm();
  const withBudget = summaryOf(incident);
  const without = summaryOf(incident, { name: '', change: { retry: { budget: null } } });
  expect(withBudget.requests).toBe(without.requests);
  expect(withBudget.triesPerRequest).toBeLessThan(1.35);
  expect(without.triesPerRequest).toBeGreaterThan(2);
  expect(withBudget.recoverySeconds).not.toBeNull();
  expect(withBudget.recoverySeconds!).toBeLessThan(10);
  expect(Number(without.recoverySeconds ?? 100)).toBeGreaterThan(
    Number(withBudget.recoverySeconds),
  );
  expect(withBudget.successRatio).toBeGreaterThan(without.successRatio! + 0.2);
  expect(withBudget.retriesForbidden).toBeGreaterThan(0);
});

test('a server that fails fast does not attract load, and clients do not notice', () => {
  const incident = readIncident(asset('examples/simulate/bad-endpoint.yaml'));
  const summary = summaryOf({ ...incident, duration: 20_000 });
  expect(summary.successRatio).toBeGreaterThan(0.995);
  expect(summary.ejections).toBeGreaterThan(0);
});

test('refused connections and servers that hang', () => {
  const incident: Incident = {
    ...storm(),
    duration: 10_000,
    incident: [
      step({ endpoint: '10.0.0.1:80', from: 2000, to: 5000, refuse: true }),
      step({ endpoint: '10.0.0.2:80', from: 6000, to: 8000, hang: true }),
    ],
    servers: [{ endpoint: '*', service: 5, workers: 10, queue: 100 }],
  };
  const summary = summaryOf(incident);
  expect(summary.successRatio).toBeGreaterThan(0.98);
  expect(summary.recoverySeconds).toBe(0);
});

const step = (more: Partial<Incident['incident'][number]>): Incident['incident'][number] => ({
  endpoint: '*',
  from: 0,
  to: 0,
  service: undefined,
  workers: undefined,
  failRatio: 0,
  status: 503,
  refuse: false,
  hang: false,
  ...more,
});

test('whatever happens, once the servers are well again everything is, and nothing is left over', () => {
  const breaker = { minOpenMs: 100, maxOpenMs: 2000, consecutiveFailures: 3 };
  const variant: Variant = { name: '', change: { breaker } };
  const endpoints = ['*', '10.0.0.1:80', '10.0.0.2:80', '10.0.0.3:80'];
  const trouble = fc.record({
    endpoint: fc.constantFrom(...endpoints),
    from: fc.integer({ min: 0, max: 8000 }),
    to: fc.integer({ min: 100, max: 10_000 }),
    service: fc.constantFrom(undefined, 1, 300),
    failRatio: fc.constantFrom(0, 0.3, 1),
    refuse: fc.boolean(),
    hang: fc.boolean(),
  });
  fc.assert(
    fc.property(
      fc.array(trouble, { maxLength: 6 }),
      fc.integer({ min: 0, max: 1e6 }),
      fc.boolean(),
      (troubles, seed, unsafe) => {
        const incident: Incident = {
          ...storm(),
          seed,
          duration: 40_000,
          clients: [
            {
              ratePerSecond: 60,
              method: unsafe ? 'POST' : 'GET',
              path: '/',
              giveUpAfter: 1500,
              from: 0,
              to: undefined,
            },
          ],
          servers: [{ endpoint: '*', service: 10, workers: 10, queue: 50 }],
          incident: troubles.map((t) => step({ ...t, to: Math.max(t.to, t.from + 100) })),
        };
        const run = simulate(incident, variant);
        for (const second of run.seconds.slice(-5)) {
          expect(second.succeeded).toBe(second.requests);
          expect(second.unready).toBe(0);
        }
        expect(run.retriesToSameEndpoint).toBe(0);
        expect(run.leftOver).toBe(0);
      },
    ),
    { numRuns: 40 },
  );
});

test('the same seed gives the same run, another one another', () => {
  const incident = { ...storm(), duration: 8000 };
  const one = simulate(incident, asIs);
  expect(simulate(incident, asIs)).toEqual(one);
  expect(simulate({ ...incident, seed: 8 }, asIs).seconds).not.toEqual(one.seconds);
});

test('tables say what JSON says', () => {
  const incident = { ...storm(), duration: 4000, incident: [] };
  const run = simulate(incident, asIs);
  const summary = summarize(run, incident);
  expect(summaryTable([{ name: 'x', summary }])).toContain(`x        ${summary.requests}`);
  expect(timelineTable('x', run).split('\n')).toHaveLength(6);
});

test('a change is a merge patch: null takes away, and retries are not given in part', () => {
  const { destination } = storm();
  const none = { ...destination, routes: [{ ...destination.routes[0]!, name: 'bare' }] };
  delete none.routes[0]!.retry;
  const change = { retry: { budget: null, limit: 9 }, breaker: null, timeouts: { perTryMs: 50 } };
  const after = changed(destination, { name: '', change });
  expect(after.routes[0]).toMatchObject({ retry: { limit: 9 }, timeouts: { perTryMs: 50 } });
  expect(after.routes[0]?.retry?.budget).toBeUndefined();
  expect(after.backends[0]?.breaker).toBeUndefined();
  expect(destination.backends[0]?.breaker).toBeDefined();
  expect(changed(none, { name: '', change }).routes[0]?.retry).toBeUndefined();
});

test('copies of slow requests are simulated, in the proxy that sends them', () => {
  const incident: Incident = {
    ...storm(),
    duration: 10_000,
    servers: [{ endpoint: '*', service: 5, workers: 50, queue: 500 }],
    incident: [step({ endpoint: '10.0.0.2:80', from: 1000, to: 9000, hang: true })],
  };
  const change = { retry: null, breaker: null };
  const without = summaryOf(incident, { name: '', change });
  const hedged = summaryOf(incident, { name: '', change: { ...change, hedge: { afterMs: 50 } } });
  expect(without.triesPerRequest).toBe(1);
  expect(hedged.triesPerRequest).toBeGreaterThan(1);
  // Timed out without a copy.
  expect(without.successRatio).toBeLessThan(1);
  expect(hedged.successRatio).toBe(1);
});

test('without requests, and without a time after the incident, nothing is claimed', () => {
  const one = storm();
  const whole = { ...one, incident: [{ ...one.incident[0]!, to: one.duration }] };
  const ended = { ...one, clients: one.clients.map((c) => ({ ...c, to: 11_000 })) };
  expect(summaryOf(ended).recoverySeconds).toBe('unseen');
  expect(summaryOf({ ...one, clients: [] })).toMatchObject({
    successRatio: null,
    worstSecondSuccessRatio: null,
  });
  expect(summaryOf(whole).recoverySeconds).toBe('unseen');
  expect(summaryOf({ ...one, incident: [] }).recoverySeconds).toBe('unseen');
});

test('mistakes name their place and what was expected', () => {
  const file = join(folder, 'bad.yaml');
  const registry = asset('examples/simulate/registry.yaml');
  const read = (text: string) => (): unknown => {
    writeFileSync(file, text);
    return readIncident(file);
  };
  const good = `registry: ${registry}\nduration: 1s\nclients: [{ ratePerSecond: 1 }]\n`;
  expect(read(`${good}destination: nobody.retail\n`)).toThrow(
    /bad.yaml:4:14: no destination nobody.retail; expected cart.retail/,
  );
  expect(
    read(`${good}destination: cart.retail\nincident: [{ from: 1s, to: 2s, endpoint: x }]\n`),
  ).toThrow(/bad.yaml:5:\d+: no endpoint x; expected 10.0.0.1:80/);
  const changing = (change: string) =>
    read(`${good}destination: cart.retail\ncompare: [{ name: x, change: ${change} }]\n`);
  expect(changing('{ hegde: { afterMs: 5 } }')).toThrow(
    /bad.yaml:5:\d+: .*unknown field 'hegde'; expected .*hedge/,
  );
  expect(changing('{ hedge: { after: 5 } }')).toThrow(/hedge.after: unknown field 'after'/);
  expect(changing('{ maxConcurrent: 1.5, timeouts: null }')).toThrow(/maxConcurrent: 1.5/);
  expect(changing('{ hedge: { afterMs: 5 }, timeouts: null, limits: null }')).not.toThrow();
  expect(read(`${good}destination: cart.retail\nduratoin: 1s\n`)).toThrow(
    /unknown field 'duratoin'/,
  );
  for (const [times, why] of [
    ['from: 500ms, to: 500ms', 'must be after from'],
    ['from: 1s, to: 2s', 'it begins after the end'],
  ])
    expect(read(`${good}destination: cart.retail\nincident: [{ ${times} }]\n`)).toThrow(why);
  expect(read(`${good.replace('1s', '2d')}destination: cart.retail\n`)).toThrow(/at most 1d/);
  expect(read('destination: a\nduration: 1s\nclients: [{ ratePerSecond: 1 }]\n')).toThrow(
    /either registry or proxy/,
  );
  expect(
    read(`${good.replace('1 }', '900000 }').replace('1s', '1h')}destination: cart.retail\n`),
  ).toThrow(/five million/);
});

test('the event clock runs timers in the order in which they fall due', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 50 }), fc.boolean())), (timers) => {
      const clock = new EventClock(0);
      const ran: { dueMs: number; i: number }[] = [];
      timers.forEach(([dueMs, isCancelled], i) => {
        const timer = clock.after(dueMs, () => {
          expect(clock.monotonicMs()).toBe(dueMs);
          ran.push({ dueMs, i });
        });
        if (isCancelled) timer.cancel();
      });
      clock.run(100);
      const expected = timers
        .map(([dueMs, isCancelled], i) => ({ dueMs, i, isCancelled }))
        .filter((t) => !t.isCancelled)
        .sort((a, b) => a.dueMs - b.dueMs || a.i - b.i)
        .map(({ dueMs, i }) => ({ dueMs, i }));
      expect(ran).toEqual(expected);
    }),
  );
});
