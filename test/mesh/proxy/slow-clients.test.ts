/** Hundreds of clients that send or read slowly use up neither the memory nor the connections of others. */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { SimulatedClock } from '../../../base/clock.js';
import { MemoryGuard } from '../../../mesh/proxy/flow/limit/memory-guard.js';
import { type Holder, Holdings, holdings } from '../../../mesh/proxy/listen/holdings.js';
import { type Newcomer, Newcomers } from '../../../mesh/proxy/listen/newcomers.js';
import { takeOver } from '../../../mesh/proxy/listen/take-over.js';
import { WaitingLine } from '../../../mesh/proxy/listen/waiting-line.js';
import {
  destination,
  httpServer,
  type Running,
  say,
  startProxy,
  state,
  type TestProxy,
  until,
} from './rig.js';

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).toReversed()) await clean();
});

async function proxied(app: Running, limits?: object, failFastMs = 500): Promise<TestProxy> {
  const backend = { ...(limits && { limits: limits as never }), failFastMs };
  const proxy = await startProxy({
    state: state({
      destinations: [destination('cart', [`127.0.0.1:${app.port}`], { backend })],
    }),
  });
  cleanups.push(
    () => proxy.stop(),
    () => app.close(),
  );
  return proxy;
}

function open(port: number, bytes: string): Socket {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.write(bytes);
  cleanups.push(() => void socket.destroy());
  return socket;
}

const nobody = {
  onBytes: () => undefined,
  onEnd: () => undefined,
  onDrain: () => undefined,
  onClose: () => undefined,
};
const good = 'GET / HTTP/1.1\r\nHost: cart\r\nConnection: close\r\n\r\n';

test('memory held for slow peers is limited: the slowest peer is dropped first', async () => {
  const held = new Holdings(100);
  const gone: string[] = [];
  const holder = (name: string): Holder => ({
    heldBytes: 0,
    letGo() {
      gone.push(name);
      held.hold(this, -this.heldBytes);
    },
  });
  const [a, b, c] = [holder('a'), holder('b'), holder('c')] as [Holder, Holder, Holder];
  held.hold(a, 40);
  held.hold(b, 40);
  held.moved(a);
  held.hold(c, 30);
  expect(held.isFull).toBe(true);
  await new Promise((resolve) => setImmediate(resolve));
  expect(gone).toEqual(['b']);
  expect(held.usedBytes).toBe(70);
  held.hold(a, -40);
  held.hold(c, -30);
  expect(held.usedBytes).toBe(0);
  expect(held.isTight).toBe(false);
});

test('clients that wait for a connection take turns, and the greediest stands back', () => {
  const line = new WaitingLine<{ client: string; n: number }>();
  for (let n = 0; n < 5; n++) line.push({ client: 'greedy', n }, n);
  line.push({ client: 'modest', n: 9 }, 9);
  expect(line.displace('modest')).toEqual({ client: 'greedy', n: 4 });
  expect(line.displace('greedy')).toBeUndefined();
  expect([line.shift(), line.shift(), line.shift()].map((one) => one?.n)).toEqual([0, 9, 1]);
  expect(line.late(3).map((one) => one.n)).toEqual([2]);
  expect(line.size).toBe(1);
  expect(line.shift()).toEqual({ client: 'greedy', n: 3 });
  expect(line.shift()).toBeUndefined();
});

/** New connections whose reads are listed, and the turns of an event loop. */
function newcomers() {
  const clock = new SimulatedClock();
  const deferred: (() => void)[] = [];
  const line = new Newcomers(clock, (run) => deferred.push(run));
  const read: string[] = [];
  const resting = new Set<string>();
  const gone: string[] = [];
  const one = (name: string, client = 'a'): Newcomer => ({
    client,
    goOn() {
      resting.delete(name);
      read.push(name);
    },
    rest: () => void resting.add(name),
    giveUp: () => void gone.push(name),
  });
  const nextTurn = (): void => {
    read.length = 0;
    for (const run of deferred.splice(0)) run();
  };
  return { clock, line, read, resting, gone, one, nextTurn, deferred };
}

test('new connections: four are heard in a turn, the others rest, and clients take turns', () => {
  const { line, read, resting, one, nextTurn, deferred } = newcomers();
  const all = Array.from('abcdefghij', (name) => one(name));
  for (const newcomer of all) line.add(newcomer);
  expect(read).toHaveLength(10);
  for (const newcomer of all.slice(0, 3)) line.heard(newcomer);
  expect(resting.size).toBe(0);
  line.heard(all[3] as Newcomer);
  expect([...resting]).toEqual(['e', 'f', 'g', 'h', 'i', 'j']);
  // A later one is not read before them, and a client with one connection waits for one turn.
  line.add(one('k', 'other'));
  nextTurn();
  expect(read).toEqual(['e', 'k', 'f', 'g']);
  for (const newcomer of all.slice(4, 7)) line.heard(newcomer);
  nextTurn();
  expect(read).toEqual(['h', 'i', 'j']);
  expect(deferred).toEqual([]);
});

