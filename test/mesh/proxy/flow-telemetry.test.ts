/** D11, D13: tracing, access log, tap and why, through whole flows. */
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { seededRandom } from '../../../base/random.js';
import { SimulatedClock } from '../../../base/clock.js';
import type { FlowRecord } from '../../../mesh/proxy/telemetry/flow-record.js';
import { redactPath } from '../../../mesh/proxy/telemetry/redact.js';
import { otlpPost, SpanExporter } from '../../../mesh/proxy/telemetry/span-exporter.js';
import { readParent } from '../../../mesh/proxy/telemetry/trace-context.js';
import { Tracer } from '../../../mesh/proxy/telemetry/tracer.js';
import {
  backend,
  bench,
  carry,
  destination,
  request,
  retry,
  route,
  server,
  state,
} from './flow-bench.js';

const trace = '4bf92f3577b34da6a3ce929d0e0e4736';
const span = '00f067aa0ba902b7';

const tracer = (sampleRatio: number): { tracer: Tracer; spans: FlowRecord[] } => {
  const spans: FlowRecord[] = [];
  const sink = { add: (record: FlowRecord) => void spans.push(record) };
  return { tracer: new Tracer({ sampleRatio, random: seededRandom(1), sink }), spans };
};

test.each([
  ['traceparent', { traceparent: `00-${trace}-${span}-01` }, 'w3c', true],
  ['traceparent, not sampled', { traceparent: `00-${trace}-${span}-00` }, 'w3c', false],
  ['b3', { b3: `${trace}-${span}-1` }, 'b3', true],
  ['b3, debug', { b3: `${trace}-${span}-d` }, 'b3', true],
  ['b3, not sampled', { b3: `${trace}-${span}-0` }, 'b3', false],
  [
    'b3 multi',
    { 'x-b3-traceid': trace, 'x-b3-spanid': span, 'x-b3-sampled': '1' },
    'b3-multi',
    true,
  ],
  [
    'b3 multi, not sampled',
    { 'x-b3-traceid': trace, 'x-b3-spanid': span, 'x-b3-sampled': '0' },
    'b3-multi',
    false,
  ],
])('D13: %s is read', (_title, headers, form, sampled) => {
  expect(readParent(request({ headers: headers as Record<string, string> }))).toEqual({
    traceId: trace,
    spanId: span,
    sampled,
    form,
  });
});

test('D13: later versions of trace context are read as far as they are known', () => {
  for (const suffix of ['', '-what-the-future-will-be-like']) {
    const traceparent = `cc-${trace}-${span}-01${suffix}`;
    expect(readParent(request({ headers: { traceparent } }))).toMatchObject({ traceId: trace });
  }
});

test.each([
  ['a=1', true],
  ['a=1, b@c=2,,\tvendor/x=z z', true],
  [`${'k'.repeat(256)}=v`, true],
  [Array.from({ length: 32 }, (_, i) => `k${i}=v`).join(), true],
  [Array.from({ length: 33 }, (_, i) => `k${i}=v`).join(), false],
  [`${'k'.repeat(257)}=v`, false],
  [`a=${'v'.repeat(257)}`, false],
  ['A=1', false],
  ['a', false],
  ['a=', false],
  ['a=b=c', false],
  ['a=b\u00e9', false],
  ['a@b@toolongasystemid=1', true],
  ['@b=1', false],
])('D13: tracestate %j goes on beside a traceparent of ours: %s', (tracestate, good) => {
  const headers = { traceparent: `00-${trace}-${span}-01`, tracestate };
  const sent = tracer(1).tracer.start(request({ headers })).headers ?? [];
  expect(sent.includes('tracestate')).toBe(!good);
  // Without a valid traceparent the tracestate belongs to no context.
  const alone = tracer(1).tracer.start(request({ headers: { tracestate } })).headers ?? [];
  expect(alone.slice(-2)).toEqual(['tracestate', '']);
});

