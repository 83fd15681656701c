/**
 * A fault that ends releases all that it held, in HTTP/2 and in opaque TCP: delayed requests go on, black holes are
 * reset.
 */
import { type ClientHttp2Session, connect as connectHttp2, createServer } from 'node:http2';
import { type AddressInfo, connect } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { freePorts } from '../../../base/ports.js';
import { destination, rawServer, route, startProxy, state, type TestProxy, until } from './rig.js';

const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close();
});

const many = 20;
const lease = { id: 'f', side: 'outbound', ratio: 1, ttlMs: 600_000 };

/** All requests are held, and none is answered. */
const held = ({ proxy }: TestProxy): Promise<void> =>
  until(() => (proxy.gateway.faults.list()[0]?.effect ?? 0) === many);

async function http2(): Promise<{ proxy: TestProxy; client: ClientHttp2Session }> {
  const app = createServer((_, response) => void response.end('ok'));
  await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve));
  open.push(() => app.close());
  const at = `127.0.0.1:${(app.address() as AddressInfo).port}`;
  const cart = destination('cart', [at], { protocol: 'http2', routes: [route()] });
  const proxy = await startProxy({ state: state({ destinations: [cart] }) });
  open.push(() => proxy.stop());
  const client = connectHttp2(`http://127.0.0.1:${proxy.outbound}`);
  client.on('error', () => undefined);
  open.push(() => client.destroy());
  return { proxy, client };
}

/** The status, or `reset`. */
const ask = (client: ClientHttp2Session): Promise<number | 'reset'> =>
  new Promise((resolve) => {
    const stream = client.request({ ':authority': 'cart', ':path': '/' });
    stream.once('response', (headers) => resolve(Number(headers[':status'])));
    stream.once('error', () => resolve('reset'));
    stream.once('close', () => resolve('reset'));
    stream.resume().end();
  });

test('HTTP/2: every stream that a delay holds goes on, on one connection', async () => {
  const { proxy, client } = await http2();
  proxy.proxy.gateway.faults.put({ ...lease, delayMs: 500_000 });
  const answers = Array.from({ length: many }, () => ask(client));
  await held(proxy);
  proxy.proxy.gateway.faults.remove('f');
  expect(await Promise.all(answers)).toEqual(Array.from({ length: many }, () => 200));
  await until(() => proxy.proxy.busy === 0);
});

test('HTTP/2: every stream that a black hole swallowed is reset, and the connection serves on', async () => {
  const { proxy, client } = await http2();
  proxy.proxy.gateway.faults.put({ ...lease, blackhole: true });
  const answers = Array.from({ length: many }, () => ask(client));
  await held(proxy);
  proxy.proxy.gateway.faults.remove('f');
  expect(await Promise.all(answers)).toEqual(Array.from({ length: many }, () => 'reset'));
  await until(() => proxy.proxy.busy === 0);
  expect(await ask(client)).toBe(200);
});

test('HTTP/2: a lease that lapses by itself lets go as well', async () => {
  const { proxy, client } = await http2();
  proxy.proxy.gateway.faults.put({ ...lease, delayMs: 500_000 });
  const answers = Array.from({ length: many }, () => ask(client));
  await held(proxy);
  // The last renewal: no call removes the lease, so it lapses.
  proxy.proxy.gateway.faults.put({ ...lease, delayMs: 500_000, ttlMs: 100 });
  expect(await Promise.all(answers)).toEqual(Array.from({ length: many }, () => 200));
  await until(() => proxy.proxy.busy === 0);
});

async function tcp(): Promise<{ proxy: TestProxy; port: number; reached(): number }> {
  let reached = 0;
  const echo = await rawServer((socket) => {
    reached++;
    socket.on('end', () => socket.end());
    socket.on('data', (bytes) => socket.write(bytes));
  });
  open.push(() => echo.close());
  const [port = 0] = await freePorts(1);
  const db = destination('db', [`127.0.0.1:${echo.port}`], {
    protocol: 'opaque',
    addresses: [`127.0.0.1:${port}`],
  });
  const proxy = await startProxy({
    calls: [{ host: '127.0.0.1', port }],
    state: state({ destinations: [db] }),
  });
  open.push(() => proxy.stop());
  return { proxy, port, reached: () => reached };
}

/** The echo of a word, or `reset`. */
const echoed = (port: number): Promise<string> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    open.push(() => socket.destroy());
    socket.once('data', (bytes) => {
      resolve(bytes.toString());
      socket.end();
    });
    socket.once('error', () => resolve('reset'));
    socket.once('close', () => resolve('reset'));
    socket.write('word');
  });

test('TCP: every connection that a delay holds goes on', async () => {
  const { proxy, port, reached } = await tcp();
  proxy.proxy.gateway.faults.put({ ...lease, delayMs: 500_000 });
  const answers = Array.from({ length: many }, () => echoed(port));
  await held(proxy);
  expect(reached()).toBe(0);
  proxy.proxy.gateway.faults.remove('f');
  expect(await Promise.all(answers)).toEqual(Array.from({ length: many }, () => 'word'));
  await until(() => proxy.proxy.busy === 0);
});

test('TCP: every connection that a black hole swallowed is reset', async () => {
  const { proxy, port, reached } = await tcp();
  proxy.proxy.gateway.faults.put({ ...lease, blackhole: true });
  const answers = Array.from({ length: many }, () => echoed(port));
  await held(proxy);
  proxy.proxy.gateway.faults.remove('f');
  expect(await Promise.all(answers)).toEqual(Array.from({ length: many }, () => 'reset'));
  await until(() => proxy.proxy.busy === 0);
  expect(reached()).toBe(0);
});
