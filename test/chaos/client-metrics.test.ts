/** The client's measurements, as Prometheus scrapes them. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startNode } from '../../base/child.js';
import { sleep } from '../../base/clock.js';
import { program } from '../../base/paths.js';
import { startClientMetrics } from '../../chaos/load/client-metrics.js';
import { LoadPoints } from '../../chaos/load/points.js';

test('every outcome of a known route begins at 0, and requests are counted as they end', async () => {
  const metrics = await startClientMetrics();
  try {
    const points = new LoadPoints();
    metrics.follow(points, ['buy']);
    points.add({ route: 'buy', atMs: 0, ms: 30, ok: true, status: 200 });
    points.add({ route: 'buy', atMs: 0, ms: 700, ok: false, status: 200, failure: 'body' });
    const text = await (await fetch(metrics.target.url)).text();
    const lines = text.split('\n');
    for (const line of [
      'firedrill_client_requests_total{route="buy",outcome="expected"} 1',
      'firedrill_client_requests_total{route="buy",outcome="body"} 1',
      'firedrill_client_requests_total{route="buy",outcome="timeout"} 0',
      'firedrill_client_request_duration_seconds_bucket{le="0.5",route="buy"} 1',
      'firedrill_client_request_duration_seconds_count{route="buy"} 2',
    ]) {
      expect(lines).toContain(line);
    }
  } finally {
    await metrics.stop();
  }
});

test('a standing prober shows what it sees until it is stopped', async () => {
  const server = createServer((_request, response) => void response.end('null'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const folder = mkdtempSync(join(tmpdir(), 'firedrill-probe-'));
  const file = join(folder, 'probes.yaml');
  writeFileSync(file, 'routes: [{ name: a, path: /, expect: { body: { excludes: "null" } } }]');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const args = ['load', 'probe', file, '--url', url, '--rate', '20', '--listen', '127.0.0.1:0'];
  const child = startNode('probe', program('cli'), [...args, '--state', folder]);
  try {
    const { metrics } = await child.ready;
    let text = '';
    while (!/outcome="body"\} [1-9]/.test(text)) {
      text = await (await fetch(String(metrics))).text();
      await sleep(50);
    }
    expect(text).toContain('firedrill_client_requests_total{route="a",outcome="expected"} 0');
  } finally {
    await child.stop();
    server.closeAllConnections();
    server.close();
  }
  expect(await child.exited).toBe(0);
});
