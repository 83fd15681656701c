/** Clients that leave, protocol upgrades, silent connections: their effects on the other side. */
import { createServer as createHttpServer, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { readFileSync } from 'node:fs';
import { once } from 'node:events';
import { afterEach, expect, test } from 'vitest';
import { SimulatedClock } from '../../../base/clock.js';
import { ask } from './front-rig.js';
import {
  answering,
  destination,
  pki,
  rawServer,
  route,
  say,
  server,
  startProxy,
  state,
  until,
} from './rig.js';

const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close();
});

/** An app that never answers, and counts clients that came and left. */
async function hanging(): Promise<{ port: number; came: number; went: number }> {
  const app = { port: 0, came: 0, went: 0 };
  const sockets = new Set<Socket>();
  const http = createHttpServer((request: IncomingMessage) => {
    app.came++;
    request.socket.on('close', () => app.went++);
  });
  http.on('connection', (socket) => sockets.add(socket));
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  open.push(() => {
    http.close();
    for (const socket of sockets) socket.destroy();
  });
  app.port = (http.address() as AddressInfo).port;
  return app;
}

/** A client's proxy, and the server's behind it, with mutual TLS between them. */
async function twoHops(port: number): Promise<{ outbound: number; busy(): number }> {
  const keys = await pki();
  open.push(() => keys.remove());
  const app = await startProxy({
    sides: ['inbound'],
    identity: await keys.issue('cart'),
    state: state({ servers: [server(1, `127.0.0.1:${port}`)] }),
  });
  const endpoint = { address: `127.0.0.1:${app.inbound}`, identity: keys.identityOf('cart') };
  const retry = {
    limit: 2,
    statuses: [[500, 599]] as [number, number][],
    onConnectFailure: true,
    unsafeMethods: false,
    backoff: { baseMs: 1, maxMs: 1, jitter: 0 },
    maxBufferedBytes: 1000,
  };
  const client = await startProxy({
    identity: await keys.issue('web'),
    state: state({
      destinations: [destination('cart', [endpoint], { routes: [route({ retry })] })],
    }),
  });
  open.push(
    () => app.stop(),
    () => client.stop(),
  );
  return { outbound: client.outbound, busy: () => app.proxy.busy + client.proxy.busy };
}

test.each(['FIN', 'RST'])(
  'a client that gives up by %s cancels its request through both proxies',
  async (how) => {
    const app = await hanging();
    const { outbound, busy } = await twoHops(app.port);
    const socket = connect({ port: outbound, host: '127.0.0.1' });
    socket.on('error', () => undefined);
    socket.write('GET /hang HTTP/1.1\r\nHost: cart\r\n\r\n');
    await until(() => app.came === 1);
    await new Promise((resolve) => setTimeout(resolve, 40));
    const startMs = performance.now();
    if (how === 'FIN') socket.end();
    else socket.resetAndDestroy();
    await until(() => app.went === 1);
    expect(performance.now() - startMs).toBeLessThan(1000);
    await until(() => busy() === 0);
    expect(app.came).toBe(1);
  },
);

test('a client that resets right behind its request is not waited for', async () => {
  const app = await hanging();
  const proxy = await startProxy({
    // Time stands still: only the reset can end the request.
    clock: new SimulatedClock(1000),
    state: state({ destinations: [destination('cart', [`127.0.0.1:${app.port}`])] }),
  });
  open.push(() => proxy.stop());
  const { outbound: flow } = proxy.proxy.gateway;
  for (let i = 1; i <= 10; i++) {
    const socket = connect({ port: proxy.outbound, host: '127.0.0.1' });
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    socket.write('GET /hang HTTP/1.1\r\nHost: cart\r\n\r\n');
    socket.resetAndDestroy();
    await until(() => flow.begun === i);
  }
  await until(() => proxy.proxy.busy === 0);
});

test('an answer without a length that a reset cuts short does not pass for whole', async () => {
  const app = await rawServer((socket) => {
    socket.once('data', () => {
      socket.write('HTTP/1.0 200 OK\r\n\r\nhalf of i');
      socket.resetAndDestroy();
    });
  });
  open.push(() => app.close());
  const proxy = await startProxy({
    state: state({
      destinations: [destination('cart', [`127.0.0.1:${app.port}`], { protocol: 'http1' })],
    }),
  });
  open.push(() => proxy.stop());
  // In HTTP/2 the end of the stream says which it was.
  for (let i = 0; i < 10; i++) expect((await ask('http2', proxy.outbound, {})).status).toBe(0);
});

test('an answer before the whole request says that the connection ends with it', async () => {
  const app = await rawServer(answering('HTTP/1.1 417 No\r\nContent-Length: 2\r\n\r\nno'));
  open.push(() => app.close());
  const proxy = await startProxy({
    state: state({ destinations: [destination('cart', [`127.0.0.1:${app.port}`])] }),
  });
  open.push(() => proxy.stop());
  const head = 'POST / HTTP/1.1\r\nHost: cart\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n';
  expect(await say(proxy.outbound, head)).toMatch(/^HTTP\/1.1 417 .*connection: close.*no<end>$/s);
});

