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
  // Above the highest bound nothing would ever be slow.
  expect(() => inboundCounts(samples, 301)).toThrow('--slower-than 301ms');
  const bare = parseExposition('response_total{direction="inbound",classification="success"} 1');
  expect(() => inboundCounts(bare, 250)).toThrow('expected sidecars with latencies');
});

test('a query without a series is refused, and one that lost its series stands still', async () => {
  const answers: Record<string, string | undefined> = { 'all a': '5', 'all b': '2' };
  let resultType = 'vector';
  const server = createServer((request, response) => {
    request.on('data', (chunk: Buffer) => {
      const value = answers[new URLSearchParams(chunk.toString()).get('query') ?? ''];
      const result = value === undefined ? [] : [{ value: [0, value] }];
      response.end(JSON.stringify({ status: 'success', data: { resultType, result } }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const access = readAccess('the Prometheus', { url: `http://127.0.0.1:${port}` });
  const versions = { namespace: 'shop', stable: 'a', canary: 'b' };
  const queries = { total: 'all {{version}}', bad: 'bad {{version}}' };
  const source = new PrometheusCounts(access, versions, queries);
  await expect(source.counts()).rejects.toThrow('--bad bad {{version}}: no series for a or b');
  // The old version has failures; the new one need not have any yet.
  answers['bad a'] = '1';
  expect(await source.counts()).toEqual({
    stable: { requests: 5, failed: 1, slow: 0 },
    canary: { requests: 2, failed: 0, slow: 0 },
  });
  expect(source.doubt()).toBeUndefined();
  // Requests go on, and the failures' counter has gone: nothing is known of the version.
  answers['all a'] = '9';
  answers['bad a'] = undefined;
  expect((await source.counts()).stable).toEqual({ requests: 5, failed: 1, slow: 0 });
  expect(source.doubt()).toBe('these had series and have none now: bad a');
  answers['bad a'] = '3';
  expect((await source.counts()).stable).toEqual({ requests: 9, failed: 3, slow: 0 });
  expect(source.doubt()).toBeUndefined();
  for (const [value, message] of [
    ['NaN', 'bad a: NaN is no count'],
    ['-1', 'bad a: -1 is no count'],
  ] as const) {
    answers['bad a'] = value;
    await expect(source.counts()).rejects.toThrow(message);
  }
  resultType = 'scalar';
  await expect(source.counts()).rejects.toThrow('a scalar is no counter');
  server.close().closeAllConnections();
});
