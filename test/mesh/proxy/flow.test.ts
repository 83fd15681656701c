/** Whole flows, as a front drives them, on a simulated clock: the clients' answers and the counts. */
import { expect, test } from 'vitest';
import type { FaultLease } from '../../../mesh/model.js';
import {
  backend,
  bench,
  carry,
  destination,
  request,
  retry,
  route,
  server,
  state,
} from './flow-bench.js';

const three = ['10.0.0.1:80', '10.0.0.2:80', '10.0.0.3:80'];

test('a plain request is balanced, answered and counted', () => {
  const b = bench(state([destination([backend(three)])]));
  expect(carry(b, b.begin(), () => ({ status: 200, tookMs: 7 }))).toMatchObject({ status: 200 });
  const labels = 'direction="outbound",dst="cart.retail"';
  expect(b.metric(`request_total{${labels}}`)).toBe(1);
  expect(b.metric(`response_total{${labels},classification="success",status_code="200"}`)).toBe(1);
  expect(b.metric(`response_latency_ms_bucket{${labels},le="5"}`)).toBe(0);
  expect(b.metric(`response_latency_ms_bucket{${labels},le="10"}`)).toBe(1);
});

test('the usual failures are there with 0 before the first one, so that increase() sees it', () => {
  const endpoints = [{ address: three[0]!, identity: 'cart.local' }];
  const b = bench(state([destination([{ ...backend([]), endpoints }])]));
  carry(b, b.begin(), () => ({}));
  const failing = (): string[] =>
    b.text().match(/^response_total.*classification="failure".*$/gm) ?? [];
  expect(failing().map((l) => /status_code="(\d+)".*tls="(\w+)"} (\d)$/.exec(l)?.slice(1))).toEqual(
    ['500', '502', '503', '504'].map((status) => [status, 'true', '0']),
  );
  const before = failing().length;
  carry(b, b.begin(), () => ({ fails: 'reset' }));
  expect(failing().length).toBe(before);
  expect(b.metric('response_total{status_code="502",classification="failure",tls="true"}')).toBe(1);
});

test('D5: a retry goes to another endpoint, and the metric that proves it stays 0', () => {
  const routes = [route('get', { retry: retry() })];
  const b = bench(state([destination([backend(three)], routes)]));
  for (let i = 0; i < 200; i++) {
    const { tried, status } = carry(b, b.begin(), (a) => ({ status: a === three[0] ? 503 : 200 }));
    expect(new Set(tried).size).toBe(tried.length);
    expect(status).toBe(200);
  }
  expect(b.metric('retry_same_endpoint_total')).toBe(0);
  expect(b.metric('outbound_http_route_retry_requests_total')).toBeGreaterThan(0);
  expect(b.metric('outbound_http_route_retry_successes_total')).toBe(
    b.metric('outbound_http_route_retry_requests_total'),
  );
  expect(b.metric('route_actual_response_total{status_code="503"}')).toBe(
    b.metric('outbound_http_route_retry_requests_total'),
  );
});

test('D5: POST is not retried after it was sent, unless declared; a refused connection may be', () => {
  const unsafe = [route('post', { retry: retry() })];
  const b = bench(state([destination([backend(three)], unsafe)]));
  const post = request({ method: 'POST' });
  expect(carry(b, b.begin(post), () => ({ status: 503 })).tried).toHaveLength(1);
  expect(carry(b, b.begin(post), () => ({ fails: 'reset' })).tried).toHaveLength(1);
  let calls = 0;
  const refusedOnce = () => (calls++ === 0 ? { fails: 'refused' as const } : { status: 200 });
  expect(carry(b, b.begin(post), refusedOnce)).toMatchObject({ status: 200 });
  const declared = [route('post', { retry: retry({ unsafeMethods: true }) })];
  const c = bench(state([destination([backend(three)], declared)]));
  expect(carry(c, c.begin(post), () => ({ status: 503 })).tried).toHaveLength(3);
});

