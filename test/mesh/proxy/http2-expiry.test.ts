/** Several sessions to one endpoint whose certificates run out at the same time: no request tries one after another. */
import { expect, test } from 'vitest';
import { SimulatedClock } from '../../../base/clock.js';
import type { EndpointState } from '../../../mesh/proxy/flow/contract.js';
import type { ClientConnection } from '../../../mesh/proxy/http2/client-connection.js';
import { defaultLimits } from '../../../mesh/proxy/http2/limits.js';
import { SessionPool } from '../../../mesh/proxy/http2/session-pool.js';
import { Holdings } from '../../../mesh/proxy/listen/holdings.js';
import { carryingProtocol, type Connect } from '../../../mesh/proxy/seam.js';
import { FakeWire, frame, settings, word } from './http2-raw.js';

const endpoint: EndpointState = {
  address: '10.0.0.1:80',
  host: '10.0.0.1',
  port: 80,
  identity: 'cart.shop',
  http2: false,
  maxConnections: 100,
  maxPending: 100,
  maxWaitMs: 1000,
  pool: undefined,
};
const receiver = {
  onHead: () => undefined,
  onData: () => undefined,
  onTrailers: () => undefined,
  onReset: () => undefined,
  onSent: () => undefined,
};

function startPool() {
  const clock = new SimulatedClock(1000);
  const dials: Parameters<Connect>[2][] = [];
  const connect: Connect = (_endpoint, _protocols, handler) => {
    dials.push(handler);
    return { cancel: () => undefined };
  };
  const shared = { clock, limits: defaultLimits, memory: new Holdings(1 << 30) };
  const pool = new SessionPool(endpoint, shared, connect);
  const got: ClientConnection[] = [];
  const waiter = {
    onSession: (session: ClientConnection) => {
      got.push(session);
      session.open(receiver, [], true, false);
    },
    onSessionFailed: () => undefined,
    onHttp1Only: () => undefined,
  };
  const take = (): ClientConnection | undefined => pool.take({ ...waiter });
  const answer = (expiresMs: number): void => {
    const wire = new FakeWire();
    wire.expiresMs = expiresMs;
    dials.shift()!.connected(wire, carryingProtocol);
  };
  return { clock, pool, got, dials, take, answer };
}

/** Until a session's first settings have come it takes one request, so that a burst opens several sessions. */
function burst({ pool, got, take, answer }: ReturnType<typeof startPool>, ends: number[]): void {
  for (const _ of ends) take();
  for (const expiresMs of ends) answer(expiresMs);
  expect(pool.sessions).toHaveLength(ends.length);
  for (const session of got) session.onBytes(settings, settings.length);
}

const goaway = frame(7, 0, 0, Buffer.concat([word(0x7fffffff), word(0)]));

test('sessions that have expired take no request, before any tick', () => {
  const rig = startPool();
  burst(rig, [1400, 1400, 1400]);
  rig.clock.advance(399);
  expect(rig.take()).toBe(rig.got[0]);
  rig.clock.advance(1);
  expect(rig.take()).toBeUndefined();
  expect(rig.pool.sessions).toEqual([]);
  // One new connection; the streams under way stay.
  expect(rig.dials).toHaveLength(1);
  expect(rig.got.map((session) => [session.draining, session.closed])).toEqual([
    [true, false],
    [true, false],
    [true, false],
  ]);
  rig.answer(9000);
  expect(rig.got).toHaveLength(4);
});

test('a peer whose clock is ahead ends one session: those that expire no later leave with it', () => {
  const rig = startPool();
  burst(rig, [5000, 5000, 4000, 6000]);
  const [first, , , newest] = rig.got;
  first!.onBytes(goaway, goaway.length);
  expect(rig.pool.sessions).toEqual([newest]);
  expect(rig.take()).toBe(newest);
});

test('in plaintext nothing expires: the end of one session says nothing about the others', () => {
  const rig = startPool();
  burst(rig, [Infinity, Infinity]);
  const [first, second] = rig.got;
  first!.onBytes(goaway, goaway.length);
  expect(rig.pool.sessions).toEqual([second]);
});
