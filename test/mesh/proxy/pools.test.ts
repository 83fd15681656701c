/** The pools of both protocols: a request that leaves is told nothing later, and none is told before it is known. */
import { expect, test } from 'vitest';
import { realClock } from '../../../base/clock.js';
import type { TryFailure } from '../../../mesh/proxy/flow/contract.js';
import { Pool } from '../../../mesh/proxy/http1/pool.js';
import type { UpstreamUser } from '../../../mesh/proxy/http1/upstream.js';
import { defaultLimits } from '../../../mesh/proxy/http2/limits.js';
import { Http2Try } from '../../../mesh/proxy/http2/http2-try.js';
import { SessionPool } from '../../../mesh/proxy/http2/session-pool.js';
import { DeadlineWheel } from '../../../mesh/proxy/listen/deadlines.js';
import { Holdings } from '../../../mesh/proxy/listen/holdings.js';
import type { Connect, TryHandler } from '../../../mesh/proxy/seam.js';
import { endpointAt } from './http2-rig.js';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const connect: Connect = () => ({ cancel: () => undefined });
const full = { ...endpointAt(1), maxPending: 0, maxConnections: 0 };
const nothing = (): undefined => undefined;

function http1(told: TryFailure[]) {
  const pool = new Pool(full, {
    connect,
    deadlines: new DeadlineWheel(realClock),
    maxHeadBytes: 1,
  });
  const user: UpstreamUser = {
    client: 'a',
    takenBytes: 0,
    upstreamReady: nothing,
    upstreamFailed: (failure) => void told.push(failure),
    upstreamInformational: nothing,
    upstreamHead: nothing,
    upstreamBody: nothing,
    upstreamDrained: nothing,
  };
  return { take: () => pool.take(user), leave: () => pool.leave(user) };
}

function http2(told: TryFailure[]) {
  const shared = { clock: realClock, limits: defaultLimits, memory: new Holdings(1 << 20) };
  const pool = new SessionPool(full, shared, connect);
  const waiter = {
    onSession: nothing,
    onSessionFailed: (failure: TryFailure) => void told.push(failure),
    onHttp1Only: nothing,
  };
  return { take: () => pool.take(waiter), leave: () => pool.leave(waiter) };
}

test.each([
  ['HTTP/1.1', http1],
  ['HTTP/2', http2],
])('%s: a request without room is told once, and not after it has left', async (_name, start) => {
  const told: TryFailure[] = [];
  const pool = start(told);
  expect(pool.take()).toBeUndefined();
  expect(told).toEqual([]);
  await turn();
  expect(told).toEqual(['overflow']);
  pool.take();
  pool.leave();
  await turn();
  expect(told).toEqual(['overflow']);
});

test('a session that does not carry HTTP/1.1 fails the attempt, once its caller has it', async () => {
  const pool = { take: () => ({ carries: false }), leave: nothing } as unknown as SessionPool;
  const told: TryFailure[] = [];
  const handler = { failed: (failure: TryFailure) => void told.push(failure) } as TryHandler;
  const asked = { method: 'GET', scheme: 'https', authority: 'cart', path: '/', headers: [] };
  const first = new Http2Try(pool, { ...asked, hasBody: false, isCarried: true }, handler);
  expect([told, first.isOpen]).toEqual([[], false]);
  await turn();
  expect(told).toEqual(['not-processed']);
  new Http2Try(pool, { ...asked, hasBody: false, isCarried: true }, handler).abort();
  await turn();
  expect(told).toEqual(['not-processed']);
});
