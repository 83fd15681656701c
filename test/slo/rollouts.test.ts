/** SLOs as gates of progressive delivery, and labels added to every rule. */
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { UserError } from '../../base/errors.js';
import { readSloText } from '../../slo/index.js';
import { parse as parsePromql } from '../../slo/promql/index.js';
import { parseLabels, parseQueryOffset } from '../../slo/rules/generate.js';
import { addressOf, rolloutObjects } from '../../slo/spec/rollouts.js';

const [slo] = readSloText(
  'in.yaml',
  `apiVersion: firedrill.dev/v1
service: Cart
slos: [{ name: reads.v1, objective: 99.5, sli: { events: { bad: 'e{a="b"}', total: t } } }]
`,
);
const address = 'http://prometheus.monitoring:9090';

test('an AnalysisTemplate holds the ratio to the burn that pages, and no data to neither', () => {
  const object = parse(rolloutObjects([slo!], 'argo', address)) as {
    metadata: { name: string };
    spec: { metrics: Record<string, never>[] };
  };
  expect(object.metadata.name).toBe('cart-reads-v1');
  const [metric] = object.spec.metrics;
  expect(metric).toMatchObject({
    successCondition: 'len(result) > 0 && !isNaN(result[0]) && result[0] <= 0.015',
    failureCondition: 'len(result) > 0 && !isNaN(result[0]) && result[0] > 0.015',
  });
  const { query } = (metric as unknown as { provider: { prometheus: { query: string } } }).provider
    .prometheus;
  expect(query).toBe('(sum(rate(e{a="b"}[5m]))) / (sum(rate(t[5m])))');
  expect(() => parsePromql(query)).not.toThrow();
});

test("a MetricTemplate asks over Flagger's own interval", () => {
  const object = parse(rolloutObjects([slo!], 'flagger', address)) as Record<string, never>;
  expect(object).toMatchObject({
    kind: 'MetricTemplate',
    metadata: { annotations: { 'firedrill.dev/threshold-max': '0.015' } },
    spec: {
      provider: { type: 'prometheus', address },
      query: '(sum(rate(e{a="b"}[{{ interval }}]))) / (sum(rate(t[{{ interval }}])))',
    },
  });
});

test('without an address of the cluster nothing is written', () => {
  expect(() => addressOf(undefined, 'argo')).toThrow(UserError);
  expect(() => addressOf('prometheus', 'argo')).toThrow(/--prometheus with the URL/);
});

test('labels of every rule: those that the rules set are refused', () => {
  expect(parseLabels(['cluster=eu-1', 'a=b=c'])).toEqual({ cluster: 'eu-1', a: 'b=c' });
  for (const text of ['slo=x', 'severity=page', 'x', '=y', 'a-b=c', 'a=']) {
    expect(() => parseLabels([text]), text).toThrow(/--label/);
  }
  expect(parseQueryOffset('1m')).toBe(60_000);
  expect(() => parseQueryOffset('2h')).toThrow(/up to 1h/);
});