test('D13: an invalid trace context is ignored', () => {
  for (const traceparent of [
    '',
    `00-${trace}-${span}`,
    `00-${'0'.repeat(32)}-${span}-01`,
    `ff-${trace}-${span}-01`,
    `00-${trace.toUpperCase()}-${span}-01`,
    // Version 00 allows no more fields; later versions may have them.
    `00-${trace}-${span}-01-what-the-future-will-be-like`,
    `00-${trace}-${span}-01-`,
    `01-${trace}-${span}-01.more`,
  ]) {
    expect(readParent(request({ headers: { traceparent } }))).toBeUndefined();
  }
  expect(readParent(request({ headers: { b3: '0' } }))).toMatchObject({ sampled: false });
  fc.assert(
    fc.property(fc.string(), (text) => {
      for (const name of ['traceparent', 'b3', 'x-b3-traceid']) {
        const parent = readParent(request({ headers: { [name]: text } }));
        if (parent && parent.traceId !== '') expect(parent.traceId).toMatch(/^[0-9a-f]{32}$/);
      }
    }),
  );
});

test('D13: a sampled caller goes on in the same trace and the same form; the lot is drawn only at the root', () => {
  const { tracer: all } = tracer(1);
  const root = all.start(request());
  expect(root.headers?.[1]).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
  const child = all.start(request({ headers: { b3: `${trace}-${span}-1` } }));
  expect(child).toMatchObject({ traceId: trace, parentId: span, sampled: true });
  expect(child.headers).toEqual(['b3', `${trace}-${child.spanId}-1-${span}`]);
  const { tracer: none } = tracer(0);
  expect(none.start(request({ headers: { traceparent: `00-${trace}-${span}-01` } })).sampled).toBe(
    true,
  );
  expect(none.start(request()).headers).toEqual(['b3', '0']);
  // A caller's decision against sampling passes through unchanged.
  expect(
    all.start(request({ headers: { traceparent: `00-${trace}-${span}-00` } })).headers,
  ).toBeUndefined();
  expect(all.start(request({ headers: { b3: '0' } })).sampled).toBe(false);
});

test('D13: spans reach a collector as OTLP JSON, with retries and the route', async () => {
  const bodies: string[] = [];
  const collector = createServer((req, res) => {
    let text = '';
    req.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    req.on('end', () => {
      bodies.push(`${req.method} ${req.url} ${req.headers['content-type']} ${text}`);
      res.end('{}');
    });
  });
  await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
  const { port } = collector.address() as AddressInfo;
  try {
    const b = bench(
      state([
        destination([backend(['10.0.0.1:80', '10.0.0.2:80'])], [route('get', { retry: retry() })]),
      ]),
      { config: { tracing: { otlpUrl: `http://127.0.0.1:${port}`, sampleRatio: 1 } } },
    );
    let tries = 0;
    const flow = b.begin();
    const [name, sent] = flow.moreRequestHeaders ?? [];
    expect(name).toBe('traceparent');
    carry(b, flow, () => ({ status: tries++ === 0 ? 503 : 200, tookMs: 5 }));
    await b.gateway.close();
    const [head] = bodies;
    expect(head?.startsWith('POST /v1/traces application/json')).toBe(true);
    const { resourceSpans } = JSON.parse(head!.slice(head!.indexOf('{'))) as {
      resourceSpans: { resource: unknown; scopeSpans: { spans: Record<string, unknown>[] }[] }[];
    };
    const [only] = resourceSpans[0]!.scopeSpans[0]!.spans;
    expect(sent).toContain(`${only!.traceId}-${only!.spanId}`);
    expect(only).toMatchObject({
      name: 'GET cart.retail get',
      kind: 3,
      attributes: expect.arrayContaining([
        { key: 'http.response.status_code', value: { intValue: '200' } },
        { key: 'http.request.resend_count', value: { intValue: '1' } },
      ]),
      events: [expect.objectContaining({ name: 'retry' })],
    });
    expect(BigInt(only!.endTimeUnixNano as string)).toBeGreaterThan(
      BigInt(only!.startTimeUnixNano as string),
    );
    expect(b.metric('telemetry_sent_total{kind="spans"}')).toBe(1);
    expect(b.metric('telemetry_dropped_total')).toBe(0);
  } finally {
    collector.close();
  }
});

