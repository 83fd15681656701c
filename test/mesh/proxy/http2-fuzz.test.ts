/**
 * Both ends of a connection against split and mutated bytes: nothing is thrown, nothing is left behind, every request
 * ends once, and the same bytes give the same result however they are split.
 */
import { expect, test } from 'vitest';
import { SimulatedClock } from '../../../base/clock.js';
import { seededRandom, type Random } from '../../../base/random.js';
import { ClientConnection } from '../../../mesh/proxy/http2/client-connection.js';
import type { Field } from '../../../mesh/proxy/http2/hpack/field.js';
import { makeField } from '../../../mesh/proxy/http2/hpack/intern.js';
import { defaultLimits, type Shared } from '../../../mesh/proxy/http2/limits.js';
import type { Serving } from '../../../mesh/proxy/seam.js';
import { ServerConnection } from '../../../mesh/proxy/http2/server-connection.js';
import type { Receiver, Stream } from '../../../mesh/proxy/http2/stream.js';
import { block, FakeWire, frame, get, hello, settings, takeFrames, word } from './http2-raw.js';
import { Holdings } from '../../../mesh/proxy/listen/holdings.js';

const shared = (): Shared => ({
  clock: new SimulatedClock(),
  limits: defaultLimits,
  memory: new Holdings(1 << 30),
});

const serving: Serving = {
  peerIdentity: undefined,
  peerAddress: '127.0.0.1',
  tls: 'disabled',
  begin: () => {
    throw new Error('not asked here');
  },
};

/** Answers with the received body, and counts the ends of each stream. */
class Echo implements Receiver {
  ends = 0;
  begun = false;
  onHead(): void {
    // Called at the client's end only.
  }
  onData(stream: Stream, buffer: Buffer, start: number, end: number, ended: boolean): void {
    if (!this.begun) stream.headers([makeField(':status', '200', true)], false);
    this.begun = true;
    stream.consumed(stream.data(buffer, start, end, ended));
    if (ended) this.ends++;
  }
  onTrailers(stream: Stream, fields: Field[]): void {
    this.ends++;
    if (!this.begun) stream.headers([makeField(':status', '200', true)], false);
    stream.end(fields);
  }
  onReset(): void {
    this.ends++;
  }
  onSent(stream: Stream, bytes: number): void {
    stream.consumed(bytes);
  }
}

const post: [string, string][] = [
  [':method', 'POST'],
  ...get('/cart').slice(1),
  ['content-type', 'application/grpc'],
];

/** A well-behaved client's bytes, with every kind of frame. */
function conversation(): Buffer {
  const head = block(post);
  return Buffer.concat([
    hello,
    frame(8, 0, 0, word(100000)),
    frame(1, 5, 1, block(get())),
    frame(2, 0, 3, Buffer.from('0000000010', 'hex')),
    frame(1, 0, 3, head.subarray(0, 5)),
    frame(9, 0, 3, head.subarray(5, 9)),
    frame(9, 4, 3, head.subarray(9)),
    frame(0, 0, 3, Buffer.from('some data')),
    frame(1, 0x2c, 5, Buffer.concat([Buffer.from([4, 0, 0, 0, 0, 9]), head, Buffer.alloc(4)])),
    frame(0, 8, 5, Buffer.from('\u0003data\0\0\0', 'latin1')),
    frame(6, 0, 0, Buffer.from('12345678')),
    frame(8, 0, 3, word(7)),
    frame(0, 1, 3, Buffer.from('more')),
    frame(4, 0, 0, Buffer.from('000100000100000400000010', 'hex')),
    frame(1, 5, 5, block([['x-trailer', 'yes']])),
    frame(1, 4, 7, block(post)),
    frame(3, 0, 7, word(8)),
    frame(1, 4, 9, block(post)),
    frame(0, 1, 9, Buffer.alloc(3000, 0x61)),
    frame(4, 1, 0),
    frame(0x42, 0, 0, Buffer.from('unknown')),
  ]);
}

function serve(bytes: Buffer, cut: (at: number) => number): { output: Buffer; whole: boolean } {
  const parts = shared();
  const wire = new FakeWire();
  const receivers: Echo[] = [];
  const connection = new ServerConnection(wire, parts, serving, {
    onRequest(stream, _head, ended) {
      const echo = new Echo();
      receivers.push(echo);
      stream.receiver = echo;
      if (ended) {
        echo.ends++;
        stream.headers([makeField(':status', '204', true)], true);
      }
    },
    onServerGone: () => undefined,
  });
  for (let at = 0; at < bytes.length && !wire.closed;) {
    const end = Math.min(bytes.length, at + cut(at));
    // A buffer of its own, overwritten afterwards: the connection must keep no reference to it.
    const piece = Buffer.from(bytes.subarray(at, end));
    wire.user.onBytes(piece, piece.length);
    piece.fill(0xff);
    at = end;
  }
  const whole = !connection.closed;
  connection.close();
  expect(connection.streams.size).toBe(0);
  expect(parts.memory.usedBytes).toBe(0);
  // A stream that was reset after its end, or lost with the connection, may end a second time; never more.
  for (const receiver of receivers) expect(receiver.ends).toBeLessThanOrEqual(2);
  return { output: wire.bytes, whole };
}

