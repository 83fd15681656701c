/** C1: snapshot, deltas, acknowledgement and rejection between a real controller and real clients. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { writeFileWhole } from '../../../base/write-file.js';
import type { DiscoverySink } from '../../../mesh/controller/discovery/source.js';
import type { InboundServer } from '../../../mesh/model.js';
import { clientIn, controllerIn, eventually, folder, registryOf, tokenFor } from './bench-mesh.js';

const inboundServer: InboundServer = {
  name: 'http',
  port: 8080,
  target: '127.0.0.1:8080',
  protocol: 'detect',
  defaultPolicy: 'deny',
  authorizations: [],
  routes: [],
};

const metrics = async (port: number): Promise<string> =>
  (await fetch(`http://127.0.0.1:${port}/metrics`)).text();

test('C1: a proxy joins with a token, gets a snapshot, then only what changed', async () => {
  const path = folder();
  const registry = registryOf({ cart: ['10.0.0.1:1'], pay: ['10.0.0.2:1'] });
  const { controller, address } = await controllerIn(path, { registry });
  tokenFor(path, 'cart');
  const { client, states, identities } = clientIn(path, 'cart', [address]);
  await client.start(10_000);
  expect(
    states
      .at(-1)
      ?.destinations.map((d) => d.name)
      .sort(),
  ).toEqual(['cart.retail', 'pay.retail']);
  expect(identities[0]?.notAfterMs).toBeGreaterThan(Date.now());
  const before = states.at(-1)!;
  writeFileWhole(
    join(path, 'registry.yaml'),
    registryOf({ cart: ['10.0.0.1:1'], pay: ['10.0.0.2:1', '10.0.0.3:1'] }),
  );
  await eventually(() =>
    states.at(-1)?.destinations.some((d) => d.backends[0]?.endpoints.length === 2),
  );
  const after = states.at(-1)!;
  expect(after.version).toBeGreaterThan(before.version);
  // An unchanged object keeps its identity: it was not sent again.
  const find = (s: typeof before, n: string) => s.destinations.find((d) => d.name === n);
  expect(find(after, 'cart.retail')).toBe(find(before, 'cart.retail'));
  await eventually(async () =>
    /firedrill_controller_propagation_seconds_count [1-9]/.test(
      await metrics(controller.adminPort),
    ),
  );
  const text = await metrics(controller.adminPort);
  expect(text).toMatch(/firedrill_controller_connected_proxies 1\n/);
  expect(text).toMatch(/# TYPE firedrill_controller_acks_total counter/);
  expect(text).toMatch(/# TYPE process_cpu_seconds_total counter/);
  expect(text).toMatch(/^process_resident_memory_bytes \d{8,}$/m);
  expect(text).toMatch(/^process_start_time_seconds \d{10}/m);
  expect(text).toMatch(/firedrill_identity_certificates_issued_total\{reason="join"\} 1\n/);
});

test('C1: a proxy is sent what it asked for and nothing else', async () => {
  const path = folder();
  const registry = registryOf({ cart: ['10.0.0.1:1'], pay: ['10.0.0.2:1'], ship: ['10.0.0.3:1'] });
  const { address } = await controllerIn(path, { registry });
  tokenFor(path, 'cart');
  const { client, states } = clientIn(path, 'cart', [address], {
    subscribe: ['pay.retail', 'ship.retail.svc', 'nowhere.example'],
  });
  await client.start(10_000);
  expect(states.at(-1)?.destinations.map((d) => d.name)).toEqual(['pay.retail', 'ship.retail']);
  // The service appears later: its subscribers get it.
  const known = states.length;
  writeFileWhole(
    join(path, 'registry.yaml'),
    JSON.stringify({
      services: [
        { name: 'pay', namespace: 'retail', endpoints: [{ address: '10.0.0.2:1' }] },
        { name: 'new', namespace: 'other', hosts: ['*.example'] },
        { name: 'more', namespace: 'other' },
      ],
    }),
  );
  await eventually(() => states.length > known);
  await eventually(() => states.at(-1)?.destinations.length === 2);
  expect(states.at(-1)?.destinations.map((d) => d.name)).toEqual(['pay.retail', 'new.other']);
});

test('C1: a refused update leaves the proxy with what it had, and is counted with its reason', async () => {
  const path = folder();
  const { controller, address } = await controllerIn(path, {
    registry: registryOf({ cart: ['10.0.0.1:1'] }),
  });
  tokenFor(path, 'cart');
  let refuse = false;
  const taken: number[] = [];
  const { client } = clientIn(path, 'cart', [address], {
    onState: (state) => {
      if (refuse) throw new Error('no room for it');
      taken.push(state.destinations.length);
    },
  });
  await client.start(10_000);
  refuse = true;
  writeFileWhole(join(path, 'registry.yaml'), registryOf({ cart: ['10.0.0.1:1'], pay: [] }));
  await eventually(() => controller.sessions.nacks === 1);
  const rows = (await (await fetch(`http://127.0.0.1:${controller.adminPort}/proxies`)).json()) as {
    lastError: string;
    owed: number;
  }[];
  expect(rows[0]).toMatchObject({ lastError: 'no room for it', owed: 1 });
  // The next change also carries the refused objects.
  refuse = false;
  writeFileWhole(
    join(path, 'registry.yaml'),
    registryOf({ cart: ['10.0.0.1:1'], pay: [], ship: [] }),
  );
  await eventually(() => taken.at(-1) === 3);
});

test('bad input: a half-written registry changes nothing, says where, and heals', async () => {
  const path = folder();
  const good = registryOf({ cart: ['10.0.0.1:1'] });
  const { controller, address, logs } = await controllerIn(path, { registry: good });
  tokenFor(path, 'cart');
  const { client, states } = clientIn(path, 'cart', [address]);
  await client.start(10_000);
  const text = 'services:\n  - name: cart\n    namespace: retail\n    endpoints: [{ addre';
  writeFileSync(join(path, 'registry.yaml'), text);
  await eventually(() => logs.some((line) => /registry\.yaml:4:\d+/.test(line)));
  expect(states).toHaveLength(1);
  const state = (await (await fetch(`http://127.0.0.1:${controller.adminPort}/state`)).json()) as {
    problems: Record<string, string[]>;
    destinations: unknown[];
  };
  expect(Object.values(state.problems).flat().join()).toMatch(/registry\.yaml:4:/);
  expect(state.destinations).toHaveLength(1);
  expect(await metrics(controller.adminPort)).toMatch(
    /firedrill_registry_errors_total\{source="[^"]+"\} [1-9]/,
  );
  writeFileSync(join(path, 'registry.yaml'), registryOf({ cart: ['10.0.0.9:1'] }));
  await eventually(
    () => states.at(-1)?.destinations[0]?.backends[0]?.endpoints[0]?.address === '10.0.0.9:1',
  );
  expect(controller.catalogue.problems.size).toBe(0);
});

test('a controller that starts over a broken registry takes nothing from its proxies', async () => {
  const path = folder();
  const file = join(path, 'registry.yaml');
  const first = await controllerIn(path, { registry: registryOf({ cart: ['10.0.0.1:1'] }) });
  const port = first.controller.grpcPort;
  tokenFor(path, 'cart', 2);
  const { client, states } = clientIn(path, 'cart', [first.address]);
  await client.start(10_000);
  await first.controller.stop();
  const { controller } = await controllerIn(path, { registry: 'services:\n  - name: [', port });
  await eventually(() => controller.sessions.size === 1);
  const ready = (): Promise<Response> => fetch(`http://127.0.0.1:${controller.adminPort}/ready`);
  expect([(await ready()).status, await (await ready()).json()]).toEqual([
    503,
    { ready: false, waiting: [`file:${file}`] },
  ]);
  const late = clientIn(path, 'cart', [`127.0.0.1:${port}`]);
  const started = late.client.start(10_000);
  await eventually(() => controller.sessions.size === 2);
  writeFileWhole(file, registryOf({ cart: ['10.0.0.1:1'], pay: ['10.0.0.2:1'] }));
  await eventually(() => states.at(-1)?.destinations.length === 2);
  await started;
  await eventually(() => late.states.at(-1)?.destinations.length === 2);
  // Neither the one that knew something nor the new one was ever told that there is nothing.
  for (const seen of [states, late.states])
    expect(seen.filter((s) => s.destinations.length === 0)).toEqual([]);
  expect((await ready()).status).toBe(200);
});

test('a large snapshot comes in parts and is taken at once', async () => {
  const path = folder();
  const services = Object.fromEntries(
    Array.from({ length: 600 }, (_, i) => [`s${i}`, [`10.0.${i >> 8}.${i & 255}:80`]]),
  );
  const { address } = await controllerIn(path, { registry: registryOf(services) });
  tokenFor(path, 'cart');
  const { client, states } = clientIn(path, 'cart', [address]);
  await client.start(10_000);
  expect(states.map((s) => s.destinations.length)).toEqual([600]);
});

test('inbound servers go to the workload that they are for', async () => {
  const path = folder();
  const server = (workload: string) => ({
    workload,
    namespace: 'retail',
    name: 'http',
    port: 15001,
    target: '127.0.0.1:9001',
  });
  const { address } = await controllerIn(path, {
    registry: JSON.stringify({ servers: [server('cart'), server('pay')] }),
  });
  tokenFor(path, 'cart');
  const { client, states } = clientIn(path, 'cart', [address]);
  await client.start(10_000);
  expect(states.at(-1)?.servers).toHaveLength(1);
  writeFileWhole(
    join(path, 'registry.yaml'),
    JSON.stringify({ servers: [server('pay'), server('ship')] }),
  );
  await eventually(() => states.at(-1)?.servers.length === 0);
});

test('servers of one template go to its proxies, the rest to those that name none', async () => {
  const path = folder();
  const of = (key: string, more: object) => ({
    key,
    namespace: 'retail',
    workload: 'cart',
    servers: [{ ...inboundServer, name: key }],
    ...more,
  });
  const source = {
    name: 'templates',
    start: (sink: DiscoverySink) => {
      const servers = [
        of('a', { labels: { hash: 'a' } }),
        of('b', { labels: { hash: 'b' } }),
        of('rest', { without: ['hash'] }),
      ];
      sink.replace({ destinations: [], servers });
      return Promise.resolve();
    },
    stop: () => Promise.resolve(),
  };
  const registry = JSON.stringify({ services: [] });
  const { address } = await controllerIn(path, { registry, sources: [source] });
  tokenFor(path, 'cart', 2);
  for (const [labels, expected] of [
    [{ hash: 'b' }, 'b'],
    [{ other: 'b' }, 'rest'],
  ] as const) {
    const workload = { name: 'cart', namespace: 'retail', labels };
    const { client, states } = clientIn(path, 'cart', [address], { workload });
    await client.start(10_000);
    expect(states.at(-1)?.servers.map((s) => s.name)).toEqual([expected]);
  }
});
