/** The load: an open model whose latencies count from when a request was due, by either driver. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { SimulatedClock, sleep } from '../../base/clock.js';
import { K6Csv } from '../../chaos/load/k6-csv.js';
import { type Load, startLoad } from '../../chaos/load/load.js';
import { Pacer } from '../../chaos/load/pacer.js';
import { type LoadPoint, LoadPoints, totalsOf } from '../../chaos/load/points.js';
import { shopProfile } from '../../chaos/load/profile.js';
import { judgeLoad, loadJunit, thresholdsOf } from '../../chaos/load/thresholds.js';
import { asset } from '../../base/paths.js';
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
  expect(points).toEqual([
    { route: 'browse', atMs: 4968, ms: 32, ok: true },
    { route: 'cart', atMs: 5990, ms: 10, ok: false },
  ]);
  expect(dropped).toBe(3);
});

describe('X5: thresholds of a load test come from the SLOs', () => {
  const thresholds = thresholdsOf(readSlos([asset('examples/slo/retail.yaml')]));
  const points = (failed: number, slow: number): LoadPoint[] =>
    Array.from({ length: 1000 }, (_, i) => ({
      route: 'checkout',
      atMs: i,
      ms: i < slow ? 600 : 20,
      ok: i < 1000 - failed,
    }));

  test('availability and latency of what the client calls', () => {
    expect(thresholds.filter((t) => t.route === 'checkout')).toEqual([
      { name: 'checkout-availability', route: 'checkout', allowed: 0.005 },
      { name: 'checkout-latency', route: 'checkout', allowed: 0.01, slowerThanMs: 500 },
    ]);
    const judged = judgeLoad(thresholds, points(5, 10), 1000);
    expect(judged.map((r) => [r.name, r.held])).toEqual([
      ['the load ran', true],
      ['checkout-availability', true],
      ['checkout-latency', true],
    ]);
  });

  test('one request more than allowed is a miss, and so is a load that did not run', () => {
    const judged = judgeLoad(thresholds, points(6, 11), 2000);
    expect(judged.map((r) => r.held)).toEqual([false, false, false]);
    expect(judged[1]).toMatchObject({
      measured: '0.6% of 1000 failed',
      bound: 'at most 0.5%',
    });
    const xml = loadJunit(judged, 30);
    expect(xml).toContain('tests="3" failures="3"');
    expect(xml).toContain('message="1.1% of 1000 took longer than 500 ms; at most 1%"');
  });
});

describe('against a server', () => {
  const endings: (() => Promise<unknown> | void)[] = [];
  afterEach(async () => {
    for (const end of endings.splice(0).toReversed()) await end();
  });

  async function run(
    kind: Load['kind'],
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
