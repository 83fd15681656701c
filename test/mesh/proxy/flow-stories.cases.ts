/** The longer stories of flow-stories.test.ts: traffic that meets many policies at once. */
import { seededRandom } from '../../../base/random.js';
import type { Backend, BreakerPolicy, InboundServer, Route } from '../../../mesh/model.js';
import { isMethod } from '../../../mesh/proxy/flow/method.js';
import { isHost } from '../../../mesh/proxy/flow/authority.js';
import type { TryFailure } from '../../../mesh/proxy/flow/contract.js';
import { maxLeases } from '../../../mesh/proxy/flow/fault/fault-table.js';
import { isForbiddenTrailer, isReserved } from '../../../mesh/proxy/flow/reserved.js';
import { judge } from '../../../mesh/proxy/flow/route/target.js';
import { backend, destination, request, retry, route, server, state } from './flow-bench.js';
import { type Told, Teller } from './flow-teller.js';

const addresses = (count: number, from = 1): string[] =>
  Array.from({ length: count }, (_, i) => `10.0.0.${i + from}:80`);

const breaker: BreakerPolicy = {
  consecutiveFailures: 3,
  successRate: { threshold: 0.7, windowSeconds: 5, minRequests: 10 },
  minOpenMs: 200,
  maxOpenMs: 2000,
  jitter: 0.5,
  maxEjectedRatio: 0.6,
  panicRatio: 0.3,
};

const failures: TryFailure[] = [
  'refused',
  'connect-timeout',
  'unreachable',
  'reset',
  'stale-connection',
  'not-processed',
  'try-timeout',
  'bad-response',
  'overflow',
  'tls:expired',
];

/** An answer by lot; each endpoint has its own speed and its own share of failures. */
function lots(seed: number, failing: number) {
  const random = seededRandom(seed);
  return (address: string): Told => {
    const own = Number(/\.(\d+):/.exec(address)?.[1] ?? 1);
    const tookMs = 2 + own * 3 + Math.floor(random.next() * 20);
    const lot = random.next();
    if (lot < failing * (own % 3)) {
      const fails = failures[Math.floor(random.next() * failures.length)]!;
      return { fails, tookMs };
    }
    return { status: lot < failing * 2 ? 503 : lot > 0.97 ? 404 : 200, tookMs };
  };
}

function traffic(teller: Teller, requests: number, failing: number): void {
  const answer = lots(11, failing);
  const paths = ['/items', '/items/7?x=1', '/orders', '/other'];
  for (let i = 0; i < requests; i++) {
    teller.b.clock.advance(i % 30 === 29 ? 700 : 13);
    const method = i % 5 === 4 ? 'POST' : 'GET';
    const headers = i % 7 === 0 ? { 'x-request-id': `r${i}` } : {};
    teller.outbound(
      { method, path: paths[i % paths.length]!, headers },
      { answer, ...(i % 41 === 40 && { how: 'client-gone' as const }) },
    );
  }
}

const tried: Route[] = [
  route('items', {
    matches: [{ path: { kind: 'prefix', value: '/items' } }],
    retry: retry({ budget: { ratio: 0.5, minRetriesPerSecond: 2, ttlSeconds: 5 } }),
    timeouts: { requestMs: 400, perTryMs: 100, idleMs: 1000 },
  }),
  route('orders', {
    matches: [{ path: { kind: 'exact', value: '/orders' } }],
    retry: retry({ unsafeMethods: true, onConnectFailure: false, statuses: [[503, 503]] }),
  }),
];

function balanced(kind: 'ewma' | 'random', more: Partial<Backend> = {}): Backend {
  const balancer = { kind, defaultRttMs: 30, decaySeconds: 2, slowStartSeconds: 1 };
  return backend(addresses(5), { balancer, breaker, ...more });
}

