/** A fault lapses unless it is renewed, also if its first undo fails. */
import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { SimulatedClock } from '../../base/clock.js';
import { Leases } from '../../chaos/faults/leases.js';

/** Leases whose undo fails so many times, or waits for a promise. */
function held(failures: number, undo: Promise<void> = Promise.resolve()) {
  const clock = new SimulatedClock();
  const ends: string[] = [];
  const leases = new Leases<object>(clock, {
    end: async (_, id) => {
      await undo;
      ends.push(id);
      if (ends.length <= failures) throw new Error('the toxiproxy is away');
    },
  });
  const after = async (ms: number): Promise<void> => {
    clock.advance(ms);
    await setImmediate();
  };
  return { leases, ends, after };
}

test('a lapsed fault whose undo fails is undone later, and its holder lives on', async () => {
  const { leases, ends, after } = held(2);
  await leases.put({ id: 'a', ttlMs: 1000 }, {});
  for (const ms of [1000, 5000]) await after(ms);
  expect([ends.length, leases.size, [...leases.active()]]).toEqual([2, 1, []]);
  await after(5000);
  await after(60_000);
  expect([ends.length, leases.size]).toEqual([3, 0]);
});

test('a failed end is told, and can be asked for again', async () => {
  const { leases, ends, after } = held(1);
  await leases.put({ id: 'a', ttlMs: 1000 }, {});
  await expect(leases.remove('a')).rejects.toThrow('the toxiproxy is away');
  expect(await leases.remove('a')).toBe(true);
  expect(await leases.remove('a')).toBe(false);
  await after(60_000);
  expect(ends).toHaveLength(2);
});

test('a lease that is being undone cannot be renewed', async () => {
  let undone = (): void => undefined;
  const { leases, after } = held(0, new Promise((resolve) => (undone = resolve)));
  await leases.put({ id: 'a', ttlMs: 1000 }, {});
  await after(1000);
  await expect(leases.put({ id: 'a', ttlMs: 1000 }, {})).rejects.toThrow('a is being undone');
  undone();
  await after(0);
  expect(leases.size).toBe(0);
});

test('a trouble stands beside the effect, the first one is kept, and the lease that ended has it still', async () => {
  const { leases } = held(0);
  await leases.put({ id: 'a', ttlMs: 1000 }, {});
  expect(leases.list()[0]).not.toHaveProperty('trouble');
  leases.report('a', 'somebody undid it');
  leases.report('a', 'another reason');
  expect(leases.list()).toMatchObject([{ id: 'a', trouble: 'somebody undid it' }]);
  expect(await leases.put({ id: 'a', ttlMs: 1000 }, {})).toMatchObject({
    trouble: 'somebody undid it',
  });
  await leases.remove('a');
  expect(leases.troubleOf('a')).toBe('somebody undid it');
});
