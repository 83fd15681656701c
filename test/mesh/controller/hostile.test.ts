/** A client without a certificate, or with a worthless one, gains nothing at the control port. */
import { sign, type X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { cpSync, readFileSync } from 'node:fs';
import http2 from 'node:http2';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { SimulatedClock } from '../../../base/clock.js';
import { frameMessage, MessageSplitter } from '../../../mesh/controller/api/framing.js';
import {
  certifyPath,
  encodeCertifyRequest,
  encodeProxyMessage,
  type Hello,
  type Resource,
  streamPath,
} from '../../../mesh/controller/api/messages.js';
import { Catalogue } from '../../../mesh/controller/catalogue.js';
import { requestCertificate } from '../../../mesh/controller/client/certify.js';
import { controllerIdentity } from '../../../mesh/controller/own-certificate.js';
import { maxStreamsEach } from '../../../mesh/controller/server.js';
import { Propagation } from '../../../mesh/controller/propagation.js';
import { Sessions } from '../../../mesh/controller/sessions.js';
import { Strangers } from '../../../mesh/controller/strangers.js';
import { generateWorkloadKey, splitPem, type WorkloadKey } from '../../../mesh/identity/csr.js';
import { bitString, der, octetString, oid, sequence, set } from '../../../mesh/identity/der.js';
import { issueToFiles } from '../../../mesh/identity/issue.js';
import { identityName } from '../../../mesh/identity/names.js';
import { addTrustAnchor, dropOldAnchors, rotateIssuer } from '../../../mesh/identity/pki-files.js';
import {
  atEnd,
  controllerIn,
  eventually,
  folder,
  registryOf,
  tokenFor,
  trustDomain,
} from './bench-mesh.js';

const registry = registryOf({ cart: ['10.0.0.1:1'] });
const cart = identityName({ serviceAccount: 'cart', namespace: 'retail', trustDomain });

function stranger(address: string, credentials: { cert?: string; key?: string } = {}) {
  const session = http2.connect(`https://${address}`, {
    rejectUnauthorized: false,
    ...credentials,
  });
  session.on('error', () => undefined);
  atEnd(() => session.destroy());
  return session;
}

/** Opens a call; resolves to its end, and to the number of `chunks` that could be sent before. */
function flood(
  session: http2.ClientHttp2Session,
  path: string,
  chunks: { first: Buffer; more: Buffer; count: number },
): Promise<{ status: string; sent: number }> {
  const stream = session.request({
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/grpc',
  });
  let status = '';
  let sent = 0;
  stream.on('response', (headers) => {
    status = String(headers['grpc-status'] ?? '');
  });
  stream.on('trailers', (trailers) => {
    status = String(trailers['grpc-status'] ?? '');
  });
  stream.on('error', () => undefined);
  stream.resume();
  return new Promise((resolve) => {
    stream.on('close', () => resolve({ status, sent }));
    const more = (): void => {
      while (!stream.destroyed && sent < chunks.count) {
        sent++;
        if (!stream.write(chunks.more)) return void stream.once('drain', more);
      }
    };
    stream.write(chunks.first, more);
  });
}

test.each([
  ['a certificate request that is "compressed"', certifyPath, Buffer.from([1, 1, 1, 1, 1]), '3'],
  ['a length beyond the limit', certifyPath, Buffer.from([0, 0x7f, 0xff, 0xff, 0xff]), '3'],
  [
    'a second message',
    certifyPath,
    Buffer.concat([frameMessage(Buffer.alloc(9)), frameMessage(Buffer.alloc(9))]),
    '3',
  ],
  ['a stream without a certificate', streamPath, Buffer.from([0, 0, 1, 0, 0]), '16'],
  ['an unknown method', '/firedrill.Nothing/Here', Buffer.alloc(5), '12'],
])('nothing is kept after a refusal: %s', async (_, path, first, expected) => {
  const { address } = await controllerIn(folder(), { registry });
  // 64 MB in all, if the server read them.
  const more = Buffer.alloc(64 * 1024, 1);
  const { status, sent } = await flood(stranger(address), path, { first, more, count: 1000 });
  expect(status).toBe(expected);
  expect(sent).toBeLessThan(20);
});

test('a splitter that has refused keeps nothing and goes on refusing', () => {
  const splitter = new MessageSplitter(100);
  expect(() => splitter.push(Buffer.from([1, 0, 0, 0, 0]))).toThrow(/compressed/);
  expect(() => splitter.push(Buffer.alloc(1000))).toThrow(/compressed/);
  expect(splitter.pendingBytes).toBe(0);
});

const hello = {
  protocol: 1,
  workload: 'cart',
  namespace: 'retail',
  labels: {},
  subscribe: [] as string[],
  known: [],
  proxyVersion: 'x',
  timeMs: 0,
};
const greeting = (claim: Partial<Hello>): Buffer =>
  frameMessage(encodeProxyMessage({ kind: 'hello', hello: { ...hello, ...claim } }));
const tooMany = Array.from({ length: 20_001 }, (_, i) => `s${i}`);

/** A proxy's own certificate, and its stream; `said`: the status and the text that end it. */
async function streamIn(path: string, address: string) {
  const out = join(path, 'rogue');
  await issueToFiles({ folder: join(path, 'pki'), identity: cart, out, lifetimeMs: 3_600_000 });
  const read = (end: string): string => readFileSync(`${out}.${end}`, 'utf8');
  const session = stranger(address, { cert: read('crt'), key: read('key') });
  const stream = session.request({
    ':method': 'POST',
    ':path': streamPath,
    'content-type': 'application/grpc',
  });
  stream.on('error', () => undefined);
  stream.resume();
  const said = new Promise<string>((resolve) => {
    for (const event of ['response', 'trailers']) {
      stream.on(event, (h: http2.IncomingHttpHeaders) => {
        if (h['grpc-status'] !== undefined) resolve(`${h['grpc-status']} ${h['grpc-message']}`);
      });
    }
  });
  return { stream, said };
}

test('a proxy that does not say hello for ten seconds is told so', async () => {
  const clock = new SimulatedClock(Date.now());
  const path = folder();
  const { address, controller } = await controllerIn(path, { registry, clock });
  const { stream, said } = await streamIn(path, address);
  // 4 MB are announced, and one byte comes.
  stream.write(Buffer.from([0, 0, 0x3f, 0xff, 0xff, 1]));
  const other = await streamIn(path, address);
  other.stream.write(greeting({}));
  await eventually(() => controller.sessions.size === 1);
  clock.advance(10_000);
  expect(await said).toBe('4 no hello came in time');
  expect(controller.sessions.size).toBe(1);
});

test.each([
  ['labels', { labels: { a: 'x'.repeat(70_000) } }, '3 more labels than a workload has'],
  ['a version', { proxyVersion: 'x'.repeat(70_000) }, '3 more labels than a workload has'],
  ['subscriptions', { subscribe: tooMany }, /^8 more than 20000 subscriptions/],
  ['a long name', { subscribe: ['x'.repeat(513)] }, /^8 more than 20000 subscriptions/],
])('a hello whose session would take much memory is refused: %s', async (_, claim, expected) => {
  const path = folder();
  const { address, controller } = await controllerIn(path, { registry });
  const { stream, said } = await streamIn(path, address);
  stream.write(greeting(claim));
  expect(await said).toMatch(expected);
  expect(controller.sessions.size).toBe(0);
});

/** 2,000 names of 64 labels: more than a hundred thousand topics. */
const deep = Array.from({ length: 2000 }, (_, i) => `s${i}${'.a'.repeat(63)}${i}`);
test.each<[string, Partial<Hello>, RegExp]>([
  ['topics', { subscribe: deep }, /^13 more than 100000 topics/],
  [
    'entries',
    { known: Array.from({ length: 100_001 }, () => ({}) as Resource) },
    /^3 more than 100000 fields/,
  ],
])('small entries that would take much memory are refused: %s', async (_, claim, expected) => {
  const path = folder();
  const { address, controller } = await controllerIn(path, { registry });
  const { stream, said } = await streamIn(path, address);
  stream.write(greeting(claim));
  expect(await said).toMatch(expected);
  expect(controller.sessions.size).toBe(0);
});

test('an identity has a limited number of streams, and the next one is told so', async () => {
  const path = folder();
  const { address, controller } = await controllerIn(path, { registry });
  const { sessions } = controller;
  const open = Array.from({ length: maxStreamsEach }, () =>
    sessions.open(cart, hello, { send: () => undefined }),
  );
  const refused = await streamIn(path, address);
  refused.stream.write(greeting({}));
  expect(await refused.said).toBe(`8 ${cart} has ${maxStreamsEach} streams, which is the limit`);
  expect(sessions.size).toBe(maxStreamsEach);
  // The identities of others have room, and so has this one when a stream has ended.
  const other = identityName({ serviceAccount: 'web', namespace: 'retail', trustDomain });
  expect(sessions.countOf(other)).toBe(0);
  sessions.close(open[0]!);
  const next = await streamIn(path, address);
  next.stream.write(greeting({}));
  await eventually(() => sessions.size === maxStreamsEach);
  for (const session of open) sessions.close(session);
  expect(sessions.countOf(cart)).toBe(1);
});

test("a proxy's long reason is kept in part", () => {
  const clock = new SimulatedClock(0);
  const parts = { catalogue: new Catalogue(clock), propagation: new Propagation(clock), clock };
  const session = new Sessions(parts).open(cart, hello, { send: () => undefined });
  session.acknowledge(0, 'x'.repeat(1_000_000));
  expect(session.lastError.length).toBeLessThan(5000);
});

test('incomplete messages of all proxies share 64 MB', async () => {
  const path = folder();
  const { address } = await controllerIn(path, { registry });
  const streams = [];
  for (let i = 0; i < 17; i++) streams.push(await streamIn(path, address));
  // 4 MB each, but for the last byte.
  const part = Buffer.alloc(4 * 1024 * 1024 + 4);
  part.writeUInt32BE(4 * 1024 * 1024, 1);
  for (const { stream } of streams) stream.write(part);
  expect(await Promise.race(streams.map(({ said }) => said))).toBe('8 too many messages at once');
});

test('proofs under examination are counted when their callers have gone, too', async () => {
  const path = folder();
  const { controller, address } = await controllerIn(path, { registry });
  let asked = 0;
  // The API server does not answer.
  controller.authority.certify = () => {
    asked++;
    return new Promise(() => undefined);
  };
  const request = frameMessage(
    encodeCertifyRequest({ identity: cart, csr: Buffer.alloc(9), token: 'x' }),
  );
  const ask = (session: http2.ClientHttp2Session): http2.ClientHttp2Stream => {
    const stream = session.request({
      ':method': 'POST',
      ':path': certifyPath,
      'content-type': 'application/grpc',
    });
    stream.on('error', () => undefined).resume();
    return stream.end(request);
  };
  for (let i = 0; i < 32; i++) {
    const session = stranger(address);
    for (let k = 0; k < 16; k++) ask(session);
    await eventually(() => asked === (i + 1) * 16);
    session.destroy();
  }
  const status = new Promise((resolve) => {
    ask(stranger(address)).on('response', (head) => resolve(head['grpc-status']));
  });
  expect(await status).toBe('8');
  expect(asked).toBe(512);
});

test('a controller that stops does not wait for handshakes that never begin', async () => {
  const { controller } = await controllerIn(folder(), { registry });
  const silent = connect(controller.grpcPort, '127.0.0.1');
  atEnd(() => void silent.destroy());
  await once(silent, 'connect');
  const began = performance.now();
  await controller.stop();
  // A handshake has 10 s.
  expect(performance.now() - began).toBeLessThan(8000);
});

test('strangers take the places of older strangers, never of proven clients', async () => {
  const clock = new SimulatedClock(0);
  const strangers = new Strangers(clock, { handshaking: 3, greeted: 1 });
  const server = createServer((socket) => {
    socket.on('error', () => undefined).resume();
    strangers.came(socket);
    accepted.push(socket);
  });
  const accepted: Socket[] = [];
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const clients: Socket[] = [];
  atEnd(() => {
    for (const client of clients) client.destroy();
    server.close();
  });
  const open = async (): Promise<Socket> => {
    clients.push(connect(port, '127.0.0.1').on('error', () => undefined));
    await eventually(() => accepted.length === clients.length);
    return accepted[accepted.length - 1] as Socket;
  };
  const [first, second, third] = [await open(), await open(), await open()];
  strangers.proven(first);
  const fourth = await open();
  const early = await open();
  // All three are young: the newcomer goes.
  expect([second, third, fourth, early].map((s) => s.destroyed)).toEqual([
    false,
    false,
    false,
    true,
  ]);
  // One that has greeted is in a line of its own, whose only place it keeps for its time.
  const cuts: string[] = [];
  strangers.greeted(second, () => void cuts.push('second'));
  const fifth = await open();
  strangers.greeted(fifth, () => void cuts.push('fifth'));
  expect(cuts).toEqual(['fifth']);
  clock.advance(2000);
  const sixth = await open();
  strangers.greeted(sixth, () => void cuts.push('sixth'));
  expect(cuts).toEqual(['fifth', 'second']);
  expect([first, third, fourth].map((s) => s.destroyed)).toEqual(Array(3).fill(false));
  const late = await open();
  const last = await open();
  // Now the line of handshakes is full of old ones: the oldest goes.
  expect([third, fourth, late, last].map((s) => s.destroyed)).toEqual([true, false, false, false]);
  // One that leaves makes room.
  clients[3]?.destroy();
  await eventually(() => fourth.destroyed);
  const eighth = await open();
  expect([late, last, eighth].map((s) => s.destroyed)).toEqual(Array(3).fill(false));
});

/** A request whose alternative names are `names`: tag and text. */
function oddRequest(key: WorkloadKey, sets: [number, string][][]): Buffer {
  const extensions = sets.map((names) => {
    const san = sequence(...names.map(([tag, text]) => der(tag, Buffer.from(text, 'latin1'))));
    return sequence(sequence(oid('2.5.29.17'), octetString(san)));
  });
  const info = sequence(
    der(0x02, Buffer.from([0])),
    sequence(),
    key.publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa0, sequence(oid('1.2.840.113549.1.9.14'), set(...extensions))),
  );
  const algorithm = sequence(oid('1.2.840.10045.4.3.2'));
  return sequence(info, algorithm, bitString(sign('sha256', info, key.privateKey)));
}