test('new connections that say nothing hold nobody up, and none waits for longer than 10 s', () => {
  const { clock, line, read, gone, one, nextTurn } = newcomers();
  const all = Array.from({ length: 14 }, (_, n) => one(String(n)));
  for (const newcomer of all) line.add(newcomer);
  for (const newcomer of all.slice(0, 4)) line.heard(newcomer);
  line.left(all[9] as Newcomer);
  nextTurn();
  expect(read).toEqual(['4', '5', '6', '7']);
  // None of them has sent anything.
  nextTurn();
  expect(read).toEqual(['8', '10', '11', '12']);
  clock.advance(10_001);
  nextTurn();
  expect(read).toEqual([]);
  expect(gone).toEqual(['13']);
});

test('of thousands of silent connections a turn pauses the latest thousand only', () => {
  const { line, resting, one } = newcomers();
  const all = Array.from({ length: 3000 }, (_, n) => one(String(n)));
  for (const newcomer of all) line.add(newcomer);
  // The first is served as one that has been there before.
  for (const newcomer of [all[0], ...all.slice(-4)] as Newcomer[]) line.heard(newcomer);
  expect(resting.size).toBe(1020);
  expect(resting.has('1975')).toBe(false);
  expect(resting.has('1976')).toBe(true);
});

test('a burst of new clients: a client that was there before is served in between', async () => {
  const order: string[] = [];
  const app = await httpServer((request, response) => {
    order.push(request.url ?? '');
    response.end('fine');
  });
  const proxy = await proxied(app);
  const old = open(proxy.outbound, 'GET /first HTTP/1.1\r\nHost: cart\r\n\r\n');
  await until(() => order.length === 1);
  const burst = Array.from({ length: 200 }, () => open(proxy.outbound, ''));
  // The proxy accepts one of them in each turn of the event loop.
  for (let turn = 0; turn < 500; turn++) await new Promise((next) => setImmediate(next));
  for (const socket of burst) socket.write(good);
  old.write('GET /old HTTP/1.1\r\nHost: cart\r\n\r\n');
  await until(() => order.length === 202);
  expect(order.indexOf('/old')).toBeLessThan(20);
});

test('slow heads: the memory for them is bounded over all connections, and others are served', async () => {
  const app = await httpServer((_, response) => response.end('fine'));
  const proxy = await proxied(app);
  const before = holdings.limitBytes;
  holdings.limitBytes = 2 * 1024 * 1024;
  cleanups.push(() => {
    holdings.limitBytes = before;
  });
  let refused = 0;
  for (let i = 0; i < 200; i++) {
    const head = `GET / HTTP/1.1\r\nHost: cart\r\nX: ${'a'.repeat(60_000)}`;
    open(proxy.outbound, head).on('data', (text: Buffer) => {
      if (text.toString('latin1').startsWith('HTTP/1.1 408')) refused++;
    });
  }
  await until(() => refused > 150);
  expect(holdings.usedBytes).toBeLessThanOrEqual(holdings.limitBytes);
  expect(await say(proxy.outbound, good)).toMatch(/fine<end>$/);
});

test('clients that do not read: the memory for their answers is limited over all connections', async () => {
  const body = Buffer.alloc(8 * 1024 * 1024);
  const app = await httpServer((request, response) =>
    response.end(request.url === '/big' ? body : 'fine'),
  );
  const proxy = await proxied(app);
  const before = holdings.limitBytes;
  holdings.limitBytes = 1024 * 1024;
  cleanups.push(() => {
    holdings.limitBytes = before;
  });
  const letGo = holdings.letGoTotal;
  for (let i = 0; i < 40; i++) {
    open(proxy.outbound, 'GET /big HTTP/1.1\r\nHost: cart\r\n\r\n').pause();
  }
  await until(() => holdings.letGoTotal > letGo + 10);
  expect(holdings.usedBytes).toBeLessThanOrEqual(holdings.limitBytes + 64 * 1024);
  expect(await say(proxy.outbound, good)).toMatch(/fine<end>$/);
});

