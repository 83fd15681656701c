/** The resolver of a service's own network: real sockets, real DNS clients, and hostile messages. */
import { Resolver as DnsClient } from 'node:dns/promises';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { SimulatedClock } from '../../base/clock.js';
import { seededRandom } from '../../base/random.js';
import { dnsSettings, type DnsFault } from '../../chaos/faults/dns.js';
import { rcode, readQuery, writeReply } from '../../chaos/system/processes/dns-message.js';
import { Resolver } from '../../chaos/system/processes/resolver.js';

const endings: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).toReversed()) await end();
});

interface Rig {
  resolver: Resolver;
  client: DnsClient;
  clock: SimulatedClock;
  struck: () => number;
  put(fault: Record<string, unknown>): void;
}

async function rig(client = '127.0.0.1'): Promise<Rig> {
  const clock = new SimulatedClock(0);
  const names = new Map([
    ['stock.internal', '198.19.0.1'],
    ['Db.Internal.', '198.19.0.2'],
  ]);
  const resolver = new Resolver({ names, client, clock });
  endings.push(() => resolver.close());
  await resolver.listen('127.0.0.1', 0);
  const dns = new DnsClient({ timeout: 300, tries: 1 });
  dns.setServers([`127.0.0.1:${resolver.port}`]);
  let struck = 0;
  return {
    resolver,
    client: dns,
    clock,
    struck: () => struck,
    put({ kind, ...settings }) {
      const checked = dnsSettings[kind as DnsFault['kind']].parse(settings);
      resolver.put('f', { kind, target: 'front', ...checked } as DnsFault, () => struck++);
    },
  };
}

const asked = (client: DnsClient, name = 'stock.internal'): Promise<string> =>
  client.resolve4(name).then(
    (addresses) => addresses.join(),
    (error: NodeJS.ErrnoException) => String(error.code),
  );

/** A query for a name, by the wire. */
function query(name: string, { type = 1, flags = 0x0100, options = false } = {}): Buffer {
  const labels = name.split('.').map((label) => {
    return Buffer.concat([Buffer.from([label.length]), Buffer.from(label, 'latin1')]);
  });
  const head = Buffer.from([
    0xab,
    0xcd,
    flags >> 8,
    flags & 255,
    0,
    1,
    0,
    0,
    0,
    0,
    0,
    options ? 1 : 0,
  ]);
  const opt = Buffer.from([0, 0, 41, 16, 0, 0, 0, 0, 0, 0, 0]);
  const end = Buffer.from([0, 0, type, 0, 1]);
  return Buffer.concat([head, ...labels, end, ...(options ? [opt] : [])]);
}

/** A message over TCP. */
const framed = (message: Buffer): Buffer => {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length);
  return Buffer.concat([length, message]);
};

test('names of calls have their addresses, in any letters; other names are not found', async () => {
  const { client, struck } = await rig();
  expect(await asked(client)).toBe('198.19.0.1');
  expect(await asked(client, 'STOCK.Internal')).toBe('198.19.0.1');
  expect(await asked(client, 'db.internal')).toBe('198.19.0.2');
  expect(await asked(client, 'elsewhere.example')).toBe('ENOTFOUND');
  // The name is there, and has no such record.
  await expect(client.resolve6('stock.internal')).rejects.toMatchObject({ code: 'ENODATA' });
  await expect(client.resolveSrv('stock.internal')).rejects.toMatchObject({ code: 'ENODATA' });
  expect(struck()).toBe(0);
});

test.each([
  [{ kind: 'dns-fails' }, 'ENOTFOUND'],
  [{ kind: 'dns-fails', answer: 'servfail' }, 'ESERVFAIL'],
  [{ kind: 'dns-fails', answer: 'refused' }, 'EREFUSED'],
  [{ kind: 'dns-fails', answer: 'empty' }, 'ENODATA'],
  [{ kind: 'dns-fails', answer: 'none' }, 'ETIMEOUT'],
  [{ kind: 'dns-wrong' }, '203.0.113.1'],
  [{ kind: 'dns-wrong', address: '198.19.0.2' }, '198.19.0.2'],
])('%j answers %s, is counted, and is gone once it is taken back', async (fault, answer) => {
  const { client, put, struck, resolver } = await rig();
  put(fault);
  expect(await asked(client)).toBe(answer);
  expect(struck()).toBe(1);
  resolver.remove('f');
  expect(await asked(client)).toBe('198.19.0.1');
  expect(struck()).toBe(1);
});

