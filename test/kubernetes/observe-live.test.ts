/** The commands that read proxies, on real ones: two processes with traffic between them. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Child, startNode } from '../../base/child.js';
import { program } from '../../base/paths.js';
import type { Destination, InboundServer } from '../../mesh/model.js';

const folder = mkdtempSync(join(tmpdir(), 'firedrill-observe-'));
const app = createServer((incoming, response) => {
  response.writeHead(incoming.url === '/broken' ? 503 : 200).end('ok');
});
const children: Child[] = [];
let server: Record<string, unknown>;
let client: Record<string, unknown>;

async function proxy(name: string, config: object): Promise<Record<string, unknown>> {
  const file = join(folder, `${name}.json`);
  const own = { workload: { name, namespace: 'retail' }, admin: { host: '127.0.0.1', port: 0 } };
  writeFileSync(file, JSON.stringify({ ...own, ...config }));
  const child = startNode(name, program('mesh/proxy/main'), ['--config', file]);
  children.push(child);
  return child.ready;
}

const empty = { version: 1, destinations: [], servers: [], unknownDestinations: 'refuse' };

beforeAll(async () => {
  await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve));
  const inbound = { host: '127.0.0.1', port: 0, mode: 'explicit' };
  const http: InboundServer = {
    name: 'http',
    // Port 0 would stand for the ports that no container declares.
    port: 1,
    target: `127.0.0.1:${(app.address() as AddressInfo).port}`,
    protocol: 'detect',
    defaultPolicy: 'all-unauthenticated',
    authorizations: [],
    routes: [],
  };
  server = await proxy('cart', { inbound, state: { ...empty, servers: [http] } });
  const cart: Destination = {
    name: 'cart.retail',
    service: 'cart',
    namespace: 'retail',
    hosts: ['cart.retail'],
    addresses: [],
    protocol: 'detect',
    routes: [
      {
        name: 'items',
        matches: [{ path: { kind: 'prefix', value: '/items' } }],
        split: [{ backend: 'cart', weight: 1 }],
        timeouts: {},
      },
    ],
    backends: [
      {
        name: 'cart',
        endpoints: [{ address: `127.0.0.1:${server.inbound}` }],
        balancer: { kind: 'ewma', defaultRttMs: 30, decaySeconds: 10, slowStartSeconds: 0 },
        limits: { maxConnections: 100, maxPending: 100, maxRequests: 100 },
        failFastMs: 1000,
      },
    ],
  };
  client = await proxy('web', { outbound: inbound, state: { ...empty, destinations: [cart] } });
});

afterAll(async () => {
  await Promise.all(children.map((c) => c.stop()));
  app.closeAllConnections();
  app.close();
  rmSync(folder, { recursive: true, force: true });
});

function get(path: string, headers: Record<string, string> = {}): Promise<number> {
  return new Promise((resolve, reject) => {
    const options = {
      port: client.outbound as number,
      path,
      headers: { host: 'cart.retail', ...headers },
    };
    request(options, (response) => {
      response.resume().on('end', () => resolve(response.statusCode ?? 0));
    })
      .on('error', reject)
      .end();
  });
}

interface Run {
  code: number | null;
  out: string;
  err: string;
}

function start(...args: string[]): { run: Promise<Run>; out: () => string; kill: () => void } {
  const proxies = `${client.admin},${server.admin}`;
  const child = spawn(process.execPath, [program('cli'), ...args, '--proxies', proxies]);
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  const run = new Promise<Run>((resolve) =>
    child.on('close', (code) => resolve({ code, out, err })),
  );
  return { run, out: () => out, kill: () => void child.kill() };
}
const cli = (...args: string[]): Promise<Run> => start(...args).run;

test('D11: tap shows live requests at both ends, scoped, with sensitive headers hidden', async () => {
  const tap = start('tap', '--path', '/items', '--header', 'authorization', '--duration', '30s');
  try {
    for (let i = 0; i < 300 && !/proxy=in/.test(tap.out()); i++) {
      expect(await get('/items/1?token=abc', { authorization: 'Bearer s3cret' })).toBe(200);
      expect(await get('/other')).toBe(200);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const text = tap.out();
    expect(text).toMatch(/req id=\d+:\d+ proxy=out .*:path=\/items\/1/);
    expect(text).toMatch(/rsp id=.* :status=200 /);
    expect(text).not.toMatch(/s3cret|token=abc|\/other/);
  } finally {
    tap.kill();
    await tap.run;
  }
});

test('why: both ends say what they decided, and what is not recorded says how to record it', async () => {
  expect((await cli('why', 'no-such-request')).err).toContain('--for');
  expect((await cli('why', '--for', '1m')).out).toMatch(/2 proxies record every request/);
  expect(await get('/items/7', { 'x-request-id': 'order-7' })).toBe(200);
  const { out, code } = await cli('why', 'order-7');
  expect(code).toBe(0);
  expect(out).toMatch(
    /outbound at .*\n {2}request {4}GET cart\.retail\/items\/7\n {2}route {6}items of cart/,
  );
  expect(out).toMatch(/considered 127\.0\.0\.1:\d+: /);
  expect(out).toMatch(/inbound at [^]*verdict {4}200 success/);
  const failed = await get('/broken', { 'x-request-id': 'order-8' });
  expect(failed).toBe(503);
  const json = JSON.parse((await cli('why', 'order-8', '--format', 'json')).out) as unknown[];
  expect(json).toHaveLength(2);
});

test('C4: policy audit says what a tighter default would deny, before it does', async () => {
  await get('/items/1');
  const loose = await cli('policy', 'audit');
  expect(loose.code).toBe(0);
  const { out, code } = await cli('policy', 'audit', '--default', 'all-authenticated');
  expect(code).toBe(1);
  expect(out).toMatch(/cart\.retail +http +\S+ +\(no identity\) +\d+ +allowed +denied/);
  expect(out).toMatch(/\d+ of what is let in now would be denied/);
  const bad = await cli('policy', 'audit', '--default', 'open');
  expect([bad.code, bad.err]).toEqual([2, expect.stringContaining('expected all-unauthenticated')]);
  expect((await cli('policy', 'show')).out).toMatch(/cart\.retail +http .*all-unauthenticated/);
});

test('stat and routes read the names that the proxies really expose', async () => {
  const traffic = setInterval(() => void get('/items/1').catch(() => undefined), 20);
  try {
    const stat = await cli('stat', '--direction', 'outbound', '--window', '1s', '--format', 'json');
    const [row] = JSON.parse(stat.out) as Record<string, unknown>[];
    expect(row).toMatchObject({ name: 'web.retail', service: 'cart.retail', successRatio: 1 });
    const routes = await cli('routes', '--window', '1s', '--format', 'json');
    const rows = JSON.parse(routes.out) as { route: string; actualSuccessRatio: number }[];
    expect(rows.find((r) => r.route === 'items')?.actualSuccessRatio).toBe(1);
  } finally {
    clearInterval(traffic);
  }
});

test('profile --for: routes from what callers ask, ids as parameters', async () => {
  const learning = start('profile', 'cart', '--namespace', 'retail', '--for', '6s');
  let asked = 0;
  const traffic = setInterval(() => {
    void get(`/items/${asked++}?page=1`).catch(() => undefined);
  }, 50);
  const { out, err, code } = await learning.run.finally(() => clearInterval(traffic));
  expect([code, err]).toEqual([0, expect.stringContaining('GET /items/{id}')]);
  expect(out).toContain('name: cart.retail.svc.cluster.local');
  expect(out).toMatch(/pathRegex: \/items\/\[\^\/\]\+/);
  expect(out).not.toContain('requests:');
  const bad = await cli('profile', 'cart', '--for', 'soon');
  expect([bad.code, bad.err]).toEqual([2, expect.stringContaining('--for soon')]);
});

test('--watch shows screen after screen, --wait ends when all answer, a workload is of a cluster', async () => {
  const watch = await cli('edges', '--watch', '--count', '2', '-o', 'json', '--wait', '30s');
  expect([watch.code, watch.out.match(/^\]$/gm)?.length]).toEqual([0, 2]);
  const both = await cli('stat', 'deploy/cart');
  expect(both.code).toBe(2);
  expect(both.err).toMatch(/deploy\/cart is of a cluster, and --proxies/);
  expect((await cli('edges', '--wait', '3h')).err).toMatch(/--wait 3h; expected a duration of/);
});
