/**
 * D12: the exposed metrics match names.ts and METRICS.md, promtool and Prometheus read them, and their number is
 * limited.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { startGuarded } from '../../../base/child.js';
import { packageRoot } from '../../../base/paths.js';
import { requireTool } from '../../../base/tools.js';
import { metricsPage } from '../../../mesh/proxy/telemetry/metrics-page.js';
import { LatencyHistogram } from '../../../mesh/proxy/telemetry/latency-histogram.js';
import {
  latencyBoundsMs,
  metricNames,
  metricSpecs,
  type MetricName,
} from '../../../mesh/proxy/telemetry/names.js';
import { meshLatencyBounds, meshMetrics } from '../../../slo/spec/mesh-metrics.js';
import { testWith } from '../../tools.js';
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

/** A gateway after traffic that produces every kind of series. */
function busy() {
  const policy = {
    consecutiveFailures: 2,
    minOpenMs: 100,
    maxOpenMs: 1000,
    jitter: 0,
    maxEjectedRatio: 0.5,
    panicRatio: 0.9,
  };
  const addresses = ['10.0.0.1:80', '10.0.0.2:80', '10.0.0.3:80'];
  const routes = [
    route('limited', {
      matches: [{ path: { kind: 'exact', value: '/limited' } }],
      rateLimit: { requestsPerSecond: 1, burst: 1, per: 'identity' },
      maxConcurrent: 1,
    }),
    route('items', {
      matches: [{ method: 'GET' }],
      retry: retry({ budget: { ratio: 0, minRetriesPerSecond: 1, ttlSeconds: 10 } }),
      hedge: { afterMs: 100 },
      mirror: { backend: 'cart', fraction: 0.5 },
    }),
  ];
  const b = bench(
    state(
      [destination([backend(addresses, { breaker: policy })], routes)],
      [
        server({
          defaultPolicy: 'audit',
          maxConcurrent: 5,
          routes: [route('pay', { matches: [{ path: { kind: 'exact', value: '/pay' } }] })],
          rateLimit: { requestsPerSecond: 1, burst: 3, per: 'all' },
        }),
        server({ name: 'closed', port: 5000, defaultPolicy: 'deny' }),
        server({ name: 'mysql', port: 3306, protocol: 'opaque' }),
      ],
    ),
    {
      config: {
        tracing: { otlpUrl: 'http://127.0.0.1:9/', sampleRatio: 1 },
        limits: { maxMemoryBytes: 1e12 },
      },
    },
  );
  const { gateway } = b;
  for (let i = 0; i < 60; i++) {
    const path = i % 5 === 0 ? '/limited' : '/items';
    const flow = b.begin(request({ path, method: i % 7 === 0 ? 'POST' : 'GET' }));
    carry(b, flow, (a) => ({ status: a === addresses[0] ? 503 : 200, tookMs: 1 + (i % 30) * 7 }));
    flow.mirror?.ended(i % 2 === 0 ? 'answered' : 'failed');
  }
  for (let i = 0; i < 20; i++) carry(b, b.begin(), () => ({ status: 503 }));
  for (let i = 0; i < 8; i++) {
    for (const port of [4143, 5000]) {
      const flow = gateway.inbound.begin(
        gateway.inbound.serverFor(port)!,
        request({ path: i % 2 ? '/pay' : '/x', tls: 'true', peerIdentity: 'a"b\\c\nd' }),
      );
      carry(b, flow, () => ({ status: 200, tookMs: 3 }));
    }
    const mysql = gateway.inbound.serverFor(3306)!;
    const connection = gateway.inbound.connect(mysql, { address: '10.9.9.9' });
    connection.pick();
    connection.ended('complete', 1, 1);
  }
  gateway.faults.put({ side: 'inbound', delayMs: 1, ttlMs: 1000 });
  const { metrics } = gateway;
  const transport = metrics.transport('inbound', 'src', 'true');
  transport.opened();
  transport.readBytes += 100;
  metrics.transport('outbound', 'dst', 'disabled').opened();
  transport.closed(true);
  metrics.handshakeSucceeded('inbound');
  metrics.handshakeFailed('inbound', 'expired');
  metrics.certificateExpirySeconds = 2e9;
  metrics.watchController({
    stats: {
      connected: true,
      connects: 1,
      connectFailures: 2,
      updates: 3,
      refusedUpdates: 4,
      clockSkewMs: 5,
    },
    staleSeconds: () => 0,
  });
  return b;
}

