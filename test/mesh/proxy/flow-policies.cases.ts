/** Further stories of flow-stories.test.ts: one policy after the other. */
import type { Backend, BreakerPolicy, Route } from '../../../mesh/model.js';
import type { End, TryFailure } from '../../../mesh/proxy/flow/contract.js';
import { MemoryGuard } from '../../../mesh/proxy/flow/limit/memory-guard.js';
import { Shedder } from '../../../mesh/proxy/flow/limit/shedder.js';
import { backend, destination, request, retry, route, server, state } from './flow-bench.js';
import { type Told, Teller } from './flow-teller.js';

const addresses = (count: number): string[] =>
  Array.from({ length: count }, (_, i) => `10.0.0.${i + 1}:80`);

const breaker: BreakerPolicy = {
  consecutiveFailures: 3,
  minOpenMs: 300,
  maxOpenMs: 3000,
  jitter: 0,
  maxEjectedRatio: 0.7,
  panicRatio: 0.2,
};

const path = (kind: 'exact' | 'prefix' | 'regex', value: string) => ({ path: { kind, value } });

/** Every way in which a route takes a request, and what it does with the target. */
function routes(): Teller {
  const redirects: NonNullable<Route['redirect']>[] = [
    { status: 301 },
    { status: 302, scheme: 'https' },
    { status: 302, scheme: 'http', port: 80 },
    { status: 302, scheme: 'https', port: 80 },
    { status: 307, host: 'shop' },
    { status: 307, port: 8443 },
    { status: 307, port: 443, scheme: 'https' },
    { status: 308, path: '/else' },
    { status: 308, prefix: '/new/' },
    { status: 308, prefix: '/' },
  ];
  const rewrites: NonNullable<Route['rewrite']>[] = [
    { prefix: '/' },
    { prefix: '/new//' },
    { prefix: '' },
    { prefix: 'new' },
    { path: '/whole' },
    { host: 'other' },
    { path: '/w4' },
  ];
  const list: Route[] = [
    ...redirects.map((redirect, i) =>
      route(`r${i}`, { matches: [path('prefix', `/r${i}/`)], redirect }),
    ),
    ...rewrites.map((rewrite, i) =>
      route(`w${i}`, { matches: [path('prefix', `/w${i}`)], rewrite }),
    ),
    route('regex', { matches: [path('regex', '/x[0-9]+')] }),
    route('post', { matches: [{ method: 'POST', ...path('exact', '/y') }] }),
    route('headers', {
      matches: [
        { headers: [{ name: 'X-Kind', kind: 'exact', value: 'a' }] },
        {
          headers: [
            { name: 'x-kind', kind: 'regex', value: 'b+' },
            { name: 'x-more', kind: 'present' },
          ],
        },
      ],
    } as Partial<Route>),
    route('query', {
      matches: [
        {
          query: [
            { name: 'q', kind: 'exact', value: '1' },
            { name: 'p', kind: 'regex', value: '[ab]' },
          ],
        },
      ],
    } as Partial<Route>),
    route('none', { matches: [path('prefix', '/none')], split: [] }),
    route('own', {
      matches: [path('prefix', '/own')],
      split: [],
      respond: { status: 404, reason: 'no-route' },
    }),
    route('one', { matches: [path('prefix', '/one')], maxConcurrent: 1 }),
    route('rate', {
      matches: [path('prefix', '/rate')],
      rateLimit: { requestsPerSecond: 2, burst: 1, per: 'all' },
    }),
    route('upgraded', { matches: [path('prefix', '/up')], upgrades: ['h2c'] }),
    route('failing', {
      matches: [path('prefix', '/fail')],
      failure: { statuses: [[404, 404]], grpcStatuses: [5] },
    } as Partial<Route>),
    route('last', { matches: [path('prefix', '/last')] }),
  ];
  const teller = new Teller(state([destination([backend(addresses(1))], list)]));
  const targets = redirects.flatMap((_, i) => [`/r${i}`, `/r${i}/a//b?c=/d`, `/r${i}x`]);
  targets.push(...rewrites.flatMap((_, i) => [`/w${i}`, `/w${i}/a//b?c=/d`, `/w${i}x`]));
  targets.push('/x12', '/x', '/y', '/?q=1&p=a', '/?q=1', '/?p=b&q=1', '/?q=2&p=a', '/none', '/own');
  targets.push('/one', '/rate', '/rate', '/up', '/fail', '/last');
  for (const target of targets) teller.outbound({ path: target });
  for (const authority of ['cart.retail:8080', 'cart.retail:443']) {
    for (const tls of ['true', 'disabled'] as const) {
      for (const i of [0, 1, 2, 4, 5]) teller.outbound({ path: `/r${i}`, authority, tls });
    }
  }
  teller.outbound({ method: 'POST', path: '/y' });
  const kinds = [{ 'x-kind': 'a' }, { 'x-kind': 'bb' }, { 'x-kind': 'bb', 'x-more': '' }];
  for (const headers of kinds) teller.outbound({ path: '/z', headers } as object);
  const held = teller.b.begin(request({ path: '/one' }));
  teller.outbound({ path: '/one' });
  held.ended('client-gone', -1, 0, 0);
  const odd: Told[] = [{ status: 404 }, { grpcStatus: 5 }, { grpcStatus: 14 }, { grpcStatus: 0 }];
  for (const told of odd) {
    teller.outbound(
      { path: '/fail', isGrpc: told.grpcStatus !== undefined },
      { answer: () => told },
    );
  }
  return teller;
}

