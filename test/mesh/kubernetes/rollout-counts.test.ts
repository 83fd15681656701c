/** Counts of a roll-out: of a sidecar's metrics, and of a Prometheus's answers. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { readAccess } from '../../../base/access.js';
import { parseExposition } from '../../../mesh/kubernetes/observe/exposition.js';
import { inboundCounts, PrometheusCounts } from '../../../mesh/kubernetes/rollout/counts.js';

test('a sidecar tells what came in, what failed, and what took longer than the bound', () => {
  const text = `
response_total{direction="inbound",classification="success",status_code="200"} 90
response_total{direction="inbound",classification="failure",status_code="500"} 10
response_total{direction="outbound",classification="failure",status_code="500"} 77
response_latency_ms_bucket{direction="inbound",le="100"} 60
response_latency_ms_bucket{direction="inbound",le="300"} 85
response_latency_ms_bucket{direction="inbound",le="+Inf"} 100
`;
  const samples = parseExposition(text);
  expect(inboundCounts(samples, 250)).toEqual({ requests: 100, failed: 10, slow: 15 });
  expect(inboundCounts(samples, undefined).slow).toBe(0);
});

test('a counter that is no number ends the roll-out; one without any series is named', async () => {
  const answers: Record<string, string | undefined> = { all: '5', bad: undefined };
  const server = createServer((request, response) => {
    request.on('data', (chunk: Buffer) => {
      const value = answers[new URLSearchParams(chunk.toString()).get('query') ?? ''];
      const result = value === undefined ? [] : [{ value: [0, value] }];
      response.end(JSON.stringify({ status: 'success', data: { result } }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const access = readAccess('the Prometheus', { url: `http://127.0.0.1:${port}` });
  const versions = { namespace: 'shop', stable: 'a', canary: 'b' };
  const source = new PrometheusCounts(access, versions, { total: 'all', bad: 'bad' });
  expect((await source.counts()).stable).toEqual({ requests: 5, failed: 0, slow: 0 });
  expect(source.unseen()).toEqual(['bad']);
  answers.bad = 'NaN';
  await expect(source.counts()).rejects.toThrow('bad: NaN is no count');
  server.close().closeAllConnections();
});
