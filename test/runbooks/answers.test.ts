import { expect, test } from 'vitest';
import { askQueries } from '../../runbooks/answers.js';
import { PrometheusClient } from '../../slo/budget/prometheus.js';

const asked: string[] = [];

/** Answers `up`, refuses `bad(`, never answers `slow`, and is not reachable for `gone`. */
const client = new PrometheusClient('http://prometheus.test', 1000, (_, init) => {
  const query = new URLSearchParams(String(init?.body)).get('query') ?? '';
  asked.push(query);
  if (query.startsWith('slow')) {
    return Promise.reject(new DOMException('The operation was aborted', 'TimeoutError'));
  }
  if (query.startsWith('gone')) return Promise.reject(new Error('ECONNREFUSED'));
  const answer = query.startsWith('bad')
    ? { status: 'error', error: 'parse error' }
    : { status: 'success', data: { result: [] } };
  return Promise.resolve(new Response(JSON.stringify(answer)));
});

test('what is refused, and a slow query or two, is noted beside the answers of the others', async () => {
  const { answers, errors } = await askQueries(['bad(', 'slow1', 'slow2', 'up'], client, 0);
  expect(Object.keys(answers)).toEqual(['up']);
  expect([...errors.keys()]).toEqual(['bad(', 'slow1', 'slow2']);
});

test('a Prometheus that stops answering ends the asking', async () => {
  const queries = Array.from({ length: 50 }, (_, i) => `slow${i}`);
  asked.length = 0;
  await expect(askQueries(queries, client, 0)).rejects.toThrow('cannot be reached');
  expect(asked).toHaveLength(4);
  await expect(askQueries(['gone', 'up'], client, 0)).rejects.toThrow('ECONNREFUSED');
});
