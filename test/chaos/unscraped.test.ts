import { expect, test } from 'vitest';
import type { Watch } from '../../alerts/watch/index.js';
import { tellUnscraped } from '../../chaos/runner/unscraped.js';

async function told(query: Watch['query']): Promise<[string, string][]> {
  const said: [string, string][] = [];
  await tellUnscraped({ query }, (workload, text) => said.push([workload, text]));
  return said;
}

test('each target whose scrape fails is named by its workload, else by its job', async () => {
  const sample = (labels: Record<string, string>) => ({ labels, value: 0, atMs: 0 });
  const asked: string[] = [];
  const query = (expr: string) => {
    asked.push(expr);
    return Promise.resolve([
      sample({ workload: 'cart', job: 'services', instance: '127.0.0.1:1' }),
      sample({ job: 'node', instance: '127.0.0.1:2' }),
    ]);
  };
  expect(await told(query)).toEqual([
    ['cart', 'its metrics at 127.0.0.1:1 cannot be scraped'],
    ['node', 'its metrics at 127.0.0.1:2 cannot be scraped'],
  ]);
  expect(asked).toEqual(['up == 0']);
});

test('a watch that does not answer is said, and ends no drill', async () => {
  const query = () => Promise.reject(new Error('connection refused'));
  expect(await told(query)).toEqual([
    ['watch', 'it does not say what is scraped: connection refused'],
  ]);
});
