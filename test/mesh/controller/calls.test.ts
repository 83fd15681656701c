/** Calls at the controller's port, by node:http2 as the client: whole messages, each end told once, limits. */
import http2 from 'node:http2';
import { type AddressInfo, createServer } from 'node:net';
import { expect, test } from 'vitest';
import { SimulatedClock } from '../../../base/clock.js';
import { type Call, Connections } from '../../../mesh/controller/calls.js';
import { atEnd, eventually } from './bench-mesh.js';

interface Seen {
  call: Call;
  bytes: number;
  ended: number;
  over: number;
}

async function start() {
  const clock = new SimulatedClock(1000);
  const calls: Seen[] = [];
  const connections = new Connections(clock, (call) => {
    const seen = { call, bytes: 0, ended: 0, over: 0 };
    calls.push(seen);
    call.hear({
      onBytes: (chunk) => (seen.bytes += chunk.length),
      onEnd: () => seen.ended++,
      onOver: () => seen.over++,
    });
  });
  const server = createServer({ noDelay: true }, (socket) => connections.accept(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const session = http2.connect(`http://127.0.0.1:${port}`);
  session.on('error', () => undefined);
  await new Promise((resolve) => session.once('remoteSettings', resolve));
  atEnd(() => {
    session.destroy();
    connections.close();
    server.close();
  });
  const headers = { ':method': 'POST', ':path': '/a.B/C', 'content-type': 'application/grpc' };
  const open = (more: http2.OutgoingHttpHeaders = {}): http2.ClientHttp2Stream => {
    const stream = session.request({ ...headers, ...more });
    stream.on('error', () => undefined);
    return stream;
  };
  const call = async (at = 0): Promise<Seen> => {
    await eventually(() => calls.length > at);
    return calls[at] as Seen;
  };
  return { clock, connections, session, open, call };
}

interface Answer {
  status: unknown;
  grpc: unknown;
  message: unknown;
  body: Buffer;
}

function answerOf(stream: http2.ClientHttp2Stream): Promise<Answer> {
  const heads: http2.IncomingHttpHeaders = {};
  const chunks: Buffer[] = [];
  stream.on('response', (found) => Object.assign(heads, found));
  stream.on('trailers', (found) => Object.assign(heads, found));
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  return new Promise((resolve) => {
    stream.on('close', () =>
      resolve({
        status: heads[':status'],
        grpc: heads['grpc-status'],
        message: heads['grpc-message'],
        body: Buffer.concat(chunks),
      }),
    );
  });
}

/** Every octet depends on its place. */
const pattern = (length: number, seed: number): Buffer =>
  Buffer.from(Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 8) * 13 + seed) & 255));

test('frames far larger than any window arrive whole and in order, also where the reader rests', async () => {
  const { open, call } = await start();
  const stream = open();
  const own = await call();
  const frames = [pattern(3_000_000, 1), pattern(5, 2), pattern(200_001, 3)];
  for (const frame of frames) own.call.send(frame);
  own.call.end(0, '');
  own.call.send(pattern(9, 4));
  stream.pause();
  await new Promise((resolve) => setImmediate(resolve));
  expect(own.over).toBe(0);
  const answer = answerOf(stream);
  stream.resume();
  const { grpc, body } = await answer;
  expect([grpc, own.over]).toEqual(['0', 1]);
  expect(body.equals(Buffer.concat(frames))).toBe(true);
});

test('a call that ends before any message has its status in the head, and a text for people', async () => {
  const { open, call } = await start();
  const stream = open();
  stream.write(Buffer.alloc(100));
  const own = await call();
  await eventually(() => own.bytes === 100);
  own.call.end(16, 'no: ä, 😀, 100%\n\ud83d.');
  own.call.end(0, 'a second end');
  expect(await answerOf(stream)).toMatchObject({
    status: 200,
    grpc: '16',
    message: 'no: %C3%A4, %F0%9F%98%80, 100%25%0A%EF%BF%BD.',
  });
  expect([own.ended, own.over]).toEqual([0, 1]);
});

test.each([
  ['another method', { ':method': 'PUT' }],
  ['another type', { 'content-type': 'application/json' }],
])('%s is no call', async (_, more) => {
  const { open, connections } = await start();
  const stream = open(more);
  stream.end();
  expect((await answerOf(stream)).status).toBe(415);
  expect(connections.all.size).toBe(1);
});

test("the caller's end and its reset are told once; the connection's loss ends every call", async () => {
  const { open, call, session } = await start();
  const ended = open();
  ended.end(Buffer.alloc(70_000));
  const first = await call(0);
  await eventually(() => first.ended === 1);
  expect([first.bytes, first.over]).toEqual([70_000, 0]);
  const reset = open();
  const second = await call(1);
  reset.close(http2.constants.NGHTTP2_CANCEL);
  await eventually(() => second.over === 1);
  open();
  const third = await call(2);
  session.destroy();
  await eventually(() => first.over === 1 && third.over === 1);
  expect([first.ended, third.ended, second.over]).toEqual([1, 0, 1]);
});

test('a caller that does not read is cut off, with the frames that wait for it', async () => {
  const { open, call } = await start();
  const stream = open();
  const own = await call();
  own.call.send(pattern(1_000_000, 1));
  own.call.end(14, 'no answer');
  // The status waits behind a frame that is not read.
  expect(own.over).toBe(0);
  own.call.cut();
  expect(own.over).toBe(1);
  const { grpc, body } = await answerOf(stream);
  expect(grpc).toBeUndefined();
  expect(body.length).toBeLessThan(1_000_000);
});

test('sixteen calls at once; a connection without a call for half a minute is closed', async () => {
  const { open, call, clock, connections, session } = await start();
  const streams = Array.from({ length: 17 }, () => open());
  await call(15);
  const answer = answerOf(streams[16] as http2.ClientHttp2Stream);
  // The client obeys the limit: its last call begins when another has ended.
  (await call(0)).call.end(0, '');
  (await call(16)).call.end(0, '');
  expect((await answer).grpc).toBe('0');
  const goAway = new Promise((resolve) => session.on('close', resolve));
  clock.advance(29_000);
  expect(connections.all.size).toBe(1);
  for (let i = 1; i < 16; i++) (await call(i)).call.end(0, '');
  clock.advance(29_000);
  expect(connections.all.size).toBe(1);
  clock.advance(3000);
  await goAway;
  await eventually(() => connections.all.size === 0);
});
