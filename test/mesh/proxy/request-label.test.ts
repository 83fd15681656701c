/** D18: a tenant label on metrics, spans and access logs, limited in number. On a simulated clock. */
import { expect, test } from 'vitest';
import { SimulatedClock } from '../../../base/clock.js';
import type { RequestLabelPolicy } from '../../../mesh/model.js';
import { configProblems } from '../../../mesh/proxy/config.js';
import { RequestLabel, retainValueMs } from '../../../mesh/proxy/flow/request-label.js';
import { AccessLog } from '../../../mesh/proxy/telemetry/access-log.js';
import type { FlowRecord } from '../../../mesh/proxy/telemetry/flow-record.js';
import { otlpSpan } from '../../../mesh/proxy/telemetry/otlp.js';
import { maxLabelled, RequestMetrics } from '../../../mesh/proxy/telemetry/request-metrics.js';
import { backend, bench, carry, destination, request, route, server, state } from './flow-bench.js';

const byHeader: RequestLabelPolicy = { name: 'tenant', header: 'x-tenant', max: 3 };

function ask(b: ReturnType<typeof bench>, tenant: string | undefined, status = 200): void {
  const headers = tenant === undefined ? {} : { 'x-tenant': tenant };
  carry(b, b.begin(request({ headers })), () => ({ status }));
}

const shop = (config: object) =>
  bench(state([destination([backend(['10.0.0.1:80'])], [route('all')])], [server()]), { config });

test('each tenant has its own error rate, and the sums stay what they were', () => {
  const b = shop({ requestLabel: byHeader });
  for (let i = 0; i < 10; i++) {
    ask(b, 'acme', i < 4 ? 500 : 200);
    ask(b, 'globex');
    ask(b, undefined);
  }
  expect(b.metric('response_total{tenant="acme",classification="failure"}')).toBe(4);
  expect(b.metric('response_total{tenant="acme"}')).toBe(10);
  expect(b.metric('response_total{tenant="globex",classification="failure"}')).toBe(0);
  expect(b.metric('response_total{tenant="none"}')).toBe(10);
  expect(b.metric('response_total')).toBe(30);
  expect(b.metric('request_total')).toBe(30);
  expect(b.metric('response_latency_ms_count')).toBe(30);
  expect(b.metric('response_latency_ms_count{tenant="acme"}')).toBe(10);
  // Metrics without the label do not change.
  expect(b.metric('route_response_total')).toBe(30);
  expect(b.metric('route_actual_request_total')).toBe(30);
});

test('a name in UTF-8 is itself, whether listed or not', () => {
  const asBytes = Buffer.from('münchen').toString('latin1');
  for (const policy of [byHeader, { ...byHeader, values: ['münchen'] }]) {
    const b = shop({ requestLabel: policy });
    ask(b, asBytes);
    expect(b.metric('request_total{tenant="münchen"}')).toBe(1);
  }
});

test('tenants beyond the bound are folded, whoever they are, until one has been silent for long', () => {
  const b = shop({ requestLabel: byHeader });
  for (let i = 0; i < 1000; i++) ask(b, `t${i}`);
  ask(b, 'x'.repeat(100));
  const names = new Set([...b.text().matchAll(/tenant="([^"]*)"/g)].map(([, value]) => value));
  expect([...names].sort()).toEqual(['overflow', 't0', 't1', 't2']);
  expect(b.metric('response_total{tenant="overflow"}')).toBe(998);
  expect(b.metric('metrics_label_overflow_total{kind="tenant"}')).toBe(998);
  b.clock.advance(retainValueMs + 1);
  ask(b, 't1');
  ask(b, 'new');
  expect(b.metric('response_total{tenant="new"}')).toBe(1);
  expect(b.metric('response_total{tenant="t1"}')).toBe(2);
  expect(b.text()).not.toContain('tenant="t0"');
});

test('a list of values is the bound, so that nobody takes the place of a tenant', () => {
  const { name, header } = byHeader as { name: string; header: string };
  const label = new RequestLabel(
    { name, header, values: ['acme'] },
    new SimulatedClock(0),
    () => undefined,
  );
  const of = (tenant: string) => label.of(request({ headers: { 'x-tenant': tenant } })).value;
  expect(['acme', 'Acme', ' acme ', 'globex', ''].map(of)).toEqual([
    'acme',
    'overflow',
    'acme',
    'overflow',
    'none',
  ]);
});

test.each([
  ['name', 'cart.retail.serviceaccount.identity.retail.local'],
  ['namespace', 'retail'],
  ['service-account', 'cart'],
] as const)('from an identity: its %s', (identity, expected) => {
  const b = shop({ requestLabel: { name: 'caller', identity } });
  const { inbound } = b.gateway;
  const from = (peerIdentity: string | undefined) => {
    const flow = inbound.begin(inbound.serverFor(4143)!, request({ peerIdentity }));
    flow.pick();
    flow.responded(200, -1);
    flow.ended('complete', -1, 0, 0);
  };
  from('cart.retail.serviceaccount.identity.retail.local');
  from(undefined);
  expect(b.metric(`response_total{direction="inbound",caller="${expected}"}`)).toBe(1);
  expect(b.metric('response_total{direction="inbound",caller="none"}')).toBe(1);
});

test('spans and access logs say it too', () => {
  const lines: string[] = [];
  const log = new AccessLog({
    clock: new SimulatedClock(0),
    write: (text, done) => {
      lines.push(text);
      done();
    },
  });
  const record = {
    direction: 'outbound',
    request: request(),
    dst: 'cart.retail',
    label: { name: 'tenant', value: 'acme' },
  } as unknown as FlowRecord;
  log.add({ ...record, beganMs: 0, endedMs: 1, headMs: 1, reason: '', grpcStatus: -1, retries: 0 });
  log.close();
  expect(JSON.parse(lines[0]!)).toMatchObject({ tenant: 'acme' });
  const span = otlpSpan({ ...record, beganMs: 0, endedMs: 1, targetAddress: '', reason: '' }, 5);
  expect(span.attributes).toContainEqual({ key: 'tenant', value: { stringValue: 'acme' } });
});

test('routes times tenants are bounded as well', () => {
  const room = { left: maxLabelled };
  const routes = Array.from(
    { length: 200 },
    (_, i) =>
      new RequestMetrics(
        { direction: 'outbound', dst: 'd', service: 's', namespace: 'n', route: `r${i}` },
        room,
      ),
  );
  for (const one of routes)
    for (let i = 0; i < 50; i++) one.labelled({ name: 't', value: `t${i}` }).requests++;
  const all = routes.flatMap((one) => [...(one.byLabel?.values() ?? [])]);
  expect(all.length).toBeLessThanOrEqual(maxLabelled + routes.length);
  expect(all.reduce((sum, one) => sum + one.requests, 0)).toBe(200 * 50);
});

test.each([
  [{ name: 'tenant' }, /no source, or two/],
  [{ name: 'tenant', header: 'x-t', identity: 'name' }, /no source, or two/],
  [{ name: 'dst', header: 'x-t' }, /'dst'/],
  [{ name: 'tenant', header: 'X-Tenant' }, /'X-Tenant'/],
  [{ name: 'tenant', header: 'x-t', max: 0 }, /0/],
])('%j is refused', (requestLabel, message) => {
  const found = configProblems({
    workload: { name: 'web', namespace: 'retail' },
    outbound: { host: '127.0.0.1', port: 0 },
    requestLabel,
  });
  expect(found.map((f) => f.message).join()).toMatch(message);
});
