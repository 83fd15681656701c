/** Slow and greedy clients: the memory that they hold is limited, and other clients do not notice. */
import { connect, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { Leaving } from '../../../mesh/proxy/listen/leaving.js';
import { FakeWire } from './http2-raw.js';
import {
  answering,
  destination,
  httpServer,
  rawServer,
  type Running,
  say,
  startProxy,
  state,
  type TestProxy,
  until,
} from './rig.js';

let cleanups: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  const due = cleanups.toReversed();
  cleanups = [];
  for (const cleanup of due) await cleanup();
});

async function proxied(
  app: Running,
  more: Parameters<typeof startProxy>[0] = {},
): Promise<TestProxy> {
  const proxy = await startProxy({
    state: state({ destinations: [destination('cart', [`127.0.0.1:${app.port}`])] }),
    ...more,
  });
  cleanups.push(
    () => proxy.stop(),
    () => app.close(),
  );
  return proxy;
}

const ok = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';
const get = 'GET / HTTP/1.1\r\nHost: cart\r\n\r\n';

test('a thousand slow clients are cut off by the clock, and nobody else waits', async () => {
  const proxy = await proxied(await rawServer(answering(ok)), { limits: { headTimeoutMs: 2000 } });
  const slow: Socket[] = [];
  let answered = 0;
  const gone = { count: 0 };
  for (let i = 0; i < 1000; i++) {
    const socket = connect(proxy.outbound, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      if (chunk.toString('latin1').startsWith('HTTP/1.1 408')) answered++;
    });
    socket.on('close', () => gone.count++);
    socket.write('GET / HTTP/1.1\r\nHost: cart\r\nX: ');
    slow.push(socket);
  }
  cleanups.push(() => slow.forEach((socket) => socket.destroy()));
  // One byte now and then does not extend the deadline.
  const drip = setInterval(() => slow.forEach((s) => s.writable && s.write('a')), 300);
  cleanups.push(() => clearInterval(drip));
  let served = 0;
  while (gone.count < 1000) {
    expect(await say(proxy.outbound, get, { until: /ok$/ })).toBe(ok);
    if (gone.count === 0) served++;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  // A client that was just sending may get a reset instead of the 408.
  expect(answered).toBeGreaterThan(950);
  expect(served).toBeGreaterThan(2);
}, 30_000);

test('a client that does not read does not make the proxy keep its answer', async () => {
  let sent = 0;
  const app = await httpServer((_, response) => {
    const chunk = Buffer.alloc(65_536);
    const push = (): void => {
      while (response.write(chunk)) sent += chunk.length;
      sent += chunk.length;
      response.once('drain', push);
    };
    push();
  });
  const proxy = await proxied(app);
  const before = process.memoryUsage();
  const deaf = connect(proxy.outbound, '127.0.0.1');
  cleanups.push(() => void deaf.destroy());
  deaf.on('error', () => undefined).pause();
  deaf.write(get);
  let last = -1;
  // Until no more bytes move.
  await until(async () => {
    await new Promise((resolve) => setTimeout(resolve, 150));
    const settled = sent === last;
    last = sent;
    return settled && sent > 0;
  });
  // The kernel's buffers on both hops, and little more.
  expect(sent).toBeLessThan(40e6);
  expect(process.memoryUsage().external - before.external).toBeLessThan(8e6);
});

test('an app that does not read does not make the proxy keep the request', async () => {
  const app = await rawServer((socket) => void socket.pause());
  const proxy = await proxied(app);
  const client = connect(proxy.outbound, '127.0.0.1');
  cleanups.push(() => void client.destroy());
  client.on('error', () => undefined);
  client.write('POST / HTTP/1.1\r\nHost: cart\r\nContent-Length: 1000000000\r\n\r\n');
  const before = process.memoryUsage().external;
  const chunk = Buffer.alloc(65_536);
  let accepted = 0;
  const push = (): void => {
    while (client.write(chunk)) accepted += chunk.length;
    client.once('drain', push);
  };
  push();
  let last = -1;
  await until(async () => {
    await new Promise((resolve) => setTimeout(resolve, 150));
    const settled = accepted === last;
    last = accepted;
    return settled && accepted > 0;
  });
  expect(accepted).toBeLessThan(40e6);
  expect(process.memoryUsage().external - before).toBeLessThan(8e6);
});

