/** The proxy's end of the stream with controllers that hang or send nonsense, clocks that jump, and odd caches. */
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { createSecureServer, type ServerHttp2Stream } from 'node:http2';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Clock, SimulatedClock } from '../../../base/clock.js';
import { frameMessage, MessageSplitter } from '../../../mesh/controller/api/framing.js';
import {
  decodeProxyMessage,
  encodeResource,
  encodeUpdate,
  kinds,
  streamPath,
} from '../../../mesh/controller/api/messages.js';
import { bundleName } from '../../../mesh/controller/topics.js';
import { controllerIdentity } from '../../../mesh/controller/own-certificate.js';
import { splitPem } from '../../../mesh/identity/csr.js';
import { issueToFiles } from '../../../mesh/identity/issue.js';
import {
  atEnd,
  clientIn,
  controllerIn,
  eventually,
  folder,
  registryOf,
  tokenFor,
  trustDomain,
} from './bench-mesh.js';

const registry = registryOf({ cart: ['10.0.0.1:1'] });
/** The first address first, and the longest waits. */
const random = { next: () => 0.999, below: () => 0 };

/** A controller with a true certificate, whose calls the test answers. */
async function falseController(
  path: string,
  take: (stream: ServerHttp2Stream, call: string) => void,
): Promise<string> {
  const out = join(path, 'false');
  const identity = controllerIdentity(trustDomain);
  await issueToFiles({ folder: join(path, 'pki'), identity, out, lifetimeMs: 3_600_000 });
  const [cert, key] = ['crt', 'key'].map((end) => readFileSync(`${out}.${end}`));
  const server = createSecureServer({ cert, key, minVersion: 'TLSv1.3' } as object);
  server.on('stream', (stream, headers) => {
    stream.on('error', () => undefined);
    stream.respond(
      { ':status': 200, 'content-type': 'application/grpc' },
      { waitForTrailers: true },
    );
    take(stream, headers[':path'] ?? '');
  });
  server.on('session', (session) => atEnd(() => session.destroy()));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  atEnd(() => void server.close());
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A clock whose wall time can jump. */
function jumpingClock() {
  const steps = new SimulatedClock(Date.now());
  const clock = {
    aheadMs: 0,
    advance: (ms: number) => steps.advance(ms),
    nowMs: () => steps.nowMs() + clock.aheadMs,
    monotonicMs: () => steps.monotonicMs(),
    after: (ms: number, run: () => void) => steps.after(ms, run),
    every: (ms: number, run: () => void) => steps.every(ms, run),
  };
  return clock satisfies Clock;
}

/** Moves the time until a condition holds. */
const inTime = (clock: { advance(ms: number): void }, what: () => unknown): Promise<void> =>
  eventually(() => {
    if (what()) return true;
    clock.advance(500);
    return false;
  });

test('a controller that takes a request and never answers is left for the next, at joining and renewing', async () => {
  const path = folder();
  const { address } = await controllerIn(path, { registry });
  const hung = await falseController(path, () => undefined);
  tokenFor(path, 'cart', 3);
  const clock = jumpingClock();
  const { client, logs } = clientIn(path, 'cart', [hung, address], { clock, random });
  const first = client.start(600_000);
  await inTime(clock, () => client.stats.connected);
  await first;
  expect(logs.join()).toContain('no answer in time');
  // The stream is the real controller's; the renewals go there, and to both while it is away.
  clock.aheadMs = 50 * 60_000;
  await inTime(clock, () => client.stats.renewals === 1);
});

test('a step of the wall clock is no silence, and hides none', async () => {
  const path = folder();
  const { address } = await controllerIn(path, { registry });
  const sockets: Socket[] = [];
  const relay = createServer((client) => {
    const server = connect(Number(address.split(':')[1]), '127.0.0.1');
    sockets.push(client, server);
    for (const socket of [client, server]) socket.on('error', () => undefined);
    client.pipe(server).pipe(client);
  });
  await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
  atEnd(() => {
    relay.close();
    for (const socket of sockets) socket.destroy();
  });
  tokenFor(path, 'cart', 3);
  const clock = jumpingClock();
  const through = `127.0.0.1:${(relay.address() as AddressInfo).port}`;
  const { client } = clientIn(path, 'cart', [through], { clock });
  await client.start(600_000);
  clock.aheadMs = 5 * 60_000;
  clock.advance(10_000);
  await new Promise((resolve) => setImmediate(resolve));
  expect(client.stats).toMatchObject({ connected: true, connects: 1 });
  clock.aheadMs = -3_000_000;
  for (const socket of sockets) socket.unpipe().pause();
  clock.advance(60_000);
  await eventually(() => !client.stats.connected);
  expect(client.staleSeconds()).toBeGreaterThanOrEqual(50);
});

test('a machine that has slept through the time of a renewal renews within a minute', async () => {
  const path = folder();
  const { address } = await controllerIn(path, { registry });
  tokenFor(path, 'cart');
  const clock = jumpingClock();
  const { client } = clientIn(path, 'cart', [address], { clock });
  await client.start(600_000);
  clock.aheadMs = 50 * 60_000;
  clock.advance(60_000);
  await eventually(() => client.stats.renewals === 1);
});

test.each<[string, (file: string) => void]>([
  ['another workload', () => undefined],
  ['half a file', (file) => writeFileSync(file, readFileSync(file, 'utf8').slice(0, 500))],
  ['nothing of an identity', (file) => writeFileSync(file, '{}')],
  [
    'no certificate',
    (file) => writeFileSync(file, '{"chain":"x","key":"y","anchors":[],"notAfterMs":9e15}'),
  ],
])('a cached identity of %s is left alone', async (_, spoil) => {
  const path = folder();
  const { address } = await controllerIn(path, { registry });
  const cacheFolder = join(path, 'cache');
  tokenFor(path, 'cart');
  tokenFor(path, 'web');
  const cart = clientIn(path, 'cart', [address], { cacheFolder });
  await cart.client.start(10_000);
  cart.client.stop();
  spoil(join(cacheFolder, 'stream-identity.json'));
  const web = clientIn(path, 'web', [address], { cacheFolder });
  await web.client.start(10_000);
  await eventually(() => web.client.stats.connected);
  expect(web.logs.join()).toContain('the cached identity cannot be used');
  expect(web.identities).toHaveLength(1);
});

test('a cached state that cannot be served is replaced by a whole one', async () => {
  const path = folder();
  const { address } = await controllerIn(path, { registry });
  const cacheFolder = join(path, 'cache');
  tokenFor(path, 'cart', 2);
  const before = clientIn(path, 'cart', [address], { cacheFolder });
  await before.client.start(10_000);
  before.client.stop();
  const file = join(cacheFolder, 'stream-state.json');
  const saved = JSON.parse(readFileSync(file, 'utf8')) as { resources: unknown[][] };
  for (const resource of saved.resources) if (resource[0] === kinds.destination) resource[3] = null;
  writeFileSync(file, JSON.stringify(saved));
  const names: string[][] = [];
  const { client } = clientIn(path, 'cart', [address], {
    cacheFolder,
    onState: (state) => void names.push(state.destinations.map(({ name }) => name)),
  });
  await client.start(10_000);
  await eventually(() => names.length > 0);
  expect(names).toEqual([['cart.retail']]);
  expect(client.stats.refusedUpdates).toBe(0);
});

test('trust anchors that are none are refused, and the controller is reached by the old ones', async () => {
  const path = folder();
  const { address } = await controllerIn(path, { registry });
  const refusals: string[] = [];
  const nonsense = await falseController(path, (stream, call) => {
    if (call !== streamPath) return void stream.close();
    const json = Buffer.from(
      JSON.stringify({ anchors: ['nonsense'], issuer: '', renewSpreadMs: 0 }),
    );
    const bundle = encodeResource({ kind: kinds.bundle, name: bundleName, version: 'x', json });
    const splitter = new MessageSplitter(1 << 20);
    stream.on('data', (bytes: Buffer) => {
      for (const message of splitter.push(bytes)) {
        const said = decodeProxyMessage(message);
        if (said.kind === 'hello') {
          stream.write(
            frameMessage(
              encodeUpdate({
                version: 99,
                snapshot: false,
                resources: [bundle],
                removed: [],
                timeMs: 0,
                more: false,
              }),
            ),
          );
        } else if (said.kind === 'ack') {
          refusals.push(said.error);
          stream.close();
        }
      }
    });
  });
  const cacheFolder = join(path, 'cache');
  tokenFor(path, 'cart', 2);
  const before = clientIn(path, 'cart', [address], { cacheFolder });
  await before.client.start(10_000);
  before.client.stop();
  const { client } = clientIn(path, 'cart', [nonsense, address], {
    cacheFolder,
    random,
  });
  await client.start(10_000);
  await eventually(() => client.stats.connected && client.stats.address === address);
  expect(refusals[0]).not.toBe('');
  expect(client.identity?.anchors.join()).toContain('BEGIN CERTIFICATE');
});

test('a controller that ends each stream after its first update is asked ever more rarely', async () => {
  const path = folder();
  const { address } = await controllerIn(path, { registry });
  const cacheFolder = join(path, 'cache');
  tokenFor(path, 'cart', 2);
  const before = clientIn(path, 'cart', [address], { cacheFolder });
  await before.client.start(10_000);
  before.client.stop();
  const short = await falseController(path, (stream, call) => {
    if (call !== streamPath) return void stream.close();
    const update = { snapshot: false, resources: [], removed: [], timeMs: 0, more: false };
    stream.write(frameMessage(encodeUpdate({ version: 99, ...update })), () => stream.close());
  });
  const clock = jumpingClock();
  const { client } = clientIn(path, 'cart', [short], { cacheFolder, random, clock });
  await client.start(10_000);
  await eventually(() => {
    if (client.stats.connects >= 6) return true;
    clock.advance(100);
    return false;
  });
  // 100 ms, doubled five times.
  expect(clock.monotonicMs()).toBeGreaterThan(3000);
});

test('trust anchors that end during an outage are read anew from their file, without a restart', async () => {
  const [path, later] = [folder(), folder()];
  const { controller, address } = await controllerIn(path, { registry, lifetime: '2s' });
  let given = (): string[] => splitPem(readFileSync(join(path, 'pki', 'trust-anchor.crt'), 'utf8'));
  tokenFor(path, 'cart');
  const { client, logs } = clientIn(path, 'cart', [address], { anchors: () => given() });
  await client.start(10_000);
  const before = client.identity?.issuer;
  const port = controller.grpcPort;
  await controller.stop();
  // Its certificate ends, and the client trusts nothing of the new mesh, as if its only anchor had ended too.
  await controllerIn(later, { registry, port });
  copyFileSync(tokenFor(later, 'cart'), join(path, 'cart.token'));
  await eventually(() => (client.identity?.notAfterMs ?? Infinity) < Date.now());
  const failures = client.stats.connectFailures;
  given = () => {
    throw new Error('half a file');
  };
  await eventually(() => client.stats.connectFailures >= failures + 2);
  expect(logs.join()).not.toContain('half a file');
  given = () => splitPem(readFileSync(join(later, 'pki', 'trust-anchor.crt'), 'utf8'));
  await eventually(() => client.stats.connected);
  expect(client.identity?.issuer).not.toBe(before);
});
