/**
 * One client's many requests leave room for others: in the event loop, in the pools, and when answers have no room.
 */
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { takeOver } from '../../../mesh/proxy/listen/take-over.js';
import type { WireUser } from '../../../mesh/proxy/listen/wire.js';
import { block, frame, get, RawClient, word } from './http2-raw.js';
import { clientPreface } from '../../../mesh/proxy/http2/frame.js';
import { destination, httpServer, type Running, say, startProxy, state, until } from './rig.js';

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).toReversed()) await clean();
});

const good = 'GET / HTTP/1.1\r\nHost: cart.retail\r\nConnection: close\r\n\r\n';

async function proxied(app: Running, maxConnections: number) {
  const limits = { maxConnections, maxPending: 1000, maxRequests: 1000 };
  const cart = destination('cart', [`127.0.0.1:${app.port}`], {
    hosts: ['cart.retail'],
    protocol: 'http1',
    backend: { limits, failFastMs: 3000 },
  });
  const proxy = await startProxy({ state: state({ destinations: [cart] }) });
  cleanups.push(
    () => proxy.stop(),
    () => app.close(),
  );
  return proxy;
}

/** Sends `count` requests at once on one connection; `window` is the initial window of each answer. */
function flood(port: number, path: string, count: number, window: number): RawClient {
  const client = new RawClient(port);
  cleanups.push(() => void client.socket.destroy());
  const initialWindow = Buffer.concat([Buffer.from([0, 4]), word(window)]);
  const head = block(get(path));
  client.send(
    clientPreface,
    frame(4, 0, 0, initialWindow),
    ...Array.from({ length: count }, (_, i) => frame(1, 5, 1 + 2 * i, head)),
  );
  return client;
}

test('a flood on one connection lets the others have their turn', async () => {
  const sockets: Socket[] = [];
  const server = createServer((socket) => void sockets.push(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const sender = connect((server.address() as AddressInfo).port, '127.0.0.1');
  await until(() => sockets.length === 1);
  cleanups.push(
    () => void server.close(),
    () => void sender.destroy(),
  );
  const total = 4 * 1024 * 1024;
  sender.write(Buffer.alloc(total));
  let read = 0;
  let inTurn = 0;
  let most = 0;
  const user: WireUser = {
    onBytes: (_, length) => {
      if (inTurn === 0) setImmediate(() => (inTurn = 0));
      read += length;
      inTurn += length;
      most = Math.max(most, inTurn);
    },
    onEnd: () => undefined,
    onDrain: () => undefined,
    onClose: () => undefined,
  };
  const wire = takeOver(sockets[0] as Socket, user);
  cleanups.push(() => wire.destroy());
  // The kernel's buffer is full before the first read.
  await until(() => sender.bytesWritten === total);
  wire.resume();
  await until(() => read === total);
  expect(most).toBeLessThanOrEqual((256 + 64) * 1024);
});

test('a connection that carries many requests leaves some of the pool to others', async () => {
  const app = await httpServer((request, response) => {
    if (request.url !== '/hang') response.end('fine');
  });
  const proxy = await proxied(app, 20);
  flood(proxy.outbound, '/hang', 200, 65_535);
  await until(() => proxy.proxy.busy === 200);
  expect(await say(proxy.outbound, good)).toMatch(/fine<end>$/);
});

test('requests whose answers have no room do not all go to the app; with room they do', async () => {
  let asked = 0;
  const app = await httpServer((_, response) => {
    asked++;
    response.end('x'.repeat(2000));
  });
  const proxy = await proxied(app, 1000);
  const client = flood(proxy.outbound, '/', 300, 0);
  await until(() => proxy.proxy.busy === 300 && asked >= 16);
  expect(await say(proxy.outbound, good)).toMatch(/x<end>$/);
  expect(asked).toBeLessThanOrEqual(18);
  client.send(
    frame(4, 0, 0, Buffer.concat([Buffer.from([0, 4]), word(65_535)])),
    frame(8, 0, 0, word(1 << 20)),
  );
  const ended = () => client.frames.filter((f) => f.type < 2 && (f.flags & 1) === 1).length;
  await until(() => ended() === 300);
  expect(asked).toBe(301);
});

test('requests that wait too long for room are refused', async () => {
  const app = await httpServer((_, response) => void response.end('x'.repeat(2000)));
  const proxy = await proxied(app, 1000);
  const client = flood(proxy.outbound, '/', 60, 0);
  await until(() => client.frames.filter((f) => f.type === 1 && (f.flags & 1) === 1).length >= 40);
  const told = client.frames.filter((f) => f.type === 1).map((f) => client.fields(f)[':status']);
  expect(told.filter((status) => status === '503').length).toBeGreaterThanOrEqual(40);
});