test('D5: no retry once the body cannot be sent again', () => {
  const b = bench(state([destination([backend(three)], [route('put', { retry: retry() })])]));
  const flow = b.begin(request({ method: 'PUT' }));
  expect(flow.retryBufferBytes).toBe(65_536);
  flow.pick();
  flow.forbidRetry();
  expect(flow.responded(503, -1)).toBe('relay');
  flow.ended('complete', -1, 0, 0);
});

test('D5: never past the deadline', () => {
  const routes = [route('get', { retry: retry({ limit: 10 }), timeouts: { requestMs: 100 } })];
  const b = bench(state([destination([backend(three)], routes)]));
  for (let i = 0; i < 100; i++) {
    const flow = b.begin();
    const startMs = b.clock.monotonicMs();
    const { tried, delaysMs } = carry(b, flow, () => ({ status: 503, tookMs: 30 }));
    // Every retry began before the deadline.
    expect(b.clock.monotonicMs() - startMs - 30).toBeLessThan(100);
    expect(tried.length).toBe(delaysMs.length + 1);
  }
  expect(b.metric('route_retryable_total{skipped="deadline"}')).toBeGreaterThan(0);
});

test('D5: the budget bounds retries when everything fails', () => {
  const budget = { ratio: 0.2, minRetriesPerSecond: 1, ttlSeconds: 10 };
  const b = bench(
    state([destination([backend(three)], [route('get', { retry: retry({ budget }) })])]),
  );
  for (let i = 0; i < 1000; i++) carry(b, b.begin(), () => ({ status: 503, tookMs: 0 }));
  expect(b.metric('outbound_http_route_retry_requests_total')).toBeLessThan(0.2 * 1000 + 10 + 50);
  expect(b.metric('outbound_http_route_retry_overflow_total')).toBeGreaterThan(100);
  // A chaos scenario uses this: without a budget, every request is attempted three times.
  const storm = retry();
  delete storm.budget;
  const c = bench(state([destination([backend(three)], [route('get', { retry: storm })])]));
  for (let i = 0; i < 100; i++) carry(c, c.begin(), () => ({ status: 503, tookMs: 0 }));
  expect(c.metric('route_actual_request_total')).toBe(300);
});

test('D6: a try that times out is retried where 504 is; the whole deadline is answered 504', () => {
  const routes = [route('get', { retry: retry(), timeouts: { requestMs: 1000, perTryMs: 50 } })];
  const b = bench(state([destination([backend(three)], routes)]));
  let tries = 0;
  const slowOnce = () => (tries++ === 0 ? { fails: 'try-timeout' as const, tookMs: 50 } : {});
  expect(carry(b, b.begin(), slowOnce)).toMatchObject({ status: 200 });
  expect(carry(b, b.begin(), () => ({ fails: 'request-timeout', tookMs: 1000 }))).toMatchObject({
    status: 504,
    reason: 'request-timeout',
  });
  expect(b.metric('response_total{status_code="504",classification="failure"}')).toBe(1);
});

test('D7: no endpoint ready: requests wait, then fail fast with 503 and Retry-After', () => {
  const b = bench(state([destination([backend(['10.0.0.1:80'])])]));
  expect(carry(b, b.begin(), () => ({ fails: 'refused' }))).toMatchObject({ status: 502 });
  expect(b.gateway.endpoints()[0]).toMatchObject({ state: 'down', reason: 'refused' });
  // The next request waits for the reconnect and is the probe.
  expect(carry(b, b.begin(), () => ({ status: 200 }))).toMatchObject({ status: 200 });
  expect(b.gateway.endpoints()[0]).toMatchObject({ state: 'ready' });
  expect(b.metric('outbound_http_balancer_queue_requests_total')).toBe(1);
  const empty = bench(state([destination([backend([])])]));
  const flow = empty.begin();
  const { status, reason } = carry(empty, flow, () => ({}));
  expect({ status, reason }).toEqual({ status: 503, reason: 'fail-fast' });
  expect(flow.refusal?.headers).toContain('retry-after');
  const before = empty.clock.monotonicMs();
  carry(empty, empty.begin(), () => ({}));
  expect(empty.clock.monotonicMs()).toBe(before);
});