test('D13: the queue of spans is bounded, losses are counted, a lost collector is not waited for', async () => {
  const clock = new SimulatedClock();
  let answer: (taken: boolean) => void = () => undefined;
  let posts = 0;
  const exporter = new SpanExporter({
    clock,
    resource: {},
    post: () => {
      posts++;
      return new Promise((resolve) => (answer = resolve));
    },
  });
  const record = { ...bare(), span: { traceId: trace, spanId: span, parentId: '' } } as FlowRecord;
  for (let i = 0; i < 6000; i++) exporter.add(record);
  expect(exporter.queued).toBe(4096);
  expect(exporter.droppedFull).toBe(6000 - 4096);
  for (let i = 0; i < 3; i++) {
    answer(false);
    await settled();
    clock.advance(1000);
  }
  expect(posts).toBe(4);
  expect(exporter.droppedFailed).toBe(512);
  expect(exporter.offered).toBe(6000);
  // Nothing listens on port 9.
  expect(await otlpPost('http://127.0.0.1:9/v1/traces')('{}')).toBe(false);
});

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const bare = (): Partial<FlowRecord> => ({
  direction: 'outbound',
  request: request(),
  dst: 'cart.retail',
  routeName: 'get',
  targetAddress: '',
  reason: '',
  status: 200,
  grpcStatus: -1,
  retries: 0,
  responseBytes: 0,
  beganMs: 0,
  endedMs: 1,
  classification: 0,
  pastTries: undefined,
});

test('D13: access log: JSON lines with trace ids, 0600, off by default', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'firedrill-access-'));
  const file = join(folder, 'access.log');
  try {
    const b = bench(state([destination([backend(['10.0.0.1:80'])])]), {
      config: { accessLog: file },
    });
    const headers = {
      traceparent: `00-${trace}-${span}-00`,
      'x-request-id': 'r-1',
      'user-agent': 'curl',
    };
    carry(b, b.begin(request({ headers })), () => ({ status: 503, tookMs: 4 }));
    b.clock.advance(300);
    const until = Date.now() + 5000;
    while (Date.now() < until && statSync(file).size === 0) await settled();
    await b.gateway.close();
    const lines = readFileSync(file, 'utf8').trim().split('\n');
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0]!)).toMatchObject({
      direction: 'outbound',
      method: 'GET',
      status: 503,
      classification: 'failure',
      latencyMs: 4,
      dst: 'cart.retail',
      target: '10.0.0.1:80',
      traceId: trace,
      spanId: span,
      requestId: 'r-1',
      userAgent: 'curl',
    });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const off = bench(state([]));
    expect(off.metric('telemetry_sent_total')).toBe(0);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

function tapBench() {
  const b = bench(
    state(
      [destination([backend(['10.0.0.1:80'])], [route('items', { matches: [{ method: 'GET' }] })])],
      [server()],
    ),
  );
  const lines: string[] = [];
  const open = (scope: unknown, accepts = true) =>
    b.gateway.tap.open(
      scope,
      (line) => (accepts && lines.push(line), accepts),
      () => lines.push('closed\n'),
    );
  const send = (info: Parameters<typeof request>[0] = {}, status = 200): void => {
    carry(b, b.begin(request(info)), () => ({ status, tookMs: 2 }));
  };
  return { b, lines, open, send, all: () => lines.join('').split('\n').filter(Boolean) };
}

test('D11: tap shows requests in three lines, sensitive things redacted', () => {
  const { open, send, all } = tapBench();
  open({ headers: ['User-Agent', 'Authorization'] });
  const headers = { 'user-agent': 'curl/8', authorization: 'Bearer abc' };
  send({ headers, path: '/items?token=s3cret&page=2' });
  const [req, rsp, end] = all();
  expect(req).toBe(
    'req id=1:1 proxy=out src=10.1.2.3 dst=cart.retail tls=disabled route=items :method=GET ' +
      ':authority=cart.retail :path=/items?token=[redacted]&page=2 user-agent="curl/8" authorization="[redacted]"',
  );
  expect(rsp).toBe(
    'rsp id=1:1 proxy=out src=10.1.2.3 dst=10.0.0.1:80 tls=disabled route=items :status=200 latency=2000µs',
  );
  expect(end).toBe(
    'end id=1:1 proxy=out src=10.1.2.3 dst=10.0.0.1:80 tls=disabled route=items duration=2000µs response-length=100B',
  );
});

test('D11: tap is scoped, sampled and rate limited, and ends by itself', () => {
  const { b, open, send, all, lines } = tapBench();
  open({ status: [500, 599], pathPrefix: '/items', output: 'json', maxPerSecond: 2, seconds: 5 });
  send();
  send({ path: '/other' }, 503);
  for (let i = 0; i < 5; i++) send({}, 503);
  const shown = all().map((l) => JSON.parse(l) as { event: string; status?: number });
  expect(shown.map((l) => l.event)).toEqual(['req', 'end', 'req', 'end']);
  expect(shown[1]!.status).toBe(503);
  expect(b.metric('tap_skipped_total')).toBe(3);
  expect(b.gateway.tap.active).toBe(true);
  b.clock.advance(5000);
  expect(b.gateway.tap.active).toBe(false);
  expect(lines.at(-1)).toBe('closed\n');
});

