/** Limits on everything that a peer can make grow: floods, endless heads, slow readers, incomplete frames. */
import { createServer, type ServerHttp2Stream } from 'node:http2';
import { createServer as createTcpServer, type AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { SimulatedClock } from '../../../base/clock.js';
import { defaultLimits, type Shared } from '../../../mesh/proxy/http2/limits.js';
import { ClientConnection } from '../../../mesh/proxy/http2/client-connection.js';
import { ServerConnection } from '../../../mesh/proxy/http2/server-connection.js';
import { nobody, type Stream } from '../../../mesh/proxy/http2/stream.js';
import type { Serving } from '../../../mesh/proxy/seam.js';
import {
  block,
  FakeWire,
  frame,
  get,
  hello,
  RawClient,
  settings,
  takeFrames,
  word,
  type Frame,
} from './http2-raw.js';
import { endpointAt, startRig, type Rig } from './http2-rig.js';
import { Holdings } from '../../../mesh/proxy/listen/holdings.js';

const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close();
});

async function upstream(handle: (stream: ServerHttp2Stream) => void): Promise<number> {
  const server = createServer({ settings: { initialWindowSize: 65535 } });
  server.on('session', (session) => {
    session.on('error', () => undefined);
    open.push(() => session.destroy());
  });
  server.on('stream', (stream) => {
    stream.on('error', () => undefined);
    handle(stream);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  open.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

async function rigOf(...args: Parameters<typeof startRig>): Promise<Rig> {
  const rig = await startRig(...args);
  open.push(() => rig.close());
  return rig;
}

function rawClient(rig: Rig): RawClient {
  const client = new RawClient(rig.port);
  open.push(() => client.socket.destroy());
  client.send(hello);
  return client;
}

const calm = 11;
const silent = (): void => undefined;

test.each([
  ['PING', frame(6, 0, 0, Buffer.alloc(8))],
  ['SETTINGS', settings],
  ['PRIORITY', frame(2, 0, 5, Buffer.from('0000000001', 'hex'))],
  ['WINDOW_UPDATE', frame(8, 0, 0, word(1))],
  ['unknown frames', frame(200, 0, 0, Buffer.alloc(1))],
  ['empty DATA', frame(0, 0, 1)],
])('a flood of %s ends the connection: ENHANCE_YOUR_CALM', async (_, flood) => {
  const client = rawClient(await rigOf([endpointAt(await upstream(silent))]));
  client.send(frame(1, 4, 1, block([...get()])));
  for (let i = 0; i < 30 && !client.closed; i++) {
    client.send(...Array.from({ length: 1000 }, () => flood));
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(await client.goaway()).toBe(calm);
});

test('a header block of endless CONTINUATION frames is cut off (CVE-2024-27316)', async () => {
  const small = rawClient(await rigOf([]));
  small.send(frame(1, 0, 1), ...Array.from({ length: 100 }, () => frame(9, 0, 1)));
  expect(await small.goaway()).toBe(calm);
  const large = rawClient(await rigOf([]));
  large.send(
    frame(1, 0, 1),
    ...Array.from({ length: 5 }, () => frame(9, 0, 1, Buffer.alloc(16384))),
  );
  expect(await large.goaway()).toBe(calm);
});

test('streams opened and reset at once are bounded (CVE-2023-44487), and few of them begin', async () => {
  const rig = await rigOf([endpointAt(await upstream(silent))]);
  const client = rawClient(rig);
  const head = block(get());
  for (let i = 0; i < 3000; i++) {
    client.send(frame(1, 5, 2 * i + 1, head), frame(3, 0, 2 * i + 1, word(8)));
  }
  expect(await client.goaway()).toBe(calm);
  await client.until(() => client.closed);
  // A turn's share of each read; the others are reset before their turn.
  expect(rig.flows.length).toBeGreaterThan(0);
  expect(rig.flows.length).toBeLessThan(500);
  await client.until(() => rig.flows.every((flow) => flow.endings.length === 1));
  expect(rig.front.memory.usedBytes).toBe(0);
});

test('requests of one read beyond a turn begin in later turns, with their bodies and trailers', async () => {
  const echo = (stream: ServerHttp2Stream): void => {
    stream.respond({ ':status': 200 });
    stream.pipe(stream);
  };
  const rig = await rigOf([endpointAt(await upstream(echo))]);
  const client = rawClient(rig);
  await client.frame(4);
  const post = block([[':method', 'POST'], ...get().slice(1)]);
  const ids = Array.from({ length: 150 }, (_, i) => 2 * i + 1);
  const sent = ids.flatMap((id) => {
    if (id % 3 === 0) return [frame(1, 5, id, block(get()))];
    const body = frame(0, id % 3 === 1 ? 1 : 0, id, Buffer.from(`body ${id}`));
    const trailers = id % 3 === 1 ? [] : [frame(1, 5, id, block([['x-sum', '1']]))];
    return [frame(1, 4, id, post), body, ...trailers];
  });
  client.send(...sent);
  const ended = (): number => client.frames.filter((f) => f.type < 2 && f.flags & 1).length;
  await client.until(() => ended() === ids.length);
  for (const id of ids) {
    const data = client.frames.filter((f) => f.type === 0 && f.stream === id);
    const body = Buffer.concat(data.map((f) => f.payload)).toString();
    expect(body).toBe(id % 3 === 0 ? '' : `body ${id}`);
  }
  expect(rig.flows.map((flow) => flow.endings.length)).toEqual(ids.map(() => 1));
});

/** Frames that make a server reset an open stream; `first` are the flags of its HEADERS. */
const provocations: [string, number, (id: number) => Buffer][] = [
  ['an increment of 0', 5, (id) => frame(8, 0, id, word(0))],
  ['a window beyond its bound', 5, (id) => frame(8, 0, id, word(0x7fffffff))],
  ['DATA after the end', 5, (id) => frame(0, 0, id, Buffer.from('x'))],
  ['a PRIORITY of a wrong size', 5, (id) => frame(2, 0, id, Buffer.alloc(4))],
  [
    'a stream that depends on itself',
    5,
    (id) => frame(2, 0, id, Buffer.concat([word(id), Buffer.alloc(1)])),
  ],
  ['trailers that do not end it', 4, (id) => frame(1, 4, id, block([['x-a', 'b']]))],
  ['trailers with a pseudo-header', 4, (id) => frame(1, 5, id, block([[':path', '/']]))],
];

test.each(provocations)(
  'streams that a client makes the server reset are bounded as those it resets (CVE-2025-8671): %s',
  async (_, flags, provoke) => {
    const rig = await rigOf([endpointAt(await upstream(silent))]);
    const client = rawClient(rig);
    const head = block(get());
    for (let id = 1; id < 6000; id += 2) client.send(frame(1, flags, id, head), provoke(id));
    expect(await client.goaway()).toBe(calm);
    await client.until(() => client.closed);
    expect(rig.flows.length).toBeLessThan(1200);
    await client.until(() => rig.flows.every((flow) => flow.endings.length === 1));
    expect(rig.front.memory.usedBytes).toBe(0);
  },
);

test('deadlines that pass are no attack, however many', () => {
  const clock = new SimulatedClock();
  const wire = new FakeWire();
  const connection = new ServerConnection(wire, sharedOf(clock), serving, {
    onRequest: silent,
    onServerGone: silent,
  });
  const read = (bytes: Buffer): void => connection.onBytes(bytes, bytes.length);
  read(hello);
  const head = block(get());
  let id = 1;
  for (let round = 0; round < 20; round++) {
    const first = id;
    for (let i = 0; i < 500; i++, id += 2) read(frame(1, 5, id, head));
    clock.advance(150);
    for (let reset = first; reset < id; reset += 2) read(frame(3, 0, reset, word(8)));
  }
  expect(connection.closed).toBe(false);
  // Short streams may fail for a while, at some hundred a second.
  for (let i = 0; i < 5000; i++, id += 2) {
    read(frame(1, 5, id, head));
    clock.advance(6);
    read(frame(3, 0, id, word(8)));
  }
  expect(connection.closed).toBe(false);
  for (let i = 0; i < 2000; i++, id += 2) {
    read(Buffer.concat([frame(1, 5, id, head), frame(3, 0, id, word(8))]));
  }
  expect(connection.closed).toBe(true);
});

test('answers on their way when their streams are given up are no attack', () => {
  const wire = new FakeWire();
  const connection = new ClientConnection(wire, sharedOf(new SimulatedClock()), {
    onRoom: silent,
    onClientGone: silent,
    onDismissed: silent,
    onDoubted: silent,
  });
  const read = (bytes: Buffer): void => connection.onBytes(bytes, bytes.length);
  read(settings);
  const receiver = { ...nobody };
  const streams = Array.from({ length: 700 }, () => connection.open(receiver, [], true, false));
  for (const stream of streams) stream.reset(8);
  for (const { id } of streams) {
    read(Buffer.concat(Array.from({ length: 20 }, () => frame(0, 0, id, Buffer.alloc(100)))));
  }
  expect(connection.closed).toBe(false);
  // Nothing of that is free of limits.
  const { id } = streams[0] as Stream;
  for (let i = 0; i < 20_000; i++) read(frame(0, 0, id));
  expect(connection.closed).toBe(true);
});

test('a client whose requests are answered may reset as many others', async () => {
  const rig = await rigOf([
    endpointAt(
      await upstream((stream) => {
        stream.respond({ ':status': 200 }, { endStream: true });
      }),
    ),
  ]);
  const client = rawClient(rig);
  const head = block(get());
  let id = 1;
  for (let round = 0; round < 30; round++) {
    const before = client.frames.filter((f) => f.type === 1).length;
    for (let i = 0; i < 50; i++, id += 2) client.send(frame(1, 5, id, head));
    await client.until(() => client.frames.filter((f) => f.type === 1).length >= before + 50);
    for (let i = 0; i < 50; i++, id += 2) {
      client.send(frame(1, 4, id, head), frame(3, 0, id, word(8)));
    }
  }
  client.send(frame(1, 5, id, head));
  await client.frame(1, id);
  expect(client.frames.some((f) => f.type === 7)).toBe(false);
});

test('a head larger than allowed is answered 431, also where the tables make it so', async () => {
  const answering = await upstream((stream) => stream.respond({ ':status': 204 }));
  const client = rawClient(await rigOf([endpointAt(answering)]));
  const big = block([...get(), ['x-big', 'y'.repeat(3900)]]);
  client.send(frame(1, 5, 1, big));
  // One field of 3900 octets in the table, referenced twenty times by one octet each.
  const indexed = Buffer.concat([
    block(get()),
    Buffer.from([0x40, 5]),
    Buffer.from('x-big'),
    Buffer.from([0x7f, 0xbd, 0x1d]),
    Buffer.alloc(3900, 0x79),
    Buffer.alloc(20, 0x80 | 62),
  ]);
  client.send(frame(1, 5, 3, indexed));
  await client.frame(1, 1);
  await client.frame(1, 3);
  const answers = client.frames.filter((f) => f.type === 1);
  const statuses = answers.map((f) => [f.stream, client.fields(f)[':status']]);
  expect(Object.fromEntries(statuses)).toEqual({ 1: '204', 3: '431' });
  client.send(frame(6, 0, 0, Buffer.alloc(8)));
  await client.frame(6);
});

test('CONNECT is answered 501, extended CONNECT is malformed', async () => {
  const rig = await rigOf([]);
  const client = rawClient(rig);
  const plain: [string, string][] = [
    [':method', 'CONNECT'],
    [':authority', 'cart.retail:443'],
  ];
  client.send(frame(1, 4, 1, block(plain)));
  expect(client.fields(await client.frame(1, 1))[':status']).toBe('501');
  const extended: [string, string][] = [
    [':method', 'CONNECT'],
    [':protocol', 'websocket'],
    ...get().slice(1),
  ];
  client.send(frame(1, 4, 3, block(extended)));
  expect((await client.frame(3, 3)).payload.readUInt32BE(0)).toBe(1);
  expect(rig.flows).toEqual([]);
});

test('a scheme that is none is malformed', async () => {
  const rig = await rigOf([]);
  const client = rawClient(rig);
  const schemes = ['http://evil/', '1http', 'ht tp', 'http,https'];
  for (const [i, scheme] of schemes.entries()) {
    const fields = get().map(([name, value]): [string, string] => [
      name,
      name === ':scheme' ? scheme : value,
    ]);
    client.send(frame(1, 5, 1 + 2 * i, block(fields)));
    expect((await client.frame(3, 1 + 2 * i)).payload.readUInt32BE(0), scheme).toBe(1);
  }
  expect(rig.flows).toEqual([]);
});

test('more streams than announced are refused, the others go on', async () => {
  const rig = await rigOf([endpointAt(await upstream(silent))], {}, { limits: { maxStreams: 3 } });
  const client = rawClient(rig);
  for (let id = 1; id <= 9; id += 2) client.send(frame(1, 5, id, block(get())));
  expect((await client.frame(3, 9)).payload.readUInt32BE(0)).toBe(7);
  expect(client.frames.filter((f) => f.type === 3).map((f) => f.stream)).toEqual([7, 9]);
});

test('new requests are refused while memory is short', async () => {
  const rig = await rigOf([endpointAt(await upstream(silent))]);
  const client = rawClient(rig);
  rig.front.shedding = true;
  client.send(frame(1, 5, 1, block(get())));
  expect((await client.frame(3, 1)).payload.readUInt32BE(0)).toBe(7);
  rig.front.shedding = false;
  client.send(frame(1, 5, 3, block(get())));
  await client.until(() => rig.flows.length === 1);
});

test('a slow reader slows its writer: held octets stay within the windows, and none is lost', async () => {
  const total = 24 * 1024 * 1024;
  let written = 0;
  const chunk = Buffer.alloc(64 * 1024, 7);
  const port = await upstream((stream) => {
    stream.respond({ ':status': 200 });
    const more = (): void => {
      while (written < total) {
        written += chunk.length;
        if (!stream.write(chunk)) return void stream.once('drain', more);
      }
      stream.end();
    };
    more();
  });
  const rig = await rigOf([endpointAt(port)]);
  const client = rawClient(rig);
  client.send(frame(1, 5, 1, block(get())));
  // The windows are opened wide, but the client does not read: the connection itself stops the writer.
  client.send(frame(8, 0, 0, word(0x7fff0000)), frame(8, 0, 1, word(0x7fff0000)));
  await client.frame(0, 1);
  client.socket.pause();
  let most = 0;
  let last = -1;
  while (last !== written) {
    last = written;
    for (let i = 0; i < 20; i++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      most = Math.max(most, rig.front.memory.usedBytes);
    }
  }
  expect(written).toBeLessThan(total);
  expect(most).toBeLessThanOrEqual(256 * 1024);
  client.socket.resume();
  const received = (): number =>
    client.frames.reduce((sum, f) => (f.type === 0 ? sum + f.payload.length : sum), 0);
  await client.until(() => client.frames.some((f) => f.type === 0 && (f.flags & 1) === 1));
  expect(received()).toBe(written);
  await client.until(() => rig.flows[0]?.endings.length === 1);
  expect(rig.flows[0]?.endings).toEqual([`ended complete -1 0 ${written}`]);
  expect(rig.front.memory.usedBytes).toBe(0);
}, 60_000);

test('a slow endpoint slows its client, and one stalled stream does not stop the others', async () => {
  const stalled: ServerHttp2Stream[] = [];
  const port = await upstream((stream) => {
    if (stalled.length === 0) stalled.push(stream);
    else {
      stream.resume();
      stream.on('end', () => {
        stream.respond({ ':status': 200 });
        stream.end('done');
      });
    }
  });
  const rig = await rigOf([endpointAt(port)]);
  const client = rawClient(rig);
  const post: [string, string][] = [[':method', 'POST'], ...get().slice(1)];
  client.send(frame(1, 4, 1, block(post)));
  await client.until(() => stalled.length === 1);
  // The stream's full window; no more is credited than the endpoint takes.
  for (let i = 0; i < 16; i++) client.send(frame(0, 0, 1, Buffer.alloc(16384)));
  await client.until(() => rig.front.memory.usedBytes > 0);
  client.send(frame(1, 4, 3, block(post)), frame(0, 1, 3, Buffer.alloc(16384)));
  const answer = await client.frame(0, 3);
  expect(answer.payload.toString()).toBe('done');
  expect(client.frames.some((f) => f.type === 8 && f.stream === 1)).toBe(false);
  stalled[0]?.resume();
  await client.frame(8, 1);
  await client.until(() => rig.front.memory.usedBytes === 0);
});

const serving: Serving = {
  peerIdentity: undefined,
  peerAddress: '127.0.0.1',
  tls: 'disabled',
  begin: () => {
    throw new Error('no requests here');
  },
};

function sharedOf(clock = new SimulatedClock()): Shared {
  return {
    clock,
    limits: defaultLimits,
    memory: new Holdings(1 << 30),
  };
}

test('answers that nobody reads are bounded', () => {
  const wire = new FakeWire();
  const connection = new ServerConnection(wire, sharedOf(), serving, {
    onRequest: silent,
    onServerGone: silent,
  });
  wire.full = true;
  wire.pendingBytes = 2 * 1024 * 1024;
  connection.onBytes(hello, hello.length);
  expect(connection.closed).toBe(true);
  const frames: Frame[] = [];
  takeFrames(wire.bytes, frames);
  expect(frames.find((f) => f.type === 7)?.payload.readUInt32BE(4)).toBe(calm);
});

test('half a preface, half a frame, half a header block: closed after ten seconds', async () => {
  for (const part of [
    hello.subarray(0, 10),
    Buffer.concat([hello, Buffer.from([0, 0, 8, 6])]),
    Buffer.concat([hello, frame(1, 0, 1, block(get()))]),
  ]) {
    const clock = new SimulatedClock();
    const wire = new FakeWire();
    const connection = new ServerConnection(wire, sharedOf(clock), serving, {
      onRequest: silent,
      onServerGone: silent,
    });
    connection.onBytes(part, part.length);
    for (let i = 0; i < 10; i++) {
      clock.advance(1000);
      connection.tick(clock.monotonicMs());
    }
    expect(connection.closed).toBe(false);
    clock.advance(1000);
    connection.tick(clock.monotonicMs());
    expect(connection.closed).toBe(true);
  }
});

test('an idle connection is closed in time; a silent one with streams is asked, then given up', async () => {
  const clock = new SimulatedClock();
  const streams: ServerHttp2Stream[] = [];
  const port = await upstream((stream) => streams.push(stream));
  const rig = await rigOf([endpointAt(port)], {}, { clock });
  const idle = rawClient(rig);
  await idle.frame(4);
  for (let i = 0; i < 601; i++) clock.advance(1000);
  expect(await idle.goaway()).toBe(0);
  await idle.until(() => idle.closed);
  const waiting = rawClient(rig);
  waiting.send(frame(1, 5, 1, block(get())));
  await waiting.until(() => streams.length === 1);
  for (let i = 0; i < 33; i++) clock.advance(1000);
  await waiting.frame(6);
  for (let i = 0; i < 60; i++) clock.advance(1000);
  await waiting.until(() => rig.flows[0]?.endings.length === 1);
  expect(rig.flows[0]?.endings).toEqual(['ended client-gone -1 0 0']);
});

test('a reader that takes nothing for five minutes loses its stream, and keeps its connection', async () => {
  const clock = new SimulatedClock();
  const port = await upstream((stream) => {
    stream.respond({ ':status': 200 });
    stream.end(Buffer.alloc(200_000));
  });
  const rig = await rigOf([endpointAt(port)], {}, { clock });
  const client = rawClient(rig);
  client.send(frame(1, 5, 1, block(get())));
  await client.until(() => rig.front.memory.usedBytes > 0);
  for (let second = 0; second < 305; second++) {
    clock.advance(1000);
    if (second % 10 !== 0) continue;
    // The client is there: it answers, and sends PINGs.
    client.send(frame(6, 0, 0, Buffer.alloc(8)));
    const pongs = client.frames.filter((f) => f.type === 6 && f.flags === 1).length;
    await client.until(
      () => client.frames.filter((f) => f.type === 6 && f.flags === 1).length > pongs,
    );
  }
  expect((await client.frame(3, 1)).payload.readUInt32BE(0)).toBe(8);
  await client.until(() => rig.flows[0]?.endings.length === 1);
  expect(rig.front.memory.usedBytes).toBe(0);
  expect(client.closed).toBe(false);
});

test('an endpoint that wants no more of a request it has answered does not break the answer', async () => {
  // SETTINGS, then for stream 1: head, data, the end, and RST_STREAM with NO_ERROR.
  const body = Buffer.alloc(16000, 0x62);
  const raw = createTcpServer((socket) => {
    socket.on('error', () => undefined);
    let seen = 0;
    socket.on('data', (chunk: Buffer) => {
      const before = seen;
      seen += chunk.length;
      if (before > 0 || seen < 60) return;
      socket.write(
        Buffer.concat([
          settings,
          frame(1, 4, 1, block([[':status', '200']])),
          frame(0, 0, 1, body),
          frame(0, 1, 1, body),
          frame(3, 0, 1, word(0)),
        ]),
      );
    });
  });
  await new Promise<void>((resolve) => raw.listen(0, '127.0.0.1', resolve));
  open.push(() => raw.close());
  const rig = await rigOf([endpointAt((raw.address() as AddressInfo).port)]);
  const client = rawClient(rig);
  // A window of 20000 octets for an answer of 32000.
  client.send(frame(4, 0, 0, Buffer.concat([Buffer.from([0, 4]), word(20000)])));
  client.send(frame(1, 4, 1, block([[':method', 'POST'], ...get().slice(1)])));
  const received = (): number =>
    client.frames.reduce((sum, f) => (f.type === 0 ? sum + f.payload.length : sum), 0);
  await client.until(() => received() === 20000);
  client.send(frame(8, 0, 1, word(20000)));
  await client.until(() => received() === 32000);
  await client.until(() => rig.flows[0]?.endings.length === 1);
  expect(rig.flows[0]?.endings).toEqual(['ended complete -1 0 32000']);
});

test('a drain: two GOAWAYs around a round trip, requests on their way are served, then the end', async () => {
  const streams: ServerHttp2Stream[] = [];
  const rig = await rigOf([endpointAt(await upstream((stream) => streams.push(stream)))]);
  const client = rawClient(rig);
  client.send(frame(1, 5, 1, block(get())));
  await client.until(() => streams.length === 1);
  rig.front.drain();
  const first = await client.frame(7);
  expect([first.payload.readUInt32BE(0), first.payload.readUInt32BE(4)]).toEqual([0x7fffffff, 0]);
  // Sent before the client had seen the GOAWAY.
  client.send(frame(1, 5, 3, block(get())));
  await client.until(() => streams.length === 2);
  client.send(frame(6, 1, 0, (await client.frame(6)).payload));
  await client.until(() => client.frames.filter((f) => f.type === 7).length === 2);
  const second = client.frames.filter((f) => f.type === 7)[1] as Frame;
  expect(second.payload.readUInt32BE(0)).toBe(3);
  client.send(frame(1, 5, 5, block(get())));
  expect((await client.frame(3, 5)).payload.readUInt32BE(0)).toBe(7);
  for (const stream of streams) stream.respond({ ':status': 200 }, { endStream: true });
  await client.frame(1, 3);
  await client.until(() => client.closed);
  expect(rig.flows.map((flow) => flow.endings)).toEqual([
    ['ended complete -1 0 0'],
    ['ended complete -1 0 0'],
  ]);
  expect(rig.front.connections).toBe(0);
});

test('a certificate that runs out under a connection: no new request, those under way end', async () => {
  const wire = new FakeWire();
  const clock = new SimulatedClock(1000);
  let requests = 0;
  const connection = new ServerConnection(wire, sharedOf(clock), serving, {
    onRequest: () => requests++,
    onServerGone: silent,
  });
  wire.expiresMs = 5000;
  connection.onBytes(hello, hello.length);
  const one = frame(1, 5, 1, block(get()));
  connection.onBytes(one, one.length);
  clock.advance(4000);
  const two = frame(1, 5, 3, block(get()));
  connection.onBytes(two, two.length);
  expect(requests).toBe(1);
  connection.output.flush();
  const frames: Frame[] = [];
  takeFrames(wire.bytes, frames);
  expect(frames.find((f) => f.type === 3)?.payload.readUInt32BE(0)).toBe(7);
  expect(frames.some((f) => f.type === 7)).toBe(true);
  expect(connection.closed).toBe(false);
});

test('padding counts against the windows and is given back', async () => {
  const rig = await rigOf([
    endpointAt(
      await upstream((stream) => {
        let bytes = 0;
        stream.on('data', (data: Buffer) => (bytes += data.length));
        stream.on('end', () => {
          stream.respond({ ':status': 200 });
          stream.end(String(bytes));
        });
      }),
    ),
  ]);
  const client = rawClient(rig);
  client.send(frame(1, 4, 1, block([[':method', 'POST'], ...get().slice(1)])));
  // Frames of 1 octet and 200 of padding: 400 kB, almost all of it padding.
  const padded = Buffer.concat([Buffer.from([200]), Buffer.from('x'), Buffer.alloc(200)]);
  for (let i = 0; i < 2000; i++) client.send(frame(0, 8, 1, padded));
  client.send(frame(0, 9, 1, Buffer.concat([Buffer.from([3]), Buffer.alloc(3)])));
  const answer = await client.frame(0, 1);
  expect(answer.payload.toString()).toBe('2000');
  expect(rig.front.memory.usedBytes).toBe(0);
});
