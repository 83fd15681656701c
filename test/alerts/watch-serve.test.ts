/** The embedded evaluator as a server: remote write, queries as in Prometheus, and alerts sent to an Alertmanager. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { AlertSender } from '../../alerts/watch/serve/alert-sender.js';
import type { Evaluated } from '../../alerts/watch/serve/rule-loop.js';
import { Labels } from '../../slo/promql/index.js';
import type { ServeFlags } from '../../alerts/watch/serve/command.js';
import { LimitedStore } from '../../alerts/watch/serve/limited-store.js';
import { type Serving, startServing } from '../../alerts/watch/serve/run.js';
import { freePort } from '../../alerts/watch/prometheus.js';
import { startGuarded } from '../../base/child.js';
import { SimulatedClock, sleep } from '../../base/clock.js';
import { program } from '../../base/paths.js';
import { findTool } from '../../base/tools.js';
import { field, remoteWriteBody, varint, type Written } from '../remote-write-body.js';
import { testWith } from '../tools.js';

const folder = mkdtempSync(join(tmpdir(), 'firedrill-serve-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const rulesFile = join(folder, 'rules.yaml');
writeFileSync(
  rulesFile,
  `groups:
  - name: levels
    interval: 10s
    rules:
      - { record: 'job:level:max', expr: max by (job) (level) }
      - alert: High
        expr: job:level:max > 5
        for: 20s
        labels: { severity: page }
        annotations: { summary: '{{ $labels.job }} is at {{ $value }}' }
      - { alert: Broken, expr: 'level{job="b"} * on () level' }
`,
);

const flags = (more: Partial<ServeFlags> = {}): ServeFlags => ({
  listen: '127.0.0.1:0',
  rules: [],
  alertmanager: [],
  scrape: [],
  file: [],
  scrapeInterval: '15s',
  evaluationInterval: '1m',
  resendDelay: '1m',
  externalLabel: [],
  maxSeries: '1000',
  maxSamples: '100000',
  ...more,
});

const startMs = 1_700_000_000_000;
let serving: Serving | undefined;
let clock = new SimulatedClock(startMs);
const said: string[] = [];
const start = async (more: Partial<ServeFlags> = {}): Promise<string> => {
  clock = new SimulatedClock(startMs);
  serving = await startServing(flags(more), (line) => said.push(line), clock);
  return serving.url;
};
afterEach(async () => {
  await serving?.stop();
  serving = undefined;
});

const write = (url: string, ...series: Written[]): Promise<Response> =>
  fetch(`${url}/api/v1/write`, { method: 'POST', body: remoteWriteBody(...series) });

const ask = async (url: string, path: string) => {
  const response = await fetch(`${url}/api/v1/${path}`);
  return { status: response.status, ...((await response.json()) as { data?: unknown }) };
};

const level = (job: string, ...samples: Written['samples']): Written => ({
  labels: { __name__: 'level', job },
  samples,
});

describe('asked', () => {
  test('written samples come back from every kind of query', async () => {
    const url = await start();
    const samples: Written['samples'] = [
      [startMs - 60_000, 1],
      [startMs - 30_000, 2],
    ];
    const written = await write(url, level('a', ...samples), level('b', [startMs - 30_000, 7]));
    expect(written.status).toBe(204);
    const at = startMs / 1000;
    const a = { __name__: 'level', job: 'a' };
    expect(await ask(url, 'query?query=level{job="a"}')).toMatchObject({
      status: 'success',
      data: { resultType: 'vector', result: [{ metric: a, value: [at, '2'] }] },
    });
    const range = `query_range?query=sum(level)&start=${at - 60}&end=${new Date(startMs).toISOString()}&step=30s`;
    expect(await ask(url, range)).toMatchObject({
      data: {
        resultType: 'matrix',
        result: [
          {
            values: [
              [at - 60, '1'],
              [at - 30, '9'],
              [at, '9'],
            ],
          },
        ],
      },
    });
    expect(await ask(url, 'series?match[]=level')).toMatchObject({
      data: [a, { ...a, job: 'b' }],
    });
    expect(await ask(url, 'labels')).toMatchObject({ data: ['__name__', 'job'] });
    expect(await ask(url, 'label/job/values?limit=1')).toMatchObject({
      data: ['a'],
      warnings: ['results truncated due to limit'],
    });
    expect(await ask(url, 'query?query=level&limit=1')).toMatchObject({
      data: { result: [{ metric: a }] },
      warnings: ['results truncated due to limit'],
    });
    expect(await ask(url, 'query?query=level&limit=2')).not.toHaveProperty('warnings');
    const form = await fetch(`${url}/api/v1/query`, {
      method: 'POST',
      body: new URLSearchParams({ query: 'scalar(level{job="b"})', time: String(at) }),
    });
    expect(await form.json()).toMatchObject({ data: { resultType: 'scalar', result: [at, '7'] } });
  });

  test('targets and their last scrapes, as in Prometheus', async () => {
    const app = createServer((request, response) => {
      response.writeHead(request.url === '/metrics' ? 200 : 500).end('x 1\n');
    });
    await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve));
    const { port } = app.address() as AddressInfo;
    const base = `http://127.0.0.1:${port}`;
    try {
      const url = await start({ scrape: [`a=${base}/metrics`, `b=${base}/none`] });
      const health = async (): Promise<unknown[]> => {
        const { data } = (await ask(url, 'targets')) as {
          data: { activeTargets: { health: string }[] };
        };
        return data.activeTargets.map((target) => target.health);
      };
      await expect.poll(health).toEqual(['up', 'down']);
      expect(await ask(url, 'targets?state=active&scrapePool=b')).toMatchObject({
        data: {
          activeTargets: [
            {
              labels: { job: 'b', instance: `127.0.0.1:${port}` },
              scrapeUrl: `${base}/none`,
              lastError: 'server returned HTTP status 500',
              lastScrape: new Date(startMs).toISOString(),
              scrapeInterval: '15s',
              scrapeTimeout: '10s',
            },
          ],
          droppedTargets: [],
        },
      });
      expect(await ask(url, 'targets?state=dropped')).toMatchObject({
        data: { activeTargets: [] },
      });
    } finally {
      app.close();
    }
  });

  test('a port that another program uses', async () => {
    const url = await start();
    const second = startServing(flags({ listen: new URL(url).host }), () => {}, clock);
    const { host } = new URL(url);
    await expect(second).rejects.toThrow(
      `--listen ${host}: another program uses this port (EADDRINUSE)`,
    );
  });

  test('the name of a label in a path may be in the code of UTF-8 names', async () => {
    const url = await start();
    const labels = { __name__: 'level', 'service.name': 'shop', a_b: 'c', U__x_d800_: 'd' };
    await write(url, { labels, samples: [[startMs, 1]] });
    for (const [name, value] of [
      ['U__service_2e_name', 'shop'],
      ['service.name', 'shop'],
      ['U__a__b', 'c'],
      ['a_b', 'c'],
      ['U__x_d800_', 'd'],
    ]) {
      expect(await ask(url, `label/${name}/values`)).toMatchObject({ data: [value] });
    }
  });

  test('a series without a name is refused, and its neighbours are kept', async () => {
    const url = await start();
    const nameless = { labels: { job: 'x' }, samples: [[startMs, 1]] satisfies Written['samples'] };
    const answer = await write(url, nameless, level('a', [startMs, 1]));
    expect(answer.status).toBe(400);
    expect(await answer.text()).toContain('1 series without a name');
    expect(await ask(url, 'label/job/values')).toMatchObject({ data: ['a'] });
  });

  test('labels that are not UTF-8 are refused', async () => {
    const url = await start();
    const body = remoteWriteBody(level('QQ', [startMs, 1])).map((b) => (b === 0x51 ? 0xff : b));
    const answer = await fetch(`${url}/api/v1/write`, { method: 'POST', body });
    expect([answer.status, await answer.text()]).toEqual([
      400,
      expect.stringMatching(/unreadable/),
    ]);
    expect(await ask(url, 'labels')).toMatchObject({ data: [] });
  });

  test('a series that ended is gone at once', async () => {
    const url = await start();
    await write(url, level('a', [startMs - 20_000, 1], [startMs - 10_000, 'stale']));
    expect(await ask(url, 'query?query=level')).toMatchObject({ data: { result: [] } });
    expect(await ask(url, `query?query=level&time=${startMs / 1000 - 11}`)).toMatchObject({
      data: { result: [{ value: [startMs / 1000 - 11, '1'] }] },
    });
  });

  test.each([
    ['query?query=sum(', 400, 'bad_data', 'invalid parameter "query": 1:4: parse error'],
    ['query?query=up&time=noon', 400, 'bad_data', 'invalid parameter "time"'],
    ['query_range?query=up&start=0&end=-1&step=1', 400, 'bad_data', 'must not be before start'],
    ['query_range?query=up&start=0&end=1&step=0', 400, 'bad_data', 'zero or negative'],
    ['query_range?query=up&start=0&end=99999&step=1', 400, 'bad_data', '11,000 points'],
    ['query?query=level*on()group_left()level', 422, 'execution', 'many-to-many'],
    ['query_range?query=level[5m]&start=0&end=10&step=1', 400, 'bad_data', 'range vector'],
    ['query_range?query=level&start=0&end=10&step=1e30', 400, 'bad_data', 'step'],
    ['query?query=1&time=9e99', 400, 'bad_data', 'time'],
    ['query?query=1&timeout=soon', 400, 'bad_data', 'timeout'],
    ['query?query=1&timeout=-1', 400, 'bad_data', 'must be positive'],
    ['rules?type=recording', 400, 'bad_data', 'not supported value'],
    ['rules?exclude_alerts=no', 400, 'bad_data', 'exclude_alerts'],
    ['rules?match[]=x{', 400, 'bad_data', 'parse error'],
    ['series', 400, 'bad_data', 'no match[]'],
    ['label/%ZZ/values', 400, 'bad_data', 'no encoded name'],
    ['nothing', 404, 'not_found', 'not answered here'],
  ])('%s is %i %s', async (path, status, errorType, message) => {
    const url = await start();
    await write(url, level('a', [startMs, 1]), level('b', [startMs, 2]));
    const response = await fetch(`${url}/api/v1/${path}`);
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({
      status: 'error',
      errorType,
      error: expect.stringContaining(message) as string,
    });
  });
});

describe('bounded', () => {
  test('series beyond the limit are refused and counted, and those within it are kept', async () => {
    const url = await start({ maxSeries: '2' });
    const jobs = ['a', 'b', 'c', 'd'].map((job) => level(job, [startMs, 1]));
    const answer = await write(url, ...jobs);
    expect(answer.status).toBe(400);
    expect(await answer.text()).toContain('2 series beyond the limit of 2');
    expect((await write(url, level('a', [startMs + 1, 2]))).status).toBe(204);
    expect(await ask(url, 'query?query=count(level)')).toMatchObject({
      data: { result: [{ value: [startMs / 1000, '2'] }] },
    });
    expect(await (await fetch(`${url}/metrics`)).text()).toContain('refused_series_total 2');
  });

  test('long labels are refused before they fill the memory, and those that went make room', async () => {
    const url = await start({ maxSeries: '100', retention: '1m' });
    const long = (job: string, at = startMs): Written => level(job + 'x'.repeat(40_000), [at, 1]);
    const answer = await write(url, long('a'), long('b'), level('c', [startMs, 1]));
    expect(await answer.text()).toContain(
      '1 series beyond the limit of 100, or of 65536 characters',
    );
    expect((await write(url, long('a', startMs + 1))).status).toBe(204);
    await clock.advance(120_000);
    expect((await write(url, long('b', startMs + 120_000))).status).toBe(204);
  });

  test('the oldest time goes where there are too many samples, and what is past keeping', async () => {
    const store = new LimitedStore({ seriesMax: 10, samplesMax: 100, retentionMs: 500_000 });
    const series = store.series({ __name__: 'x' });
    for (let i = 0; i < 400; i++) series.append(i * 1000, i);
    store.sweep(400_000);
    expect(store.samples).toBeLessThanOrEqual(100);
    expect(series.lastMs).toBe(399_000);
    store.sweep(890_000);
    expect(series.times[0]).toBe(390_000);
    store.sweep(900_000);
    expect(store.seriesCount).toBe(0);
  });

  test.each([
    ['cut off', Uint8Array.from([200, 1, 0, 65]), 400],
    ['that says it is huge', Uint8Array.from([255, 255, 255, 255, 15, 0]), 400],
    ['that is huge', new Uint8Array(17 * 1024 * 1024), 413],
  ])('a body %s is refused', async (_, body, status) => {
    const url = await start();
    const sent = await fetch(`${url}/api/v1/write`, { method: 'POST', body: body });
    expect(sent.status).toBe(status);
    expect((await fetch(`${url}/-/ready`)).status).toBe(200);
  });

  test('samples of the future, unclear labels and other encodings are refused, the rest is kept', async () => {
    const url = await start();
    const answer = await write(
      url,
      level('a', [startMs, 1], [startMs + 601_000, 2]),
      { labels: { __name__: 'level', '': 'x' }, samples: [[startMs, 3]] },
      level('b', [startMs, 4]),
    );
    expect([answer.status, await answer.text()]).toEqual([
      400,
      expect.stringMatching(
        /1 samples too far in the future; 1 series without a name, or with an empty/,
      ),
    ]);
    expect(await ask(url, 'query?query=count(level)')).toMatchObject({
      data: { result: [{ value: [startMs / 1000, '2'] }] },
    });
    const headers = { 'content-encoding': 'gzip' };
    const gzip = await fetch(`${url}/api/v1/write`, { method: 'POST', headers, body: 'x' });
    expect(gzip.status).toBe(415);
  });

  test('native histograms are read as the Go library of Prometheus writes them', async () => {
    const url = await start();
    const body = Buffer.from(
      '/AFoCoQBChAKCF9fbmFtZV9fEgRzbG93IjcIFhkAAQFsgD9AKfyp8dJNYlA/MAJCBAgGEAFKAQJaBAgD' +
        'EAEGSAIQAWIDCgoLeKD7kf+8MSI3CBmqOQAsEAQLeIDQlf+8MQpzOoYAFGl6ZSJfEQGDDAAADEAJVBQA' +
        'IkAgaTkJFBwAAFoCEANqGAkOBPA/CQgA4A0IDABAcAMNWgSCATokACQAQAAAAAAAABRA',
      'base64',
    );
    const send = () => fetch(`${url}/api/v1/write`, { method: 'POST', body });
    expect((await send()).status).toBe(204);
    // A sender that repeats its body is not refused.
    expect((await send()).status).toBe(204);
    const value = async (query: string) => {
      const path = `query?query=${encodeURIComponent(query)}`;
      const { data } = (await ask(url, path)) as {
        data: { result: { value: [number, string] }[] };
      };
      return data.result[0]?.value[1];
    };
    expect(await ask(url, 'query?query=slow')).toMatchObject({
      data: {
        result: [
          {
            histogram: [
              startMs / 1000,
              {
                count: '25',
                sum: '31.5',
                buckets: [
                  [1, '-8', '-4', '1'],
                  [3, '-0.001', '0.001', '2'],
                  [0, '0.125', '0.25', '8'],
                  [0, '0.25', '0.5', '10'],
                  [0, '1', '2', '4'],
                ],
              },
            ],
          },
        ],
      },
    });
    expect(await value('histogram_count(increase(slow[61s])) * 60 / 61')).toBe('3');
    expect(await value('histogram_fraction(-Inf, 2, size) * histogram_count(size)')).toBe('1.5');
    expect(await value('histogram_avg(size)')).toBe(String(9 / 3.5));
  });

  test('a histogram that Prometheus would not store is no remote write', async () => {
    const url = await start();
    const schema = (code: number): number[] => [4 << 3, ...varint(code)];
    const span = field(11, [1 << 3, 0, 2 << 3, ...varint(4_000_000_000)]);
    for (const [bytes, told] of [
      [schema(18), 'a histogram of schema 9'],
      [span, 'a histogram with 4000000000 buckets and 0 counts'],
      [field(12, [1]), 'a histogram with 0 buckets and 1 counts'],
      [[...field(11, [2 << 3, 1]), ...field(12, [1])], 'a histogram with a negative count'],
    ] as const) {
      const answer = await write(url, { ...level('a'), histograms: [[...bytes]] });
      expect([answer.status, await answer.text()]).toEqual([400, expect.stringContaining(told)]);
    }
  });

  test('a sample of a time that has another value is refused, and the first one stays', async () => {
    const url = await start();
    const samples: Written['samples'] = [
      [startMs - 30_000, 'stale'],
      [startMs - 20_000, NaN],
      [startMs, 1],
    ];
    expect((await write(url, level('a', ...samples))).status).toBe(204);
    expect((await write(url, level('a', ...samples, [startMs - 10_000, 5]))).status).toBe(204);
    const other = await write(
      url,
      level('a', [startMs - 30_000, 3], [startMs - 20_000, 'stale'], [startMs, 2]),
      { ...level('a'), histograms: [[15 << 3, ...varint(startMs)]] },
    );
    expect([other.status, await other.text()]).toEqual([
      400,
      expect.stringContaining('4 samples of a time that has another value'),
    ]);
    expect(await ask(url, 'query?query=level')).toMatchObject({
      data: { result: [{ value: [startMs / 1000, '1'] }] },
    });
  });

  test('remote write 2.0 is refused by name, and so is what is too old', async () => {
    const url = await start({ retention: '1h' });
    const second = await fetch(`${url}/api/v1/write`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-protobuf;proto=io.prometheus.write.v2.Request' },
      body: 'x',
    });
    expect(second.status).toBe(415);
    const old = await write(url, level('a', [startMs - 7_200_000, 1], [startMs, 2]));
    expect([old.status, await old.text()]).toEqual([
      400,
      expect.stringContaining('1 samples older than what is kept'),
    ]);
  });
});

describe('rules and alerts', () => {
  let sink: Server;
  let posts: { labels: Record<string, string>; startsAt: string; endsAt: string }[] = [];
  beforeAll(async () => {
    sink = createServer((request, response) => {
      let body = '';
      request.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
      request.on('end', () => {
        posts.push(...(JSON.parse(body) as typeof posts));
        response.end();
      });
    });
    await new Promise<void>((resolve) => sink.listen(0, '127.0.0.1', resolve));
  });
  afterAll(() => {
    sink.closeAllConnections();
    sink.close();
  });

  test('fire, and are sent at once, repeated after a while, and sent as resolved', async () => {
    posts = [];
    const url = await start({
      rules: [rulesFile],
      alertmanager: [`http://127.0.0.1:${(sink.address() as AddressInfo).port}`],
      externalLabel: ['region=eu'],
    });
    /** One evaluation with a new value at its own time. */
    const step = async (value: number): Promise<void> => {
      await write(url, level('a', [clock.nowMs(), value]));
      clock.advance(10_000);
    };
    await step(9);
    expect(await ask(url, 'alerts')).toMatchObject({
      data: { alerts: [{ state: 'pending', value: '9e+00' }] },
    });
    expect(posts).toEqual([]);
    for (let i = 0; i < 9; i++) await step(9);
    await step(1);
    await serving!.stop();
    serving = undefined;
    // The alert fires after two intervals, is repeated after a minute, and then resolves.
    const firstMs = startMs + 5_000;
    const seconds = posts.map((p) => [
      (Date.parse(p.startsAt) - firstMs) / 1000,
      (Date.parse(p.endsAt) - firstMs) / 1000,
    ]);
    expect(seconds).toEqual([
      [20, 20 + 240],
      [20, 90 + 240],
      [20, 100],
    ]);
    expect(posts[0]!.labels).toEqual({
      alertname: 'High',
      job: 'a',
      region: 'eu',
      severity: 'page',
    });
  });

  test.each([
    ['that fails gets no more', false, 1],
    ['that answers gets the rest', true, 4],
  ])('at the end, an Alertmanager %s', async (_, answers, requests) => {
    let posted = 0;
    let finish = (): void => undefined;
    const said: string[] = [];
    const sender = new AlertSender({
      urls: ['http://me:secret@alerts.example'],
      resendMs: 60_000,
      externalLabels: {},
      externalUrl: '',
      say: (line) => void said.push(line),
      post: async (address) => {
        posted++;
        expect(address).toBe('http://me:secret@alerts.example/api/v2/alerts');
        if (posted === 1) await new Promise<void>((resolve) => (finish = resolve));
        if (!answers) throw new Error('HTTP status 500');
      },
    });
    const all = Array.from({ length: 1000 }, (__, i) => ({
      state: 'firing',
      labels: Labels.of({ alertname: `A${i}` }),
      annotations: {},
      firedAtMs: startMs,
    }));
    const alerting = [{ rule: { expr: 'up' }, all: () => all }];
    sender.take({ state: { alerting }, intervalMs: 60_000 } as unknown as Evaluated, startMs);
    const closed = sender.close();
    finish();
    await closed;
    expect(posted).toBe(requests);
    expect(sender.dropped).toBe(answers ? 0 : 1000);
    // The password is told nowhere.
    expect([...sender.urls, ...said].join('\n')).not.toContain('secret');
    expect(sender.urls).toEqual(['http://alerts.example/api/v2/alerts']);
  });

  test('are returned as Prometheus does, with failing rules and their errors', async () => {
    const url = await start({ rules: [rulesFile] });
    await write(url, level('a', [startMs, 9]), level('b', [startMs, 1]));
    clock.advance(30_000);
    const { data } = (await ask(url, 'rules')) as {
      data: { groups: { interval: number; rules: Record<string, unknown>[] }[] };
    };
    expect(data.groups[0]!.interval).toBe(10);
    const [record, high, broken] = data.groups[0]!.rules;
    expect(record).toMatchObject({ name: 'job:level:max', type: 'recording', health: 'ok' });
    expect(high).toMatchObject({
      name: 'High',
      type: 'alerting',
      state: 'firing',
      duration: 20,
      alerts: [{ annotations: { summary: 'a is at 9' } }],
    });
    expect(broken).toMatchObject({ health: 'err' });
    expect(broken!.lastError).toContain('found duplicate series');
    expect(said.join('\n')).toContain('levels: Broken: found duplicate series');
    const pages = (await ask(url, 'rules?type=ALERT&match[]={severity="page"}')).data;
    expect(pages).toMatchObject({ groups: [{ rules: [{ name: 'High' }] }] });
    expect((await ask(url, 'rules?match[]={severity="ticket"}')).data).toEqual({ groups: [] });
    const one = (await ask(url, 'rules?type=alert&rule_name[]=High')).data as typeof data;
    expect(one.groups[0]!.rules).toHaveLength(1);
    expect(await ask(url, 'query?query=ALERTS{alertstate="firing"}')).toMatchObject({
      data: { result: [{ metric: { alertname: 'High' } }] },
    });
  });
});