test('an endpoint that takes no connection in time, three times in a row, is down', () => {
  const { balancer, ...rest } = backend(['10.0.0.1:80', '10.0.0.2:80']);
  const b = bench(state([destination([{ ...rest, balancer: { ...balancer, kind: 'random' } }])]));
  const answer = (address: string) =>
    address === '10.0.0.1:80' ? { fails: 'connect-timeout' as const } : { status: 200 };
  const down = (): string[] =>
    b.gateway.endpoints().flatMap((e) => (e.state === 'down' ? [`${e.address} ${e.reason}`] : []));
  let failed = 0;
  for (let i = 0; i < 200 && down().length === 0; i++) {
    const { tried, status } = carry(b, b.begin(), answer);
    expect(status).toBe(200);
    if (tried.length > 1) failed++;
  }
  expect([failed, down()]).toEqual([3, ['10.0.0.1:80 connect-timeout']]);
});

test('the queue for an endpoint is bounded', () => {
  const limits = { maxConnections: 10, maxPending: 2, maxRequests: 10 };
  const b = bench(state([destination([backend([], { limits })])]));
  const waiting = [b.begin(), b.begin()];
  for (const flow of waiting) expect(flow.pick() ?? flow.refusal).toBeUndefined();
  const third = b.begin();
  third.pick();
  expect(third.refusal?.reason).toBe('overflow');
  for (const flow of [...waiting, third]) flow.ended('client-gone', -1, 0, 0);
  expect(b.metric('outbound_http_balancer_queue_length')).toBe(0);
});

test('D9: weights are kept, a retry stays with its version, a weight of 0 never serves', () => {
  const backends = [
    backend(['10.0.0.1:80', '10.0.0.2:80'], { name: 'cart' }),
    backend(['10.0.1.1:80', '10.0.1.2:80'], { name: 'v2' }),
    backend(['10.0.2.1:80'], { name: 'dead' }),
  ];
  const split = [
    { backend: 'cart', weight: 70 },
    { backend: 'v2', weight: 30 },
    { backend: 'dead', weight: 0 },
  ];
  const b = bench(state([destination(backends, [route('all', { split, retry: retry() })])]));
  const counts = new Map<string, number>();
  for (let i = 0; i < 5000; i++) {
    let tries = 0;
    const { tried } = carry(b, b.begin(), () => ({ status: tries++ === 0 ? 503 : 200 }));
    const version = tried[0]!.slice(0, 6);
    expect(tried.every((a) => a.startsWith(version))).toBe(true);
    counts.set(version, (counts.get(version) ?? 0) + 1);
  }
  expect(counts.get('10.0.1')! / 5000).toBeGreaterThan(0.27);
  expect(counts.get('10.0.1')! / 5000).toBeLessThan(0.33);
  expect(counts.has('10.0.2')).toBe(false);
});

test('D9: the first route that matches wins; none matches: the default, counted', () => {
  const routes = [
    route('qa', { matches: [{ headers: [{ name: 'X-User', kind: 'exact', value: 'qa' }] }] }),
    route('add', { matches: [{ method: 'POST', path: { kind: 'prefix', value: '/cart' } }] }),
    route('one', { matches: [{ path: { kind: 'regex', value: '/items/[0-9]+' } }] }),
    route('page', { matches: [{ query: [{ name: 'page', kind: 'regex', value: '[0-9]+' }] }] }),
    route('root', { matches: [{ path: { kind: 'exact', value: '/' } }] }),
  ];
  const b = bench(state([destination([backend(three)], routes)]));
  const name = (info: Parameters<typeof request>[0]): string => {
    const flow = b.begin(request(info));
    flow.ended('client-gone', -1, 0, 0);
    return flow.route.name;
  };
  expect(name({ path: '/cart', method: 'POST', headers: { 'x-user': 'qa' } })).toBe('qa');
  expect(name({ path: '/cart/1?a=b', method: 'POST' })).toBe('add');
  expect(name({ path: '/cartoon', method: 'POST' })).toBe('default');
  expect(name({ path: '/cart' })).toBe('default');
  expect(name({ path: '/items/12?x' })).toBe('one');
  expect(name({ path: '/items/12a' })).toBe('default');
  expect(name({ path: '/z?page=2' })).toBe('page');
  expect(name({ path: '/' })).toBe('root');
  expect(b.metric('route_mismatch_total{direction="outbound",dst="cart.retail"}')).toBe(3);
});

