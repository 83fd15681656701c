/** Alerts as the rules show them, from pending to their end. */
import { expect, test } from 'vitest';
import type { ActiveAlert, Standing } from '../../alerts/watch/index.js';
import { Sightings } from '../../chaos/runner/sightings.js';
import { slo } from './evidence.js';

const labels = { alertname: 'CartLatency', severity: 'page', ...slo };

const alert = (state: ActiveAlert['state'], activeAtMs: number, more = {}): ActiveAlert => ({
  state,
  labels: { ...labels, ...more },
  annotations: {},
  activeAtMs,
  value: 1,
});

function watching(receiver?: string) {
  const world = {
    alerts: [] as ActiveAlert[],
    standing: { state: 'firing' } as Standing,
    trouble: undefined as string | undefined,
    asked: [] as unknown[],
  };
  const watch = {
    alerts: () => Promise.resolve(world.alerts),
    trouble: () => Promise.resolve(world.trouble),
    standing: (...asked: unknown[]) => {
      world.asked.push(asked);
      return Promise.resolve(world.standing);
    },
  };
  const expected = [{ alert: 'CartLatency', ...(receiver !== undefined && { receiver }) }];
  return { world, sightings: new Sightings(watch as never, expected) };
}

test('an alert from its first sight to its end, and again', async () => {
  const { world, sightings } = watching('oncall');
  world.alerts = [alert('pending', 10), { ...alert('firing', 10), labels: { alertname: 'X' } }];
  await sightings.look(20);
  const seen = { labels, lastSeenMs: 20, activeAtMs: 10, startsMs: [10], pendingAtMs: 10 };
  expect(sightings.all).toEqual([seen]);
  expect(world.asked).toEqual([]);
  const { severity, ...rest } = labels;
  world.alerts = [{ ...alert('firing', 10), labels: { severity, ...rest } as never }];
  await sightings.look(30);
  const standing = { state: 'firing' };
  expect(sightings.all).toEqual([{ ...seen, lastSeenMs: 30, firingAtMs: 30, standing }]);
  expect(world.asked).toEqual([[labels, 'oncall']]);
  world.alerts = [];
  await sightings.look(40);
  await sightings.look(50);
  expect(sightings.all[0]).toMatchObject({ lastSeenMs: 30, endedAtMs: 40 });
  world.alerts = [alert('pending', 55)];
  await sightings.look(60);
  expect(sightings.all[0]).toMatchObject({ lastSeenMs: 60, activeAtMs: 10, startsMs: [10, 55] });
  expect(sightings.all[0]).toMatchObject({ pendingAtMs: 10, firingAtMs: 30 });
  expect('endedAtMs' in sightings.all[0]!).toBe(false);
});

const s = (state: Standing['state'], more: Partial<Standing> = {}): Standing => ({
  state,
  ...more,
});
test.each([
  ['a later state says more', [s('firing'), s('muted')], 'muted'],
  ['one that is over says nothing', [s('firing'), s('inactive')], 'firing'],
  ['pending says nothing', [s('firing'), s('pending')], 'firing'],
  ['no rule says nothing', [s('firing'), s('no-rule')], 'firing'],
  ['hidden stays hidden', [s('inhibited'), s('firing')], 'inhibited'],
  ['silenced stays hidden', [s('silenced'), s('notified')], 'silenced'],
  ['hidden by another', [s('inhibited'), s('silenced')], 'silenced'],
  ['hidden later', [s('firing'), s('inhibited')], 'inhibited'],
  ['muted is not hidden', [s('muted'), s('firing')], 'firing'],
])('standing: %s', async (_, states, last) => {
  const { world, sightings } = watching();
  world.alerts = [alert('firing', 10)];
  for (const [i, state] of states.entries()) {
    world.standing = state;
    await sightings.look(20 + i);
  }
  expect(sightings.all[0]?.standing?.state).toBe(last);
  expect(world.asked).toEqual(states.map(() => [labels, undefined]));
});

test('what was notified is not asked again', async () => {
  const { world, sightings } = watching();
  world.alerts = [alert('firing', 10)];
  world.standing = s('notified');
  await sightings.look(20);
  await sightings.look(30);
  expect(world.asked).toHaveLength(1);
});

test.each([
  [25, 25],
  [9, 30],
  [10, 10],
  [35, 30],
])('the rules say that it fired at %d', async (firedAtMs, expected) => {
  const { world, sightings } = watching();
  world.alerts = [alert('firing', 10)];
  world.standing = s('firing', { firedAtMs });
  await sightings.look(30);
  expect(sightings.all[0]?.firingAtMs).toBe(expected);
});

test('trouble is kept until it is over; a query that fails is trouble', async () => {
  const { world, sightings } = watching();
  world.trouble = 'Alertmanager ended';
  await sightings.look(1);
  expect(sightings.trouble).toBe('Alertmanager ended');
  world.trouble = undefined;
  await sightings.look(2);
  expect(sightings.trouble).toBeUndefined();
  const failing = new Sightings({ alerts: () => Promise.reject(new Error('down')) } as never, []);
  await failing.look(1);
  expect([failing.trouble, failing.all]).toEqual(['down', []]);
});

test('a watch that can tell no standing is not asked, and one look waits for the other', async () => {
  let answer: (alerts: ActiveAlert[]) => void = () => undefined;
  let looks = 0;
  const watch = {
    alerts: () => {
      looks++;
      return new Promise<ActiveAlert[]>((resolve) => (answer = resolve));
    },
  };
  const sightings = new Sightings(watch as never, [{ alert: 'CartLatency' }]);
  const first = sightings.look(1);
  const second = sightings.look(2);
  answer([alert('firing', 1)]);
  await Promise.all([first, second]);
  expect([looks, sightings.all]).toMatchObject([1, [{ firingAtMs: 1, lastSeenMs: 1 }]]);
  const third = sightings.look(3);
  answer([]);
  await third;
  expect([looks, sightings.all[0]?.endedAtMs]).toEqual([2, 3]);
});

test('two hundred are kept, with a thousand stretches each, and five are asked at once', async () => {
  const { world, sightings } = watching();
  world.alerts = Array.from({ length: 250 }, (_, i) => alert('firing', 10, { pod: `p${i}` }));
  await sightings.look(20);
  expect([sightings.all.length, world.asked.length]).toEqual([200, 5]);
  for (let i = 0; i < 1100; i++) {
    world.alerts = [alert('pending', 100 + i, { pod: 'p0' })];
    await sightings.look(100 + i);
  }
  expect(sightings.all[0]?.startsMs).toHaveLength(1000);
});
