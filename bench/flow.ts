/** The cost of a request's flow without any socket: begin, pick, responded, ended. `npm run bench:flow`. */
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { realClock } from '../base/clock.js';
import { packageRoot } from '../base/paths.js';
import { systemRandom } from '../base/random.js';
import type { Backend, MeshState, ProxyConfig, Route } from '../mesh/model.js';
import type { RequestInfo } from '../mesh/proxy/flow/contract.js';
import { createGateway } from '../mesh/proxy/flow/gateway.js';

const rounds = 7;
const requestsPerRound = 400_000;

const backend: Backend = {
  name: 'cart',
  endpoints: ['10.0.0.1:80', '10.0.0.2:80', '10.0.0.3:80'].map((address) => ({
    address,
    identity: 'cart.retail.serviceaccount.identity.retail.local',
  })),
  balancer: { kind: 'ewma', defaultRttMs: 30, decaySeconds: 10, slowStartSeconds: 10 },
  breaker: {
    consecutiveFailures: 7,
    successRate: { threshold: 0.8, windowSeconds: 10, minRequests: 20 },
    minOpenMs: 1000,
    maxOpenMs: 60_000,
    jitter: 0.5,
    maxEjectedRatio: 0.5,
    panicRatio: 0.25,
  },
  limits: { maxConnections: 1024, maxPending: 1024, maxRequests: 4096 },
  failFastMs: 3000,
};

const route = (name: string, more: Partial<Route>): Route => ({
  name,
  matches: [],
  split: [{ backend: 'cart', weight: 1 }],
  timeouts: { requestMs: 2000, perTryMs: 500 },
  retry: {
    limit: 2,
    statuses: [[500, 599]],
    onConnectFailure: true,
    unsafeMethods: false,
    backoff: { baseMs: 25, maxMs: 250, jitter: 1 },
    budget: { ratio: 0.2, minRetriesPerSecond: 10, ttlSeconds: 10 },
    maxBufferedBytes: 65_536,
  },
  ...more,
});

const state: MeshState = {
  version: 1,
  unknownDestinations: 'forward',
  destinations: [
    {
      name: 'cart.retail',
      service: 'cart',
      namespace: 'retail',
      hosts: ['cart', 'cart.retail', 'cart.retail.svc.cluster.local'],
      addresses: ['10.96.0.7:80'],
      protocol: 'detect',
      backends: [backend],
      routes: [
        route('add', { matches: [{ method: 'POST', path: { kind: 'prefix', value: '/cart' } }] }),
        route('items', { matches: [{ path: { kind: 'prefix', value: '/items' } }] }),
        route('all', {}),
      ],
    },
  ],
  servers: [
    {
      name: 'http',
      port: 4143,
      target: '127.0.0.1:9001',
      protocol: 'detect',
      defaultPolicy: 'all-authenticated',
      authorizations: [],
      routes: [route('items', { matches: [{ path: { kind: 'prefix', value: '/items' } }] })],
    },
  ],
};

const headers: Record<string, string> = { 'user-agent': 'bench', accept: '*/*' };
const request: RequestInfo = {
  method: 'GET',
  path: '/items/42?expand=all',
  authority: 'cart.retail:8080',
  isGrpc: false,
  header: (name) => headers[name],
  peerIdentity: 'web.retail.serviceaccount.identity.retail.local',
  peerAddress: '10.1.2.3',
  tls: 'true',
};

function gatewayWith(config: Partial<ProxyConfig>) {
  const gateway = createGateway({
    config: {
      workload: { name: 'web', namespace: 'retail' },
      admin: { host: '127.0.0.1', port: 0 },
      ...config,
    },
    clock: realClock,
    random: systemRandom,
    version: 'bench',
    log: () => undefined,
  });
  gateway.apply(state);
  return gateway;
}

type Gateway = ReturnType<typeof gatewayWith>;

function outbound({ outbound: side }: Gateway): void {
  const flow = side.begin(side.destinationFor(request.authority), request);
  if (!flow.pick()) throw new Error(flow.refusal?.reason);
  if (flow.responded(200, -1) !== 'relay') throw new Error('retried');
  flow.ended('complete', -1, 0, 1000);
}

function inbound({ inbound: side }: Gateway): void {
  const server = side.serverFor(4143);
  if (!server) throw new Error('no server');
  const flow = side.begin(server, request);
  if (!flow.pick()) throw new Error(flow.refusal?.reason);
  flow.responded(200, -1);
  flow.ended('complete', -1, 0, 1000);
}

/** Microseconds for each request: the median of the rounds' CPU time, which other programs do not lengthen. */
function measure(run: (gateway: Gateway) => void, gateway: Gateway): number {
  for (let i = 0; i < requestsPerRound / 4; i++) run(gateway);
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const before = process.cpuUsage();
    for (let i = 0; i < requestsPerRound; i++) run(gateway);
    const { user, system } = process.cpuUsage(before);
    times.push((user + system) / requestsPerRound);
  }
  return times.sort((a, b) => a - b)[Math.floor(rounds / 2)] as number;
}

// Nothing listens at that port: sampled spans are made, queued, and dropped.
const tracing = { otlpUrl: 'http://127.0.0.1:9/v1/traces', sampleRatio: 0.01 };
const rows: [string, number][] = [];
for (const [what, config, run] of [
  ['outbound, 1% tracing', { tracing }, outbound],
  ['outbound, no tracing', {}, outbound],
  ['inbound, 1% tracing', { tracing }, inbound],
  ['inbound, no tracing', {}, inbound],
] as const) {
  const gateway = gatewayWith(config);
  rows.push([what, measure(run, gateway)]);
  await gateway.close();
}

const table = [
  '# What policy costs a request, without sockets',
  '',
  'Begin, pick, response head, end; three endpoints, three routes with metrics, retries armed with a budget,',
  'breaker by failures in a row and success rate, slow start configured. CPU time, garbage collection included,',
  `median of ${rounds} rounds of ${requestsPerRound} requests, on ${cpus()[0]?.model ?? 'unknown'},`,
  `Node ${process.version}. The bar: 2 µs on a 2.5 GHz core.`,
  '',
  '| what | µs a request |',
  '| --- | ---: |',
  ...rows.map(([what, us]) => `| ${what} | ${us.toFixed(2)} |`),
  '',
  'Repeat with `npm run bench:flow`.',
  '',
].join('\n');
if (process.argv.includes('--write')) {
  writeFileSync(join(packageRoot, 'bench/results/flow.md'), table);
}
process.stdout.write(`${JSON.stringify(Object.fromEntries(rows))}\n`);