const families = (text: string): { name: MetricName; labels: string[]; line: string }[] =>
  text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const [, full = '', , labels = ''] = /^(\w+)(\{(.*)\})? \S+$/.exec(line) ?? [];
      const base = full.replace(/_(bucket|sum|count)$/, '') as MetricName;
      const name = (metricSpecs[full as MetricName] ? full : base) as MetricName;
      return { name, labels: [...labels.matchAll(/(\w+)="/g)].map((m) => m[1] as string), line };
    });

test('every line of a live scrape is declared, with labels that are declared', () => {
  const b = busy();
  const seen = new Set<string>();
  for (const { name, labels, line } of families(b.text())) {
    expect(metricSpecs[name], line).toBeDefined();
    const { labels: declared, type } = metricSpecs[name];
    const allowed: readonly string[] = type === 'histogram' ? [...declared, 'le'] : declared;
    for (const label of labels) expect(allowed, line).toContain(label);
    expect(new Set(labels).size, line).toBe(labels.length);
    seen.add(name);
  }
  // Every declared metric must also occur.
  const rare = ['response_latency_native_ms', 'inbound_tcp_authz_deny_total', 'process_open_fds'];
  rare.push('outbound_http_balancer_panic_total');
  rare.push('http_shed_total', 'tcp_refused_total');
  expect(metricNames.filter((n) => !seen.has(n) && !rare.includes(n))).toEqual([]);
});

test('no series comes twice', () => {
  const series = families(busy().text()).map((f) => f.line.slice(0, f.line.lastIndexOf(' ')));
  expect(series.filter((s, i) => series.indexOf(s) !== i)).toEqual([]);
});

test('METRICS.md is what names.ts says', () => {
  const page = readFileSync(join(packageRoot, 'mesh/proxy/METRICS.md'), 'utf8');
  expect(page).toBe(metricsPage());
});

test('the metrics that SLOs and dashboards read exist, with the same bounds', () => {
  expect(latencyBoundsMs).toEqual(meshLatencyBounds);
  for (const name of Object.values(meshMetrics)) {
    if (name.startsWith('firedrill_')) continue;
    expect(metricNames).toContain(name);
  }
});

testWith('promtool')('promtool finds nothing wrong with the names', () => {
  const result = spawnSync(requireTool('promtool'), ['check', 'metrics'], {
    input: busy().text(),
    encoding: 'utf8',
  });
  expect(result.error).toBeUndefined();
  // Dashboards use Linkerd's names and milliseconds; promtool objects to those and to nothing else.
  const complaints = result.stderr.split('\n').filter((l) => l !== '' && !/_ms\b|_ms_/.test(l));
  expect(complaints).toEqual([]);
});

testWith('prometheus')(
  'Prometheus scrapes the native histogram, and its percentiles are within the stated error',
  async () => {
    // The gateway's clock is simulated, and exemplars have times.
    const b = bench(state([destination([backend(['10.0.0.1:80'])])]), {
      config: { tracing: { otlpUrl: 'http://127.0.0.1:9/', sampleRatio: 1 } },
      startMs: Date.now(),
    });
    const server1 = createServer((req, res) => {
      const { contentType, body } = b.gateway.metrics.expose(req.headers.accept);
      res.setHeader('content-type', contentType);
      res.end(body);
    });
    await new Promise<void>((resolve) => server1.listen(0, '127.0.0.1', resolve));
    const { port } = server1.address() as AddressInfo;
    const folder = mkdtempSync(join(tmpdir(), 'firedrill-native-'));
    writeFileSync(
      join(folder, 'prometheus.yml'),
      `scrape_configs: [{job_name: p, scrape_interval: 200ms, scrape_timeout: 200ms, ` +
        `static_configs: [{targets: ['127.0.0.1:${port}']}]}]\n`,
    );
    const listen = await freePort();
    const prometheus = startGuarded('prometheus', requireTool('prometheus'), [
      `--config.file=${join(folder, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=127.0.0.1:${listen}`,
      '--enable-feature=native-histograms,exemplar-storage',
    ]);
    try {
      const ask = async (query: string): Promise<number | undefined> => {
        try {
          const url = `http://127.0.0.1:${listen}/api/v1/query?query=${encodeURIComponent(query)}`;
          const answer = (await (await fetch(url)).json()) as {
            data?: { result: { value?: [number, string] }[] };
          };
          const value = answer.data?.result[0]?.value?.[1];
          return value === undefined ? undefined : Number(value);
        } catch {
          return undefined;
        }
      };
      // Half at 7 ms, nearly half at 70, a few at 700.
      for (let i = 0; i < 1000; i++) {
        carry(b, b.begin(), () => ({ tookMs: i < 500 ? 7 : i < 980 ? 70 : 700 }));
      }
      const until = Date.now() + 20_000;
      const within = async (query: string, wanted: number): Promise<void> => {
        let got = await ask(query);
        while (Date.now() < until && (got === undefined || Number.isNaN(got))) {
          await new Promise((resolve) => setTimeout(resolve, 100));
          got = await ask(query);
        }
        expect(got, query).toBeDefined();
        expect(Math.abs((got as number) - wanted) / wanted, `${query}: ${got}`).toBeLessThan(
          0.0906,
        );
      };
      await within('histogram_quantile(0.25, response_latency_native_ms)', 7);
      await within('histogram_quantile(0.75, response_latency_native_ms)', 70);
      await within('histogram_quantile(0.995, response_latency_native_ms)', 700);
      // Rules read the classic histogram, which stays.
      await within(
        'response_latency_ms_bucket{le="10.0"} or response_latency_ms_bucket{le="10"}',
        500,
      );
      await within('sum(response_total{classification="success"})', 1000);
      const range = `start=${Date.now() / 1000 - 3600}&end=${Date.now() / 1000 + 3600}`;
      const url = `http://127.0.0.1:${listen}/api/v1/query_exemplars`;
      const found = (await (
        await fetch(`${url}?query=response_latency_ms_bucket&${range}`)
      ).json()) as { data: { exemplars: { labels: Record<string, string>; value: string }[] }[] };
      const exemplars = found.data.flatMap((series) => series.exemplars);
      expect(exemplars.length).toBeGreaterThanOrEqual(3);
      for (const { labels } of exemplars) expect(labels.trace_id).toMatch(/^[0-9a-f]{32}$/);
    } finally {
      await prometheus.stop();
      server1.close();
      rmSync(folder, { recursive: true, force: true });
    }
  },
);

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise<void>((resolve) => {
    probe.close(() => resolve());
  });
  return port;
}

