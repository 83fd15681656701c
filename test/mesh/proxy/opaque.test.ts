/** Opaque connections: how long a verdict lasts, half-closed ends, dead peers, and the memory for slow openings. */
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { afterEach, expect, test } from 'vitest';
import { SimulatedClock } from '../../../base/clock.js';
import type { InboundServer, ProxyConfig } from '../../../mesh/model.js';
import { holdings } from '../../../mesh/proxy/listen/holdings.js';
import {
  destination,
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

const open: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close();
});

async function echo(): ReturnType<typeof rawServer> {
  const app = await rawServer((socket) => socket.on('data', (bytes) => socket.write(bytes)));
  open.push(() => app.close());
  return app;
}

async function inbound(
  parts: Parameters<typeof startProxy>[0],
  ...servers: InboundServer[]
): Promise<TestProxy> {
  const proxy = await startProxy({ sides: ['inbound'], state: state({ servers }), ...parts });
  open.push(() => proxy.stop());
  return proxy;
}

/** The client's view of its connection: the bytes, and its end. */
function follow(socket: Socket): { got: string; end: string } {
  const seen = { got: '', end: '' };
  socket.on('data', (bytes: Buffer) => (seen.got += bytes.toString('latin1')));
  socket.on('end', () => (seen.end ||= 'end')).on('error', () => (seen.end ||= 'reset'));
  socket.on('close', () => (seen.end ||= 'close'));
  open.push(() => void socket.destroy());
  return seen;
}

function asPeer(port: number, identity: NonNullable<ProxyConfig['identity']>): Socket {
  return connectTls({
    host: '127.0.0.1',
    port,
    cert: readFileSync(identity.certificateFile ?? ''),
    key: readFileSync(identity.keyFile ?? ''),
    ALPNProtocols: ['firedrill-tcp'],
    rejectUnauthorized: false,
  });
}

