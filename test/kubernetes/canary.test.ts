/** A canary upgrade is judged by its proxies' traffic, and a worse version is distinguished from chance. */
import { expect, test } from 'vitest';
import { compareRevisions, follows } from '../../mesh/kubernetes/observe/canary.js';
import type { Sample } from '../../mesh/kubernetes/observe/exposition.js';
import type { Observed } from '../../mesh/kubernetes/observe/targets.js';

const sample = (name: string, value: number, labels: Record<string, string> = {}): Sample => ({
  name,
  labels: { direction: 'inbound', ...labels },
  value,
});

/** A proxy of cart with `good` successes and `bad` failures in the window, most of them within `ms`. */
function proxy(controller: string, good: number, bad: number, ms: number): Observed {
  const bounds = [10, 20, 50, 100, 1000];
  const buckets = bounds.map((le) =>
    sample('response_latency_ms_bucket', le >= ms ? good + bad : 0, { le: String(le) }),
  );
  return {
    address: controller,
    config: {
      workload: { name: 'cart', namespace: 'retail' },
      admin: { host: '', port: 0 },
      controller: { addresses: [controller], identity: '', tokenFile: '' },
    },
    before: [],
    after: [
      sample('response_total', good, { classification: 'success' }),
      sample('response_total', bad, { classification: 'failure' }),
      ...buckets,
    ],
    seconds: 10,
  };
}
const stable = 'firedrill-controller.firedrill.svc:8086';
const canary = 'firedrill-controller-canary.firedrill.svc:8086';
const verdict = (...proxies: Observed[]) =>
  compareRevisions(proxies, follows('canary', []))[0]?.verdict;

test('as good as the stable one, or worse than chance explains', () => {
  const old = proxy(stable, 9990, 10, 20);
  expect(verdict(old, proxy(canary, 999, 1, 20))).toBe('no worse');
  // Three failures of a thousand instead of one may be chance; thirty may not.
  expect(verdict(old, proxy(canary, 997, 3, 20))).toBe('no worse');
  expect(verdict(old, proxy(canary, 970, 30, 20))).toBe('worse');
  expect(verdict(old, proxy(canary, 999, 1, 100))).toBe('worse');
  expect(verdict(old, proxy(canary, 50, 0, 20))).toBe('unknown');
  expect(verdict(proxy(canary, 1000, 0, 20))).toBe('unknown');
  const blind = proxy(canary, 1000, 0, 20);
  blind.after = blind.after.filter(({ name }) => name === 'response_total');
  expect(verdict(old, blind)).toBe('unknown');
});

test('workloads that were not moved have no row; addresses tell outside of Kubernetes', () => {
  expect(verdict(proxy(stable, 1000, 0, 20))).toBeUndefined();
  const [row] = compareRevisions(
    [proxy('127.0.0.1:1', 1000, 0, 20), proxy('127.0.0.1:2', 1000, 0, 20)],
    follows('canary', ['127.0.0.1:2']),
  );
  expect(row).toMatchObject({
    workload: 'cart.retail',
    stable: { proxies: 1, requests: 1000, successRatio: 1 },
    canary: { proxies: 1, requests: 1000 },
    verdict: 'no worse',
  });
});