test('a client that ends its side while it still reads gets the whole of a last answer', async () => {
  const bytes = 16 << 20;
  const listener = createServer({ pauseOnConnect: true, allowHalfOpen: true }, (socket) => {
    const wire = takeOver(socket, { ...nobody });
    wire.writeBytes(Buffer.alloc(bytes), 0, bytes);
    wire.endThenDestroy(2000);
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => void listener.close());
  const { port } = listener.address() as AddressInfo;
  const client = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  let got = 0;
  client.pause().on('data', (chunk) => (got += chunk.length));
  client.on('error', () => undefined).end();
  setTimeout(() => client.resume(), 200);
  await new Promise((resolve) => client.once('close', resolve));
  expect(got).toBe(bytes);
});

test('slow posts do not keep all connections to the app: they yield when somebody waits', async () => {
  const app = await httpServer((request, response) => {
    request.resume().on('end', () => response.end('fine'));
  });
  const limits = { maxConnections: 20, maxPending: 100, maxRequests: 1000 };
  const proxy = await proxied(app, limits, 3000);
  const statuses: string[] = [];
  for (let i = 0; i < 30; i++) {
    open(proxy.outbound, 'POST / HTTP/1.1\r\nHost: cart\r\nContent-Length: 100000\r\n\r\na').on(
      'data',
      (text: Buffer) => statuses.push(text.toString('latin1').slice(9, 12)),
    );
  }
  expect(await say(proxy.outbound, good)).toMatch(/fine<end>$/);
  expect(statuses).toContain('408');
  expect(new Set(statuses)).toEqual(new Set(['408']));
});

test('the same by HTTP/1.1 clients that do not read their answers', async () => {
  const body = Buffer.alloc(8 * 1024 * 1024);
  const app = await httpServer((request, response) =>
    response.end(request.url === '/big' ? body : 'fine'),
  );
  const limits = { maxConnections: 10, maxPending: 100, maxRequests: 1000 };
  const proxy = await proxied(app, limits, 5000);
  for (let i = 0; i < 10; i++) {
    open(proxy.outbound, 'GET /big HTTP/1.1\r\nHost: cart\r\n\r\n').pause();
  }
  await until(() => proxy.proxy.busy === 10);
  expect(await say(proxy.outbound, good)).toMatch(/fine<end>$/);
});

test('the wait for a connection is limited: 503 with Retry-After', async () => {
  const app = await httpServer(() => undefined);
  const limits = { maxConnections: 2, maxPending: 100, maxRequests: 1000 };
  const proxy = await proxied(app, limits, 300);
  open(proxy.outbound, good);
  open(proxy.outbound, good);
  await until(() => proxy.proxy.busy === 2);
  const text = await say(proxy.outbound, good);
  expect(text).toMatch(/^HTTP\/1\.1 503 /);
  expect(text).toMatch(/retry-after: 1\r\n/);
});

test('a client that sends at a modest pace keeps its connection', async () => {
  const app = await httpServer((request, response) => {
    let bytes = 0;
    request.on('data', (chunk: Buffer) => (bytes += chunk.length));
    request.on('end', () => response.end(String(bytes)));
  });
  const limits = { maxConnections: 1, maxPending: 100, maxRequests: 1000 };
  const proxy = await proxied(app, limits, 10_000);
  const answer = new Promise<string>((resolve) => {
    const socket = open(
      proxy.outbound,
      'POST / HTTP/1.1\r\nHost: cart\r\nContent-Length: 12000\r\n\r\n',
    );
    socket.on('data', (text: Buffer) => resolve(text.toString('latin1')));
    let sent = 0;
    const timer = setInterval(() => {
      socket.write('a'.repeat(1000));
      if ((sent += 1000) === 12_000) clearInterval(timer);
    }, 100);
    cleanups.push(() => clearInterval(timer));
  });
  await until(() => proxy.proxy.busy === 1);
  const [patient, waited] = await Promise.all([answer, say(proxy.outbound, good)]);
  expect(patient).toMatch(/12000$/);
  expect(waited).toMatch(/^HTTP\/1\.1 200 /);
}, 20_000);

test('the memory guard collects before it sheds, and serves again once what was live is gone', () => {
  const clock = new SimulatedClock(0);
  let garbage = 50;
  let live = 50;
  let collections = 0;
  const guard = new MemoryGuard({
    clock,
    limitBytes: 100,
    usedBytes: () => live + garbage,
    collect: () => {
      collections++;
      garbage = 0;
    },
  });
  guard.check();
  expect([guard.shedRatio, collections]).toEqual([0, 1]);
  live = 100;
  guard.check();
  expect(guard.shedRatio).toBe(1);
  live = 60;
  garbage = 45;
  clock.advance(1000);
  expect([guard.shedRatio, collections]).toEqual([0, 2]);
  guard.close();
});

test('a proxy that sheds everything is not ready, and is again once it has recovered', async () => {
  const app = await httpServer((_, response) => response.end('fine'));
  const proxy = await proxied(app);
  const { memory } = proxy.proxy.gateway;
  memory.shedRatio = 1;
  expect(await say(proxy.admin, 'GET /ready HTTP/1.0\r\n\r\n')).toMatch(/ 503 [\s\S]*short of/);
  memory.check();
  expect(await say(proxy.admin, 'GET /ready HTTP/1.0\r\n\r\n')).toMatch(/ 200 /);
});