test('D8: redirects and rewrites', () => {
  const prefix = (value: string) => [{ path: { kind: 'prefix' as const, value } }];
  const routes = [
    route('old', { matches: prefix('/old'), split: [], redirect: { path: '/new', status: 301 } }),
    route('api', { matches: prefix('/api/v1'), rewrite: { prefix: '/', host: 'api.local' } }),
    route('tls', {
      matches: prefix('/tls'),
      split: [],
      redirect: { scheme: 'https', host: 'shop.example', port: 8443, status: 308 },
    }),
    route('was', { matches: prefix('/was'), split: [], redirect: { prefix: '/is', status: 302 } }),
  ];
  const b = bench(state([destination([backend(three)], routes)]));
  // Without a path the matched prefix is `/`, as in the Gateway API; `OPTIONS *` and an exact path have none.
  const moved = { rewrite: { prefix: '/v2' } };
  const exact = [{ path: { kind: 'exact' as const, value: '/one' } }];
  const post = [...exact, { method: 'POST' }];
  const others = [
    destination(
      [backend(three)],
      [route('exact', { matches: post, ...moved }), route('all', moved)],
    ),
  ];
  const c = bench(state(others));
  for (const [method, path, to] of [
    ['GET', '/x?q=1', '/v2/x?q=1'],
    ['GET', '/', '/v2/'],
    ['POST', '/two', '/v2/two'],
    ['GET', '/one', undefined],
    ['OPTIONS', '*', undefined],
  ] as const) {
    const flow = c.begin(request({ method, path }));
    expect([path, flow.path]).toEqual([path, to]);
    flow.ended('complete', -1, 0, 0);
  }
  const old = b.begin(request({ path: '/old/x?q=1', authority: 'cart.retail:8080' }));
  expect(old.refusal).toMatchObject({
    status: 301,
    headers: ['location', 'http://cart.retail:8080/new?q=1'],
  });
  const api = b.begin(request({ path: '/api/v1/items?q=1' }));
  expect([api.path, api.authority]).toEqual(['/items?q=1', 'api.local']);
  const tls = b.begin(request({ path: '/tls/1' }));
  expect(tls.refusal?.headers[1]).toBe('https://shop.example:8443/tls/1');
  // A path that is matched when it is normalised is redirected by that form, or it would be asked for again and again.
  const was = ['/was/x?q=1', '//was/./x?q=1', '/%77as/x?q=1'].map((path) =>
    b.begin(request({ path })),
  );
  for (const flow of was) {
    expect(flow.refusal?.headers[1]).toBe('http://cart.retail/is/x?q=1');
  }
  for (const flow of [old, api, tls, ...was]) flow.ended('complete', -1, 0, 0);
});

test('D9: mirrors are bounded, marked and apart', () => {
  const backends = [backend(three), backend(['10.0.1.1:80'], { name: 'v2' })];
  const mirrored = route('all', { mirror: { backend: 'v2', fraction: 1 } });
  const b = bench(state([destination(backends, [mirrored])]));
  const flows = Array.from({ length: 120 }, () => b.begin());
  // A request that is refused before it is sent is not copied.
  expect(flows.filter((f) => f.mirror)).toEqual([]);
  for (const flow of flows) flow.pick();
  expect(flows.filter((f) => f.mirror).length).toBe(100);
  expect(flows[0]?.mirror?.header).toEqual(['x-firedrill-mirror', 'true']);
  for (const flow of flows) {
    flow.mirror?.ended('answered');
    flow.ended('client-gone', -1, 0, 0);
  }
  expect(b.metric('outbound_http_mirror_requests_total{result="answered"}')).toBe(100);
  expect(b.metric('outbound_http_mirror_requests_total{result="skipped"}')).toBe(20);
});

