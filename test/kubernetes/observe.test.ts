/** stat, routes, edges and compliance without a cluster, from proxies' admin ports (C8, S7). */
import { spawn } from 'node:child_process';
import { createServer, type Server } from 'node:http';
import fc from 'fast-check';
import { afterEach, expect, test } from 'vitest';
import { program } from '../../base/paths.js';
import { parseExposition } from '../../mesh/kubernetes/observe/exposition.js';
import {
  belongsTo,
  noSuchWorkload,
  parseWorkload,
} from '../../mesh/kubernetes/observe/workload-argument.js';
import type { Pod } from '../../mesh/kubernetes/discovery/types.js';
import { quantile } from '../../mesh/kubernetes/observe/rows.js';
import { until } from './until.js';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

interface Shape {
  name: string;
  identity?: string;
  metrics: (reading: number) => string;
  state?: object;
}

/** An admin port that answers as the proxy's does; its counters grow with each reading. */
async function admin({ name, identity, metrics, state }: Shape): Promise<string> {
  let reading = 0;
  const server = createServer((request, response) => {
    if (request.url === '/metrics') response.end(metrics(reading++));
    else {
      const workload = { name, namespace: 'retail' };
      response.end(
        JSON.stringify({ workload, ...(identity ? { identity: { name: identity } } : {}), state }),
      );
    }
  }).listen(0, '127.0.0.1');
  servers.push(server);
  await until(() => server.listening);
  return `127.0.0.1:${(server.address() as { port: number }).port}`;
}

function cli(...args: string[]): Promise<{ code: number | null; out: string; err: string }> {
  const child = spawn(process.execPath, [program('cli'), ...args]);
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, out, err })));
}

const checkout = (reading: number): string => {
  const l =
    'direction="outbound",dst="cart.retail",dst_service="cart",dst_namespace="retail",rt_route="add"';
  return `# HELP x y
request_total{${l}} ${100 + 40 * reading}
response_total{${l},status_code="200",classification="success"} ${90 + 36 * reading}
response_total{${l},status_code="503",classification="failure"} ${10 + 4 * reading}
route_actual_response_total{${l},status_code="200"} ${36 * reading}
route_actual_response_total{${l},status_code="503"} ${14 * reading}
outbound_http_route_retry_requests_total{${l}} ${10 * reading}
response_latency_ms_bucket{${l},le="10"} ${20 * reading}
response_latency_ms_bucket{${l},le="20"} ${40 * reading}
response_latency_ms_bucket{${l},le="+Inf"} ${40 * reading}
tcp_open_total{direction="outbound",peer="dst",tls="true"} 3
tcp_open_total{direction="inbound",peer="src",tls="disabled"} 1
`;
};
const id = (name: string): string => `${name}.retail.serviceaccount.identity.test`;
const state = {
  destinations: [
    {
      name: 'cart.retail',
      routes: [],
      backends: [{ endpoints: [{ address: '1.2.3.4:1', identity: id('cart') }] }],
    },
  ],
  servers: [],
};

test('routes are shown before and after retries, edges with identities', async () => {
  const address = await admin({
    name: 'checkout',
    identity: id('checkout'),
    metrics: checkout,
    state,
  });
  const { out, code } = await cli(
    'routes',
    '--proxies',
    address,
    '--window',
    '300ms',
    '--format',
    'json',
  );
  expect(code).toBe(0);
  const [row] = JSON.parse(out) as Record<string, number>[];
  expect(row).toMatchObject({
    name: 'checkout.retail',
    service: 'cart.retail',
    route: 'add',
    successRatio: 0.9,
  });
  expect(row?.actualSuccessRatio).toBeCloseTo(0.72);
  expect([row?.latencyMsP50, row?.latencyMsP95]).toEqual([10, 19]);

  const edges = await cli('edges', '--proxies', address);
  expect(edges.out.split('\n')[1]).toMatch(
    /^checkout +cart +retail +retail +checkout\.retail\S+ +cart\.retail\S+ +√$/,
  );
  const compliance = await cli('compliance', '--proxies', address);
  expect(compliance.out).toContain('75.0% (3 of 4)');
  expect(compliance.code).toBe(0);
});

