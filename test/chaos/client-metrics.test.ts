/** What the client saw, as Prometheus scrapes it. */
import { expect, test } from 'vitest';
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
