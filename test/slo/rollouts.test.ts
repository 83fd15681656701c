/** SLOs as gates of progressive delivery, and labels added to every rule. */
import { expect, test } from 'vitest';
import { parse as yaml } from 'yaml';
import { UserError } from '../../base/errors.js';
import { readSloText } from '../../slo/index.js';
import { evaluateInstant, MemoryStore, parse } from '../../slo/promql/index.js';
import { parseLabels, parseQueryOffset } from '../../slo/rules/generate.js';
import { addressOf, rolloutObjects } from '../../slo/spec/rollouts.js';

const [slo] = readSloText(
  'in.yaml',
  `apiVersion: firedrill.dev/v1
service: Cart
slos: [{ name: reads.v1, objective: 99.5, sli: { events: { bad: 'e{a="b"}', total: t } } }]
`,
);
/** For 20 minutes no event fails and no failure has a series, then half of them do; after 40 there is no event. */
const traffic = new MemoryStore();
const [all, failed] = [
  traffic.series({ __name__: 't', a: 'b' }),
  traffic.series({ __name__: 'e', a: 'b' }),
];
for (let minute = 0; minute <= 40; minute++) {
  all.append(minute * 60_000, minute * 60);
  if (minute >= 20) failed.append(minute * 60_000, (minute - 20) * 30);
}
const address = 'http://prometheus.monitoring:9090';

test('an AnalysisTemplate holds the ratio to the burn that pages, and no data to neither', () => {
  const object = yaml(rolloutObjects([slo!], 'argo', address)) as {
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
  const at = (minute: number): number[] => {
    const { value } = evaluateInstant(parse(query), traffic, minute * 60_000);
    return value.type === 'vector' ? value.samples.map((s) => s.value as number) : [];
  };
  expect([at(10), at(30), at(60)]).toEqual([[0], [0.5], []]);
});

test('without a page that a ratio can reach, the gate is the budget', () => {
  const never = `apiVersion: firedrill.dev/v1
service: a
slos: [{ name: b, objective: 60, alerting: ALERTING, sli: { events: { bad: e, total: t } } }]
`;
  for (const alerting of ['{ trafficWeighted: true }', '{ page: false }']) {
    const slos = readSloText('in.yaml', never.replace('ALERTING', alerting));
    expect(rolloutObjects(slos, 'flagger', address)).toContain('threshold-max: "0.4"');
  }
});

test("a MetricTemplate asks over Flagger's own interval", () => {
  const object = yaml(rolloutObjects([slo!], 'flagger', address)) as Record<string, never>;
  expect(object).toMatchObject({
    kind: 'MetricTemplate',
    metadata: { annotations: { 'firedrill.dev/threshold-max': '0.015' } },
    spec: {
      provider: { type: 'prometheus', address },
      query: expect.stringContaining('sum(rate(e{a="b"}[{{ interval }}]))'),
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