/** Connections, opaque ones: nothing is known of them but where they go. */
function connections(): Teller {
  const one = { ...backend(addresses(4)), breaker, failFastMs: 300 };
  one.limits = { maxConnections: 2, maxPending: 1, maxRequests: 2 };
  const teller = new Teller(
    state([destination([one], [], { protocol: 'opaque', addresses: ['10.96.0.7:80'] })]),
  );
  const { gateway } = teller.b;
  const dialled = '10.96.0.7:80';
  teller.connect('', dialled, [undefined]);
  teller.connect('', dialled, ['refused', undefined]);
  teller.connect('', dialled, ['refused', 'connect-timeout', 'reset', undefined]);
  teller.connect('', dialled, ['tls:expired', 'unreachable', undefined]);
  for (let i = 0; i < 12; i++) teller.connect('', dialled, ['refused', 'refused', 'refused']);
  for (let i = 0; i < 6; i++) teller.connect('', dialled, Array(8).fill(undefined));
  teller.b.clock.advance(3000);
  const open = gateway.outbound.connect(gateway.outbound.destinationFor('', dialled), '10.1.2.3');
  teller.say('one stays', open.pick()?.address);
  open.connected();
  open.connected();
  const second = gateway.outbound.connect(gateway.outbound.destinationFor('', dialled), '10.1.2.3');
  teller.say('another', second.pick()?.address, second.waitMs, second.refusal ?? '-');
  const third = gateway.outbound.connect(gateway.outbound.destinationFor('', dialled), '10.1.2.3');
  teller.say('a third', third.pick()?.address ?? 'none', third.waitMs, third.refusal ?? '-');
  const fourth = gateway.outbound.connect(gateway.outbound.destinationFor('', dialled), '10.1.2.3');
  teller.say('a fourth', fourth.pick()?.address ?? 'none', fourth.refusal ?? '-');
  for (const flow of [open, second, third, fourth]) flow.ended('upstream-broke', 1, 2);
  teller.connect('', '10.9.9.9:443', [undefined]);
  teller.connect('', '10.9.9.9:443', ['refused', 'refused']);
  for (const [id, more] of Object.entries({
    late: { delayMs: 40, bytesPerSecond: 1000 },
    cut: { reset: true },
    silent: { blackhole: true },
    status: { abortStatus: 503 },
  })) {
    gateway.faults.put({ id, side: 'outbound', ttlMs: 1000, ...more });
    teller.connect('', dialled, [undefined]);
    gateway.faults.remove(id);
  }
  return teller;
}

const guarded: Partial<InboundServer> = {
  defaultPolicy: 'deny',
  routes: [
    route('open', { matches: [{ path: { kind: 'prefix', value: '/open' } }], split: [] }),
    route('slow', {
      matches: [{ path: { kind: 'prefix', value: '/slow' }, method: 'GET' }],
      split: [],
      rateLimit: { requestsPerSecond: 2, burst: 2, per: 'identity' },
      requestHeaders: { set: [['x-set', '1']], add: [['x-add', '2']], remove: ['x-gone'] },
    } as Partial<Route>),
  ],
  authorizations: [
    { name: 'web', identities: ['web.retail', '*.shop'], unauthenticated: false },
    { name: 'open', routes: ['open'], identities: [], unauthenticated: true },
    { name: 'office', identities: [], unauthenticated: true, networks: ['10.1.0.0/16'] },
  ],
  rateLimit: { requestsPerSecond: 20, burst: 30, per: 'all' },
};

/** The inbound side: who may call, how often, and what the app answers. */
function callers(more: Partial<InboundServer>): Teller {
  const audited = server({ name: 'audited', port: 4144, defaultPolicy: 'audit' });
  const any = server({ name: 'any', port: 0, target: '', opaquePorts: [9999], ...guarded });
  const teller = new Teller(state([], [server({ ...guarded, ...more }), audited, any]));
  const answers: Told[] = [
    { status: 200 },
    { status: 503 },
    { fails: 'stale-connection' },
    { fails: 'overflow' },
    { fails: 'slow-client' },
    { fails: 'try-timeout' },
    { fails: 'reset' },
    { status: 200, grpcStatus: 14 },
    { status: 200, grpcStatus: 99 },
  ];
  const answer = (_: string, attempt: number): Told =>
    attempt > 1 ? {} : answers[teller.b.gateway.inbound.begun % answers.length]!;
  const peers = ['web.retail', 'cart.shop', 'cart.retail', undefined];
  const places = ['10.1.2.3', '10.2.2.3'];
  const { faults } = teller.b.gateway;
  faults.put({ id: 'odd', side: 'inbound', ttlMs: 60_000, delayMs: 3, match: { method: 'POST' } });
  const match = { identity: 'cart.shop', route: 'open' };
  faults.put({ id: 'shop', side: 'inbound', ttlMs: 60_000, abortStatus: 418, match });
  for (let i = 0; i < 36; i++) {
    const peerIdentity = peers[i % 4];
    const info = {
      peerIdentity,
      peerAddress: places[(i >> 2) % 2]!,
      tls: peerIdentity === undefined ? ('disabled' as const) : ('true' as const),
      path: ['/open/x', '/slow/x', '/other'][i % 3]!,
      method: i % 5 === 0 ? 'POST' : 'GET',
      isMirror: i % 3 === 0,
      isGrpc: i % 9 > 6,
    };
    if (i % 10 === 9) teller.b.clock.advance(300);
    teller.inbound(info, {
      answer,
      bytes: [i, 10 * i],
      ...(i % 12 === 11 && { begun: (flow) => flow.forbidRetry() }),
    });
    teller.inbound({ ...info, path: '/x' }, {}, i % 2 === 0 ? 4144 : 9000 + (i % 3));
  }
  for (const [i, identity] of peers.entries()) {
    const peer = { address: places[(i + 1) % 2]!, ...(identity !== undefined && { identity }) };
    for (const port of [4143, 4144, 9999]) {
      teller.accept(port, peer, identity === undefined ? 'disabled' : 'true');
    }
  }
  for (const more of [{ delayMs: 40, bytesPerSecond: 9 }, { reset: true }, { blackhole: true }]) {
    faults.put({ id: 'all', side: 'inbound', ttlMs: 60_000, ...more });
    teller.accept(4144, { address: '10.1.1.1' });
  }
  return teller;
}

