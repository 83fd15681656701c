/** The load: an open model whose latencies count from the due time of a request, with either driver. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { SimulatedClock, sleep } from '../../base/clock.js';
import { K6Csv } from '../../chaos/load/k6-csv.js';
import { type Load, startLoad } from '../../chaos/load/load.js';
import { Pacer } from '../../chaos/load/pacer.js';
import { type LoadPoint, LoadPoints, totalsOf } from '../../chaos/load/points.js';
import { deathOf } from '../../chaos/load/k6.js';
import { paceOf } from '../../chaos/load/profile.js';
import { judgeLoad, loadJunit, thresholdsOf } from '../../chaos/load/thresholds.js';
import { asset } from '../../base/paths.js';
import { shopProfile } from '../../examples/retail/load.js';
import { readSlos } from '../../slo/index.js';
import { testWith } from '../tools.js';

test('what falls due during a stall is begun afterwards, and counted from when it was due', () => {
  const clock = new SimulatedClock();
  const due: number[] = [];
  const pacer = new Pacer(clock, 10, (dueMs) => due.push(dueMs));
  clock.advance(250);
  expect(due).toEqual([0, 100, 200]);
  pacer.stop();
  clock.advance(1000);
  expect(due).toHaveLength(3);
});

test('totals count errors and take the nearest rank, by route and together', () => {
  const points = new LoadPoints();
  for (let i = 1; i <= 100; i++) {
    points.add({ route: i % 2 ? 'a' : 'b', atMs: i * 10, ms: i, ok: i !== 7 });
  }
  expect(points.totals(0, 2000)).toEqual({
    requests: 100,
    errors: 1,
    p50Ms: 50,
    p95Ms: 95,
    p99Ms: 99,
    routes: {
      a: { requests: 50, errors: 1, p95Ms: 95 },
      b: { requests: 50, errors: 0, p95Ms: 96 },
    },
  });
  expect(points.totals(0, 110)).toMatchObject({ requests: 10, errors: 1 });
  expect(totalsOf([])).toMatchObject({ requests: 0, p99Ms: 0 });
});

test('rows of k6 become one point a request, with connecting counted, quoted commas and all', () => {
  const points: LoadPoint[] = [];
  let dropped = 0;
  const csv = new K6Csv(
    (p) => points.push(p),
    (n) => (dropped += n),
  );
  csv.line('metric_name,timestamp,metric_value,error,name,status');
  csv.line('http_reqs,5000,1.0,,browse,200');
  csv.line('http_req_duration,5000,30.5,,browse,200');
  csv.line('http_req_blocked,5000,1.0,,browse,200');
  csv.line('http_req_connecting,5000,0.5,,browse,200');
  csv.line('http_req_failed,5000,0,,browse,200');
  csv.line('http_req_duration,6000,10,"no, not now",cart,0');
  csv.line('http_req_failed,6000,1,"no, not now",cart,0');
  csv.line('dropped_iterations,6000,3,,,');
  csv.line('something else');
  csv.flush();
  expect(points).toEqual([
    { route: 'browse', atMs: 4968, ms: 32, ok: true, status: 200 },
    { route: 'cart', atMs: 5990, ms: 10, ok: false, status: 0, failure: 'no-answer' },
  ]);
  expect(dropped).toBe(3);
  expect(csv.lastWords).toBe('something else');
});

test('a check that fails makes a failure of the request before it, of the same virtual user', () => {
  const points: LoadPoint[] = [];
  const csv = new K6Csv(
    (p) => points.push(p),
    () => undefined,
  );
  csv.line('metric_name,timestamp,metric_value,check,error_code,name,status,metadata');
  csv.line('http_req_failed,1000,0,,,http://a.example:80/x?q=1,200,vu=1&iter=0');
  csv.line('http_req_failed,1001,1,,1050,slow,0,iter=0&vu=2');
  csv.line('checks,1002,0,body,,,,vu=1&iter=0');
  csv.line('checks,1002,0,body,,,,vu=2&iter=0');
  expect(points).toEqual([]);
  csv.line('iteration_duration,1003,3,,,,,iter=0&vu=1');
  csv.line('grpc_req_duration,1004,2,,,health,14,vu=2&iter=1');
  csv.flush();
  expect(points.map((p) => [p.route, p.ok, p.failure])).toEqual([
    ['/x?q=1', false, 'body'],
    ['slow', false, 'timeout'],
    ['health', false, 'no-answer'],
  ]);
});

test('the end of k6 is one sentence, without what it had been writing', () => {
  expect(deathOf(null, 'metric,1,2')).toBe('k6 ended before it was told to: it was killed');
  expect(deathOf(143, 'Request Failed')).toBe('k6 ended before it was told to: it was killed');
  expect(deathOf(107, 'boom\n at x')).toBe(
    'k6 ended before it was told to: its script threw an exception (boom at x)',
  );
});

test('stages: the pace rises at once or evenly, rests at 0, and stays where the last one ends', () => {
  const pace = paceOf([
    { forMs: 1000, factor: 1, ramp: false },
    { forMs: 2000, factor: 3, ramp: true },
    { forMs: 1000, factor: 0, ramp: false },
    { forMs: 1000, factor: 2, ramp: false },
  ]);
  expect([0, 500, 1000, 2000, 3000, 3500, 4000, 5000, 7000].map((ms) => pace.passed(ms))).toEqual([
    0, 0.5, 1, 2.5, 5, 5, 5, 7, 11,
  ]);
  for (const ms of [0, 250, 1000, 1700, 2999, 4100, 5000, 9000]) {
    expect(pace.reached(pace.passed(ms))).toBeCloseTo(ms, 6);
  }
  expect(paceOf([{ forMs: 1000, factor: 0, ramp: false }]).reached(1)).toBe(Infinity);
});

describe('X5: thresholds of a load test come from the SLOs', () => {
  const thresholds = thresholdsOf(readSlos([asset('examples/slo/retail.yaml')]));
  const points = (failed: number, slow: number): LoadPoint[] =>
    Array.from({ length: 1000 }, (_, i) => ({
      route: 'checkout',
      atMs: i,
      ms: i < slow ? 600 : 20,
      ok: i < 1000 - failed,
      ...(i >= 1000 - failed && { failure: 'status' as const, status: 503 }),
    }));
  const judge = (list: LoadPoint[], due: number): ReturnType<typeof judgeLoad> =>
    judgeLoad({ thresholds: checkout, points: list, due, serviceOf: (route) => route });

  const checkout = thresholds.filter((t) => t.service === 'checkout');

  test('availability and latency of what the client calls', () => {
    expect(checkout).toEqual([
      { name: 'checkout-availability', service: 'checkout', allowed: 0.005 },
      { name: 'checkout-latency', service: 'checkout', allowed: 0.01, slowerThanMs: 500 },
    ]);
    expect(judge(points(5, 9), 1000).map((r) => [r.name, r.verdict])).toEqual([
      ['the load ran', 'held'],
      ['something succeeded', 'held'],
      ['checkout-availability', 'held'],
      ['checkout-latency', 'held'],
    ]);
  });

  test('one request more than allowed is a miss, and a load that did not run judges nothing', () => {
    const judged = judge(points(6, 11), 2000);
    expect(judged.map((r) => r.verdict)).toEqual(['unjudged', 'held', 'missed', 'missed']);
    expect(judged[2]).toMatchObject({
      measured: '0.6% of 1000 failed (6 of another status: 503)',
      bound: 'at most 0.5%',
    });
    const xml = loadJunit(judged, 30);
    expect(xml).toContain('tests="4" failures="2" errors="1"');
    expect(xml).toContain('message="1.11% of 994 took longer than 500 ms; at most 1%"');
  });

  test('nothing answered, nothing measured, nothing successful: none of it is held', () => {
    const dead = Array.from({ length: 100 }, (_, i): LoadPoint => {
      return { route: 'checkout', atMs: i, ms: 1, ok: false, status: 0, failure: 'no-answer' };
    });
    expect(judge(dead, 100).map((r) => r.verdict)).toEqual(Array(4).fill('missed'));
    const elsewhere = points(0, 0).map((p) => ({ ...p, route: 'browse' }));
    expect(judge(elsewhere, 1000).slice(2)).toMatchObject([
      { verdict: 'unjudged', measured: 'no route of the load measures checkout' },
      { verdict: 'unjudged', measured: 'no route of the load measures checkout' },
    ]);
    expect(judge([], 0).map((r) => r.verdict)).not.toContain('held');
  });
});

describe('against a server', () => {
  const endings: (() => Promise<unknown> | void)[] = [];
  afterEach(async () => {
    for (const end of endings.splice(0).toReversed()) await end();
  });

  async function run(
    kind: 'k6' | 'embedded',
    requests: number,
  ): Promise<{ load: Load; keys: string[] }> {
    const keys: string[] = [];
    const server: Server = createServer((request, response) => {
      const key = request.headers['idempotency-key'];
      if (typeof key === 'string') keys.push(key);
      request.resume();
      response.writeHead(request.url === '/cart' ? 503 : 200).end('{}');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    endings.push(
      () => server.closeAllConnections(),
      () => void server.close(),
    );
    const { port } = server.address() as AddressInfo;
    const load = await startLoad(kind, shopProfile(`http://127.0.0.1:${port}`, 100));
    endings.push(() => load.stop());
    while (load.points.count < requests) await sleep(20);
    return { load, keys };
  }

  const judged = ({ load, keys }: Awaited<ReturnType<typeof run>>): void => {
    const totals = load.points.totals(0, Infinity);
    expect(totals.routes.cart?.errors).toBe(totals.routes.cart?.requests);
    expect(totals.routes.browse?.errors).toBe(0);
    expect(totals.routes.checkout?.errors).toBe(0);
    expect(new Set(keys).size).toBe(keys.length);
    expect(keys.length).toBeGreaterThan(10);
    expect(totals.p50Ms).toBeGreaterThan(0);
  };

  test('X5: the embedded driver runs the profile', async () => {
    judged(await run('embedded', 150));
  });

  testWith('k6')('X5: k6 runs the same profile', async () => {
    const done = await run('k6', 150);
    judged(done);
    expect(done.load.version).toMatch(/^\d+\.\d+/);
  });
});
