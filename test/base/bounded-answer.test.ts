/** Answers without an end, and answers of servers that are not the one that was meant. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MetricCatalogue } from '../../alerts/lint/catalogue.js';
import { addLiveMetrics } from '../../alerts/lint/live-metrics.js';
import { AlertmanagerApi } from '../../alerts/routing/alertmanager-api.js';
import { fetchWith, readAccess, splitAddress } from '../../base/access.js';
import { boundedJson, boundedText } from '../../base/bounded-answer.js';
import { UserError } from '../../base/errors.js';
import { askPrometheus } from '../../slo/promql/data/remote.js';

const bodies: Record<string, string> = {
  html: '<html>log in</html>',
  empty: '',
  null: 'null',
  list: '[7]',
  'no data': '{"status":"success"}',
  'null for data': '{"status":"success","data":null}',
  'null for a series': '{"status":"success","data":{"resultType":"vector","result":[null]}}',
  'no numbers':
    '{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[["x",1]]}]}}',
};

const authorizations: string[] = [];
const server = createServer((request, response) => {
  if (request.headers.authorization) authorizations.push(request.headers.authorization);
  const [, kind = ''] = (request.url ?? '').split('/').map(decodeURIComponent);
  response.on('error', () => {});
  if (kind === 'packed') {
    response.setHeader('content-encoding', 'gzip').end(gzipSync(Buffer.alloc(4 << 20)));
  } else if (kind === 'endless') {
    const more = (): void => {
      while (!response.destroyed && response.write('a'.repeat(65_536)));
    };
    response.on('drain', more);
    more();
  } else response.end(bodies[kind]);
});
beforeAll(() => new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve)));
afterAll(() => {
  server.closeAllConnections();
  server.close();
});
const at = (kind: string): string =>
  `http://127.0.0.1:${(server.address() as AddressInfo).port}/${encodeURIComponent(kind)}`;

test.each(['endless', 'packed'])('an answer that is %s ends at its bound', async (kind) => {
  await expect(boundedText(await fetch(at(kind)), 1 << 20)).rejects.toThrow('more than 1 MiB');
});

test('other answers are read whole', async () => {
  expect(await boundedText(await fetch(at('html')))).toBe(bodies.html);
  expect(await boundedJson(await fetch(at('list')))).toEqual([7]);
  expect(await boundedText(new Response(null))).toBe('');
});

describe.each(Object.keys(bodies))('%s in place of an answer is a sentence', (kind) => {
  const client = (): AlertmanagerApi => new AlertmanagerApi(at(kind));
  const times = { startMs: 0, endMs: 0 };
  test.each([
    ['silences', () => client().silences()],
    ['alerts', () => client().alerts()],
    ['groups', () => client().groups()],
    ['receivers', () => client().receivers()],
    ['status', () => client().status()],
    ['a query', () => askPrometheus(at(kind), 'up', times as never)],
    ['metrics', () => addLiveMetrics(new MetricCatalogue(), at(kind), ['up'])],
  ])('%s', async (_, ask) => {
    await expect(ask()).rejects.toThrow(UserError);
  });
});

describe('a password in an address is sent as a header, and never told', () => {
  const withPassword = (kind: string): string => at(kind).replace('http://', 'http://me:p%40ss@');
  const clients: Record<string, (url: string) => Promise<unknown>> = {
    alertmanager: (url) => new AlertmanagerApi(url).silences(),
    query: (url) => askPrometheus(url, 'up', { startMs: 0, endMs: 0 } as never),
    metrics: (url) => addLiveMetrics(new MetricCatalogue(), url, []),
    access: (url) => {
      const access = readAccess('the Prometheus', { url });
      return fetchWith(access)(access.url);
    },
  };
  test.each(Object.keys(clients))('%s', async (name) => {
    authorizations.length = 0;
    const error: unknown = await clients[name]!(withPassword('html')).catch((e: unknown) => e);
    expect(String((error as Error).message)).not.toMatch(/p@ss|p%40ss/);
    expect(authorizations).toEqual([`Basic ${Buffer.from('me:p@ss').toString('base64')}`]);
  });

  test.each([
    ['http://a/', { url: 'http://a' }],
    ['http://100%:x@a/b/', { url: 'http://a/b', authorization: 'Basic MTAwJTp4' }],
    ['nowhere', { url: 'nowhere' }],
  ])('%s', (address, split) => {
    expect(splitAddress(address)).toEqual(split);
  });
});