/** The state changes while requests are under way. */
function changes(): Teller {
  const first = [destination([backend(addresses(3))], [route('a')])];
  const servers = [server({ name: 'http', port: 4143 }), server({ name: 'all', port: 0 })];
  const teller = new Teller(state(first, servers));
  const { gateway } = teller.b;
  const apply = (...given: Parameters<typeof state>): void =>
    teller.tries('apply', () => gateway.apply(state(...given)));
  teller.outbound();
  teller.inbound({}, { answer: () => ({}) });
  teller.accept(9001, { address: '10.1.1.1' });
  teller.outbound({ authority: 'other:8080' }, {}, '10.5.5.5:8080');
  teller.outbound({ authority: 'Other:8080' });
  teller.outbound({ authority: '' });
  apply([destination([backend(addresses(2, 2))], [route('a'), route('b')])], servers, 2);
  teller.outbound();
  apply([...first, ...first], servers, 3);
  apply(first, [servers[0]!, servers[0]!], 4);
  apply([destination([], [])], servers, 5);
  teller.outbound();
  const twoBackends = [backend(addresses(2)), { ...backend(addresses(2, 7)), name: 'next' }];
  const split = [
    { backend: 'cart', weight: 3 },
    {
      backend: 'next',
      weight: 1,
      requestHeaders: { set: [['x-next', '1']] as [string, string][] },
    },
  ];
  apply([destination(twoBackends, [route('a', { split })])], [], 6);
  for (let i = 0; i < 12; i++) teller.outbound();
  apply([destination([twoBackends[0]!], [route('a')])], [], 7);
  const shop = destination([backend(addresses(2, 20))], [], {
    name: 'shop.retail',
    service: 'shop',
    hosts: ['shop', '*.shop'],
    addresses: [],
    headless: true,
  });
  apply([shop, ...first], [server({ name: 'http', port: 4143, target: '127.0.0.1:9002' })], 8);
  for (const authority of ['shop', 'a.shop', 'a.b.shop:80', 'shop.', 'SHOP:81', 'xshop']) {
    teller.outbound({ authority });
    teller.outbound({ authority }, {}, '10.0.0.20:80');
    teller.outbound({ authority }, {}, '10.0.0.99:80');
  }
  teller.outbound({ authority: '' });
  gateway.outbound.ownAddresses = new Set(['127.0.0.1:4140']);
  teller.outbound({ authority: 'me' }, {}, '127.0.0.1:4140');
  teller.tries('refusing', () =>
    gateway.apply({ ...state(first, [], 9), unknownDestinations: 'refuse' }),
  );
  teller.outbound({ authority: 'stranger\u0001:80' });
  teller.outbound({ authority: 'x' }, {}, '10.0.0.2:80');
  teller.connect('', '10.77.0.1:1', [undefined]);
  const kept = [server({ name: 'http', port: 4143, routes: [route('r', { split: [] })] })];
  apply(first, kept, 10);
  const old = gateway.inbound.serverFor(4143)!;
  teller.inbound({}, { answer: () => ({}) });
  apply([...first, shop], kept, 11);
  apply(first, [server({ name: 'http', port: 4143, target: '127.0.0.1:9003' })], 12);
  const late = gateway.inbound.begin(old, request());
  teller.say('an old connection goes to', late.pick()?.address);
  late.ended('complete', -1, 0, 0);
  apply(first, [], 13);
  teller.say('or where it was', gateway.inbound.begin(old, request()).pick()?.address);
  teller.say('generations', gateway.outbound.generation, gateway.inbound.generation);
  teller.say('begun', gateway.outbound.begun, gateway.inbound.begun);
  return teller;
}