test('a client that has said all and half-closes at once still gets its answer', async () => {
  const app = await rawServer((socket) => {
    socket.once('data', () =>
      setTimeout(() => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'), 60),
    );
  });
  open.push(() => app.close());
  const proxy = await startProxy({
    state: state({ destinations: [destination('cart', [`127.0.0.1:${app.port}`])] }),
  });
  open.push(() => proxy.stop());
  const text = await say(proxy.outbound, 'GET / HTTP/1.1\r\nHost: cart\r\n\r\n', { half: true });
  expect(text).toMatch(/ok<end>$/);
});

const head = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n';

/** An app that answers with a head and one event, and a proxy with a clock of its own before it. */
async function events() {
  const app = { port: 0, sockets: [] as Socket[], ended: 0 };
  const server = await rawServer((socket) => {
    app.sockets.push(socket);
    socket.once('data', () => socket.write(`${head}: open\n\n`));
    socket.on('close', () => app.ended++);
  });
  const clock = new SimulatedClock(Date.now());
  const proxy = await startProxy({
    clock,
    state: state({ destinations: [destination('cart', [`127.0.0.1:${server.port}`])] }),
  });
  open.push(
    () => server.close(),
    () => proxy.stop(),
  );
  const client = connect({ port: proxy.outbound, host: '127.0.0.1', allowHalfOpen: true });
  let got = '';
  client.on('error', () => undefined).on('data', (chunk: Buffer) => (got += chunk.toString()));
  open.push(() => client.destroy());
  /** The proxy has read the client's end: it has answered another client since then. */
  const gone = async (leave: () => unknown): Promise<void> => {
    const closed = new Promise((resolve) => client.once('close', resolve));
    leave();
    await closed;
    await say(proxy.outbound, 'GET / HTTP/1.1\r\nHost: cart\r\n\r\n', { until: /open/ });
  };
  return { app, clock, proxy, client, got: () => got, gone };
}

test('a client that leaves an event stream at once is noticed though no event comes', async () => {
  const { app, clock, proxy, client, got, gone } = await events();
  client.write('GET / HTTP/1.1\r\nHost: cart\r\n\r\n');
  await until(() => got().includes(': open'));
  // To the proxy's clock the request has just come: the end could be that of a client that half-closes.
  await gone(() => client.destroy());
  await until(() => {
    clock.advance(500);
    return app.ended === 2;
  });
  await until(() => proxy.proxy.busy === 0);
});

test('a client that has half-closed gets its answer for as long as bytes come', async () => {
  const { app, clock, client, got } = await events();
  client.end('GET / HTTP/1.1\r\nHost: cart\r\n\r\n');
  await until(() => got().includes(': open'));
  for (let i = 1; i <= 10; i++) {
    app.sockets[0]?.write(`${i};`);
    await until(() => got().includes(`${i};`));
    for (let k = 0; k < 6; k++) {
      clock.advance(500);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  expect(app.ended).toBe(0);
  app.sockets[0]?.end();
  await until(() => client.readableEnded);
  expect(got()).toContain('10;');
});

test('a client that leaves behind more requests than are read is given up after a while', async () => {
  const { app, clock, proxy, client, got, gone } = await events();
  client.write('GET / HTTP/1.1\r\nHost: cart\r\n\r\n'.repeat(4000));
  await until(() => got().includes(': open'));
  await gone(() => client.destroy());
  await until(() => {
    clock.advance(10_000);
    return app.ended === 2;
  });
  await until(() => proxy.proxy.busy === 0);
});

test.each([
  ['websocket', undefined, 'websocket'],
  ['WebSocket', undefined, 'WebSocket'],
  ['h2c', ['h2c', 'websocket'], undefined],
  ['h2c, websocket', undefined, 'websocket'],
  ['HTTP/2.0', undefined, undefined],
  ['tls/1.0', undefined, undefined],
  ['spdy/3.1', undefined, undefined],
  ['SPDY/3.1', ['spdy'], 'SPDY/3.1'],
  ['websocket', [], undefined],
])('Upgrade: %s where %j is configured passes as %s', async (asked, upgrades, passed) => {
  let heard = '';
  const app = await rawServer(
    answering((head) => {
      heard = head;
      return 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n';
    }),
  );
  open.push(() => app.close());
  const routes = [route(upgrades && { upgrades })];
  const proxy = await startProxy({
    state: state({ destinations: [destination('cart', [`127.0.0.1:${app.port}`], { routes })] }),
  });
  open.push(() => proxy.stop());
  await say(
    proxy.outbound,
    `GET / HTTP/1.1\r\nHost: cart\r\nConnection: upgrade\r\nUpgrade: ${asked}\r\n\r\n`,
    { until: /\r\n\r\n/ },
  );
  expect(/^upgrade: (.*)\r$/im.exec(heard)?.[1]).toBe(passed);
});

/** Sends bytes as a peer with a certificate, under a chosen ALPN name. */
async function asPeer(
  port: number,
  identity: { certificateFile?: string; keyFile?: string },
  alpn: string,
  text: string,
): Promise<string> {
  return new Promise((resolve) => {
    const socket = connectTls({
      port,
      host: '127.0.0.1',
      cert: readFileSync(identity.certificateFile ?? ''),
      key: readFileSync(identity.keyFile ?? ''),
      ALPNProtocols: [alpn],
      rejectUnauthorized: false,
    });
    let got = '';
    const done = (): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(got);
    };
    const timer = setTimeout(done, 4000);
    socket.on('error', done).on('end', done).on('close', done);
    socket.on('data', (chunk) => {
      got += chunk.toString('latin1');
      if (got.includes('ok')) done();
    });
    if (text !== '') socket.write(text, 'latin1');
  });
}

test.each(['http1', 'detect'] as const)(
  'a peer that says opaque is no way round policy: %s',
  async (protocol) => {
    const keys = await pki();
    open.push(() => keys.remove());
    let heard = '';
    const app = await rawServer(
      answering((head) => {
        heard += head;
        return 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
      }),
    );
    open.push(() => app.close());
    const proxy = await startProxy({
      sides: ['inbound'],
      identity: await keys.issue('cart'),
      state: state({ servers: [server(1, `127.0.0.1:${app.port}`, { protocol })] }),
    });
    open.push(() => proxy.stop());
    const evil = await keys.issue('evil');
    for (const line of ['GET / HTTP/1.1', 'get / HTTP/1.1', 'GET\t/ HTTP/1.1', 'M1 / HTTP/1.1']) {
      const text = `${line}\r\nHost: cart\r\nl5d-client-id: admin\r\n\r\n`;
      await asPeer(proxy.inbound, evil, 'firedrill-tcp', text);
    }
    expect(heard).not.toContain('admin');
    if (protocol === 'detect') expect(heard).toContain(`l5d-client-id: ${keys.identityOf('evil')}`);
  },
);

test('a server that speaks first is heard: where it is declared opaque, and where a peer says so', async () => {
  const keys = await pki();
  open.push(() => keys.remove());
  const app = await rawServer((socket) => socket.write('220 ok\r\n'));
  open.push(() => app.close());
  const web = await keys.issue('web');
  for (const protocol of ['opaque', 'detect'] as const) {
    const servers = [server(1, `127.0.0.1:${app.port}`, { protocol })];
    const withTls = await startProxy({
      sides: ['inbound'],
      identity: await keys.issue('cart'),
      state: state({ servers }),
    });
    open.push(() => withTls.stop());
    expect(await asPeer(withTls.inbound, web, 'firedrill-tcp', '')).toBe('220 ok\r\n');
    if (protocol === 'detect') continue;
    expect(await say(withTls.inbound, '', { until: /ok/ })).toBe('220 ok\r\n');
    const plain = await startProxy({ sides: ['inbound'], state: state({ servers }) });
    open.push(() => plain.stop());
    expect(await say(plain.inbound, '', { until: /ok/ })).toBe('220 ok\r\n');
  }
});

test('a port with detection carries other bytes, and a server that speaks first', async () => {
  const app = await rawServer((socket) => {
    socket.write('220 ok\r\n');
    socket.on('data', (bytes) => socket.write(bytes));
  });
  open.push(() => app.close());
  for (const [protocol, silent, spoken] of [
    ['detect', '220 ok\r\n', '220 ok\r\n\x00\x01ping'],
    ['http1', '<end>', 'HTTP/1.1 400'],
  ] as const) {
    const clock = new SimulatedClock(1000);
    const servers = [server(1, `127.0.0.1:${app.port}`, { protocol })];
    const proxy = await startProxy({ sides: ['inbound'], clock, state: state({ servers }) });
    open.push(() => proxy.stop());
    const heard = await say(proxy.inbound, '\x00\x01ping', { until: spoken.length });
    expect(heard.startsWith(spoken)).toBe(true);
    const waiting = say(proxy.inbound, '', { until: /ok\r\n/ });
    const turns = setInterval(() => clock.advance(1000), 5);
    open.push(() => clearInterval(turns));
    expect(await waiting).toBe(silent);
  }
});

test('plaintext to a server that asks for an identity is told so', async () => {
  const proxy = await startProxy({
    sides: ['inbound'],
    state: state({ servers: [server(1, '127.0.0.1:9', { defaultPolicy: 'all-authenticated' })] }),
  });
  open.push(() => proxy.stop());
  const text = await say(proxy.inbound, 'GET / HTTP/1.1\r\nHost: cart\r\n\r\n', {
    until: /\r\n\r\n/,
  });
  expect(text).toMatch(/^HTTP\/1.1 403 /);
});