const own: [number, string] = [0x82, cart];
const spiffe = (account: string): string => `spiffe://${trustDomain}/ns/retail/sa/${account}`;
test.each<[string, [number, string][][], boolean]>([
  ['its own names', [[own, [0x86, spiffe('cart')]]], true],
  ["another's SPIFFE id", [[own, [0x86, spiffe('boss')]]], false],
  ['an address', [[own, [0x87, '\x7f\0\0\x01']]], false],
  ['a mailbox', [[[0x81, 'cart@retail']]], false],
  ['another name', [[own, [0x82, `boss.${cart}`]]], false],
  ['another name in upper case', [[[0x82, cart.toUpperCase()]]], false],
  ['another name in a second list', [[own], [[0x82, `boss.${cart}`]]], false],
])('a certificate request with %s', async (_, names, isTaken) => {
  const path = folder();
  const { controller } = await controllerIn(path, { registry });
  const token = readFileSync(tokenFor(path, 'cart'), 'utf8');
  const key = generateWorkloadKey();
  const request = { identity: cart, csr: oddRequest(key, names), token };
  const answer = controller.authority.certify(request, undefined);
  if (isTaken) expect((await answer).chain.length).toBeGreaterThan(0);
  else await expect(answer).rejects.toThrow(/is for another name/);
});