/** Slow requests and their copies. */
function hedges(): Teller {
  const budget = { ratio: 0.2, minRetriesPerSecond: 1, ttlSeconds: 4 };
  const routes = [
    route('copied', { hedge: { afterMs: 20 }, retry: retry({ budget }), timeouts: {} }),
  ];
  const one = { ...backend(addresses(3)), breaker };
  const teller = new Teller(state([destination([one], routes)]));
  const copies: NonNullable<Told['copy']>[] = [
    { status: 200, wins: true },
    { status: 503, wins: false },
    { status: 404, wins: true },
    { status: 500, wins: false },
    { fails: 'reset' },
    { fails: 'not-processed' },
    { fails: 'refused' },
    { fails: 'overflow' },
  ];
  for (let i = 0; i < 24; i++) {
    const copy = copies[i % copies.length]!;
    teller.b.clock.advance(150);
    teller.outbound(
      { method: i % 7 === 6 ? 'POST' : 'GET' },
      { answer: (_, attempt) => (attempt === 1 ? { copy, tookMs: 25 } : { tookMs: 5 }) },
    );
  }
  const { b } = teller;
  b.gateway.apply(state([destination([{ ...backend(addresses(1)) }], routes)]));
  teller.outbound({}, { answer: () => ({ copy: { status: 200, wins: true }, tookMs: 25 }) });
  return teller;
}

/** Leases of faults: checked, combined, matched, renewed, and over. */
function faults(): Teller {
  const teller = new Teller(state([destination([backend(addresses(2))], [route('a')])]));
  const { faults: table } = teller.b.gateway;
  const good = { id: 'x', side: 'outbound', ttlMs: 1000, delayMs: 10 };
  for (const lease of [
    null,
    7,
    [],
    {},
    { ...good, side: 'both' },
    { ...good, ratio: -0.1 },
    { ...good, ratio: 1.1 },
    { ...good, ratio: '1' },
    { ...good, delayMs: -1 },
    { ...good, delayMs: 600_001 },
    { ...good, delayJitterMs: 'x' },
    { ...good, abortStatus: 199 },
    { ...good, abortStatus: 600 },
    { ...good, bytesPerSecond: 0 },
    { ...good, ttlMs: 0 },
    { ...good, ttlMs: 600_001 },
    { ...good, ttlMs: undefined },
    { ...good, reset: 'yes' },
    { ...good, blackhole: 1 },
    { ...good, speed: 3 },
    { ...good, delayMs: undefined },
    { ...good, delayMs: undefined, reset: false },
    { ...good, match: null },
    { ...good, match: [] },
    { ...good, match: 'x' },
    { ...good, match: { path: '/' } },
    { ...good, match: { method: 7 } },
    { ...good, ratio: 0 },
    { ...good, ratio: 1, delayMs: 0, abortStatus: 200, ttlMs: 1 },
    { ...good, id: 'y'.repeat(120), abortStatus: 599, ttlMs: 600_000, bytesPerSecond: 1 },
  ]) {
    teller.tries('put', () => table.put(lease));
  }
  teller.say('an id is chosen', typeof table.put({ ...good, id: '' }).id, table.list().length);
  table.clear();
  teller.say('none is left', table.list(), table.remove('x'));
  const match = { destination: 'cart.retail', route: 'a', method: 'GET', pathPrefix: '/items' };
  const leases = [
    { ...good, id: 'late', match, delayJitterMs: 20, bytesPerSecond: 900 },
    { ...good, id: 'later', delayMs: 5, match: { method: 'GET' }, bytesPerSecond: 500 },
    { ...good, id: 'some', delayMs: undefined, abortStatus: 418, ratio: 0.5 },
    { ...good, id: 'inside', side: 'inbound', reset: true },
    { ...good, id: 'cut', delayMs: undefined, reset: true, match: { pathPrefix: '/cut' } },
    { ...good, id: 'hole', delayMs: undefined, blackhole: true, match: { pathPrefix: '/hole' } },
    { ...good, id: 'who', match: { identity: 'web.retail' } },
    { ...good, id: 'else', match: { destination: 'other' } },
    { ...good, id: 'way', match: { route: 'b' } },
  ];
  for (const lease of leases) table.put(lease);
  teller.say('sides', table.inbound, table.outbound);
  for (const [method, path] of [
    ['GET', '/items/1'],
    ['POST', '/items/1'],
    ['GET', '/other/items'],
    ['GET', '/cut/1'],
    ['GET', '/hole'],
  ] as const) {
    for (let i = 0; i < 3; i++) teller.outbound({ method, path });
  }
  teller.say('renewed', table.put({ ...good, id: 'late', match, delayMs: 7 }));
  teller.b.clock.advance(999);
  teller.say(
    'before the end',
    table.list().map((l) => [l.id, l.ttlMs, l.effect]),
  );
  teller.b.clock.advance(1);
  teller.say(
    'at the end',
    table.list().map((l) => l.id),
  );
  table.put({ ...good, id: 'hold', delayMs: 100_000 });
  const { outbound } = teller.b.gateway;
  const held = teller.b.begin();
  held.hold!.release = () => teller.say('released');
  teller.say('waits', held.delayMs, table.remove('hold'), outbound.begun);
  held.ended('client-gone', -1, 0, 0);
  for (let i = 0; i < maxLeases; i++) table.put({ ...good, id: `n${i}` });
  teller.tries('one too many', () => table.put({ ...good, id: 'more' }));
  teller.say('one of them anew', table.put({ ...good, id: 'n0' }).id);
  table.clear();
  return teller;
}