test('percentiles of the exponential histogram are within 4.4%', () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 0.01, max: 900_000, noNaN: true }), {
        minLength: 1,
        maxLength: 200,
      }),
      fc.double({ min: 0.01, max: 1, noNaN: true }),
      (samples, q) => {
        const histogram = new LatencyHistogram();
        for (const ms of samples) histogram.observe(ms);
        const sorted = [...samples].sort((a, b) => a - b);
        const truth = sorted[Math.max(1, Math.ceil(q * sorted.length)) - 1] as number;
        const estimate = histogram.quantileMs(q) as number;
        expect(Math.abs(estimate - truth) / truth).toBeLessThan(0.0443);
        expect(histogram.counts.reduce((a, c) => a + c, 0)).toBe(samples.length);
      },
    ),
  );
});

test('X2: a destination with a route for each user folds its own, and takes nothing from others', () => {
  const users = Array.from({ length: 700 }, (_, i) =>
    route(`user-${i}`, { matches: [{ path: { kind: 'exact', value: `/${i}` } }] }),
  );
  const flood = { name: 's0.x', hosts: ['s0.x'], addresses: [] };
  const quiet = { name: 's1.x', hosts: ['s1.x'], addresses: [] };
  const b = bench(
    state([
      destination([backend(['10.0.0.1:80'])], users, flood),
      destination([backend(['10.0.0.1:80'])], [], quiet),
    ]),
  );
  for (let i = 0; i < 700; i++) {
    carry(b, b.begin(request({ authority: 's0.x', path: `/${i}` })), () => ({ status: 200 }));
  }
  carry(b, b.begin(request({ authority: 's1.x' })), () => ({ status: 200 }));
  const requests = families(b.text()).filter((l) => l.name === 'request_total');
  // One of the 500 is the default route, which got no request.
  expect(requests.length).toBe(499 + 1 + 1);
  expect(b.metric('request_total{dst="s0.x",rt_route="overflow"}')).toBe(201);
  expect(b.metric('request_total{dst="s1.x"}')).toBe(1);
  expect(b.metric('metrics_label_overflow_total{kind="route"}')).toBeGreaterThanOrEqual(200);
});

