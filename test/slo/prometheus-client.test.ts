/** Servers that are no Prometheus, or answer as none does: each gets one sentence, and no value is guessed. */
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PrometheusClient } from '../../slo/budget/prometheus.js';

let answer: [number, string, string] = [200, 'application/json', ''];
let last: IncomingMessage | undefined;
const server = createServer((request, response) => {
  last = request;
  const [status, type, body] = answer;
  response.writeHead(status, { 'content-type': type }).end(body);
});
beforeAll(() => new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve)));
afterAll(() => void server.close());
const address = (): string => `127.0.0.1:${(server.address() as AddressInfo).port}`;
const client = (): PrometheusClient => new PrometheusClient(`http://${address()}/`);

const json = (data: unknown): [number, string, string] => [
  200,
  'application/json',
  JSON.stringify({ status: 'success', data }),
];
const vector = (...result: unknown[]): [number, string, string] =>
  json({ resultType: 'vector', result });

const asks = {
  query: (c: PrometheusClient) => c.query('up', 0),
  range: (c: PrometheusClient) => c.range('up', 0, 1000, 1000),
  rules: (c: PrometheusClient) => c.rules(),
  names: (c: PrometheusClient) => c.metricNames(),
};

const wrong: Record<string, [number, string, string]> = {
  'a page to log in': [200, 'text/html', '<html>log in</html>'],
  null: [200, 'application/json', 'null'],
  'a list': [200, 'application/json', '[]'],
  'no data': [200, 'application/json', '{"status":"success"}'],
  'a text for data': json('x'),
  'a number for the list': json({ result: 7, groups: 7 }),
  'series without labels': json({ result: [{ value: [0, '1'], values: [] }], groups: [7] }),
  'half a pair': json({ result: [{ metric: {}, value: [0], values: [[0]] }], groups: [null] }),
  'a pair of other kinds': json({
    result: [{ metric: {}, value: ['x', null], values: [['x', null]] }],
    groups: [null],
  }),
  'not available': [503, 'text/plain', 'no'],
};
test.each(Object.entries(wrong))('%s is no answer of a Prometheus', async (_, given) => {
  answer = given;
  for (const ask of Object.values(asks)) {
    await expect(ask(client())).rejects.toThrow(
      `answered ${given[0]} (${given[1]}), and not as a Prometheus does; expected the address`,
    );
  }
});

test('a password is asked for, sent, and not shown', async () => {
  answer = [401, 'text/plain', 'Unauthorized'];
  const guarded = new PrometheusClient(`http://me:p%40ss@${address()}`);
  await expect(guarded.query('up', 0)).rejects.toThrow(
    `http://${address()} answered 401 (text/plain), and not as a Prometheus does; expected credentials`,
  );
  expect(last?.headers.authorization).toBe(`Basic ${Buffer.from('me:p@ss').toString('base64')}`);
  expect(guarded.url).toBe(`http://${address()}`);
});

test('empty lists of Go are empty, and native histograms have no value', async () => {
  answer = json({ result: null, groups: null });
  expect(await asks.query(client())).toEqual([]);
  expect(await asks.rules(client())).toEqual([]);
  answer = json(null);
  expect(await asks.names(client())).toEqual([]);
  answer = vector({ metric: { a: 'b' }, histogram: [0, {}] }, { metric: {}, value: [0, '1'] });
  expect(await asks.query(client())).toEqual([{ labels: {}, value: 1 }]);
});

test.each(['ftp://x', 'localhost:9090', 'http://x?a=b', 'http://x#a', ''])(
  '%s is no URL',
  (url) => {
    expect(() => new PrometheusClient(url)).toThrow(`'${url}' is not the URL of a Prometheus`);
  },
);

test('TLS towards a server without it is said in words', async () => {
  const secure = new PrometheusClient(`https://${address()}`);
  await expect(secure.query('up', 0)).rejects.toThrow('it does not speak TLS; expected http://');
});