test('replicas with another policy are drift; a proxy that is away is named; none at all is an error', async () => {
  const plain = await admin({ name: 'cart', metrics: () => '', state });
  const other = await admin({
    name: 'cart',
    metrics: () => '',
    state: { ...state, servers: [{ name: 'x' }] },
  });
  const { code, out, err } = await cli('compliance', '--proxies', `${plain},${other},127.0.0.1:1`);
  expect(code).toBe(1);
  expect(out).toContain('policy differs between the replicas of cart.retail');
  expect(err).toContain('no answer from 127.0.0.1:1');
  expect((await cli('stat', '--proxies', '1')).code).toBe(5);
});

test('no traffic is no good news: neither of encryption nor of a tighter policy', async () => {
  const quiet = await admin({ name: 'cart', metrics: () => '', state });
  const encrypted = await cli('compliance', '--proxies', quiet);
  expect([encrypted.code, encrypted.out]).toEqual([3, expect.stringContaining('none were made')]);
  const audit = await cli('policy', 'audit', '--default', 'deny', '--proxies', quiet);
  expect([audit.code, audit.out]).toEqual([3, 'no inbound traffic was seen\n']);
});

test('quantiles lie between their buckets, and grow with q', () => {
  const counts = fc.array(fc.nat(50), { minLength: 2, maxLength: 8 });
  fc.assert(
    fc.property(counts, fc.double({ min: 0.01, max: 0.99, noNaN: true }), (each, q) => {
      let total = 0;
      const buckets = new Map(
        each.map((n, i) => [i === each.length - 1 ? Infinity : (i + 1) * 10, (total += n)]),
      );
      const value = quantile(buckets, q);
      if (total === 0) return value === undefined;
      const more = quantile(buckets, Math.min(1, q + 0.01)) as number;
      return (
        (value as number) >= 0 &&
        (value as number) <= (each.length - 1) * 10 &&
        more >= (value as number) - 1e-9
      );
    }),
  );
});

test('the text format is read with escapes, and junk is left out', () => {
  expect(parseExposition('a{b="c\\"d\\\\e,f=}"} 1e3\n# x\n\njunk\nplain NaN')).toEqual([
    { name: 'a', labels: { b: 'c"d\\e,f=}' }, value: 1000 },
    { name: 'plain', labels: {}, value: NaN },
  ]);
});

test('deploy/web, po/web-1 and web name proxies; what is none is told what there is', () => {
  const pod = (name: string, owner?: { kind: string; name: string }): Pod => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'shop',
      labels: owner?.kind === 'ReplicaSet' ? { 'pod-template-hash': 'abc12' } : {},
      ...(owner ? { ownerReferences: [{ apiVersion: 'apps/v1', ...owner }] } : {}),
    },
    spec: { containers: [] },
  });
  const web = pod('web-abc12-x', { kind: 'ReplicaSet', name: 'web-abc12' });
  const db = pod('db-0', { kind: 'StatefulSet', name: 'db' });
  const bare = pod('web');
  const chosen = (text: string) =>
    [web, db, bare].filter((p) => belongsTo(p, parseWorkload(text))).map((p) => p.metadata.name);
  expect(chosen('deploy/web')).toEqual(['web-abc12-x']);
  expect(chosen('web')).toEqual(['web-abc12-x', 'web']);
  expect(chosen('po/web')).toEqual(['web']);
  expect(chosen('sts/db')).toEqual(['db-0']);
  expect(chosen('deploy/db')).toEqual([]);
  for (const bad of ['deployy/web', 'deploy/', 'a/b/c', 'Web!'])
    expect(() => parseWorkload(bad)).toThrow(/is no workload/);
  expect(() => parseWorkload('deployy/web')).toThrow(/did you mean deploy\/web/);
  expect(noSuchWorkload('deploy/x', 'shop', [web, db]).message).toMatch(
    /no pod of deploy\/x in namespace shop has a proxy; expected .*deployment\/web, statefulset\/db/,
  );
});