describe('as a command, asked by the real tools', () => {
  const running: { stop: () => Promise<void> }[] = [];
  afterAll(() => Promise.all(running.map((r) => r.stop())));

  /** Resolves to the address that the server prints. */
  const serve = (...args: string[]): Promise<string> =>
    new Promise((resolve, reject) => {
      const child = spawn(
        process.execPath,
        [program('cli'), 'watch', 'serve', '--listen', '127.0.0.1:0', ...args],
        { stdio: ['ignore', 'ignore', 'pipe'] },
      );
      let text = '';
      const exited = new Promise<void>((done) => child.once('exit', () => done()));
      running.push({ stop: () => (child.kill('SIGTERM'), exited) });
      child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
        const url = /listening on (\S+):/.exec(text)?.[1];
        if (url !== undefined) resolve(url);
      });
      child.once('exit', () => reject(new Error(text)));
    });

  const history = join(folder, 'h.om');
  writeFileSync(
    history,
    '# TYPE up gauge\nup{job="a"} 1 1700000000\nup{job="b"} 0 1700000000\n# EOF\n',
  );

  testWith('promtool')('promtool: instant, range, series, labels', async () => {
    const url = await serve('--file', history);
    const promtool = (...args: string[]): string => {
      const run = spawnSync(findTool('promtool') as string, ['query', ...args]);
      return `${run.stdout.toString()}${run.stderr.toString()}`;
    };
    const time = '2023-11-14T22:13:20Z';
    expect(promtool('instant', '--time', time, url, 'sum(up)')).toContain('{} => 1 @[1700000000');
    const times = ['--start', '1700000000', '--end', '1700000060', '--step', '30s'];
    const range = promtool('range', ...times, url, 'count(up)');
    expect(range.match(/^2 @/gm)).toHaveLength(3);
    expect(promtool('series', '--match', 'up{job="a"}', ...times.slice(0, 4), url)).toContain(
      'job="a"',
    );
    expect(promtool('labels', ...times.slice(0, 4), url, 'job')).toBe('a\nb\n');
    expect(promtool('instant', url, 'sum(')).toContain('parse error');
  });

  testWith('alertmanager', 'amtool')('amtool: the alert is at the Alertmanager', async () => {
    const file = join(folder, 'am.yaml');
    writeFileSync(file, 'route: { receiver: r }\nreceivers: [{ name: r }]\n');
    const port = await freePort();
    const alertmanager = startGuarded('alertmanager', findTool('alertmanager') as string, [
      `--config.file=${file}`,
      `--storage.path=${join(folder, 'am')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--cluster.listen-address=',
    ]);
    running.push(alertmanager);
    const rules = join(folder, 'now.yaml');
    writeFileSync(
      rules,
      'groups: [{ name: g, interval: 200ms, rules: [{ alert: Always, expr: vector(1) }] }]\n',
    );
    const am = `http://127.0.0.1:${port}`;
    const flags = ['--rules', rules, '--alertmanager', am, '--resend-delay', '500ms'];
    await serve(...flags, '--external-label', 'region=eu');
    const asked = (): string =>
      spawnSync(findTool('amtool') as string, [
        'alert',
        'query',
        '-o',
        'json',
        `--alertmanager.url=${am}`,
      ]).stdout.toString();
    // Alertmanager may start after the alert, because alerts are sent again.
    let text = '';
    for (let i = 0; i < 200 && !text.includes('Always'); i++) {
      await sleep(100);
      text = asked();
    }
    expect(JSON.parse(text)).toMatchObject([{ labels: { alertname: 'Always', region: 'eu' } }]);
  });

  test.each([
    [['--listen', 'nowhere'], '--listen nowhere; expected such as 127.0.0.1:9090'],
    [['--scrape', 'x'], '--scrape x; expected a job and a URL'],
    [['--alertmanager', 'ftp://x'], '--alertmanager ftp://x; expected a URL with http'],
    [['--max-series', '0'], '--max-series 0; expected a whole number'],
    [['--external-label', 'x'], '--external-label x; expected such as region=eu'],
    [['--rules', 'none.yaml'], 'none.yaml: no such file'],
  ])('%j is refused', (args, message) => {
    const run = spawnSync(process.execPath, [program('cli'), 'watch', 'serve', ...args]);
    expect([run.status, run.stderr.toString()]).toEqual([2, expect.stringContaining(message)]);
  });
});