test('what makes no difference is not counted', async () => {
  const { client, put, struck } = await rig();
  for (const fault of [
    { kind: 'dns-fails' },
    { kind: 'dns-fails', answer: 'empty' },
    { kind: 'dns-wrong' },
  ]) {
    put(fault);
    expect(await asked(client, 'elsewhere.example')).toBe('ENOTFOUND');
  }
  // It was not found before: no call is struck.
  put({ kind: 'dns-fails', answer: 'servfail' });
  expect(await asked(client, 'elsewhere.example')).toBe('ESERVFAIL');
  put({ kind: 'dns-fails', name: 'DB.internal' });
  expect(await asked(client)).toBe('198.19.0.1');
  expect(struck()).toBe(0);
  expect(await asked(client, 'db.internal')).toBe('ENOTFOUND');
  expect(struck()).toBe(1);
});

test('a slow answer comes when its time is over, and others are not waited for', async () => {
  const { client, clock, put, struck } = await rig();
  put({ kind: 'dns-slow', latencyMs: 900, name: 'stock.internal' });
  let answer: string | undefined;
  const slow = asked(client).then((text) => (answer = text));
  expect(await asked(client, 'db.internal')).toBe('198.19.0.2');
  await expect.poll(struck).toBe(1);
  clock.advance(899);
  expect(await asked(client, 'db.internal')).toBe('198.19.0.2');
  expect(answer).toBeUndefined();
  clock.advance(1);
  await slow;
  expect(answer).toBe('198.19.0.1');
});

test('a share is struck: the same seed, the same draws, also through a change of the share', async () => {
  const draws = async (): Promise<string> => {
    const { client, put } = await rig();
    put({ kind: 'dns-fails', ratio: 0.1, seed: 7 });
    const answers: string[] = [];
    for (let i = 0; i < 40; i++) {
      if (i === 20) put({ kind: 'dns-fails', ratio: 0.5, seed: 7 });
      answers.push((await asked(client)) === 'ENOTFOUND' ? 'x' : '.');
    }
    return answers.join('');
  };
  const one = await draws();
  const random = seededRandom(7);
  const expected = Array.from({ length: 40 }, (_, i) =>
    random.next() < (i < 20 ? 0.1 : 0.5) ? 'x' : '.',
  );
  expect(one).toBe(expected.join(''));
  expect(await draws()).toBe(one);
});

test('over TCP: several messages in pieces, each with its length; an oversized one ends the connection', async () => {
  const { resolver } = await rig();
  const socket = connect(resolver.port, '127.0.0.1');
  const read: Buffer[] = [];
  socket.on('data', (bytes) => read.push(bytes));
  const sent = Buffer.concat([framed(query('stock.internal')), framed(query('db.internal'))]);
  await once(socket, 'connect');
  socket.setNoDelay(true);
  for (const byte of sent) socket.write(Buffer.from([byte]));
  const expected = ['stock.internal', 'db.internal'].map((name, i) =>
    framed(writeReply(readQuery(query(name))!, { rcode: 0, address: `198.19.0.${i + 1}` })),
  );
  await expect.poll(() => Buffer.concat(read)).toEqual(Buffer.concat(expected));
  socket.write(Buffer.from([0xff, 0xff]));
  await once(socket, 'close');
});

test('a port that is taken is told, not swallowed', async () => {
  const { resolver } = await rig();
  const names = new Map<string, string>();
  const other = new Resolver({ names, client: '127.0.0.1', clock: new SimulatedClock(0) });
  endings.push(() => other.close());
  await expect(other.listen('127.0.0.1', resolver.port)).rejects.toThrow('EADDRINUSE');
});

test('a client that reads nothing is let go', async () => {
  const { resolver } = await rig();
  const socket = connect(resolver.port, '127.0.0.1').pause();
  socket.on('error', () => 0);
  const many = Buffer.concat(Array(20_000).fill(framed(query('stock.internal'))) as Buffer[]);
  const timer = setInterval(() => socket.write(many), 20);
  endings.push(() => clearInterval(timer));
  await new Promise((closed) => socket.on('close', closed));
});

test('a stranger is not answered, over UDP nor over TCP', async () => {
  const { client, resolver } = await rig('198.18.7.2');
  expect(await asked(client)).toBe('ETIMEOUT');
  const socket = connect(resolver.port, '127.0.0.1').on('error', () => 0);
  await once(socket, 'close');
  expect(socket.bytesRead).toBe(0);
});

