/** How long a verdict lasts on a connection that has no next request: tunnels, denied certificates, idle clients. */
import { readFileSync } from 'node:fs';
import { type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { X509Certificate } from 'node:crypto';
import { afterAll, afterEach, expect, test } from 'vitest';
import { SimulatedClock } from '../../../base/clock.js';
import { seededRandom } from '../../../base/random.js';
import { denialsInForce } from '../../../mesh/identity/denials.js';
import type { InboundServer, ProxyConfig } from '../../../mesh/model.js';
import {
  destination,
  type Pki,
  pki,
  rawServer,
  route,
  server,
  startProxy,
  state,
  type TestProxy,
  until,
} from './rig.js';

const open: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  denialsInForce.list = [];
  for (const close of open.splice(0).toReversed()) await close();
});
let keys: Pki | undefined;
afterAll(() => keys?.remove());
const issue = async (name: string): Promise<NonNullable<ProxyConfig['identity']>> =>
  (keys ??= await pki()).issue(name);

/** Upgrades at /ws and echoes; answers any other request with its path. */
async function chat(): ReturnType<typeof rawServer> {
  const app = await rawServer((socket) => {
    let isTunnel = false;
    socket.on('data', (bytes) => {
      if (isTunnel) return void socket.write(bytes);
      const path = bytes.toString('latin1').split(' ')[1] ?? '';
      isTunnel = path.startsWith('/ws');
      if (isTunnel) {
        socket.write('HTTP/1.1 101 Up\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n');
      } else socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${path.length}\r\n\r\n${path}`);
    });
  });
  open.push(() => app.close());
  return app;
}

interface Client {
  socket: Socket;
  got: string;
  end: string;
}

function asPeer(
  port: number,
  identity: NonNullable<ProxyConfig['identity']>,
  alpn: string,
): Client {
  const socket = connectTls({
    host: '127.0.0.1',
    port,
    cert: readFileSync(identity.certificateFile ?? ''),
    key: readFileSync(identity.keyFile ?? ''),
    ALPNProtocols: [alpn],
    rejectUnauthorized: false,
  });
  const client: Client = { socket, got: '', end: '' };
  socket.on('data', (bytes: Buffer) => (client.got += bytes.toString('latin1')));
  socket.on('end', () => (client.end ||= 'end')).on('error', () => (client.end ||= 'reset'));
  socket.on('close', () => (client.end ||= 'close'));
  open.push(() => void socket.destroy());
  return client;
}

/** Resolves once the text has come back through the tunnel. */
async function says(client: Client, text: string): Promise<void> {
  client.socket.write(text);
  await until(() => client.got.endsWith(text));
}

const upgrade = (path: string): string =>
  `GET ${path} HTTP/1.1\r\nHost: cart\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n`;

async function tunnel(
  port: number,
  identity: NonNullable<ProxyConfig['identity']>,
  path = '/ws',
): Promise<Client> {
  const client = asPeer(port, identity, 'http/1.1');
  client.socket.write(upgrade(path));
  await until(() => client.got.startsWith('HTTP/1.1 101 '));
  return client;
}

const deny = (identity: NonNullable<ProxyConfig['identity']>): void => {
  const { serialNumber } = new X509Certificate(readFileSync(identity.certificateFile ?? ''));
  denialsInForce.list = [...denialsInForce.list, { serial: serialNumber, until: Infinity }];
};

async function metric(proxy: TestProxy, start: string): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${proxy.admin}/metrics`)).text();
  const lines = text.split('\n').filter((line) => line.startsWith(start));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}

async function meshed(...servers: InboundServer[]) {
  const clock = new SimulatedClock(Date.now());
  const proxy = await startProxy({
    sides: ['inbound'],
    clock,
    identity: await issue('cart'),
    state: state({ servers }),
  });
  open.push(() => proxy.stop());
  return { clock, proxy };
}

test('a WebSocket is judged again after a change of the policy, by its route, and cut', async () => {
  const app = await chat();
  const web = await issue('web');
  const only = (name: string) => ({
    name,
    identities: [web.name],
    unauthenticated: false,
    routes: ['chat'],
  });
  const target = (more: Partial<InboundServer>): InboundServer =>
    server(1, `127.0.0.1:${app.port}`, {
      defaultPolicy: 'deny',
      routes: [route({ name: 'chat', matches: [{ path: { kind: 'prefix', value: '/ws' } }] })],
      ...more,
    });
  const { clock, proxy } = await meshed(target({ defaultPolicy: 'all-authenticated' }));
  const client = await tunnel(proxy.inbound, web);
  proxy.proxy.apply(state({ servers: [target({ authorizations: [only('web')] })] }), 'file');
  clock.advance(1000);
  await says(client, 'still here');
  const other = { ...only('web'), routes: ['another'] };
  proxy.proxy.apply(state({ servers: [target({ authorizations: [other] })] }), 'file');
  clock.advance(1000);
  await until(() => client.end !== '');
  expect(client.end).toBe('reset');
  await until(() => app.sockets.size === 0);
  expect(await metric(proxy, 'inbound_http_authz_deny_total{')).toBe(1);
  expect(await metric(proxy, 'response_total{')).toBe(1);
  expect(await metric(proxy, 'response_total{classification="failure"')).toBe(0);
  expect(proxy.logs.join()).toContain('"audit":"denied"');
  expect(proxy.proxy.busy).toBe(0);
});

test.each(['all-authenticated', 'all-unauthenticated'] as const)(
  "a tunnel's client has no identity from its certificate's end on: %s",
  async (defaultPolicy) => {
    const app = await chat();
    const { clock, proxy } = await meshed(server(1, `127.0.0.1:${app.port}`, { defaultPolicy }));
    const client = await tunnel(proxy.inbound, await issue('web'));
    clock.advance(3_500_000);
    await says(client, 'one');
    clock.advance(200_000);
    if (defaultPolicy === 'all-unauthenticated') return says(client, 'two');
    await until(() => client.end !== '');
  },
);

test('a denial ends tunnels and opaque connections, and no request begins after it', async () => {
  const app = await chat();
  const at = `127.0.0.1:${app.port}`;
  const { clock, proxy } = await meshed(server(1, at, { defaultPolicy: 'all-authenticated' }));
  const [web, good] = [await issue('web'), await issue('good')];
  const clients = [await tunnel(proxy.inbound, web), await tunnel(proxy.inbound, good)];
  const opaque = asPeer(proxy.inbound, web, 'firedrill-tcp');
  opaque.socket.write('\0 /ws x');
  await until(() => opaque.got.startsWith('HTTP/1.1 101 '));
  const idle = asPeer(proxy.inbound, web, 'http/1.1');
  idle.socket.write('GET /a HTTP/1.1\r\nHost: cart\r\n\r\n');
  await until(() => idle.got.endsWith('/a'));
  const begun = asPeer(proxy.inbound, web, 'http/1.1');
  begun.socket.write('GET /b HTTP/1.1\r\nHost: cart\r\n');
  await until(() => proxy.proxy.busy >= 4);
  deny(web);
  begun.socket.write('\r\n');
  await until(() => begun.end !== '');
  expect(begun.got).toMatch(/^HTTP\/1\.1 403 [^]*the client's certificate is denied/);
  clock.advance(1000);
  await until(() => [clients[0], opaque, idle].every((c) => c?.end !== ''));
  expect([clients[0]?.end, opaque.end, idle.end]).toEqual(['reset', 'reset', 'end']);
  await says(clients[1] as Client, 'still here');
});

test('a tunnel to a server whose certificate is denied is cut by the client’s proxy', async () => {
  const app = await chat();
  const cart = await issue('cart');
  const inbound = await startProxy({
    sides: ['inbound'],
    identity: cart,
    state: state({ servers: [server(1, `127.0.0.1:${app.port}`)] }),
  });
  open.push(() => inbound.stop());
  const endpoint = { address: `127.0.0.1:${inbound.inbound}`, identity: cart.name };
  const clock = new SimulatedClock(Date.now());
  const outbound = await startProxy({
    clock,
    identity: await issue('web'),
    state: state({ destinations: [destination('cart', [endpoint])] }),
  });
  open.push(() => outbound.stop());
  const { connect } = await import('node:net');
  const socket = connect(outbound.outbound, '127.0.0.1');
  open.push(() => void socket.destroy());
  let [got, end] = ['', ''];
  socket.on('data', (bytes) => (got += bytes.toString('latin1')));
  socket.on('error', () => (end = 'reset'));
  socket.write(upgrade('/ws'));
  await until(() => got.startsWith('HTTP/1.1 101 '));
  deny(cart);
  clock.advance(1000);
  await until(() => end === 'reset');
});

/** Each step changes the policy, time, denials or clients; a model says which connections stand. */
test('whatever happens, exactly the connections that the policy would let in are open', async () => {
  const app = await chat();
  const names = ['web', 'good', 'late'];
  const ids = new Map<string, NonNullable<ProxyConfig['identity']>>();
  for (const name of names) ids.set(name, await issue(name));
  const { clock, proxy } = await meshed(server(1, `127.0.0.1:${app.port}`));
  const seed = Number(process.env.FUZZ_SEED ?? 7);
  const random = seededRandom(seed);
  let allowed: ReadonlySet<string> | undefined;
  const denied = new Set<string>();
  const lives: { name: string; client: Client; isOpaque: boolean }[] = [];
  const stands = (name: string): boolean =>
    allowed === undefined || (allowed.has(name) && !denied.has(name));
  for (let step = 0; step < 60; step++) {
    const name = names[random.below(names.length)] as string;
    const identity = ids.get(name) as NonNullable<ProxyConfig['identity']>;
    const choice = random.below(10);
    if (choice < 6 && !denied.has(name) && stands(name)) {
      const isOpaque = random.below(2) === 0;
      const alpn = isOpaque ? 'firedrill-tcp' : 'http/1.1';
      const client = asPeer(proxy.inbound, identity, alpn);
      client.socket.write(isOpaque ? '\0 /ws x' : upgrade('/ws'));
      await until(() => client.got.startsWith('HTTP/1.1 101 '));
      lives.push({ name, client, isOpaque });
    } else if (choice < 9) {
      allowed = random.below(4) === 0 ? undefined : new Set(names.filter(() => random.below(2)));
      const authorizations = [...(allowed ?? [])].map((n) => ({
        name: n,
        identities: [ids.get(n)?.name ?? ''],
        unauthenticated: false,
      }));
      const policy = allowed ? 'deny' : 'all-unauthenticated';
      const next = server(1, `127.0.0.1:${app.port}`, { defaultPolicy: policy, authorizations });
      proxy.proxy.apply(state({ version: step + 2, servers: [next] }), 'file');
    } else if (denied.size < 2) {
      denied.add(name);
      deny(identity);
    }
    clock.advance(1000);
    for (const live of lives.splice(0)) {
      const told = `seed ${seed}, step ${step}, ${live.name}, opaque ${live.isOpaque}`;
      if (stands(live.name)) {
        await says(live.client, `<${step}>`);
        expect(live.client.end, told).toBe('');
        lives.push(live);
      } else await until(() => live.client.end !== '').catch(() => expect.fail(told));
    }
  }
  expect(lives.length + denied.size).toBeGreaterThan(0);
});
