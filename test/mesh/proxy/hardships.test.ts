/**
 * Collectors that hang, disks that are full, files that are half written, descriptors that run out, timers that throw,
 * and secrets.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import type { Socket } from 'node:net';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startNode, startProgram } from '../../../base/child.js';
import { SimulatedClock } from '../../../base/clock.js';
import { program } from '../../../base/paths.js';
import type { MeshState, ProxyConfig } from '../../../mesh/model.js';
import { alignedClock } from '../../../mesh/proxy/aligned-clock.js';
import { watchState } from '../../../mesh/proxy/config-watch.js';
import type { EndpointState } from '../../../mesh/proxy/flow/contract.js';
import { Connector } from '../../../mesh/proxy/listen/connect.js';
import { otlpPost } from '../../../mesh/proxy/telemetry/span-exporter.js';
import { deadPort } from './dead-port.js';
import { destination, rawServer, say, server, startProxy, state, until } from './rig.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'firedrill-hardships-'));
});
const open: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close();
  rmSync(folder, { recursive: true, force: true });
});

const listener = { host: '127.0.0.1', port: 0, mode: 'explicit' as const };
function configFile(parts: object): string {
  const file = join(folder, 'proxy.json');
  const workload = { name: 'cart', namespace: 'retail' };
  writeFileSync(file, JSON.stringify({ workload, outbound: listener, ...parts }));
  return file;
}

test('a collector that answers a byte at a time, without end, is given up', async () => {
  let bytes = 0;
  const collector = await rawServer((socket) => {
    socket.write('HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\n\r\n');
    const timer = setInterval(() => {
      bytes++;
      socket.write('1\r\nx\r\n');
    }, 20);
    socket.on('close', () => clearInterval(timer));
  });
  open.push(() => collector.close());
  const post = otlpPost(`http://127.0.0.1:${collector.port}/v1/traces`, 300);
  expect(await post('{}')).toBe(false);
  expect(bytes).toBeGreaterThan(2);
  await until(() => collector.sockets.size === 0);
});

test('the lines of requests that the end of a drain cuts off are in the access log', async () => {
  const app = await rawServer(() => undefined);
  open.push(() => app.close());
  const accessLog = join(folder, 'access.log');
  const file = configFile({
    accessLog,
    drainSeconds: 0.2,
    state: state({ destinations: [destination('cart', [`127.0.0.1:${app.port}`])] }),
  });
  const child = startNode('proxy', program('mesh/proxy/main'), ['--config', file]);
  const { outbound } = (await child.ready) as { outbound: number };
  const cut = say(outbound, 'GET /cut HTTP/1.1\r\nHost: cart\r\n\r\n');
  await until(() => app.sockets.size === 1);
  await child.stop();
  await cut;
  expect(readFileSync(accessLog, 'utf8')).toMatch(/^\{.*"path":"\/cut".*\}\n$/);
});

test('lines that the disk does not take are counted', async () => {
  if (!existsSync('/dev/full')) return;
  const proxy = await startProxy({
    accessLog: '/dev/full',
    state: state({ destinations: [destination('cart', ['127.0.0.1:1'])] }),
  });
  open.push(() => proxy.stop());
  await say(proxy.outbound, 'GET / HTTP/1.1\r\nHost: cart\r\nConnection: close\r\n\r\n');
  await until(async () => {
    const text = await (await fetch(`http://127.0.0.1:${proxy.admin}/metrics`)).text();
    return /^telemetry_dropped_total\{kind="access-log",reason="export-failed"\} 1$/m.test(text);
  });
});

test.each<[string, object, RegExp]>([
  [
    'an access log in no folder',
    { accessLog: '/nowhere/at/all' },
    /^accessLog \/nowhere\/at\/all: ENOENT$/,
  ],
  [
    'an address of a collector that is none',
    { tracing: { otlpUrl: 'http://', sampleRatio: 1 } },
    /tracing\.otlpUrl: "http:\/\/"; expected http:/,
  ],
  [
    'a port beyond 65535',
    {
      state: {
        destinations: [
          { name: 'a.b', backends: [{ name: 'a', endpoints: [{ address: '10.0.0.1:70000' }] }] },
        ],
      },
    },
    /endpoints\.0\.address: "10\.0\.0\.1:70000"; expected host:port/,
  ],
  ...['10.0.0.0/', '10.0.0.0/33', 'office', '10.0.0.0/8/8'].map(
    (network): [string, object, RegExp] => [
      `the network ${network}`,
      {
        state: {
          destinations: [],
          servers: [
            {
              name: 'http',
              port: 1,
              target: '127.0.0.1:1',
              authorizations: [{ name: 'a', unauthenticated: true, networks: [network] }],
            },
          ],
        },
      },
      /networks\.0: ".*"; expected a network such as 10\.0\.0\.0\/8/,
    ],
  ),
])('a start that cannot work says why, in a line: %s', (_, parts, expected) => {
  const run = spawnSync(
    process.execPath,
    [program('mesh/proxy/main'), '--config', configFile(parts)],
    { encoding: 'utf8', timeout: 20_000 },
  );
  expect(run.stderr.trim()).toMatch(expected);
  expect(run.stderr).not.toContain('    at ');
  expect(run.status).toBeGreaterThan(0);
});

test('a network that is none, from a controller, leaves the whole state as it was', async () => {
  const good = server(1, '127.0.0.1:1');
  const proxy = await startProxy({
    sides: ['inbound', 'outbound'],
    state: state({ servers: [good] }),
  });
  open.push(() => proxy.stop());
  const odd = { name: 'a', identities: [], unauthenticated: true, networks: ['10.0.0.0/'] };
  const next = state({
    version: 2,
    destinations: [destination('cart', ['127.0.0.1:1'])],
    servers: [{ ...good, authorizations: [odd] }],
  });
  expect(() => proxy.proxy.apply(next, 'fresh')).toThrow(
    'server http: "10.0.0.0/" is not a network',
  );
  expect(
    await say(proxy.outbound, 'GET / HTTP/1.1\r\nHost: cart\r\nConnection: close\r\n\r\n'),
  ).not.toMatch(/refused|unreachable/);
  expect(proxy.proxy.gateway.endpoints()).toEqual([]);
});

test('half of a configuration file is not taken for the whole', async () => {
  const clock = new SimulatedClock();
  const file = join(folder, 'state.json');
  const write = (version: number): void => writeFileSync(file, JSON.stringify({ version }));
  write(1);
  const applied: number[] = [];
  const proxy = {
    config: {} as ProxyConfig,
    state: state({}),
    apply: (next: MeshState) => void applied.push(next.version),
  };
  const read = (): Promise<ProxyConfig> => {
    const { version } = JSON.parse(readFileSync(file, 'utf8')) as { version: number };
    return Promise.resolve({ state: state({ version }) } as ProxyConfig);
  };
  watchState(file, proxy, read, clock, () => undefined);
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  write(22);
  clock.advance(1000);
  await turn();
  // The other half comes.
  write(333);
  for (let i = 0; i < 3; i++) {
    clock.advance(200);
    await turn();
  }
  expect(applied).toEqual([333]);
});

test('a timer that throws costs the others nothing', async () => {
  const errors: unknown[] = [];
  const before = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', (error) => errors.push(error));
  open.push(() => {
    process.removeAllListeners('uncaughtException');
    for (const heard of before) process.on('uncaughtException', heard);
  });
  let ran = 0;
  const timers = [
    alignedClock.every(20, () => {
      throw new Error('each time');
    }),
    alignedClock.every(20, () => ran++),
  ];
  await until(() => ran > 2 && errors.length > 2);
  for (const timer of timers) timer.cancel();
});

test('no secret is in /config: of collectors, of probes, or of headers that routes match', async () => {
  const secret = 'sesame';
  const route = {
    name: 'all',
    matches: [{ headers: [{ name: 'x-api-key', kind: 'exact' as const, value: secret }] }],
    split: [{ backend: 'token', weight: 1 }],
    timeouts: {},
  };
  const proxy = await startProxy({
    tracing: { otlpUrl: `http://me:${secret}@127.0.0.1:1/v1/traces?key=${secret}`, sampleRatio: 0 },
    probes: {
      live: {
        kind: 'http',
        port: 1,
        path: '/',
        timeoutMs: 1,
        headers: [['Authorization', secret]],
      },
    },
    state: state({
      destinations: [
        destination('token', [], { routes: [route], hosts: ['token', 'token.retail'] }),
      ],
    }),
  });
  open.push(() => proxy.stop());
  const text = await (await fetch(`http://127.0.0.1:${proxy.admin}/config`)).text();
  expect(text).not.toContain(secret);
  // Names are no secrets.
  expect(text).toContain('"hosts":["token","token.retail"]');
});

test('the admin port holds a limited number of connections, and the newest is served', async () => {
  const proxy = await startProxy({ state: state({}) });
  open.push(() => proxy.stop());
  const idle: Socket[] = Array.from({ length: 400 }, () => connect(proxy.admin, '127.0.0.1'));
  let ended = 0;
  for (const socket of idle) {
    socket.on('error', () => undefined).on('close', () => ended++);
    socket.resume();
    open.push(() => void socket.destroy());
  }
  await until(() => ended >= 400 - 256);
  expect(await (await fetch(`http://127.0.0.1:${proxy.admin}/ready`)).text()).toBe('ready\n');
  expect(ended).toBeLessThan(400 - 250);
});

async function metrics(port: number): Promise<string> {
  return (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
}

test('descriptors that run out are told as such: clients are refused by name, endpoints are not to blame', async () => {
  const app = await rawServer((socket) => socket.resume());
  open.push(() => app.close());
  const file = configFile({
    admin: { host: '127.0.0.1', port: 0 },
    state: state({ destinations: [destination('cart', [`127.0.0.1:${app.port}`])] }),
  });
  const said: string[] = [];
  const child = startProgram(
    'proxy',
    'sh',
    [
      '-c',
      'ulimit -n 128; exec "$@"',
      'sh',
      process.execPath,
      program('mesh/proxy/main'),
      '--config',
      file,
    ],
    { onStderr: (line) => said.push(line) },
  );
  open.push(() => child.stop());
  const { outbound, admin } = (await child.ready) as { outbound: number; admin: number };
  const clients: { got: string; socket: Socket }[] = [];
  const call = (): void => {
    const socket = connect(outbound, '127.0.0.1');
    const one = { got: '', socket };
    socket.on('data', (bytes) => (one.got += bytes.toString('latin1')));
    socket.on('close', () => (one.got ||= 'closed')).on('error', () => undefined);
    socket.write('GET / HTTP/1.1\r\n');
    clients.push(one);
    open.push(() => void socket.destroy());
  };
  for (let i = 0; i < 70; i++) call();
  await until(async () =>
    /^tcp_open_connections\{.*peer="src".*\} 70$/m.test(await metrics(admin)),
  );
  for (const { socket } of clients) socket.write('Host: cart\r\n\r\n');
  await until(() => clients.some(({ got }) => got.includes('503 ')));
  expect(clients.find(({ got }) => got.includes('503 '))?.got).toMatch(/no port, file descriptor/);
  const endpoints = (await (await fetch(`http://127.0.0.1:${admin}/endpoints`)).json()) as {
    state: string;
    failures: number;
  }[];
  expect(endpoints).toMatchObject([{ state: 'ready', failures: 0 }]);
  for (let i = 0; i < 80; i++) call();
  await until(() => clients.filter(({ got }) => got === 'closed').length >= 20);
  const text = await metrics(admin);
  const refused = /^tcp_refused_total\{direction="outbound",reason="files"\} (\d+)$/m.exec(
    text,
  )?.[1];
  expect(Number(refused)).toBe(clients.filter(({ got }) => got === 'closed').length);
  expect(text).toMatch(/^process_max_fds 128$/m);
  expect(said.filter((line) => /connection refused.*ulimit -n/.test(line))).toHaveLength(1);
});

test('clients above maxConnections are counted and told, and told again ten seconds later', async () => {
  const app = await rawServer((socket) => socket.resume());
  open.push(() => app.close());
  const clock = new SimulatedClock(1000);
  const proxy = await startProxy({
    clock,
    limits: { maxConnections: 1 },
    state: state({ destinations: [destination('cart', [`127.0.0.1:${app.port}`])] }),
  });
  open.push(() => proxy.stop());
  const first = connect(proxy.outbound, '127.0.0.1');
  open.push(() => void first.destroy());
  first.write('GET / HTTP/1.1\r\nHost: cart\r\n\r\n');
  await until(() => app.sockets.size === 1);
  for (let i = 0; i < 3; i++) expect(await say(proxy.outbound, '')).toMatch(/<(end|reset)>/);
  clock.advance(10_000);
  await say(proxy.outbound, '');
  expect(proxy.logs).toEqual([
    'outbound connection refused: limits.maxConnections are open',
    'outbound connection refused (2 more since the last line): limits.maxConnections are open',
  ]);
  expect(await metrics(proxy.admin)).toMatch(
    /^tcp_refused_total\{direction="outbound",reason="connections"\} 4$/m,
  );
});

test.each([
  ['127.0.0.1', '203.0.113.7', 'exhausted'],
  ['127.0.0.1', undefined, 'refused'],
])('a connection to %s from %s fails as %s', async (host, localAddress, failure) => {
  const parts = {
    ownPorts: new Set(),
    direction: 'outbound',
    connectTimeoutMs: 1000,
    handshakeTimeoutMs: 1000,
  };
  const metrics_ = { transport: () => undefined };
  const connector = new Connector({
    ...parts,
    metrics: metrics_,
    clock: new SimulatedClock(0),
  } as never);
  const endpoint = { host, port: await deadPort(), localAddress } as EndpointState;
  const why = await new Promise((resolve) => {
    connector.connect(endpoint, ['http/1.1'], { connected: resolve, failed: resolve });
  });
  expect(why).toBe(failure);
});