test('a client with extensions is told ours; the question comes back as it was asked', () => {
  const sent = query('StOcK.internal', { options: true });
  const reply = writeReply(readQuery(sent)!, { rcode: 0, address: '198.19.0.1', ttlSeconds: 300 });
  expect(reply.toString('hex')).toBe(
    'abcd8580000100010000000105' +
      '53744f634b08696e7465726e616c0000010001' +
      'c00c000100010000012c0004c6130001' +
      '00002904d0000000000000',
  );
});

test.each<[string, Buffer, number | undefined]>([
  ['an answer', query('a.b', { flags: 0x8100 }), undefined],
  ['less than a header', Buffer.alloc(11), undefined],
  ['another opcode', query('a.b', { flags: 0x2800 }), rcode.notImplemented],
  ['no question', Buffer.alloc(12), rcode.formatError],
  ['a name without its end', query('a.b').subarray(0, 14), rcode.formatError],
  ['a question without its type', query('a.b').subarray(0, -3), rcode.formatError],
  [
    'a pointer',
    Buffer.concat([query('a').subarray(0, 12), Buffer.from('c00c00010001', 'hex')]),
    rcode.formatError,
  ],
  ['a name that is too long', query(Array(64).fill('aaaa').join('.')), rcode.formatError],
  ['another class', Buffer.concat([query('a').subarray(0, -1), Buffer.from([3])]), rcode.refused],
])('%s', (_, message, problem) => {
  const read = readQuery(message);
  expect(read?.problem).toBe(problem);
  if (read) expect(writeReply(read, { rcode: problem! }).readUInt8(3)).toBe(0x80 | problem!);
});

test('a dot within a label is no separator', () => {
  const label = Buffer.concat([Buffer.from([14]), Buffer.from('stock.internal')]);
  const message = Buffer.concat([query('x').subarray(0, 12), label, Buffer.from([0, 0, 1, 0, 1])]);
  expect(readQuery(message)?.name).toBe('stock\\.internal');
});

test('twenty thousand messages of noise and of changed bytes: none throws, and each answer is a whole message', () => {
  const random = seededRandom(20_261_130);
  const models = [query('stock.internal'), query('a.b', { options: true }), query('x'.repeat(63))];
  for (let i = 0; i < 20_000; i++) {
    const model = Buffer.from(models[random.below(models.length)]!);
    const message = random.next() < 0.2 ? Buffer.alloc(random.below(600)) : model;
    for (let n = random.below(6); n >= 0 && message.length > 0; n--) {
      message[random.below(message.length)] = random.below(256);
    }
    const read = readQuery(message.subarray(0, random.below(message.length + 1)));
    if (!read) continue;
    const reply = writeReply(read, { rcode: read.problem ?? 0, address: '10.0.0.1' });
    expect(reply.length).toBeLessThanOrEqual(12 + 255 + 4 + 16 + 11);
    expect(reply.readUInt16BE(0)).toBe(read.header.readUInt16BE(0));
    expect(reply.readUInt8(2) & 0x80).toBe(0x80);
  }
});

test('a flood of noise to the sockets: the next one is answered', async () => {
  const { client, resolver } = await rig();
  const socket = createSocket('udp4');
  endings.push(() => socket.close());
  const random = seededRandom(3);
  for (let i = 0; i < 500; i++) {
    const noise = Buffer.from(Array.from({ length: random.below(100) }, () => random.below(256)));
    socket.send(noise, resolver.port, '127.0.0.1');
  }
  await expect.poll(() => asked(client)).toBe('198.19.0.1');
});

test('answers that wait are a thousand at the most, and the others never come', async () => {
  const { clock, put, resolver, struck } = await rig();
  put({ kind: 'dns-slow', latencyMs: 60_000 });
  const socket = connect(resolver.port, '127.0.0.1');
  endings.push(() => socket.destroy());
  let bytes = 0;
  socket.on('data', (data) => (bytes += data.length));
  const message = query('stock.internal');
  socket.write(Buffer.concat(Array(1500).fill(framed(message)) as Buffer[]));
  await expect.poll(struck).toBe(1000);
  clock.advance(60_000);
  await expect.poll(() => bytes).toBe(1000 * (2 + message.length + 16));
  socket.write(framed(message));
  await expect.poll(struck).toBe(1001);
});
