/** D1: requests to a configured proxy: CONNECT, a host with a port, no host; and heads that are too long. */
import { afterEach, expect, test } from 'vitest';
import type { Destination } from '../../../mesh/model.js';
import {
  answering,
  destination,
  rawServer,
  type Running,
  say,
  startProxy,
  state,
  type TestProxy,
  until,
} from './rig.js';

const open: { close?(): Promise<void>; stop?(): Promise<void> }[] = [];
afterEach(async () => {
  for (const thing of open.splice(0)) {
    await thing.close?.();
    await thing.stop?.();
  }
});

const keep = <T extends (typeof open)[number]>(thing: T): T => (open.push(thing), thing);

const hello = (text: string): Promise<Running> =>
  rawServer(answering(`HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`));

async function before(...destinations: Destination[]): Promise<TestProxy> {
  return keep(await startProxy({ state: state({ destinations }) }));
}

test('CONNECT carries bytes to a destination, those that came with it first', async () => {
  const echo = keep(await rawServer((socket) => socket.pipe(socket)));
  const proxy = await before(destination('cart', [`127.0.0.1:${echo.port}`]));
  const opened = 'HTTP/1.1 200 OK\r\n\r\n';
  const head = 'CONNECT cart:443 HTTP/1.1\r\nHost: cart:443\r\n\r\n';
  expect(await say(proxy.outbound, `${head}early`, { until: /early$/ })).toBe(`${opened}early`);
  // Sent in pieces; each follows when the one before was answered or is in flight.
  expect(
    await say(proxy.outbound, [head.slice(0, 9), head.slice(9), 'late'], { until: /late/ }),
  ).toBe(`${opened}late`);
  await until(() => proxy.proxy.busy === 0);
});

test.each([
  ['a name that nobody knows', 'CONNECT else.where:443 HTTP/1.1\r\n', /^HTTP\/1\.1 502 /],
  ['an endpoint that refuses', 'CONNECT gone:443 HTTP/1.1\r\n', /^HTTP\/1\.1 502 /],
  ['a body', 'CONNECT cart:443 HTTP/1.1\r\nContent-Length: 3\r\n', /^HTTP\/1\.1 400 /],
  [
    'a body at once',
    'CONNECT cart:443 HTTP/1.1\r\nContent-Length: 3\r\n',
    /^HTTP\/1\.1 400 /,
    'abc',
  ],
  [
    'chunks',
    'CONNECT cart:443 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n',
    /\.1 400 /,
    '0\r\n\r\n',
  ],
  ['no port', 'CONNECT cart HTTP/1.1\r\n', /^HTTP\/1\.1 400 /],
])('CONNECT with %s is told so', async (_what, head, answer, body = '') => {
  const app = keep(await hello('one'));
  const gone = await hello('');
  await gone.close();
  const proxy = await before(
    destination('cart', [`127.0.0.1:${app.port}`]),
    destination('gone', [`127.0.0.1:${gone.port}`]),
  );
  expect(await say(proxy.outbound, `${head}Host: x\r\n\r\n${body}`)).toMatch(answer);
  await until(() => proxy.proxy.busy === 0);
});

test('the inbound side serves no CONNECT', async () => {
  const app = keep(await hello('one'));
  const proxy = keep(
    await startProxy({
      sides: ['inbound'],
      state: state({
        servers: [
          {
            name: 'http',
            port: 1,
            target: `127.0.0.1:${app.port}`,
            protocol: 'http1',
            defaultPolicy: 'all-unauthenticated',
            authorizations: [],
            routes: [],
          },
        ],
      }),
    }),
  );
  const answer = await say(proxy.inbound, 'CONNECT cart:443 HTTP/1.1\r\nHost: cart\r\n\r\n');
  expect(answer).toMatch(/^HTTP\/1\.1 501 /);
});

test('Host: name:port is that port of the service, wherever one is known', async () => {
  const [first, second, named] = [
    keep(await hello('1')),
    keep(await hello('2')),
    keep(await hello('3')),
  ];
  const at = (port: number) => [`127.0.0.1:${port}`];
  const proxy = await before(
    destination('cart', at(first.port), { addresses: ['10.96.0.7:80'] }),
    destination('cart', at(second.port), {
      name: 'cart.retail:9090',
      hosts: [],
      addresses: ['10.96.0.7:9090'],
    }),
    destination('other', at(named.port), { hosts: ['cart:7070'] }),
  );
  const ask = (host: string) =>
    say(proxy.outbound, `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`, { until: /\d$/ });
  expect(await ask('cart')).toMatch(/1$/);
  expect(await ask('cart:80')).toMatch(/1$/);
  expect(await ask('CART:9090')).toMatch(/2$/);
  expect(await ask('cart:7070')).toMatch(/3$/);
  // An undeclared port: explicit mode goes by the name.
  expect(await ask('cart:1')).toMatch(/1$/);
});

test('HTTP/1.0 without Host goes to the only destination; of several none is meant', async () => {
  const app = keep(await hello('one'));
  const cart = destination('cart', [`127.0.0.1:${app.port}`]);
  const bare = 'GET / HTTP/1.0\r\n\r\n';
  expect(await say((await before(cart)).outbound, bare, { until: /one$/ })).toMatch(/ 200 /);
  const several = await before(cart, destination('other', [`127.0.0.1:${app.port}`]));
  expect(await say(several.outbound, bare)).toMatch(/^HTTP\/1\.1 400 [^]*no Host/);
  const absolute = 'GET http://cart/ HTTP/1.0\r\n\r\n';
  expect(await say(several.outbound, absolute, { until: /one$/ })).toMatch(/ 200 /);
});

test.each([
  [65_536, 60_000, ' 200 '],
  [65_536, 70_000, ' 502 '],
  [100_000, 70_000, ' 200 '],
])(
  'one limit of heads, %i: an answer with %i bytes of it gets%s',
  async (maxHeadBytes, size, status) => {
    const big = `HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX-Big: ${'b'.repeat(size)}\r\n\r\nyes`;
    const app = keep(await rawServer(answering(big)));
    const proxy = keep(
      await startProxy({
        limits: { maxHeadBytes },
        state: state({ destinations: [destination('cart', [`127.0.0.1:${app.port}`])] }),
      }),
    );
    const ask = (more = '') =>
      say(proxy.outbound, `GET / HTTP/1.1\r\nHost: cart\r\n${more}\r\n`, { until: /yes$|\n$/ });
    expect(await ask()).toContain(status);
    if (status === ' 502 ') {
      expect(await ask(`X-Big: ${'b'.repeat(size)}\r\n`)).toMatch(/^HTTP\/1\.1 431 /);
    }
  },
);

test('CONNECT to a proxy of the app’s own passes on as it came, for that one to answer', async () => {
  const heads: string[] = [];
  const squid = keep(
    await rawServer(
      answering((head) => {
        heads.push(head);
        return 'HTTP/1.1 200 Connection established\r\n\r\n';
      }),
    ),
  );
  const free = await hello('');
  await free.close();
  const call = { host: '127.0.0.1', port: free.port };
  const egress = destination('egress', [`127.0.0.1:${squid.port}`], {
    addresses: [`127.0.0.1:${free.port}`],
  });
  const proxy = keep(await startProxy({ calls: [call], state: state({ destinations: [egress] }) }));
  const head =
    'CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\nProxy-Authorization: b\r\n\r\n';
  expect(await say(free.port, head, { until: /established\r\n\r\n$/ })).toMatch(/ 200 /);
  expect(heads).toEqual([head]);
  await until(() => proxy.proxy.busy === 0);
});