/** Changes of heads by the route, by its share, and by the flow itself. */
function heads(): Teller {
  const pairs = (...names: string[]): [string, string][] => names.map((n) => [n, `${n}-value`]);
  const both = {
    requestHeaders: {
      set: pairs('x-set', 'X-Both', 'traceparent'),
      add: pairs('x-add', 'x-shared', 'l5d-dst-canonical'),
      remove: ['x-gone'],
    },
    responseHeaders: { set: pairs('server'), add: pairs('x-a'), remove: ['x-secret'] },
  };
  const shares = [
    { backend: 'cart', weight: 1 },
    {
      backend: 'next',
      weight: 1,
      requestHeaders: { set: pairs('x-both'), add: pairs('x-next'), remove: ['X-Shared'] },
      responseHeaders: { set: pairs('server', 'x-b'), remove: ['x-a'] },
    },
    { backend: 'next', weight: 1, requestHeaders: { add: pairs('x-only') } },
    { backend: 'cart', weight: 1, respond: { status: 500 as const, reason: 'no-backend' } },
  ];
  const list = [
    route('bare', { matches: [path('prefix', '/bare')], split: shares }),
    route('both', { split: shares, ...both } as Partial<Route>),
  ];
  const two = [backend(addresses(1)), { ...backend(addresses(2)), name: 'next' }];
  const teller = new Teller(state([destination(two, list)], [server(both as object)]), {
    config: {
      tracing: { otlpUrl: 'http://127.0.0.1:9/v1/traces', sampleRatio: 1 },
      identity: {
        name: 'web.retail.serviceaccount.identity.mesh.local',
        trustAnchorsFile: 'none',
      },
    },
  });
  const long = { 'x-request-id': 'i'.repeat(300) };
  const parent = { traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` };
  for (let i = 0; i < 8; i++) {
    teller.outbound({ path: i % 3 ? '/' : '/bare', headers: i % 2 ? parent : long } as object, {
      answer: () => ({ status: i % 4 ? 200 : 503 }),
    });
  }
  for (const peerIdentity of ['cart.retail', undefined]) {
    for (const isMirror of [true, false]) {
      teller.inbound({ peerIdentity, isMirror, headers: parent } as object, { answer: () => ({}) });
    }
  }
  return teller;
}

/** gRPC answers, in heads and in trailers, and the ways in which an answer ends. */
function grpc(): Teller {
  const policy = retry({ grpcStatuses: [14], statuses: [[504, 504]] } as object);
  const list = [route('get', { retry: policy, timeouts: { requestMs: 300, perTryMs: 100 } })];
  const teller = new Teller(
    state([destination([{ ...backend(addresses(3)), breaker }], list, { protocol: 'http2' })]),
  );
  const heads: Told[] = [
    { grpcStatus: 0 },
    { grpcStatus: 14 },
    { grpcStatus: -1 },
    { grpcStatus: 99 },
    { grpcStatus: 8 },
    { fails: 'request-timeout' },
    { fails: 'try-timeout' },
    { fails: 'bad-response' },
    { fails: 'reset' },
  ];
  const ends: End[] = [
    'complete',
    'client-gone',
    'upstream-broke',
    'request-timeout',
    'idle-timeout',
  ];
  for (const [i, head] of heads.entries()) {
    for (const [j, how] of ends.entries()) {
      const answer = (_: string, attempt: number): Told => (attempt > 2 ? {} : head);
      teller.b.clock.advance(40);
      teller.outbound(
        { isGrpc: i !== 2, method: j % 2 ? 'POST' : 'GET' },
        { answer, how, grpcStatus: [-1, 0, 13, 17, 16][j]! },
      );
    }
  }
  for (const [i, how] of ends.entries()) {
    const flow = teller.b.begin();
    if (i > 2) flow.pick();
    teller.b.clock.advance(i === 1 ? 1000 : 999);
    flow.ended(how, -1, 1, 2);
    flow.ended('complete', 0, 5, 6);
  }
  return teller;
}

/** An endpoint that fails one kind of request is closed to that kind alone. */
function scopes(): Teller {
  const list = [
    route('items', { matches: [path('prefix', '/items')] }),
    route('orders', { matches: [path('prefix', '/orders')], retry: retry({ limit: 1 }) }),
  ];
  const one: Backend = { ...backend(addresses(3)), breaker: { ...breaker, panicRatio: 0 } };
  const teller = new Teller(state([destination([one], list)]));
  const bad =
    (target: string) =>
    (address: string): Told => ({
      status: target === '/orders/1' && address === '10.0.0.1:80' ? 503 : 200,
      tookMs: address === '10.0.0.2:80' ? 9 : 4,
    });
  const round = (count: number): void => {
    for (let i = 0; i < count; i++) {
      const target = ['/orders/1', '/items/2', '/orders/1', '/else'][i % 4]!;
      teller.outbound({ path: target }, { answer: bad(target) });
      teller.b.clock.advance(20);
    }
  };
  round(40);
  teller.say('endpoints', teller.b.gateway.endpoints());
  // The policy changes while one is closed; the same policy again changes nothing.
  const { gateway } = teller.b;
  gateway.apply(state([destination([{ ...one, failFastMs: 2000 }], list)]));
  teller.say(
    'the same breaker',
    teller.b.gateway.endpoints().map((e) => e.state),
  );
  gateway.apply(state([destination([{ ...one, breaker: { ...breaker, minOpenMs: 900 } }], list)]));
  teller.say(
    'another breaker',
    teller.b.gateway.endpoints().map((e) => e.state),
  );
  const more = one.endpoints.concat([{ address: '10.0.0.9:80', weight: 3 }]);
  gateway.apply(state([destination([{ ...one, endpoints: more }], list)]));
  round(24);
  // A probe whose client leaves, a probe that is answered late, and verdicts on a closed endpoint.
  const fail = (): Told => ({ status: 503 });
  for (let i = 0; i < 12; i++) teller.outbound({ path: '/items/1' }, { answer: fail });
  teller.b.clock.advance(5000);
  const probe = teller.b.begin(request({ path: '/items/1' }));
  teller.say('a probe to', probe.pick()?.address);
  probe.ended('client-gone', -1, 0, 0);
  const late = teller.b.begin(request({ path: '/items/1' }));
  const other = teller.b.begin(request({ path: '/items/1' }));
  teller.say('two to', late.pick()?.address, other.pick()?.address);
  teller.b.clock.advance(30);
  late.responded(200, -1);
  other.responded(503, -1);
  teller.b.clock.advance(5000);
  teller.outbound({ path: '/items/1' });
  late.ended('upstream-broke', -1, 0, 0);
  other.ended('complete', -1, 0, 0);
  round(8);
  return teller;
}

/** Zones, weights, new endpoints, and connections that fail. */
function endpoints(): Teller {
  const zoned = (zones: string): Backend['endpoints'] =>
    [...zones].map((zone, i) => ({
      address: `10.0.1.${i}:80`,
      zone,
      identity: `cart-${i}.local`,
      http2: i % 2 === 0,
      weight: zone === 'c' ? 0 : 1 + (i % 3),
      plainPorts: [9000 + i],
    }));
  const balancer = {
    kind: 'ewma' as const,
    defaultRttMs: 40,
    decaySeconds: 3,
    slowStartSeconds: 2,
  };
  const one: Backend = { ...backend([]), endpoints: zoned('aabbc'), balancer, breaker };
  const teller = new Teller(state([destination([one])]), {
    seed: 5,
    config: { workload: { name: 'web', namespace: 'retail', zone: 'a' } },
  });
  const { gateway } = teller.b;
  const round = (count: number, fails: (address: string) => TryFailure | undefined): void => {
    for (let i = 0; i < count; i++) {
      const answer = (address: string): Told => {
        const failure = fails(address);
        const tookMs = 3 + Number(address.at(-4)) * 4;
        return failure ? { fails: failure, tookMs } : { tookMs };
      };
      teller.outbound({ method: i % 2 ? 'GET' : 'POST' }, { answer });
      teller.b.clock.advance(60);
    }
  };
  round(12, () => undefined);
  round(8, (address) => (address === '10.0.1.0:80' ? 'refused' : undefined));
  round(8, (address) => (/[01]:80/.test(address) ? 'connect-timeout' : undefined));
  gateway.apply(state([destination([{ ...one, endpoints: zoned('aabbcab') }])]));
  round(14, (address) => (address === '10.0.1.2:80' ? 'tls:expired' : undefined));
  teller.say('forwarded', gateway.outbound.destinationFor('x', '10.0.1.2:80').name);
  for (const dialled of ['10.0.1.2:80', '10.0.1.2:9002', '10.0.1.2:9999', '10.0.9.9:80']) {
    teller.outbound({ authority: 'unknown.host' }, {}, dialled);
  }
  gateway.apply(state([destination([{ ...one, endpoints: zoned('bbbbcab') }])]));
  for (const dialled of ['10.0.1.2:80', '10.0.1.2:9999']) teller.connect('', dialled, [undefined]);
  gateway.apply(state([]));
  teller.outbound({ authority: 'unknown.host' }, {}, '10.0.1.2:80');
  return teller;
}

/** Requests that wait for an endpoint, up to a limit and a time. */
function waiting(): Teller {
  const limits = { maxConnections: 4, maxPending: 2, maxRequests: 100 };
  const one = { ...backend(addresses(1)), limits, failFastMs: 400 };
  const list = [route('a', { retry: retry({ limit: 3 }) })];
  const teller = new Teller(state([destination([one], list)]));
  teller.outbound({}, { answer: () => ({ fails: 'refused' }) });
  for (let i = 0; i < 5; i++) {
    const flows = [0, 1, 2].map(() => teller.b.begin());
    const picked = flows.map((flow) => {
      const to = flow.pick()?.address;
      return to ?? flow.refusal?.reason ?? flow.waitMs;
    });
    teller.say('three at once', picked);
    teller.b.clock.advance(130);
    for (const flow of flows) {
      if (!flow.refusal) {
        teller.say('again', flow.pick()?.address ?? 'none');
        teller.say('fails', flow.tryFailed('refused'));
      }
      flow.ended('client-gone', -1, 0, 0);
    }
  }
  return teller;
}

/** Requests are shed as the memory nears its limit. */
function memory(): Teller {
  const teller = new Teller(state([]));
  const { clock } = teller.b;
  let used = 10;
  let garbage = 0;
  const guard = new MemoryGuard({
    clock,
    limitBytes: 1000,
    usedBytes: () => used + garbage,
    collect: () => {
      teller.say('collects');
      garbage = 0;
    },
  });
  guard.onPressure = () => teller.say('pressure');
  for (const [now, freed, afterMs] of [
    [100, 0, 1000],
    [500, 0, 999],
    [510, 0, 1],
    [510, 0, 250],
    [840, 100, 250],
    [850, 0, 250],
    [851, 0, 250],
    [900, 0, 250],
    [960, 0, 250],
    [970, 0, 250],
    [2000, 0, 250],
    [800, 200, 250],
    [800, 200, 1000],
    [870, 0, 250],
    [100, 0, 250],
    [900, 0, 999],
    [900, 0, 1],
  ] as const) {
    used = now;
    garbage = freed;
    clock.advance(afterMs);
    teller.say('used', used, garbage, 'sheds', guard.shedRatio, 'of', guard.used);
  }
  used = 100;
  clock.advance(2000);
  used = 990;
  for (let i = 1; i <= 130; i++) {
    const ratio = guard.ratioForRequest();
    if (i > 126) teller.say('request', i, ratio);
  }
  guard.close();
  used = 10;
  clock.advance(10_000);
  teller.say('closed', guard.shedRatio);
  const none = new MemoryGuard({ clock, limitBytes: undefined, usedBytes: () => 1e12 });
  clock.advance(10_000);
  teller.say('without a limit', none.shedRatio, none.ratioForRequest(), none.used);
  return teller;
}

/** Why a request went as it did, found by its ids. */
function why(): Teller {
  const teller = new Teller(state([destination([backend(addresses(2))], [route('a')])]));
  const { why: ring } = teller.b.gateway;
  const traced = {
    traceparent: `00-${'c'.repeat(32)}-${'d'.repeat(16)}-01`,
    'x-request-id': 'both',
  };
  const fails = (): Told => ({ status: 503 });
  teller.outbound({ headers: traced } as object, { answer: fails });
  teller.say('found', [
    ring.find('both')?.requestId,
    ring.find('c'.repeat(32))?.traceId,
    ring.find('x') ?? 'none',
  ]);
  teller.outbound({ headers: { 'x-request-id': 'good' } } as object);
  teller.say('a good one', ring.find('good') ?? 'none');
  ring.recordAll(500);
  teller.outbound({ headers: { 'x-request-id': 'all' }, path: '/a?token=secret' } as object);
  teller.say('while all are recorded', ring.find('all') ?? 'none');
  teller.b.clock.advance(500);
  teller.outbound({ headers: { 'x-request-id': 'later' } } as object);
  teller.say('later', ring.find('later') ?? 'none');
  ring.recordAll(0);
  teller.outbound({ headers: { 'x-request-id': 'never' } } as object);
  teller.say('for no time', ring.find('never') ?? 'none');
  for (let i = 0; i < 300; i++) {
    const flow = teller.b.begin(request({ headers: { 'x-request-id': `s${i}` } } as object));
    flow.pick();
    flow.responded(200, -1);
    flow.ended('complete', -1, 0, 0);
  }
  const sampled = ring.recent(1000).map((w) => w.requestId);
  teller.say('sampled', sampled);
  for (let i = 0; i < 1500; i++) {
    teller.b.clock.advance(i % 10 === 0 ? 40 : 0);
    const flow = teller.b.begin(request({ headers: { 'x-request-id': `f${i}` } } as object));
    flow.pick();
    flow.responded(500, -1);
    flow.ended('complete', -1, 0, 0);
  }
  const kept = ring.recent(2000).map((w) => w.requestId);
  teller.say('kept', kept.length, kept[0], kept.at(-1), ring.find('both') ?? 'forgotten');
  teller.say(
    'two',
    ring.recent(2).map((w) => w.requestId),
  );
  teller.whys = 2;
  return teller;
}

/** A limit of requests at once that follows the time of the answers. */
function shedding(): Teller {
  const teller = new Teller(state([]));
  const shedder = new Shedder(40);
  let nowMs = 0;
  const observe = (count: number, tookMs: number, inFlight: number, everyMs = 5): void => {
    for (let i = 0; i < count; i++) {
      nowMs += everyMs;
      shedder.observe(tookMs + (i % 3), inFlight, nowMs);
    }
    teller.say('observed', count, tookMs, inFlight, 'limit', shedder.limit, 'of', shedder.max);
  };
  observe(1, 10, 1);
  observe(400, 10, 38);
  observe(400, 10, 4);
  observe(600, 45, 39);
  observe(600, 45, 39);
  observe(800, 8, 39);
  observe(800, 8, 5);
  nowMs += 60_000;
  observe(300, 90, 30);
  observe(30, 90, 30, 700);
  observe(500, 3, 20);
  return teller;
}

/** States that cannot be served, memory that is short, and calls that come twice. */
function corners(): Teller {
  const bad = route('bad', { matches: [path('regex', '(')], split: [] });
  const open = { name: 'all', identities: [], unauthenticated: true };
  const closing = [{ ...open, routes: ['bad'] }];
  const teller = new Teller(state([]), { config: { limits: { maxMemoryBytes: 1 } } });
  const { b } = teller;
  const { gateway } = b;
  const apply = (...given: Parameters<typeof state>): void =>
    teller.tries('apply', () => gateway.apply(state(...given)));
  for (const target of ['x', '127.0.0.1', '127.0.0.1:0', '127.0.0.1:65536', '127.0.0.1:65535']) {
    apply([], [server({ target })]);
  }
  apply([], [server({ target: '', port: 0 })]);
  for (const address of ['10.0.0.1', '10.0.0.1:0', '10.0.0.1:65536', '10.0.0.1:65535', 'x:y']) {
    apply([destination([{ ...backend([]), endpoints: [{ address }] }])]);
    teller.outbound();
  }
  for (const authorizations of [[open], closing]) {
    apply([], [server({ routes: [bad], authorizations, defaultPolicy: 'deny' })]);
    teller.inbound({}, { answer: () => ({}) });
  }
  apply(
    [],
    [
      server({
        routes: [
          route('x', { split: [] }),
          route('y', { matches: [path('prefix', '/y')], split: [], maxConcurrent: 1 }),
        ],
      }),
    ],
  );
  teller.inbound({ path: '/y' }, { answer: () => ({}) });
  const at = gateway.inbound.serverFor(4143)!;
  const flow = gateway.inbound.connect(at, { identity: undefined, address: '10.1.1.1' });
  teller.say('picks', flow.pick()?.address, flow.pick()?.address, flow.retryDelayMs());
  teller.say('fails', flow.tryFailed('refused'), flow.refusal);
  flow.ended('complete', 0, 0);
  flow.ended('complete', 0, 0);
  const one = destination([backend(addresses(2))], [], { name: 'one.retail', hosts: ['one'] });
  const two = { ...one, name: 'two.retail', hosts: ['two'], headless: true as const };
  const three = destination(
    [backend(addresses(2))],
    [
      route('part', {
        matches: [{ query: [{ name: 'a', kind: 'exact', value: '1' }] }],
        split: [{ backend: 'cart', weight: 0 }],
      } as Partial<Route>),
      route('own', { split: [{ backend: 'cart', weight: 1 }] }),
    ],
  );
  for (const all of [
    [one, two],
    [two, one],
    [three, one],
  ]) {
    apply(all, [server()]);
    teller.outbound({ authority: 'two' }, {}, '10.0.0.1:80');
    teller.outbound({ authority: 'other' }, {}, '10.0.0.1:80');
    teller.connect('cart.retail', undefined, [undefined]);
  }
  for (const tls of ['true', 'no_identity', 'disabled', 'disabled', 'true'] as const) {
    teller.inbound({ tls, isMirror: true }, { answer: () => ({ fails: 'stale-connection' }) });
  }
  // The next look at the memory finds far more than a byte.
  b.clock.advance(1000);
  teller.outbound();
  teller.inbound({}, { answer: () => ({}) });
  return teller;
}

/** Each story by the name of its golden file. */
export const policies: Record<string, () => Teller> = {
  routes,
  heads,
  grpc,
  scopes,
  endpoints,
  waiting,
  shedding,
  corners,
  memory,
  why,
};
