/** A drain ends when no request has come for a second, however short requests are, or when its time is up. */
import { expect, test } from 'vitest';
import { SimulatedClock } from '../../../base/clock.js';
import { Drain } from '../../../mesh/proxy/drain.js';

function draining(limitMs: number) {
  const clock = new SimulatedClock(0);
  const target = {
    busy: 0,
    begun: 0,
    stopped: -1,
    closed: -1,
    beginDrain: () => undefined,
    closeIdle: () => undefined,
    closeInbound() {
      if (this.closed < 0) this.closed = clock.monotonicMs();
    },
    stop() {
      this.stopped = clock.monotonicMs();
      return Promise.resolve();
    },
  };
  void new Drain(target, clock, limitMs).start();
  return { clock, target, from: clock.monotonicMs() };
}

test('nothing under way for a second: it ends', () => {
  const { clock, target, from } = draining(30_000);
  clock.advance(5000);
  expect(target.stopped - from).toBe(1000);
});

test('requests that begin and end between two looks count: it stays until its last two seconds', () => {
  const { clock, target, from } = draining(30_000);
  for (let i = 0; i < 4000; i++) {
    // The request ends before the next look.
    target.begun++;
    clock.advance(10);
  }
  expect(target.closed - from).toBe(28_000);
  expect(target.stopped - from).toBe(28_000);
});

test('after the last of them a second passes', () => {
  const { clock, target, from } = draining(30_000);
  for (let i = 0; i < 20; i++) {
    target.begun++;
    clock.advance(250);
  }
  clock.advance(5000);
  expect(target.stopped - from).toBeGreaterThanOrEqual(5700);
  expect(target.stopped - from).toBeLessThanOrEqual(6000);
});

test.each([
  [30_000, 28_000],
  [6000, 4000],
  [1000, 500],
  [0, 100],
])('a request that never ends, such as a WebSocket, does not outlast %i ms', (limitMs, closed) => {
  const { clock, target, from } = draining(limitMs);
  target.busy = 1;
  clock.advance(60_000);
  expect(target.closed - from).toBe(closed);
  expect(target.stopped - from).toBe(Math.max(100, limitMs));
});