test('D11: identities scope both sides; a slow reader loses lines and nothing else; bad scopes are told', () => {
  const { b, open, all } = tapBench();
  open({ direction: 'inbound', identity: '*.retail.local' });
  const inbound = b.gateway.inbound;
  for (const peerIdentity of ['a.retail.local', 'a.other.local', undefined]) {
    const flow = inbound.begin(inbound.serverFor(4143)!, request({ peerIdentity, tls: 'true' }));
    carry(b, flow, () => ({ status: 200 }));
  }
  expect(all().filter((l) => l.startsWith('req'))).toHaveLength(1);
  const slow = open({}, false);
  carry(b, b.begin(), () => ({ status: 200 }));
  expect(slow.skipped).toBe(1);
  expect(() => open({ statuses: 5, maxPerSecond: -1 })).toThrow(
    /bad maxPerSecond[\s\S]*unknown field statuses/,
  );
  expect(() => open([] as object)).toThrow(/not a scope/);
  for (let i = 0; i < 6; i++) open({});
  expect(() => open({})).toThrow(/too many taps/);
});

test('paths are redacted without being broken', () => {
  fc.assert(
    fc.property(fc.string(), fc.array(fc.tuple(fc.string(), fc.string())), (path, pairs) => {
      const query = new URLSearchParams(pairs).toString();
      const target = `${encodeURIComponent(path)}?${query}`;
      const shown = redactPath(target);
      expect(shown.split('&').length).toBe(target.split('&').length);
      expect(redactPath(shown)).toBe(shown);
    }),
  );
  expect(redactPath('/a?api_key=1&q=token')).toBe(
    '/a?api_key=1&q=token'.replace('=1', '=[redacted]'),
  );
});

test('why: for one request id, route, endpoints with loads, breaker state, retries, budget, verdict', () => {
  const three = ['10.0.0.1:80', '10.0.0.2:80', '10.0.0.3:80'];
  const b = bench(state([destination([backend(three)], [route('get', { retry: retry() })])]));
  let tries = 0;
  carry(b, b.begin(request({ headers: { 'x-request-id': 'abc' } })), () => ({
    status: tries++ ? 200 : 503,
  }));
  const why = b.gateway.why.find('abc')!;
  expect(why).toMatchObject({
    requestId: 'abc',
    route: 'get',
    verdict: { status: 200, classification: 'success' },
    retries: 1,
    earlierTries: [{ status: 503 }],
    retry: { limit: 2, allowed: true, used: 1 },
    budgetLeft: 99,
  });
  expect((why.considered as unknown[]).length).toBeGreaterThan(0);
  expect((why.endpoints as unknown[]).length).toBe(3);
  JSON.stringify(why);
  // Successful requests are only sampled, unless all are asked for.
  carry(b, b.begin(request({ headers: { 'x-request-id': 'well' } })), () => ({}));
  expect(b.gateway.why.find('well')).toBeUndefined();
  b.gateway.why.recordAll(1000);
  carry(b, b.begin(request({ headers: { 'x-request-id': 'well' } })), () => ({}));
  expect(b.gateway.why.find('well')).toBeDefined();
  b.clock.advance(2000);
  for (let i = 0; i < 1500; i++) {
    b.clock.advance(10);
    carry(b, b.begin(request({ headers: { 'x-request-id': `f${i}` } })), () => ({ status: 500 }));
  }
  expect(b.gateway.why.find('abc')).toBeUndefined();
  expect(b.gateway.why.recent(5000)).toHaveLength(1000);
  expect(b.gateway.why.recent(1)[0]).toMatchObject({ requestId: 'f1499' });
});

test('why: an inbound refusal names the policy', () => {
  const b = bench(state([], [server({ defaultPolicy: 'deny' })]));
  const { inbound } = b.gateway;
  b.gateway.why.recordAll(1000);
  const flow = inbound.begin(
    inbound.serverFor(4143)!,
    request({ headers: { 'x-request-id': 'no' } }),
  );
  carry(b, flow, () => ({}));
  expect(b.gateway.why.find('no')).toMatchObject({
    direction: 'inbound',
    authorization: 'default policy deny',
    verdict: { status: 403, reason: 'unauthorized' },
  });
});
