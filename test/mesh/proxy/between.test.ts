/**
 * HTTP/1.1 between two proxies, over a few HTTP/2 connections or each on its own: neither the app nor its client can
 * tell the difference, and policy holds on both.
 */
import { readFileSync } from 'node:fs';
import { connect, type AddressInfo } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type InboundServer, type ProxyConfig, type Route } from '../../../mesh/model.js';
import { deadPort } from './dead-port.js';
import { cases, type Case } from './front.cases.js';
import { type App, ask, startApp } from './front-rig.js';
import {
  answering,
  destination,
  type Pki,
  pki,
  rawServer,
  route,
  say,
  server,
  startProxy,
  state,
  type TestProxy,
  until,
} from './rig.js';

let keys: Pki;
let web: NonNullable<ProxyConfig['identity']>;
let cart: NonNullable<ProxyConfig['identity']>;
beforeAll(async () => {
  keys = await pki();
  web = await keys.issue('web');
  cart = await keys.issue('cart');
});
afterAll(() => keys.remove());

const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close();
});

interface Pair {
  inside: TestProxy;
  outside: TestProxy;
  /** TLS connections that the inner proxy has accepted. */
  handshakes(): Promise<number>;
}

async function handshakesOf(proxy: TestProxy): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${proxy.admin}/metrics`)).text();
  return Number(
    /^tcp_open_total\{direction="inbound",peer="src",tls="true"\} (\d+)/m.exec(text)?.[1] ?? 0,
  );
}

async function pair(
  port: number,
  more: {
    transport?: 'http2' | 'http1';
    server?: Partial<InboundServer>;
    routes?: Route[];
    also?: { address: string }[];
    limits?: ProxyConfig['limits'];
    backend?: object;
  } = {},
): Promise<Pair> {
  const inside = await startProxy({
    sides: ['inbound'],
    identity: cart,
    state: state({ servers: [server(1, `127.0.0.1:${port}`, more.server)] }),
  });
  open.push(() => inside.stop());
  const endpoint = { address: `127.0.0.1:${inside.inbound}`, identity: keys.identityOf('cart') };
  const outside = await startProxy({
    identity: web,
    ...(more.transport && { http1BetweenProxies: more.transport }),
    state: state({
      destinations: [
        destination('cart', [...(more.also ?? []), endpoint], {
          routes: more.routes ?? [],
          ...(more.backend && { backend: more.backend }),
        }),
      ],
    }),
  });
  open.push(() => outside.stop());
  return { inside, outside, handshakes: () => handshakesOf(inside) };
}

const get = 'GET / HTTP/1.1\r\nHost: cart\r\nConnection: close\r\n\r\n';

async function run(c: Case, transport: 'http2' | 'http1'): Promise<void> {
  const app: App = await startApp('http1', c.app ?? (() => ({ body: 'ok' })));
  open.push(() => app.close());
  const also = c.also === 'refused' ? [{ address: `127.0.0.1:${await deadPort()}` }] : [];
  const { inside, outside } = await pair(
    app.port,
    c.side === 'outbound'
      ? { transport, routes: c.routes ?? [route()], also }
      : { transport, server: c.server ?? {} },
  );
  const { gateway } = (c.side === 'outbound' ? outside : inside).proxy;
  for (const fault of c.faults ?? []) gateway.faults.put({ id: 'f', ttlMs: 60_000, ...fault });
  for (let i = 1; i < (c.times ?? 1); i++) await ask('http1', outside.outbound, c.sent ?? {});
  const got = await ask('http1', outside.outbound, c.sent ?? {});
  expect(got.status).toBe(Math.abs(c.status));
  const seen = app.seen[app.seen.length - 1];
  // A deadline may pass in the first handshake.
  if (c.status === 504) expect(app.seen.length).toBeLessThanOrEqual(c.calls ?? 1);
  else if (c.calls !== undefined) expect(app.seen.length).toBe(c.calls);
  const { authority, ...rest } = c.sees ?? {};
  if (c.sees) expect(seen).toMatchObject(rest);
  if (authority instanceof RegExp) expect(seen?.authority).toMatch(authority);
  else if (authority !== undefined) expect(seen?.authority).toBe(authority);
  for (const [name, value] of Object.entries(c.seesHeaders ?? {})) {
    // The proxy sets its peer's name itself, and ignores every other claim.
    const own = name === 'l5d-client-id' ? keys.identityOf('web') : undefined;
    // Each of the two counts a hop.
    const isCounted = name === 'max-forwards' && c.sent?.method !== 'GET';
    const expected = isCounted ? String(Number(value) - 1) : (value ?? own);
    expect([name, seen?.headers[name]]).toEqual([name, expected]);
  }
  for (const [name, value] of Object.entries(c.seesTrailers ?? {}))
    expect([name, seen?.trailers[name]]).toEqual([name, value]);
  for (const [name, value] of Object.entries(c.gets ?? {})) {
    if (value instanceof RegExp) expect(got.headers[name]).toMatch(value);
    else expect(got.headers[name]).toBe(value);
  }
  for (const [name, value] of Object.entries(c.getsTrailers ?? {}))
    expect(got.trailers[name]).toBe(value);
  if (typeof c.getsBody === 'string') expect(got.body).toBe(c.getsBody);
  await until(() => inside.proxy.busy + outside.proxy.busy === 0);
}

const ofOneProxy = (c: Case): string | undefined => {
  if (c.also === 'shadow') return 'a mirror is a request of its own';
  if (c.side === 'inbound' && c.name === 'no authorization') return 'here the peer has an identity';
  return c.skip?.http1;
};

describe.each(['http2', 'http1'] as const)('on %s', (transport) => {
  for (const c of cases) {
    const why = ofOneProxy(c);
    if (why !== undefined) test.skip(`${c.side}: ${c.name} (${why})`, () => undefined);
    else test(`${c.side}: ${c.name}`, { timeout: 20_000 }, () => run(c, transport));
  }
});

// Parts of HTTP/1.1 that HTTP/2 lacks or expresses differently.

/** An app of raw bytes: records requests, and sends given answers. */
async function rawApp(answer: string): Promise<{ port: number; heads: string[] }> {
  const heads: string[] = [];
  const app = await rawServer(
    answering((head) => {
      heads.push(head);
      return answer;
    }),
  );
  open.push(() => app.close());
  return { port: app.port, heads };
}

const answers: [string, string, RegExp][] = [
  [
    'a reason of its own',
    'HTTP/1.1 200 Very Well\r\nContent-Length: 0\r\n\r\n',
    /^HTTP\/1.1 200 Very Well\r\n/,
  ],
  ['no reason', 'HTTP/1.1 404 \r\nContent-Length: 0\r\n\r\n', /^HTTP\/1.1 404 \r\n/],
  [
    'a forged reason',
    'HTTP/1.1 200 OK\r\nX-Firedrill-Reason: Forged\r\nContent-Length: 0\r\n\r\n',
    /^HTTP\/1.1 200 (?:OK|Forged)\r\n/,
  ],
  [
    'a 426 with the protocol wanted',
    'HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nConnection: upgrade\r\nContent-Length: 0\r\n\r\n',
    /^HTTP\/1.1 426 Upgrade Required\r\n[^]*upgrade: websocket/i,
  ],
  [
    'a body until the connection ends',
    'HTTP/1.0 200 OK\r\n\r\nuntil the end',
    /^HTTP\/1.1 200 OK\r\n[^]*until the end/,
  ],
  [
    'early hints',
    'HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
    /^HTTP\/1.1 103 Early Hints\r\nlink: <\/a.css>\r\n\r\nHTTP\/1.1 200 OK\r\n[^]*ok/i,
  ],
  [
    'two cookies set, in their order',
    'HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 0\r\n\r\n',
    /set-cookie: a=1\r\nset-cookie: b=2\r\n/i,
  ],
  [
    'bytes beyond ASCII in a value',
    'HTTP/1.1 200 OK\r\nX-Name: caf\xe9\r\nContent-Length: 0\r\n\r\n',
    /x-name: caf\xe9\r\n/i,
  ],
  [
    'a large head',
    `HTTP/1.1 200 OK\r\n${'X-Some-Name: some value of thirty bytes\r\n'.repeat(250)}Content-Length: 2\r\n\r\nok`,
    /^HTTP\/1.1 200 OK\r\n[^]*ok/,
  ],
];
describe.each(['http2', 'http1'] as const)('an answer on %s', (transport) => {
  test.each(answers)('%s', async (_name, answer, expected) => {
    const app = await rawServer((socket) => {
      socket.once('data', () => {
        socket.write(answer, 'latin1');
        if (answer.startsWith('HTTP/1.0')) socket.end();
      });
    });
    open.push(() => app.close());
    const { outside } = await pair(app.port, { transport });
    expect(await say(outside.outbound, get)).toMatch(expected);
  });
});

const lines = (text: string): string[] => text.split('\r\n').map((line) => line.toLowerCase());

test.each(['http2', 'http1'] as const)(
  'on %s the app hears HTTP/1.1, and of the crossing nothing',
  async (transport) => {
    const { port, heads } = await rawApp('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
    const { outside } = await pair(port, { transport });
    const fields = [
      'Cookie: a=1',
      'TE: trailers',
      'X-Firedrill-Carried: 1',
      'X-Empty:',
      'Connection: TE',
    ];
    await say(
      outside.outbound,
      `GET /a?b HTTP/1.1\r\nHost: cart\r\n${fields.join('\r\n')}\r\n\r\n`,
      {
        until: /\r\n\r\n/,
      },
    );
    const [line, ...rest] = lines(heads[0] ?? '');
    expect(line).toBe('get /a?b http/1.1');
    const client = `l5d-client-id: ${keys.identityOf('web')}`;
    const expected = [
      'host: cart',
      'cookie: a=1',
      'te: trailers',
      'connection: te',
      'x-empty:',
      client,
    ];
    expect(
      rest
        .filter((text) => text !== '' && !/^(?:traceparent|x-request-id)/.test(text))
        .map((t) => t.trim())
        .sort(),
    ).toEqual(expected.sort());
  },
);

test('a client that expects 100-continue gets it from the app', async () => {
  const app = await rawServer((socket) => {
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      if (text.endsWith('\r\n\r\n')) socket.write('HTTP/1.1 100 Continue\r\n\r\n');
      if (text.endsWith('hello')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    });
  });
  open.push(() => app.close());
  const { outside } = await pair(app.port);
  const socket = connect({ port: outside.outbound, host: '127.0.0.1' });
  open.push(() => socket.destroy());
  let got = '';
  socket.on('data', (chunk) => {
    got += chunk.toString('latin1');
  });
  socket.write(
    'POST / HTTP/1.1\r\nHost: cart\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n',
  );
  await until(() => got.startsWith('HTTP/1.1 100 '));
  socket.write('hello');
  await until(() => got.endsWith('\r\n\r\nok'));
});

test('a client of HTTP/1.0 gets its answer without chunks', async () => {
  const { port } = await rawApp(
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n',
  );
  const { outside } = await pair(port);
  const text = await say(outside.outbound, 'GET / HTTP/1.0\r\nHost: cart\r\n\r\n');
  expect(text).toMatch(/\r\n\r\nok<end>$/);
  expect(text).not.toMatch(/transfer-encoding/i);
});

test('an upgrade stays on HTTP/1.1, beside requests that ride', async () => {
  const app = await rawServer((socket) => {
    socket.on('data', (chunk) => {
      const text = chunk.toString('latin1');
      if (/upgrade: websocket/i.test(text)) {
        socket.write(
          'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n',
        );
      } else if (text.startsWith('GET'))
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
      else socket.write(`echo ${text}`);
    });
  });
  open.push(() => app.close());
  const { outside, handshakes } = await pair(app.port);
  expect(await say(outside.outbound, get)).toMatch(/ok/);
  const socket = connect({ port: outside.outbound, host: '127.0.0.1' });
  open.push(() => socket.destroy());
  let got = '';
  socket.on('data', (chunk) => {
    got += chunk.toString('latin1');
  });
  socket.write(
    'GET /ws HTTP/1.1\r\nHost: cart\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n',
  );
  await until(() => got.startsWith('HTTP/1.1 101 '));
  socket.write('frames');
  await until(() => got.endsWith('echo frames'));
  expect(await handshakes()).toBe(2);
});

// The number of connections, and their ends.

test.each([
  [900, 'http2', 1, 3],
  [200, 'http1', 10, 200],
] as const)(
  '%i clients at once on %s need %i to %i handshakes, and none fails',
  async (clients, transport, least, most) => {
    const app = await rawServer((socket) => {
      socket.on('data', () =>
        setTimeout(() => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'), 200),
      );
    });
    open.push(() => app.close());
    const { outside, handshakes } = await pair(app.port, { transport });
    const all = await Promise.all(
      Array.from({ length: clients }, () => say(outside.outbound, get, { limitMs: 20_000 })),
    );
    expect(all.filter((text) => !text.startsWith('HTTP/1.1 200 OK'))).toEqual([]);
    const count = await handshakes();
    expect(count).toBeGreaterThanOrEqual(least);
    expect(count).toBeLessThanOrEqual(most);
  },
  40_000,
);

test("clients that give up one after the other end nobody else's request", async () => {
  let came = 0;
  const app = await rawServer((socket) => {
    socket.on('data', (chunk) => {
      came++;
      if (chunk.toString('latin1').startsWith('GET /long'))
        setTimeout(() => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlong'), 2500);
    });
  });
  open.push(() => app.close());
  const { outside, inside } = await pair(app.port);
  const long = say(outside.outbound, 'GET /long HTTP/1.1\r\nHost: cart\r\n\r\n', {
    until: /long$/,
  });
  await until(() => came === 1);
  for (let i = 0; i < 1200; i += 100) {
    const before = came;
    const sockets = Array.from({ length: 100 }, () => {
      const socket = connect({ port: outside.outbound, host: '127.0.0.1' });
      socket.on('error', () => undefined);
      socket.write('GET /gone HTTP/1.1\r\nHost: cart\r\n\r\n');
      return socket;
    });
    await until(() => came >= before + 90);
    for (const socket of sockets) socket.resetAndDestroy();
  }
  expect(await long).toMatch(/^HTTP\/1.1 200 OK[^]*long$/);
  await until(() => inside.proxy.busy === 0);
}, 40_000);

/** Not a firedrill proxy: it has the identity, and offers the given protocols. */
async function stranger(protocols: string[]): Promise<{ port: number; spoken: string[] }> {
  const spoken: string[] = [];
  const tls = createTlsServer(
    {
      cert: readFileSync(cart.certificateFile ?? ''),
      key: readFileSync(cart.keyFile ?? ''),
      ALPNProtocols: protocols,
    },
    (socket) => {
      spoken.push(socket.alpnProtocol || '');
      let bytes = 0;
      socket
        .on('error', () => undefined)
        .on('data', (chunk) => {
          bytes += chunk.length;
          if (chunk.toString('latin1').endsWith('end'))
            socket.write(
              `HTTP/1.1 200 OK\r\nContent-Length: ${String(bytes).length}\r\n\r\n${bytes}`,
            );
        });
    },
  );
  await new Promise<void>((resolve) => tls.listen(0, '127.0.0.1', resolve));
  open.push(() => tls.close());
  return { port: (tls.address() as AddressInfo).port, spoken };
}

test.each([[['h2', 'http/1.1']], [['http/1.1']]])(
  'a peer that speaks %j and does not carry gets HTTP/1.1, the first request too',
  async (protocols) => {
    const { port, spoken } = await stranger(protocols);
    const endpoint = { address: `127.0.0.1:${port}`, identity: keys.identityOf('cart') };
    const outside = await startProxy({
      identity: web,
      state: state({ destinations: [destination('cart', [endpoint])] }),
    });
    open.push(() => outside.stop());
    const body = `${'x'.repeat(200_000)}end`;
    const ask = (): Promise<string> =>
      say(
        outside.outbound,
        `POST / HTTP/1.1\r\nHost: cart\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
        {
          until: /\d{6}$/,
        },
      );
    expect(await ask()).toMatch(/^HTTP\/1.1 200 OK\r\n/);
    expect(await ask()).toMatch(/^HTTP\/1.1 200 OK\r\n/);
    expect(spoken.at(-1)).toBe('http/1.1');
    expect(spoken.length).toBeLessThanOrEqual(2);
  },
);