test('D10: rate limits answer 429 with Retry-After, concurrency limits 503', () => {
  const limited = route('limited', {
    matches: [{ path: { kind: 'prefix', value: '/limited' } }],
    rateLimit: { requestsPerSecond: 2, burst: 2, per: 'all' },
  });
  const narrow = route('narrow', { maxConcurrent: 1 });
  const b = bench(state([destination([backend(three)], [limited, narrow])]));
  const statuses = [1, 2, 3].map(
    () => carry(b, b.begin(request({ path: '/limited' })), () => ({ tookMs: 0 })).status,
  );
  expect(statuses).toEqual([200, 200, 429]);
  b.clock.advance(500);
  expect(carry(b, b.begin(request({ path: '/limited' })), () => ({})).status).toBe(200);
  const first = b.begin();
  const second = b.begin();
  expect(second.refusal).toMatchObject({
    status: 503,
    headers: expect.arrayContaining(['retry-after']),
  });
  second.ended('complete', -1, 0, 0);
  first.ended('client-gone', -1, 0, 0);
  expect(b.begin().refusal).toBeUndefined();
  expect(b.metric('http_shed_total{reason="concurrency"}')).toBe(1);
});

test('faults strike what they match, count it, and lapse', () => {
  const b = bench(state([destination([backend(three)])]));
  const lease: FaultLease = {
    id: 'f1',
    side: 'outbound',
    ratio: 1,
    ttlMs: 1000,
    match: { destination: 'cart.retail', pathPrefix: '/items' },
    abortStatus: 503,
    delayMs: 40,
  };
  b.gateway.faults.put(lease);
  const beganMs = b.clock.monotonicMs();
  expect(carry(b, b.begin(), () => ({}))).toMatchObject({ status: 503, reason: 'fault-abort' });
  expect(b.clock.monotonicMs() - beganMs).toBe(40);
  expect(carry(b, b.begin(request({ path: '/other' })), () => ({})).status).toBe(200);
  expect(b.gateway.faults.list()).toMatchObject([{ id: 'f1', effect: 1 }]);
  b.gateway.faults.put({ ...lease, abortStatus: undefined, delayMs: undefined, blackhole: true });
  expect(b.begin().refusal?.kind).toBe('blackhole');
  b.clock.advance(1000);
  expect(b.gateway.faults.list()).toEqual([]);
  expect(carry(b, b.begin(), () => ({})).status).toBe(200);
  expect(b.metric('fault_effects_total{direction="outbound"}')).toBe(2);
  expect(() => b.gateway.faults.put({ side: 'in', ratio: 2 })).toThrow(/bad side.*[\s\S]*ttlMs/);
});

