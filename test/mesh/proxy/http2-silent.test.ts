/** A proxy that is gone without a word: new requests go another way soon, those under way end later. */
import { expect, test } from 'vitest';
import { SimulatedClock } from '../../../base/clock.js';
import { ClientConnection } from '../../../mesh/proxy/http2/client-connection.js';
import { clientPreface } from '../../../mesh/proxy/http2/frame.js';
import { defaultLimits } from '../../../mesh/proxy/http2/limits.js';
import { Holdings } from '../../../mesh/proxy/listen/holdings.js';
import { FakeWire, frame, settings, takeFrames, type Frame } from './http2-raw.js';

/** Of a process that is busy when a timer is due. */
class StallingClock extends SimulatedClock {
  lateMs = 0;

  override monotonicMs(): number {
    return super.monotonicMs() + this.lateMs;
  }
}

const pong = frame(6, 1, 0, Buffer.alloc(8));

function connected(carries: boolean) {
  const clock = new StallingClock();
  const wire = new FakeWire();
  const told = { room: 0, gone: 0, lost: 0, doubted: 0 };
  const memory = new Holdings(1 << 30);
  const connection = new ClientConnection(
    wire,
    { clock, limits: defaultLimits, memory },
    {
      onRoom: () => told.room++,
      onClientGone: () => told.gone++,
      onDismissed: () => told.room++,
      onDoubted: () => told.doubted++,
    },
  );
  connection.carries = carries;
  const read = (bytes: Buffer): void => connection.onBytes(bytes, bytes.length);
  read(settings);
  const receiver = {
    onHead: () => undefined,
    onData: () => undefined,
    onTrailers: () => undefined,
    onReset: () => void told.lost++,
    onSent: () => undefined,
  };
  const tick = (seconds: number): void => {
    for (let i = 0; i < seconds; i++) {
      clock.advance(1000);
      connection.tick(clock.monotonicMs());
    }
  };
  const pings = (): number => {
    connection.output.flush();
    const frames: Frame[] = [];
    takeFrames(wire.bytes.subarray(clientPreface.length), frames);
    return frames.filter((f) => f.type === 6 && f.flags === 0).length;
  };
  return {
    clock,
    connection,
    told,
    read,
    tick,
    pings,
    open: () => connection.open(receiver, [], true, false),
  };
}

test('silent while it owes an answer: asked, then no new streams, at last the end of those under way', () => {
  const { clock, connection, told, tick, pings, open } = connected(true);
  open();
  clock.advance(499);
  expect(pings()).toBe(0);
  clock.advance(1);
  expect(pings()).toBe(1);
  clock.advance(199);
  expect(told.doubted).toBe(0);
  clock.advance(500);
  expect([told.doubted, connection.room > 0]).toEqual([1, true]);
  const before = told.room;
  clock.advance(1);
  expect([connection.room, told.room - before, told.lost]).toEqual([0, 1, 0]);
  tick(10);
  expect(told.lost).toBe(0);
  tick(2);
  expect([told.lost, told.gone, connection.closed]).toEqual([1, 1, true]);
});

test('where another does not answer, one that owes nothing is asked too, and closed if it is silent', () => {
  const [silent, there] = [connected(true), connected(true)];
  for (const { connection } of [silent, there]) connection.doubt();
  expect([silent.pings(), there.pings()]).toEqual([1, 1]);
  there.read(pong);
  for (const { clock } of [silent, there]) clock.advance(500);
  expect([silent.connection.closed, there.connection.closed]).toEqual([true, false]);
  // Servers of others are not.
  const other = connected(false);
  other.connection.doubt();
  expect(other.pings()).toBe(0);
});

test('a timer that comes late tells nothing of the peer', () => {
  const { clock, connection, pings, open } = connected(true);
  open();
  clock.lateMs = 300;
  clock.advance(500);
  expect(pings()).toBe(0);
  clock.advance(1200);
  expect([pings(), connection.room]).toEqual([1, 0]);
});

test('one that answers is kept, however long its app takes', () => {
  const { clock, connection, read, pings, open } = connected(true);
  open();
  for (let i = 0; i < 100; i++) {
    const asked = pings();
    clock.advance(500);
    if (pings() > asked) read(pong);
  }
  expect(pings()).toBeGreaterThan(30);
  expect([connection.room > 0, connection.closed, connection.streams.size]).toEqual([
    true,
    false,
    1,
  ]);
});

test('without streams nobody is asked, and a server of others only after half a minute', () => {
  const idle = connected(true);
  idle.tick(60);
  expect(idle.pings()).toBe(0);
  const other = connected(false);
  other.open();
  other.tick(30);
  expect([other.pings(), other.connection.room > 0]).toEqual([0, true]);
  other.tick(2);
  expect(other.pings()).toBe(1);
  other.tick(11);
  expect(other.connection.closed).toBe(true);
});
