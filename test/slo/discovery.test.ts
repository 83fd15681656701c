/** init --prometheus finds counters by a label of a status, whatever their name. */
import { expect, test } from 'vitest';
import { QueryEngine } from '../../alerts/rules/engine.js';
import type { PrometheusClient } from '../../slo/budget/prometheus.js';
import { MemoryStore } from '../../slo/promql/index.js';
import { discover } from '../../slo/spec/init.js';

test('any counter with a status is a service, and no other', async () => {
  const store = new MemoryStore();
  const add = (labels: Record<string, string>) => store.append(labels, 1000, 1);
  add({ __name__: 'req_total', job: 'shop', code: '200' });
  add({ __name__: 'jobs_done_total', job: 'worker', result: 'success' });
  add({ __name__: 'http_request_duration_seconds_count', job: 'api', status: '404', code: '404' });
  add({ __name__: 'odd"total', job: 'x', code: '200' });
  add({ __name__: 'my.calls_total', job: 'a"b', outcome: 'error' });
  add({ __name__: 'country_total', job: 'shop', code: 'DE' });
  add({ __name__: 'temperature', job: 'shop', code: '200' });
  add({ __name__: 'grpc_server_handled_total', job: 'rpc', grpc_code: 'OK', code: '200' });
  const engine = new QueryEngine(store);
  const client = {
    query: (query: string, timeMs: number) =>
      Promise.resolve(
        engine.instant(query, timeMs).map((s) => ({ labels: s.labels.toObject(), value: s.value })),
      ),
    metricNames: () => Promise.resolve([...store.all()].map((s) => s.labels.metricName)),
    labelValues: () => Promise.resolve(['rpc']),
  } as unknown as PrometheusClient;
  const found = await discover(client, 1000);
  expect(found.map((c) => [c.service, c.bad]).sort()).toEqual([
    ['a"b', '{"my.calls_total", job="a\\"b", outcome=~"error|failure"}'],
    ['api', 'http_request_duration_seconds_count{job="api", code=~"5.."}'],
    ['rpc', expect.stringContaining('grpc_server_handled_total') as string],
    ['shop', 'req_total{job="shop", code=~"5.."}'],
    ['worker', 'jobs_done_total{job="worker", result=~"error|failure"}'],
  ]);
});