test('C4: inbound: authorization by route; audit lines; the client cannot name itself', () => {
  const id = 'checkout.retail.serviceaccount.identity.local';
  const given = server({
    defaultPolicy: 'deny',
    routes: [route('pay', { matches: [{ path: { kind: 'prefix', value: '/pay' } }] })],
    authorizations: [
      { name: 'checkout-pays', routes: ['pay'], identities: [id], unauthenticated: false },
    ],
  });
  const b = bench(state([], [given]));
  const { inbound } = b.gateway;
  const http = inbound.serverFor(4143)!;
  expect(inbound.mayConnect(http, { identity: id, address: '10.0.0.9' })).toBe(true);
  expect(inbound.mayConnect(http, { address: '10.0.0.9' })).toBe(false);
  const from = { peerIdentity: id, tls: 'true' as const };
  const pay = inbound.begin(http, request({ ...from, path: '/pay' }));
  expect(pay.refusal).toBeUndefined();
  expect(pay.moreRequestHeaders).toEqual(['l5d-client-id', id]);
  expect(carry(b, pay, () => ({ status: 200 })).tried).toEqual(['127.0.0.1:9001']);
  const other = inbound.begin(http, request({ ...from, path: '/admin' }));
  expect(carry(b, other, () => ({})).status).toBe(403);
  const stranger = inbound.begin(http, request({ path: '/pay', headers: { 'l5d-client-id': id } }));
  // The fronts drop the client's own claim, in every spelling.
  expect(stranger.moreRequestHeaders).toBeUndefined();
  expect(carry(b, stranger, () => ({})).status).toBe(403);
  // The connection that was cut before its first byte, and the two requests.
  expect(b.audits.map((l) => JSON.parse(l).audit)).toEqual(['denied', 'denied', 'denied']);
  expect(b.metric(`inbound_http_authz_allow_total{authz_name="checkout-pays",tls="true"}`)).toBe(1);
  expect(b.metric('inbound_http_authz_deny_total')).toBe(2);
  expect(b.metric('inbound_tcp_authz_deny_total')).toBe(1);
  // 403 is an answer, not a failure of the service.
  expect(b.metric('response_total{direction="inbound",classification="failure"}')).toBe(0);
});

test('a client that leaves: soon, canceled; after a second of waiting, a failure', () => {
  const b = bench(state([destination([backend(three)])]));
  const soon = b.begin();
  soon.pick();
  b.clock.advance(200);
  soon.ended('client-gone', -1, 0, 0);
  const late = b.begin();
  late.pick();
  b.clock.advance(5000);
  late.ended('client-gone', -1, 0, 0);
  expect(b.metric('response_total{status_code="499",classification="canceled"}')).toBe(1);
  expect(b.metric('response_total{status_code="499",classification="failure"}')).toBe(1);
  expect(b.metric('requests_in_flight')).toBe(0);
  expect(b.metric('outbound_endpoint_pending')).toBe(0);
});

test('gRPC: the status of the trailers classifies', () => {
  const b = bench(state([destination([backend(three)])]));
  const call = (grpcStatus: number): void => {
    const flow = b.begin(request({ isGrpc: true, method: 'POST' }));
    flow.pick();
    flow.responded(200, -1);
    flow.ended('complete', grpcStatus, 10, 10);
  };
  for (const status of [0, 5, 14]) call(status);
  const line = (s: number): string => `response_total{status_code="200",grpc_status="${s}"`;
  expect(b.metric(`${line(0)},classification="success"}`)).toBe(1);
  expect(b.metric(`${line(5)},classification="success"}`)).toBe(1);
  expect(b.metric(`${line(14)},classification="failure"}`)).toBe(1);
});

test('a change of state keeps counters, balancers and budgets; a bad one changes nothing', () => {
  const routes = [route('get', { retry: retry() })];
  const b = bench(state([destination([backend(three)], routes)]));
  const gone: string[] = [];
  b.gateway.outbound.onEndpointRemoved = (e) => gone.push(e.address);
  carry(b, b.begin(), () => ({ tookMs: 5 }));
  const before = b.gateway.endpoints();
  b.gateway.apply(
    state([destination([backend([...three.slice(1), '10.0.0.4:80'])], routes)], [], 2),
  );
  expect(gone).toEqual([three[0]]);
  const after = b.gateway.endpoints();
  expect(after.find((e) => e.address === three[1])).toEqual(
    before.find((e) => e.address === three[1]),
  );
  expect(b.metric('request_total{dst="cart.retail"}')).toBe(1);
  const bad = destination(
    [backend(three)],
    [route('broken', { matches: [{ path: { kind: 'regex', value: '(' } }] })],
  );
  // An unservable route blocks no change; two of one name cannot be told apart.
  expect(() => b.gateway.apply(state([bad, bad], [], 3))).toThrow(/two destinations/);
  expect(b.metric('proxy_config_version')).toBe(2);
  expect(b.metric('proxy_config_updates_total{result="refused"}')).toBe(1);
  carry(b, b.begin(), () => ({}));
  expect(b.metric('request_total{dst="cart.retail"}')).toBe(2);
});