test('requests that come too early wait in the kernel, not in the proxy', async () => {
  const app = await rawServer(() => undefined);
  const proxy = await proxied(app);
  const client = connect(proxy.outbound, '127.0.0.1');
  cleanups.push(() => void client.destroy());
  client.on('error', () => undefined);
  let accepted = 0;
  const many = get.repeat(1000);
  const push = (): void => {
    while (accepted < 100e6 && client.write(many)) accepted += many.length;
    client.once('drain', push);
  };
  push();
  let last = -1;
  await until(async () => {
    await new Promise((resolve) => setTimeout(resolve, 150));
    const settled = accepted === last;
    last = accepted;
    return settled && accepted > 0;
  });
  expect(accepted).toBeLessThan(40e6);
});

test('a client that sends ahead and does not read is slowed down, and then gets every answer', async () => {
  const body = 'x'.repeat(50_000);
  const answer = `HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
  let asked = 0;
  const app = await rawServer(
    answering(() => {
      asked++;
      return answer;
    }),
  );
  const proxy = await proxied(app);
  const client = connect({ port: proxy.outbound, host: '127.0.0.1', allowHalfOpen: true });
  cleanups.push(() => void client.destroy());
  client.on('error', () => undefined).pause();
  const many = 1500;
  client.write(get.repeat(many));
  let last = -1;
  await until(async () => {
    await new Promise((resolve) => setTimeout(resolve, 150));
    const settled = asked === last && asked > 0;
    last = asked;
    return settled;
  });
  // The kernel's buffers, and little more.
  expect(asked).toBeLessThan(500);
  expect(proxy.proxy.busy).toBe(1);
  proxy.proxy.closeIdle();
  let got = 0;
  client.on('data', (chunk) => (got += chunk.length)).resume();
  await until(() => got === many * answer.length);
  await until(() => proxy.proxy.busy === 0);
});

test('a drain waits for the last bytes of connections that are closing', () => {
  const leaving = new Leaving();
  const [slow, done, gone] = [new FakeWire(), new FakeWire(), new FakeWire()];
  slow.pendingBytes = 5;
  gone.pendingBytes = 5;
  gone.closed = true;
  let ends = 0;
  slow.onGone = () => void ends++;
  for (const wire of [slow, done, gone]) leaving.add(wire);
  expect(leaving.size).toBe(1);
  slow.pendingBytes = 0;
  expect(leaving.size).toBe(0);
  slow.pendingBytes = 5;
  slow.onGone(true);
  expect([leaving.size, ends]).toEqual([0, 1]);
});

test('more connections than allowed are turned away, and come in again once others have gone', async () => {
  const proxy = await proxied(await rawServer(answering(ok)), { limits: { maxConnections: 5 } });
  const held = Array.from({ length: 5 }, () =>
    connect(proxy.outbound, '127.0.0.1').on('error', () => undefined),
  );
  cleanups.push(() => held.forEach((socket) => socket.destroy()));
  await until(async () =>
    /<end>|<reset>/.test(await say(proxy.outbound, get, { until: /ok$/, limitMs: 500 })),
  );
  held.splice(0, 2).forEach((socket) => socket.destroy());
  await until(async () => (await say(proxy.outbound, get, { until: /ok$/ })) === ok);
});

test('connections to an endpoint are bounded, and the requests beyond wait for their turn', async () => {
  let open = 0;
  let most = 0;
  const app = await rawServer((socket) => {
    most = Math.max(most, ++open);
    socket.on('close', () => open--);
    socket.on('end', () => socket.end());
    socket.on('data', () => setTimeout(() => socket.write(ok), 10));
  });
  const proxy = await proxied(app, {
    state: state({
      destinations: [
        destination('cart', [`127.0.0.1:${app.port}`], {
          backend: { limits: { maxConnections: 3, maxPending: 100, maxRequests: 1000 } },
        }),
      ],
    }),
  });
  const answers = await Promise.all(
    Array.from({ length: 30 }, () => say(proxy.outbound, get, { until: /ok$/ })),
  );
  expect(answers.every((text) => text === ok)).toBe(true);
  expect(most).toBe(3);
});