test('a limit on connections to an endpoint limits the requests in flight', async () => {
  const { port } = await rawApp('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
  const limits = { maxConnections: 3, maxPending: 100, maxRequests: 100 };
  const { outside, handshakes } = await pair(port, { backend: { limits } });
  await Promise.all(Array.from({ length: 10 }, () => say(outside.outbound, get)));
  expect(await handshakes()).toBeLessThanOrEqual(3);
});

test('a body of 2 MB passes both ways, and a slow reader stops its writer', async () => {
  const app = await startApp('http1', (seen) => ({ body: seen.body }));
  open.push(() => app.close());
  const { outside } = await pair(app.port);
  const body = 'abcdefgh'.repeat(256 * 1024);
  const got = await ask('http1', outside.outbound, { method: 'POST', body });
  expect(got.status).toBe(200);
  expect(got.body).toBe(body);
});

test('policy judges each request that rides, by the certificate of the connection', async () => {
  const { port, heads } = await rawApp('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
  const policy = {
    defaultPolicy: 'deny' as const,
    authorizations: [
      { name: 'other', identities: [keys.identityOf('other')], unauthenticated: false },
    ],
  };
  const { outside } = await pair(port, { server: policy });
  const forged = `GET / HTTP/1.1\r\nHost: cart\r\nL5d-Client-Id: ${keys.identityOf('other')}\r\n\r\n`;
  expect(await say(outside.outbound, forged, { until: /\r\n\r\n/ })).toMatch(/^HTTP\/1.1 403 /);
  expect(heads).toEqual([]);
});
