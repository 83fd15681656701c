/** The proxy as a process: prints its ports, reloads its configuration, drains without a failed request. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Child, startNode } from '../../../base/child.js';
import { realClock } from '../../../base/clock.js';
import { program } from '../../../base/paths.js';
import { seededRandom } from '../../../base/random.js';
import type { MeshState } from '../../../mesh/model.js';
import { Proxy } from '../../../mesh/proxy/proxy.js';
import { destination, httpServer, type Running, say, server, state, until } from './rig.js';

let folder: string;
let app: Running;
let other: Running;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'firedrill-process-'));
  // Slow enough that a drain always meets requests in flight.
  const answer = (text: string): Promise<Running> =>
    httpServer((_, response) => void setTimeout(() => response.end(text), 20));
  [app, other] = await Promise.all([answer('one'), answer('two')]);
});

afterAll(async () => {
  await app.close();
  await other.close();
  rmSync(folder, { recursive: true, force: true });
});

const listener = { host: '127.0.0.1', port: 0, mode: 'explicit' };
const yaml = (value: unknown): string => JSON.stringify(value, null, 2);

function configFile(name: string, parts: object, mesh: MeshState): string {
  const file = join(folder, name);
  const config = {
    workload: { name: 'cart', namespace: 'retail' },
    admin: { host: '127.0.0.1', port: 0 },
    ...parts,
    state: mesh,
  };
  writeFileSync(file, yaml(config));
  return file;
}

async function start(
  file: string,
): Promise<{ child: Child; inbound: number; outbound: number; admin: number }> {
  const child = startNode('proxy', program('mesh/proxy/main'), ['--config', file]);
  const ready = (await child.ready) as { inbound: number; outbound: number; admin: number };
  return { child, ...ready };
}

const get = 'GET / HTTP/1.1\r\nHost: cart\r\nConnection: close\r\n\r\n';

test('says its ports, serves, and takes a changed file over while it runs', async () => {
  const one = state({ destinations: [destination('cart', [`127.0.0.1:${app.port}`])] });
  const two = state({
    version: 2,
    destinations: [destination('cart', [`127.0.0.1:${other.port}`])],
  });
  for (const name of ['proxy.json', 'proxy.yaml']) {
    const file = configFile(name, { outbound: listener }, one);
    const { child, outbound, admin } = await start(file);
    expect(await say(outbound, get)).toMatch(/one<end>$/);
    configFile(name, { outbound: listener }, two);
    await until(async () => (await say(outbound, get)).endsWith('two<end>'));
    writeFileSync(file, 'nonsense: [');
    expect((await fetch(`http://127.0.0.1:${admin}/ready`)).status).toBe(200);
    expect(await say(outbound, get)).toMatch(/two<end>$/);
    await child.stop();
    expect(child.process.exitCode).toBe(0);
  }
}, 30_000);

test('it is ready when its ports listen, not before', async () => {
  const proxy = new Proxy({
    config: {
      workload: { name: 'cart', namespace: 'retail' },
      admin: { host: '127.0.0.1', port: 0 },
      inbound: { host: '127.0.0.1', port: 0, mode: 'explicit' },
      outbound: { host: '127.0.0.1', port: 0, mode: 'explicit' },
    },
    clock: realClock,
    random: seededRandom(1),
    version: 'test',
    log: () => undefined,
  });
  const reasons: (string | undefined)[] = [];
  const apply = proxy.apply.bind(proxy);
  proxy.apply = (mesh, source) => {
    apply(mesh, source);
    reasons.push(proxy.notReady());
  };
  await proxy.start();
  expect(reasons).toEqual(['not listening yet']);
  expect(proxy.notReady()).toBeUndefined();
  await proxy.stop();
});

test('defaults of the README may be left out: one destination in four lines', async () => {
  const file = join(folder, 'least.yaml');
  writeFileSync(
    file,
    `workload: { name: relay, namespace: retail }
outbound: { host: 127.0.0.1, port: 0 }
state:
  destinations:
    - name: cart.retail
      routes: [{ name: all }]
      backends: [{ name: cart, endpoints: [{ address: '127.0.0.1:${app.port}' }] }]
`,
  );
  const { child, outbound, admin } = await start(file);
  for (const host of ['cart', 'cart.retail']) {
    expect(await say(outbound, get.replace('cart', host))).toMatch(/one<end>$/);
  }
  const shown = await (await fetch(`http://127.0.0.1:${admin}/config`)).json();
  expect(shown).toMatchObject({
    state: {
      unknownDestinations: 'forward',
      servers: [],
      destinations: [
        { service: 'cart', namespace: 'retail', backends: [{ failFastMs: 3000, name: 'cart' }] },
      ],
    },
  });
  await child.stop();
}, 30_000);

test('a mistake in the file is told with its place, and nothing starts', () => {
  const file = join(folder, 'bad.yaml');
  writeFileSync(
    file,
    'workload: { name: a, namespace: b }\nadmin: { host: 127.0.0.1, port: 99999 }\nnonsense: 1\n',
  );
  for (const args of [
    ['mesh/proxy/main', '--config'],
    ['cli', 'proxy', 'check'],
    ['cli', 'proxy', '--config'],
  ]) {
    const [module = '', ...rest] = args;
    const run = spawnSync(process.execPath, [program(module), ...rest, file], { encoding: 'utf8' });
    expect(run.status).toBe(2);
    expect(run.stderr).toContain(`${file}:2:`);
    expect(run.stderr).toMatch(/bad\.yaml:3:1: unknown field 'nonsense'/);
    expect(run.stderr).not.toContain('    at ');
  }
}, 30_000);

test.skipIf(process.platform !== 'linux')(
  '`firedrill proxy` is one process, not two',
  async () => {
    const file = configFile('one.json', { outbound: listener }, state({}));
    const child = startNode('proxy', program('cli'), ['proxy', '--config', file]);
    const ready = (await child.ready) as { pid: number };
    expect(ready.pid).toBe(child.pid);
    child.process.kill('SIGTERM');
    expect(await child.exited).toBe(0);
  },
  30_000,
);

test('names that every object has are unknown fields like any other', () => {
  const file = join(folder, 'names.yaml');
  writeFileSync(file, '__proto__: { a: 1 }\nworkload: { name: a, namespace: b, constructor: c }\n');
  const run = spawnSync(process.execPath, [program('cli'), 'proxy', 'check', file], {
    encoding: 'utf8',
  });
  expect(run.status).toBe(2);
  expect(run.stderr).toContain(":1:1: unknown field '__proto__'");
  expect(run.stderr).toContain(":2:36: unknown field 'constructor'");
  expect(run.stderr).not.toContain('    at ');
}, 30_000);

test('drains under load: not ready, every request answered, the app can still call out, then it ends', async () => {
  const mesh = state({
    destinations: [destination('other', [`127.0.0.1:${other.port}`])],
    servers: [server(1, `127.0.0.1:${app.port}`)],
  });
  const file = configFile(
    'drain.json',
    { inbound: listener, outbound: listener, drainSeconds: 20 },
    mesh,
  );
  const { child, inbound, outbound, admin } = await start(file);
  const load = { drains: false, good: 0 };
  let closes = 0;
  const bad: string[] = [];
  // Clients with connections of their own, as peers have: each goes on until it is told to close.
  const clients = Array.from({ length: 10 }, async () => {
    while (!load.drains || load.good < 50) {
      const text = await say(inbound, 'GET / HTTP/1.1\r\nHost: cart\r\n\r\n', { until: /one$/ });
      if (text.startsWith('HTTP/1.1 200')) load.good++;
      else bad.push(text);
      if (/connection: close/.test(text)) closes++;
    }
    // The mesh needs a while to learn of the drain: some requests still come.
    for (let i = 0; i < 5; i++) {
      const text = await say(inbound, 'GET / HTTP/1.1\r\nHost: cart\r\n\r\n', { until: /one$/ });
      if (text.startsWith('HTTP/1.1 200')) load.good++;
      else bad.push(text);
      if (/connection: close/.test(text)) closes++;
    }
  });
  await until(() => load.good > 20);
  child.process.kill('SIGTERM');
  await until(async () => (await fetch(`http://127.0.0.1:${admin}/ready`)).status === 503);
  load.drains = true;
  const callOut = await say(outbound, 'GET / HTTP/1.1\r\nHost: other\r\nConnection: close\r\n\r\n');
  expect(callOut).toMatch(/two<end>$/);
  await Promise.all(clients);
  expect(bad).toEqual([]);
  expect(closes).toBeGreaterThan(10);
  expect(await child.exited).toBe(0);
}, 30_000);

test('ends at once when nothing is under way, by POST /shutdown where that is asked for', async () => {
  const usual = await start(configFile('idle-off.json', { outbound: listener }, state({})));
  const off = await fetch(`http://127.0.0.1:${usual.admin}/shutdown`, { method: 'POST' });
  expect(off.status).toBe(403);
  expect(await off.text()).toContain('admin: { shutdown: true }');
  usual.child.process.kill('SIGTERM');
  expect(await usual.child.exited).toBe(0);

  const admin0 = { host: '127.0.0.1', port: 0, shutdown: true };
  const asked = { outbound: listener, admin: admin0 };
  const { child, admin } = await start(configFile('idle.json', asked, state({})));
  const answer = await fetch(`http://127.0.0.1:${admin}/shutdown`, { method: 'POST' });
  expect(answer.status).toBe(202);
  expect(await child.exited).toBe(0);
}, 30_000);

test('the admin port shows what it serves by, and no secrets', async () => {
  const mesh = state({
    destinations: [
      destination('cart', [`127.0.0.1:${app.port}`], {
        routes: [
          {
            name: 'all',
            matches: [],
            split: [{ backend: 'cart', weight: 1 }],
            timeouts: {},
            requestHeaders: { set: [['authorization', 'Bearer sesame']] },
          },
        ],
      }),
    ],
  });
  const { child, outbound, admin } = await start(
    configFile(
      'admin.json',
      {
        outbound: listener,
        probes: { 'cart/live': { kind: 'http', port: app.port, path: '/', timeoutMs: 1000 } },
      },
      mesh,
    ),
  );
  await say(outbound, get);
  const base = `http://127.0.0.1:${admin}`;
  const text = async (path: string, options?: RequestInit): Promise<string> =>
    (await fetch(base + path, options)).text();
  expect(await text('/live')).toBe('live\n');
  const config = await text('/config');
  expect(config).not.toContain('sesame');
  expect(JSON.parse(config)).toMatchObject({ workload: { name: 'cart' }, state: { version: 1 } });
  expect(JSON.parse(await text('/endpoints'))).toMatchObject([
    { destination: 'cart.retail', requests: 1 },
  ]);
  expect(await text('/metrics')).toMatch(/^response_total\{[^}]*dst="cart\.retail"[^}]*\} 1$/m);
  const lease = { id: 'a', side: 'outbound', ratio: 1, abortStatus: 418, ttlMs: 60_000 };
  const post = (path: string, body: unknown): RequestInit => ({
    method: 'POST',
    body: JSON.stringify(body),
    headers: { path },
  });
  expect(JSON.parse(await text('/faults', post('', lease)))).toMatchObject({ id: 'a', effect: 0 });
  expect(await say(outbound, get)).toMatch(/^HTTP\/1\.1 418 /);
  expect(JSON.parse(await text('/faults'))).toMatchObject([{ id: 'a', effect: 1 }]);
  expect((await fetch(`${base}/faults/a`, { method: 'DELETE' })).status).toBe(200);
  expect(await say(outbound, get)).toMatch(/one<end>$/);
  expect((await fetch(`${base}/faults`, post('', { side: 'nowhere' }))).status).toBe(400);
  expect((await fetch(`${base}/nothing`)).status).toBe(404);
  expect(JSON.parse(await text('/profile/cpu?seconds=0.1', { method: 'POST' }))).toHaveProperty(
    'nodes',
  );
  // Web pages in a browser on this machine: one sends its own origin, one has rebound its name to 127.0.0.1.
  const ask = (line: string, headers: string): Promise<string> =>
    say(admin, `${line} HTTP/1.1\r\n${headers}\r\nconnection: close\r\n\r\n`);
  const page = 'host: 127.0.0.1\r\norigin: https://elsewhere.example\r\ncontent-length: 0';
  expect(await ask('POST /shutdown', page)).toMatch(/^HTTP\/1\.1 403 /);
  expect(await ask('GET /config', 'host: elsewhere.example:4191')).toMatch(/^HTTP\/1\.1 403 /);
  expect(await ask('GET /config', 'host: [::1]:4191')).toMatch(/^HTTP\/1\.1 200 /);
  expect(await ask('GET /config', 'host: LOCALHOST:4191')).toMatch(/^HTTP\/1\.1 200 /);
  expect(await ask('HEAD /live', 'host: a')).toMatch(/^HTTP\/1\.1 200 [^]*\r\n\r\n<end>$/);
  for (const name of ['constructor', '__proto__', 'toString', 'cart']) {
    expect((await fetch(`${base}/probes/${name}`)).status, name).toBe(404);
  }
  expect((await fetch(`${base}/probes/cart/live`)).status).toBe(200);
  expect((await fetch(`${base}/faults/%zz`, { method: 'DELETE' })).status).toBe(400);
  expect((await fetch(`${base}/why`, post('', null))).status).toBe(400);
  expect(await ask('GET /metrics', 'host: cart.shop.svc')).toMatch(/^HTTP\/1\.1 200 /);
  await child.stop();
}, 30_000);