/** Names and targets, one after the other. */
function names(): Teller {
  const teller = new Teller(state([destination([backend(addresses(1))])]));
  const targets = [
    '/',
    '/a/./b',
    '/a/../b/',
    '/a/..',
    '/a/.',
    '//a',
    '/%41%2f',
    '/%7E',
    '/a%',
    '/#',
  ];
  targets.push(
    '/a?%zz',
    '*',
    'x',
    '/a;b=1/c',
    '/%2541',
    '/%253b',
    '/a/;/..',
    '/..;/',
    '/%00',
    '/%7f',
  );
  targets.push('/a\\b', '/%C1', '/é', '/a%3Bb', '/a%5c', '/%2e%2E/x', '/.../x', '/a//');
  for (const looks of ['nobody', 'routes', 'policy'] as const) {
    for (const target of targets) {
      teller.say('target', looks, target, judge(target, looks) ?? 'as it is');
    }
  }
  for (const name of [
    'GET',
    'get',
    'Post',
    'PURGE',
    'connect',
    'A'.repeat(33),
    'A'.repeat(32),
    'G T',
    '',
  ]) {
    teller.say('method', name, isMethod(name));
  }
  const hosts = [
    'a',
    'a:80',
    'a:65535',
    'a:65536',
    'a:',
    ':80',
    '',
    '[::1]',
    '[::1]:80',
    '[::1',
    'a b',
    'a/b',
  ];
  for (const host of [...hosts, 'a@b', 'a:123456', 'a:x', 'A-.~_%20', '[x]', 'xa', 'a,b;c=d']) {
    teller.say('host', host, isHost(host), isHost(host));
  }
  for (const name of [
    'l5d-x',
    'l5d_x',
    'l5dx',
    'x-firedrill-a',
    'x.firedrill.b',
    'x-fire',
    'xl5d-',
    'a',
  ]) {
    teller.say('reserved', name, isReserved(name));
  }
  const trailers =
    'transfer-encoding content-length content-encoding content-type content-range host';
  const more =
    'connection keep-alive te trailer upgrade expect authorization cookie set-cookie forwarded';
  for (const name of `${trailers} ${more} http2-settings proxy-x x-forwarded-y l5d-z x-sum grpc-status`.split(
    ' ',
  )) {
    teller.say('trailer', name, isForbiddenTrailer(name));
  }
  return teller;
}