function mutate(bytes: Buffer, random: Random): Buffer {
  let mutated = Buffer.from(bytes);
  for (let changes = 1 + random.below(4); changes > 0; changes--) {
    const at = random.below(mutated.length);
    switch (random.below(5)) {
      case 0:
        mutated[at] = random.below(256);
        break;
      case 1:
        mutated[at] = (mutated[at] as number) ^ (1 << random.below(8));
        break;
      case 2:
        mutated = Buffer.concat([
          mutated.subarray(0, at),
          mutated.subarray(at + 1 + random.below(20)),
        ]);
        break;
      case 3: {
        const from = random.below(mutated.length);
        const piece = mutated.subarray(from, from + random.below(60));
        mutated = Buffer.concat([mutated.subarray(0, at), piece, mutated.subarray(at)]);
        break;
      }
      default:
        mutated = Buffer.from(mutated.subarray(0, at + 1));
    }
  }
  return mutated;
}

test('a conversation cut anywhere means the same', () => {
  const bytes = conversation();
  const whole = serve(bytes, () => bytes.length);
  expect(whole.whole).toBe(true);
  const frames = takeAll(whole.output);
  expect(frames.filter((f) => f.type === 1 && f.stream === 1).length).toBe(1);
  const meaning = (output: Buffer): string => {
    const byStream = new Map<string, string>();
    for (const f of takeAll(output)) {
      if (f.type === 8) continue;
      const key = `${f.stream} ${f.type}`;
      byStream.set(key, (byStream.get(key) ?? '') + f.payload.toString('latin1'));
    }
    return JSON.stringify([...byStream].toSorted());
  };
  const expected = meaning(whole.output);
  for (const size of [1, 2, 3, 7, 8, 9, 10, 100]) {
    expect(meaning(serve(bytes, () => size).output)).toBe(expected);
  }
  const random = seededRandom(7);
  for (let i = 0; i < 100; i++) {
    expect(meaning(serve(bytes, () => 1 + random.below(40)).output)).toBe(expected);
  }
});

function takeAll(bytes: Buffer): Parameters<typeof takeFrames>[1] {
  const frames: Parameters<typeof takeFrames>[1] = [];
  expect(takeFrames(bytes, frames).length).toBe(0);
  return frames;
}

const budgetMs = Number(process.env.FIREDRILL_FUZZ_MS ?? 1500);

test('the server’s end survives mutated conversations', () => {
  const bytes = conversation();
  const startMs = performance.now();
  let rounds = 0;
  let survived = 0;
  for (; performance.now() - startMs < budgetMs; rounds++) {
    const random = seededRandom(rounds);
    const mutated = mutate(bytes, random);
    const { output, whole } = serve(mutated, () => 1 + random.below(200));
    takeAll(output);
    if (whole) survived++;
  }
  // Some mutations are harmless, most are not.
  expect(survived).toBeGreaterThan(0);
  expect(survived).toBeLessThan(rounds);
});

test('the client’s end survives mutated answers', () => {
  const answer = block([
    [':status', '200'],
    ['content-type', 'application/grpc'],
  ]);
  const bytes = Buffer.concat([
    settings,
    frame(4, 1, 0),
    frame(1, 4, 1, block([[':status', '103']])),
    frame(1, 4, 1, answer),
    frame(1, 4, 3, answer),
    frame(0, 0, 1, Buffer.from('first')),
    frame(1, 5, 3, block([['grpc-status', '0']])),
    frame(6, 0, 0, Buffer.alloc(8)),
    frame(3, 0, 5, word(7)),
    frame(0, 1, 1, Buffer.alloc(500)),
    frame(1, 5, 7, block([[':status', '204']])),
    frame(7, 0, 0, Buffer.concat([word(7), word(0)])),
  ]);
  const request = get().map(([name, value]) => makeField(name, value, true));
  const startMs = performance.now();
  for (let round = 0; performance.now() - startMs < budgetMs; round++) {
    const random = seededRandom(round);
    const parts = shared();
    const wire = new FakeWire();
    const connection = new ClientConnection(wire, parts, {
      onRoom: () => undefined,
      onClientGone: () => undefined,
      onDismissed: () => undefined,
      onDoubted: () => undefined,
    });
    const receivers = Array.from({ length: 5 }, () => new Echo());
    for (const receiver of receivers) {
      receiver.begun = true;
      connection.open(receiver, request, true, false);
    }
    const mutated = mutate(bytes, random);
    for (let at = 0; at < mutated.length && !wire.closed;) {
      const end = Math.min(mutated.length, at + 1 + random.below(60));
      const piece = Buffer.from(mutated.subarray(at, end));
      wire.user.onBytes(piece, piece.length);
      at = end;
    }
    connection.close();
    expect(connection.streams.size).toBe(0);
    expect(parts.memory.usedBytes).toBe(0);
    takeAll(wire.bytes.subarray(24));
  }
});