test('cardinality is bounded: routes, clients, kinds of response; series of what is gone are dropped', () => {
  const many = Array.from({ length: 2100 }, (_, i) =>
    destination([backend(['10.0.0.1:80'])], [], {
      name: `s${i}.x`,
      hosts: [`s${i}.x`],
      addresses: [],
    }),
  );
  const b = bench(state(many, [server()]));
  for (let i = 0; i < 2100; i++) {
    carry(b, b.begin(request({ authority: `s${i}.x` })), () => ({ status: 200 + (i % 300) }));
  }
  const { inbound } = b.gateway;
  for (let i = 0; i < 700; i++) {
    const info = request({ peerIdentity: `client-${i}`, tls: 'true' });
    carry(b, inbound.begin(inbound.serverFor(4143)!, info), () => ({ status: 200 }));
  }
  for (let i = 0; i < 600; i++) {
    carry(b, b.begin(request({ authority: 's0.x' })), () => ({ status: 200 + (i % 800) }));
  }
  const lines = families(b.text());
  const requests = lines.filter((l) => l.name === 'request_total');
  const valueOf = ({ line }: { line: string }): number => Number(line.slice(line.lastIndexOf(' ')));
  expect(requests.reduce((sum, l) => sum + valueOf(l), 0)).toBe(2100 + 700 + 600);
  expect(requests.length).toBeLessThanOrEqual(2002);
  expect(requests.some((l) => l.line.includes('dst="overflow"'))).toBe(true);
  expect(lines.some((l) => l.line.startsWith('metrics_label_overflow_total{kind="route"}'))).toBe(
    true,
  );
  expect(
    lines.filter((l) => l.name === 'inbound_http_authz_allow_total').length,
  ).toBeLessThanOrEqual(502);
  const kinds = lines.filter((l) => l.name === 'response_total' && l.line.includes('"s0.x"'));
  expect(kinds.length).toBeLessThanOrEqual(107);
  b.gateway.apply(state([], [server()], 2));
  expect(b.metric('request_total{dst="s0.x"}')).toBe(601);
  b.clock.advance(600_001);
  expect(b.metric('request_total{dst="s0.x"}')).toBe(0);
});

test('D12: what comes in bears the name that callers know, also where each replica has one of its own', () => {
  const dsts = (workload: { name: string; namespace: string; service?: string }): string[] => {
    const b = bench(state([], [server({})]), { config: { workload } });
    const { inbound } = b.gateway;
    carry(b, inbound.begin(inbound.serverFor(4143)!, request()), () => ({ status: 200 }));
    const lines = b.text().split('\n');
    return lines
      .filter((l) => l.startsWith('request_total{direction="inbound"'))
      .map((l) => /dst="([^"]*)"/.exec(l)![1]!);
  };
  const replica = { name: 'cart-2', namespace: 'retail' };
  expect(dsts(replica)).toEqual(['cart-2.retail']);
  expect(dsts({ ...replica, service: 'cart' })).toEqual(['cart.retail']);
});