/** Many endpoints and clients: the rest is counted together. */
function crowds(): Teller {
  const few = backend(addresses(2));
  const many = { ...backend([]), name: 'many' };
  many.endpoints = Array.from({ length: 1010 }, (_, i) => ({
    address: `10.${1 + (i >> 8)}.0.${i & 255}:80`,
    zone: i % 2 ? 'a' : 'b',
    labels: { pod: `p${i}` },
    weight: 1 + (i % 3),
  }));
  many.balancer = { ...many.balancer, kind: 'random' };
  const split = [{ backend: 'many', weight: 1 }];
  const one = server({ defaultPolicy: 'audit' });
  const teller = new Teller(state([destination([few, many], [route('a', { split })])], [one]), {
    config: { workload: { name: 'web', namespace: 'retail', zone: 'a' } },
  });
  const { b } = teller;
  for (let i = 0; i < 400; i++) {
    const flow = b.begin();
    flow.pick();
    b.clock.advance(1);
    flow.responded(i % 10 === 0 ? 503 : 200, -1);
    flow.ended('complete', -1, 0, 1);
  }
  const { inbound } = b.gateway;
  for (let i = 0; i < 520; i++) {
    const server = inbound.serverFor(4143)!;
    const info = { address: '10.1.1.1', identity: `client-${i}.retail` };
    inbound.connect(server, info, 'true').ended('complete', 0, 0);
  }
  for (let i = 0; i < 260; i++)
    teller.b.gateway.inbound.serverFor(1000 + i, `10.1.1.1:${1000 + i}`);
  teller.counted = /overflow|authz.*client-[05]00|ejections|balancer|^route/;
  teller.whys = 0;
  b.clock.advance(100);
  const late = { address: '10.1.1.1', identity: 'late.retail' };
  inbound.connect(inbound.serverFor(4143)!, late, 'true').ended('complete', 0, 0);
  teller.say('the last audit', b.audits.at(-1));
  teller.say('audits', b.audits.length, ...b.audits.slice(0, 2));
  b.audits.length = 0;
  return teller;
}

/** Each story by the name of its golden file. */
export const stories: Record<string, () => Teller> = {
  latency: () => {
    const teller = new Teller(state([destination([balanced('ewma')], tried)]));
    traffic(teller, 90, 0.12);
    return teller;
  },
  lot: () => {
    const mirror = { backend: 'shadow', fraction: 0.5 };
    const shadow = { ...backend(addresses(1, 50)), name: 'shadow' };
    const routes = [...tried, route('rest', { mirror })];
    const teller = new Teller(state([destination([balanced('random'), shadow], routes)]), {
      seed: 3,
    });
    traffic(teller, 90, 0.2);
    return teller;
  },
  crowded: () => {
    const limits = { maxConnections: 5, maxPending: 2, maxRequests: 3 };
    const one = { ...backend(addresses(2)), limits, failFastMs: 200 };
    const teller = new Teller(state([destination([one])]));
    const open = Array.from({ length: 6 }, () => {
      const flow = teller.b.begin();
      const endpoint = flow.pick();
      teller.say('picks', endpoint?.address ?? 'none', flow.waitMs, flow.refusal ?? '-');
      return flow;
    });
    teller.say('endpoints', teller.b.gateway.endpoints());
    for (const flow of open.slice(0, 3)) {
      flow.responded(200, -1);
      flow.ended('complete', -1, 0, 0);
    }
    for (const flow of open.slice(3)) {
      teller.b.clock.advance(60);
      teller.say('again', flow.pick()?.address ?? 'none', flow.waitMs, flow.refusal ?? '-');
      flow.ended('client-gone', -1, 0, 0);
      flow.ended('client-gone', -1, 0, 0);
    }
    return teller;
  },
  outage: () => {
    const teller = new Teller(state([destination([balanced('ewma', { failFastMs: 500 })], tried)]));
    for (let i = 0; i < 40; i++) {
      const fails = i < 25 ? failures[i % 3] : undefined;
      teller.outbound({ path: '/items' }, { answer: () => (fails ? { fails } : {}) });
      teller.b.clock.advance(100);
    }
    return teller;
  },
  connections,
  'callers-limited': () => callers({ maxConcurrent: 5 }),
  'callers-plain': () => callers({ defaultPolicy: 'all-authenticated', authorizations: [] }),
  'callers-crowded': () => {
    const one = server({ maxConcurrent: 3, routes: [route('r', { split: [] })] });
    const teller = new Teller(state([], [one]));
    const { inbound } = teller.b.gateway;
    const flows = Array.from({ length: 8 }, () => {
      const flow = inbound.begin(inbound.serverFor(4143)!, request());
      teller.say('admitted', flow.refusal ?? flow.pick()?.address);
      return flow;
    });
    teller.b.clock.advance(1500);
    for (const [i, flow] of flows.entries()) {
      if (!flow.refusal && i % 2 === 0) flow.responded(200, -1);
      flow.ended(i % 2 === 0 ? 'complete' : 'client-gone', -1, 0, 0);
    }
    return teller;
  },
  changes,
  hedges,
  faults,
  names,
  crowds,
};
