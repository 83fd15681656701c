/** The queries of an SLO's alert page: the SLO's own events, read from a Prometheus or from its definition. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { factsFromPrometheus, factsOfSlo } from '../../runbooks/slo-facts.js';
import { queriesOf, renderRunbook } from '../../runbooks/render.js';
import { PrometheusClient } from '../../slo/budget/prometheus.js';
import { compileSlo, readSloText, type Slo } from '../../slo/index.js';
import { findQueryProblem } from '../../slo/spec/query.js';

const slo = (sli: string): Slo =>
  readSloText(
    's.yaml',
    `apiVersion: firedrill.dev/v1\nservice: orders\nslos:\n  - name: s\n    objective: 99.9\n    sli: ${sli}\n`,
  )[0] as Slo;

test.each([
  [
    '{ events: { bad: \'x_total{code=~"5.."}\', total: x_total } }',
    'topk(10, sum without (instance, pod) (rate(x_total{code=~"5.."}[5m])) > 0)',
    'count by (job) (x_total)',
  ],
  [
    '{ events: { good: \'x_total{code!~"5.."}\', total: x_total } }',
    'topk(10, sum without (instance, pod) (rate(x_total[5m]) unless rate(x_total{code!~"5.."}[5m])) > 0)',
    'count by (job) (x_total)',
  ],
  [
    "{ events: { bad: 'sum(rate(e_total[{{.window}}]))', total: 'sum(rate(t_total[{{.window}}]))' } }",
    'topk(10, sum without (instance, pod) (rate(e_total[5m])) > 0)',
    'count by (job) (t_total)',
  ],
  [
    '{ latency: { histogram: \'h_seconds{job="j"}\', threshold: 300ms } }',
    'topk(10, (sum without (instance, pod, le) (rate(h_seconds_count{job="j"}[5m])) - ' +
      'sum without (instance, pod, le) (rate(h_seconds_bucket{job="j",le="0.3"}[5m]))) > 0)',
    'count by (job) (h_seconds_count{job="j"})',
  ],
])('%s', (sli, bad, present) => {
  const facts = factsOfSlo(slo(sli));
  expect(facts.ownBad?.[0]).toBe(bad);
  expect(facts.ownBad?.[1]).toContain('by (instance)');
  expect(facts.ownPresent).toEqual([present]);
  expect(facts.mesh).toBe(false);
  for (const query of [...(facts.ownBad ?? []), ...(facts.ownPresent ?? [])]) {
    expect([query, findQueryProblem(query)]).toEqual([query, undefined]);
  }
});

test("the mesh's own SLI has the mesh's steps, and a probe none of its own", () => {
  expect(factsOfSlo(slo('M1')).mesh).toBe(true);
  expect(factsOfSlo(slo('M2')).mesh).toBe(true);
  // Other programs have counters that are called alike; the second is Linkerd's.
  for (const total of ['my_response_total', 'response_total{direction="inbound",deployment="a"}']) {
    expect(factsOfSlo(slo(`{ events: { bad: e_total, total: '${total}' } }`)).mesh).toBe(false);
  }
  expect(factsOfSlo(slo('{ probe: probe_success }')).ownBad).toEqual([]);
});

let server: Server;
let meshed = '0';
const asked: string[] = [];
beforeAll(async () => {
  const groups = compileSlo(slo('{ events: { bad: e_total, total: t_total } }'));
  const rules = groups.flatMap((g) =>
    g.rules.flatMap((r) =>
      r.kind === 'record'
        ? [{ type: 'recording', name: r.record, query: r.expr, labels: r.labels }]
        : [],
    ),
  );
  server = createServer((request, response) => {
    asked.push(request.url ?? '');
    const data = request.url?.startsWith('/api/v1/rules')
      ? { groups: [{ rules }] }
      : { result: meshed === '0' ? [] : [{ metric: {}, value: [0, meshed] }] };
    response.end(JSON.stringify({ status: 'success', data }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

test('a Prometheus that evaluates the rules knows the events, and whether there is a mesh', async () => {
  const client = new PrometheusClient(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const ask = () => factsFromPrometheus(client, { slo: 'orders-s', service: 'orders' }, 0);
  const without = await ask();
  expect(without.ownBad?.[0]).toContain('rate(e_total[5m])');
  expect(without.mesh).toBe(false);
  const page = renderRunbook('OrdersS', { slo: 'orders-s', service: 'orders', ...without }) ?? '';
  expect(queriesOf(page).join()).not.toContain('response_total');
  expect(page).not.toContain('firedrill routes');
  meshed = '3';
  const within = renderRunbook('OrdersS', { slo: 'orders-s', ...(await ask()) }) ?? '';
  expect(queriesOf(within).join()).toContain('response_total');
  expect(queriesOf(within).join()).toContain('rate(e_total[5m])');
});

test('an SLO that no rule records leaves the page as it was', async () => {
  const client = new PrometheusClient(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const facts = await factsFromPrometheus(client, { slo: 'other', service: undefined }, 0);
  expect(facts.ownBad).toBeUndefined();
});