async function metric(proxy: TestProxy, name: string): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${proxy.admin}/metrics`)).text();
  const lines = text.split('\n').filter((line) => line.startsWith(`${name}{`));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}

test('a policy that changes to deny ends the connections that it would refuse now, and counts them', async () => {
  const app = await echo();
  const opaque = (more: Partial<InboundServer>): InboundServer =>
    server(1, `127.0.0.1:${app.port}`, { protocol: 'opaque', ...more });
  const clock = new SimulatedClock(1000);
  const proxy = await inbound({ clock }, opaque({}));
  const client = connect(proxy.inbound, '127.0.0.1');
  const seen = follow(client);
  client.write('one');
  await until(() => seen.got === 'one');
  // Another change of policy, under which the client may stay.
  const local = { name: 'local', identities: [], unauthenticated: true, networks: ['127.0.0.0/8'] };
  const lax = opaque({ defaultPolicy: 'deny', authorizations: [local] });
  proxy.proxy.apply(state({ version: 2, servers: [lax] }), 'file');
  clock.advance(1000);
  client.write('two');
  await until(() => seen.got === 'onetwo');
  proxy.proxy.apply(state({ version: 3, servers: [opaque({ defaultPolicy: 'deny' })] }), 'file');
  clock.advance(1000);
  await until(() => seen.end !== '');
  expect(seen.end).toBe('reset');
  expect(await metric(proxy, 'inbound_tcp_authz_deny_total')).toBe(1);
  await until(() => app.sockets.size === 0);
  expect(proxy.proxy.busy).toBe(0);
});

test.each(['all-authenticated', 'all-unauthenticated'] as const)(
  "a client is one without an identity from its certificate's end on: %s",
  async (defaultPolicy) => {
    const [app, keys] = [await echo(), await pki()];
    open.push(() => keys.remove());
    const clock = new SimulatedClock(Date.now());
    const proxy = await inbound(
      { clock, identity: await keys.issue('cart') },
      server(1, `127.0.0.1:${app.port}`, { protocol: 'opaque', defaultPolicy }),
    );
    const client = asPeer(proxy.inbound, await keys.issue('web'));
    const seen = follow(client);
    client.write('one');
    await until(() => seen.got === 'one');
    clock.advance(3_500_000);
    client.write('two');
    await until(() => seen.got === 'onetwo');
    clock.advance(200_000);
    if (defaultPolicy === 'all-authenticated') {
      await until(() => seen.end !== '');
      expect(proxy.logs.join()).toContain('"clientId":null');
    } else {
      client.write('three');
      await until(() => seen.got === 'onetwothree');
    }
  },
);

test('a proxy that stops resets its connections: what came of the bytes is not all', async () => {
  const app = await echo();
  const proxy = await inbound({}, server(1, `127.0.0.1:${app.port}`, { protocol: 'opaque' }));
  const client = connect(proxy.inbound, '127.0.0.1');
  const seen = follow(client);
  client.write('half of it');
  await until(() => seen.got !== '');
  const ends: string[] = [];
  for (const socket of app.sockets) {
    socket.on('end', () => ends.push('end')).on('error', () => ends.push('reset'));
  }
  await proxy.stop();
  await until(() => seen.end !== '' && ends.length > 0);
  expect([seen.end, ...ends]).toEqual(['reset', 'reset']);
});

test('a peer that has vanished is found by keepalive, on both sides of the proxy', async () => {
  const app = await echo();
  const proxy = await inbound({}, server(1, `127.0.0.1:${app.port}`, { protocol: 'opaque' }));
  const client = connect(proxy.inbound, '127.0.0.1');
  const seen = follow(client);
  client.write('x');
  await until(() => seen.got === 'x');
  const hex = (port: number): string =>
    `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  /** Whether the end at `from` of a connection to `to` has a keepalive timer (2). */
  const isKept = (from: string, to: string): boolean =>
    readFileSync('/proc/net/tcp', 'utf8')
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .some(
        ([, local, remote, , , timer]) =>
          local === from && remote === to && timer?.startsWith('02'),
      );
  const [upstream] = app.sockets;
  const clientPort = client.localPort ?? 0;
  await until(() => isKept(hex(proxy.inbound), hex(clientPort)), 3000);
  await until(() => isKept(hex(upstream?.remotePort ?? 0), hex(app.port)), 3000);
});

test('bytes that wait for a connection to open are bounded over all clients', async () => {
  const proxy = await startProxy({
    limits: { maxMemoryBytes: 64 * 1024 * 1024 },
    calls: [{ host: '127.0.0.1', port: 45_871 }],
    state: state({
      destinations: [
        destination('db', [], {
          addresses: ['127.0.0.1:45871'],
          protocol: 'opaque',
          routes: [route({ backend: 'db' })],
          backend: { failFastMs: 60_000 },
        }),
      ],
    }),
  });
  open.push(() => proxy.stop());
  const limitBytes = holdings.limitBytes;
  const clients = Array.from({ length: 200 }, () => connect(45_871, '127.0.0.1'));
  const seen = clients.map(follow);
  for (const client of clients) client.write(Buffer.alloc(200 * 1024));
  await until(() => seen.some(({ end }) => end !== ''));
  const peak = holdings.usedBytes;
  expect(peak).toBeGreaterThan(limitBytes / 2);
  expect(peak).toBeLessThanOrEqual(limitBytes + 256 * 1024);
  await proxy.stop();
  expect(holdings.usedBytes).toBe(0);
});

test('a client that ends amid its first word is refused once', async () => {
  const proxy = await inbound({}, server(1, '127.0.0.1:9', { defaultPolicy: 'all-authenticated' }));
  expect(await say(proxy.inbound, 'GE', { half: true })).toMatch(/<(end|reset)>$/);
  expect(await metric(proxy, 'inbound_tcp_authz_deny_total')).toBe(1);
  expect(await metric(proxy, 'tcp_open_total')).toBe(1);
  expect(await metric(proxy, 'tcp_open_connections')).toBe(0);
});