test('destinations: exact host, any case and port, wildcard, service address; unknown ones are forwarded', () => {
  const wild = destination([backend(['10.0.1.1:80'])], [], {
    name: 'wild.retail',
    hosts: ['*.retail.svc', '*.cart.retail.svc'],
    addresses: [],
  });
  const b = bench(state([destination([backend(three)]), wild]));
  const { outbound } = b.gateway;
  const name = (authority: string, dst?: string): string =>
    outbound.destinationFor(authority, dst).name;
  expect(name('Cart.Retail:8080')).toBe('cart.retail');
  expect(name('cart.retail.')).toBe('cart.retail');
  expect(name('a.b.retail.svc')).toBe('wild.retail');
  expect(name('retail.svc')).toBe('unknown');
  expect(name('whatever', '10.96.0.7:80')).toBe('cart.retail');
  const elsewhere = b.begin(request({ authority: 'example.com:8443' }));
  expect(elsewhere.pick()).toMatchObject({ host: 'example.com', port: 8443 });
  elsewhere.ended('client-gone', -1, 0, 0);
  outbound.ownAddresses = new Set(['127.0.0.1:4140']);
  expect(b.begin(request({ authority: '127.0.0.1:4140' })).refusal?.status).toBe(508);
  b.gateway.apply({ ...state([], [], 2), unknownDestinations: 'refuse' });
  expect(b.begin(request({ authority: 'example.com' })).refusal?.status).toBe(502);
});

test('opaque connections are balanced, retried before they are up, and counted', () => {
  const b = bench(state([destination([backend(three)], [], { protocol: 'opaque' })]));
  const dst = b.gateway.outbound.destinationFor('', '10.96.0.7:80');
  const flow = b.gateway.outbound.connect(dst, '10.1.1.1');
  const first = flow.pick()!;
  expect(flow.tryFailed('refused')).toBe('retry');
  const second = flow.pick()!;
  expect(second.address).not.toBe(first.address);
  flow.connected();
  flow.ended('complete', 10, 20);
  expect(b.metric('outbound_endpoint_pending')).toBe(0);
  expect(b.metric('outbound_endpoint_failures_total')).toBe(1);
});

test('a full pool: another endpoint has room, and where none has, 503', () => {
  const b = bench(state([destination([backend(three)])]));
  const overflowing = (a: string) =>
    a === '10.0.0.1:80' ? { fails: 'overflow' as const, tookMs: 0 } : { tookMs: 1 };
  for (let i = 0; i < 50; i++) expect(carry(b, b.begin(), overflowing).status).toBe(200);
  const all = () => ({ fails: 'overflow' as const, tookMs: 0 });
  expect(carry(b, b.begin(), all)).toMatchObject({ status: 503, reason: 'overflow' });
  expect(b.metric('retry_same_endpoint_total')).toBe(0);
  // The endpoints themselves are fine.
  expect(b.gateway.endpoints().every((e) => e.state === 'ready' && e.failures === 0)).toBe(true);
});

test('a request whose idle connection had just been closed is repeated without budget, if it is safe', () => {
  const b = bench(state([destination([backend(three)])]));
  const stale = (times: number) => () =>
    times-- > 0 ? { fails: 'stale-connection' as const } : { status: 200 };
  expect(carry(b, b.begin(), stale(2)).status).toBe(200);
  expect(carry(b, b.begin(), stale(3)).status).toBe(502);
  expect(carry(b, b.begin(request({ method: 'POST' })), stale(1)).status).toBe(502);
  const refusedStream = (times: number) => () =>
    times-- > 0 ? { fails: 'not-processed' as const } : { status: 200 };
  expect(carry(b, b.begin(request({ method: 'POST' })), refusedStream(1)).status).toBe(200);
  expect(b.metric('outbound_http_route_retry_requests_total')).toBe(0);
});