test("an authority's certificate is no proof, and refusals do not fill the log", async () => {
  const path = folder();
  const { controller } = await controllerIn(path, { registry });
  const { authority } = controller;
  const certificate = authority.issuing.chain[0] as X509Certificate;
  const key = generateWorkloadKey();
  const request = { identity: cart, csr: oddRequest(key, [[own]]), token: '' };
  for (let i = 0; i < 500; i++) {
    const asked = authority.certify(request, { certificate, trusted: i % 2 === 0 });
    await expect(asked).rejects.toThrow(/authority's certificate/);
  }
  expect(authority.refused.get('untrusted-certificate')).toBe(500);
  const lines = readFileSync(join(path, 'events.jsonl'), 'utf8').match(/"refused"/g) ?? [];
  expect(lines.length).toBeGreaterThanOrEqual(100);
  expect(lines.length).toBeLessThan(200);
});

test('a leaf of an issuer whose anchor was dropped buys nothing, and its streams end', async () => {
  const path = folder();
  const { controller, address } = await controllerIn(path, { registry });
  // Stolen: the issuer's key before the rotation.
  cpSync(join(path, 'pki'), join(path, 'stolen'), { recursive: true });
  const forge = async (out: string): Promise<{ cert: string; key: string }> => {
    await issueToFiles({
      folder: join(path, 'stolen'),
      identity: cart,
      out: join(path, out),
      lifetimeMs: 3_600_000,
    });
    const read = (end: string): string => readFileSync(join(path, `${out}.${end}`), 'utf8');
    return { cert: read('crt'), key: read('key') };
  };
  const early = await forge('early');
  // Connected while the anchor was still trusted.
  const held = stranger(address, early);
  const call = (): { status: Promise<unknown>; stream: http2.ClientHttp2Stream } => {
    const stream = held.request({
      ':method': 'POST',
      ':path': streamPath,
      'content-type': 'application/grpc',
    });
    stream.on('error', () => undefined);
    const status = new Promise((resolve) => {
      for (const event of ['response', 'trailers']) {
        stream.on(event, (headers: http2.IncomingHttpHeaders) => {
          if (headers['grpc-status'] !== undefined) resolve(headers['grpc-status']);
        });
      }
    });
    stream.resume();
    stream.write(greeting({}));
    return { status, stream };
  };
  const before = call();
  await eventually(() => controller.sessions.size === 1);
  const pki = join(path, 'pki');
  const anchors = (): number => controller.authority.issuing.anchors.length;
  const issuer = controller.authority.issuing.chain[0]?.serialNumber;
  await addTrustAnchor(pki, { trustDomain });
  await eventually(() => anchors() === 2);
  await rotateIssuer(pki, { trustDomain });
  await eventually(() => controller.authority.issuing.chain[0]?.serialNumber !== issuer);
  expect(controller.sessions.size).toBe(1);
  dropOldAnchors(pki);
  expect(await before.status).toBe('16');
  const forged = await forge('late');
  const renewal = requestCertificate({
    address,
    controllerIdentity: controllerIdentity(trustDomain),
    identity: cart,
    key: generateWorkloadKey(),
    token: '',
    credentials: {
      anchors: splitPem(readFileSync(join(pki, 'trust-anchor.crt'), 'utf8')),
      chain: forged.cert,
      key: forged.key,
    },
  });
  await expect(renewal).rejects.toThrow(/of no issuer of this authority/);
  // The connection was verified with the old bundle, and is now verified again.
  expect(await call().status).toBe('16');
  expect(controller.authority.issued.renewal).toBe(0);
});
