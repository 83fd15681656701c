/** `firedrill collector`: its configuration, in a real Collector that takes spans and log lines of proxies (D13). */
import { spawn, spawnSync } from 'node:child_process';
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, afterEach, expect, test } from 'vitest';
import { parseAllDocuments, stringify } from 'yaml';
import { findExecutable } from '../../base/executable.js';
import { program } from '../../base/paths.js';
import { freePorts } from '../../base/ports.js';
import { pathWithTools, requireTool } from '../../base/tools.js';
import type { AnyObject } from '../../mesh/kubernetes/client/objects.js';
import { destination, server, startProxy, state } from '../mesh/proxy/rig.js';
import { testWith } from '../tools.js';
import { until } from './until.js';

const folder = mkdtempSync(join(tmpdir(), 'firedrill-collector-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const endings: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).toReversed()) await end();
});

const collector = (...args: string[]) =>
  spawnSync(process.execPath, [program('cli'), 'collector', ...args], { encoding: 'utf8' });

test.each([
  [['--traces-to', 'jaeger:4318'], '--traces-to jaeger:4318; expected an address such as http'],
  [['--logs-to', 'http://loki/otlp?x=1'], '--logs-to http://loki/otlp?x=1; expected an address'],
  [['--traces-to', ''], '--traces-to ; expected an address'],
  [['--manifests', '--logs', 'a.log'], '--manifests and --logs; expected one of them'],
])('%j is refused', (args, message) => {
  const { status, stdout, stderr } = collector(...args);
  expect([status, stdout]).toEqual([2, '']);
  expect(stderr).toContain(message);
});

test('the path of the signal may be given or not, and no text is filled in by the Collector', () => {
  const { stdout } = collector(
    '--traces-to',
    'http://t:1/v1/traces',
    '--logs-to',
    'https://l/otlp/',
  );
  expect(stdout).toContain('endpoint: http://t:1\n');
  expect(stdout).toContain('endpoint: https://l/otlp\n');
  expect(stdout).not.toMatch(/(?<!\$)\$(?!\$)/);
  expect(collector('--logs', 'a$HOME/*.log').stdout).toContain('- a$$HOME/*.log');
});

test('the manifests hold the same configuration, and the Service has the ports that it listens on', () => {
  const args = ['--traces-to', 'http://tempo:4318'];
  const objects = parseAllDocuments(collector(...args, '--manifests', '-n', 'eyes').stdout).map(
    (d) => d.toJS() as AnyObject,
  );
  expect(objects.map((o) => [o.kind, o.metadata.namespace ?? o.metadata.name])).toEqual(
    ['Namespace', 'ConfigMap', 'Service', 'DaemonSet'].map((kind) => [kind, 'eyes']),
  );
  const [, map, service, set] = objects;
  expect(map?.data).toEqual({ 'collector.yaml': collector(...args).stdout });
  expect(service?.spec).toMatchObject({ ports: [{ port: 4317 }, { port: 4318 }] });
  expect(set?.spec).toMatchObject({
    template: {
      spec: {
        containers: [{ volumeMounts: [{}, { mountPath: '/var/log/pods', readOnly: true }] }],
        volumes: [{}, { hostPath: { path: '/var/log/pods' } }],
      },
    },
  });
});

testWith('otelcol')('a real Collector takes each form of the configuration', () => {
  for (const args of [
    [],
    ['--traces-to', 'http://jaeger:4318'],
    ['--traces-to', 'https://a.b/c', '--logs-to', 'http://loki:3100/otlp'],
    ['--logs', '/tmp/a$b*.log', '--logs', 'gameday-report/events.jsonl'],
  ]) {
    const file = join(folder, 'valid.yaml');
    writeFileSync(file, collector(...args).stdout);
    const said = spawnSync(requireTool('otelcol'), ['validate', `--config=${file}`]);
    expect([args, said.status, said.stderr.toString()]).toEqual([args, 0, '']);
  }
});

interface Attributed {
  attributes?: { key: string; value: Record<string, unknown> }[];
}
interface Span extends Attributed {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  kind: number;
}
interface LogRecord extends Attributed {
  timeUnixNano: string;
  severityText?: string;
  traceId?: string;
  spanId?: string;
}
/** OTLP in JSON. */
interface Sent {
  resourceSpans?: { scopeSpans: { spans: Span[] }[] }[];
  resourceLogs?: { resource: Attributed; scopeLogs: { logRecords: LogRecord[] }[] }[];
}
interface Line {
  time: string;
  traceId: string;
  spanId: string;
  dst: string;
}

/** Takes what the Collector sends on, as JSON. */
async function backend(): Promise<{ port: number; traces: Sent[]; logs: Sent[] }> {
  const taken = { traces: [] as Sent[], logs: [] as Sent[] };
  const http = createServer((asked, answer) => {
    let body = '';
    asked.on('data', (chunk: Buffer) => (body += chunk.toString()));
    asked.on('end', () => {
      const list = asked.url === '/v1/traces' ? taken.traces : taken.logs;
      list.push(JSON.parse(body) as Sent);
      answer.setHeader('content-type', 'application/json');
      answer.end('{}');
    });
  }).listen(0, '127.0.0.1');
  endings.push(() => http.close());
  await until(() => http.listening);
  return { port: (http.address() as AddressInfo).port, ...taken };
}

const plain = { encoding: 'json', compression: 'none' };

/** Runs the printed configuration; a second file has other ports and paths, and JSON in place of protobuf. */
async function startCollector(
  args: string[],
  include?: string[],
  changed: object = { 'otlphttp/traces': plain, 'otlphttp/logs': plain },
): Promise<{ http: number }> {
  const [grpc, http] = (await freePorts(2)) as [number, number];
  const printed = join(folder, 'printed.yaml');
  const changes = join(folder, 'changes.yaml');
  writeFileSync(printed, collector(...args).stdout);
  const at = (port: number): object => ({ endpoint: `127.0.0.1:${port}` });
  writeFileSync(
    changes,
    stringify({
      receivers: {
        otlp: { protocols: { grpc: at(grpc), http: at(http) } },
        ...(include && { 'filelog/firedrill': { include } }),
      },
      exporters: changed,
      service: { telemetry: { metrics: { level: 'none' } } },
    }),
  );
  const configs = [printed, changes].map((file) => `--config=${file}`);
  const child = spawn(requireTool('otelcol'), configs, { stdio: ['ignore', 'ignore', 'pipe'] });

  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const ended = new Promise((resolve) => child.once('exit', resolve));
  endings.push(() => {
    child.kill();
    return ended;
  });
  await until(() => said.includes('Everything is ready') || child.exitCode !== null, 'Collector');
  expect(child.exitCode, said).toBe(null);
  return { http };
}

const attributesOf = ({ attributes = [] }: Attributed): Record<string, unknown> =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));
const millis = (record: LogRecord): number => Math.round(Number(record.timeUnixNano) / 1e6);
const spansOf = (sent: Sent[]): Span[] =>
  sent.flatMap(({ resourceSpans = [] }) =>
    resourceSpans.flatMap((r) => r.scopeSpans.flatMap(({ spans }) => spans)),
  );
const recordsOf = (sent: Sent[]): { resource: Record<string, unknown>; record: LogRecord }[] =>
  sent.flatMap(({ resourceLogs = [] }) =>
    resourceLogs.flatMap(({ resource, scopeLogs }) =>
      scopeLogs.flatMap(({ logRecords }) =>
        logRecords.map((record) => ({ resource: attributesOf(resource), record })),
      ),
    ),
  );

/** A request through two proxies, whose access logs and spans it leaves. */
async function traced(otlpPort: number): Promise<string> {
  const app = createServer((_asked, answer) => answer.writeHead(503).end()).listen(0, '127.0.0.1');
  endings.push(() => app.close());
  await until(() => app.listening);
  const log = join(mkdtempSync(join(folder, 'log-')), 'access.log');
  const tracing = { otlpUrl: `http://127.0.0.1:${otlpPort}`, sampleRatio: 1, service: 'web' };
  const common = { tracing, accessLog: log };
  const { port } = app.address() as AddressInfo;
  const callee = await startProxy({
    ...common,
    sides: ['inbound'],
    state: state({ servers: [server(1, `127.0.0.1:${port}`)] }),
  });
  endings.push(() => callee.stop());
  const caller = await startProxy({
    ...common,
    state: state({ destinations: [destination('cart', [`127.0.0.1:${callee.inbound}`])] }),
  });
  endings.push(() => caller.stop());
  await new Promise<void>((resolve, reject) => {
    const at = { host: '127.0.0.1', port: caller.outbound, path: '/', headers: { host: 'cart' } };
    request(at, (got) => got.resume().on('end', () => resolve()))
      .on('error', reject)
      .end();
  });
  await until(() => lines(log).length === 2, 'access logs');
  return log;
}

function lines(file: string): string[] {
  try {
    return readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => line !== '');
  } catch {
    return [];
  }
}

testWith('otelcol')("spans and pods' log lines come out under one trace and one name", async () => {
  const { port, traces, logs } = await backend();
  const to = `http://127.0.0.1:${port}`;
  const pods = join(folder, 'pods');
  const include = [`${pods}/*/firedrill-proxy/*.log`];
  const { http } = await startCollector(['--traces-to', to, '--logs-to', to], include);
  const written = lines(await traced(http));
  // As a kubelet's runtime writes the lines of a container.
  const names = ['web-5d4f8c9b7-x2x4z', 'web-0', 'nightly-28391234-vw2zx'];
  names.forEach((name, i) => {
    const uid = `0a1b2c3d-0000-0000-0000-00000000000${i}`;
    const of = join(pods, `retail_${name}_${uid}`, 'firedrill-proxy');
    mkdirSync(of, { recursive: true });
    // Files that begin alike count as one file.
    const time = `2026-12-01T06:00:0${i}.123456789Z`;
    const text = [...written, 'no JSON'].map((line) => `${time} stdout F ${line}\n`).join('');
    writeFileSync(join(of, '0.log'), text);
  });
  await until(() => spansOf(traces).length === 2 && recordsOf(logs).length === 9, 'telemetry');
  const spans = spansOf(traces);
  const client = spans.find((s) => s.kind === 3) as Span;
  const served = spans.find((s) => s.kind === 2) as Span;
  expect([served.traceId, served.parentSpanId]).toEqual([client.traceId, client.spanId]);
  const records = recordsOf(logs);
  expect(records.map(({ resource }) => resource['service.name']).sort()).toEqual(
    ['nightly', 'web', 'web'].flatMap((name) => [name, name, name]),
  );
  const ofPod = records.filter(
    ({ resource }) => resource['k8s.pod.name'] === 'web-5d4f8c9b7-x2x4z',
  );
  expect(ofPod[0]?.resource).toMatchObject({
    'service.namespace': 'retail',
    'k8s.namespace.name': 'retail',
    'k8s.container.name': 'firedrill-proxy',
  });
  const own = written.map((line) => JSON.parse(line) as Line);
  expect(ofPod.map(({ record: r }) => [r.spanId, r.severityText, millis(r)])).toEqual([
    ...own.map((line) => [line.spanId, 'failure', Date.parse(line.time)]),
    [undefined, undefined, Date.parse('2026-12-01T06:00:00.123Z')],
  ]);
  expect(ofPod.slice(0, 2).map(({ record }) => record.traceId)).toEqual([
    client.traceId,
    client.traceId,
  ]);
  expect(attributesOf(ofPod[0]?.record as LogRecord)).toMatchObject({
    status: 503,
    dst: own[0]?.dst,
  });
});

testWith('otelcol')("access logs and a game day's events on this machine are read", async () => {
  const { port, logs } = await backend();
  const files = join(folder, 'here');
  mkdirSync(files);
  const args = ['--logs', `${files}/*.log`, '--logs', `${files}/events.jsonl`];
  const { http } = await startCollector([
    ...args,
    '--logs-to',
    `http://127.0.0.1:${port}`,
    '--traces-to',
    'http://127.0.0.1:9',
  ]);
  const [first] = lines(await traced(http)) as [string];
  appendFileSync(join(files, 'access.log'), `${first}\n`);
  const event = { kind: 'day', atMs: 1764568800250, state: 'started', title: 'Game day' };
  appendFileSync(join(files, 'events.jsonl'), `${JSON.stringify(event)}\n`);
  await until(() => recordsOf(logs).length === 2, 'log records');
  const records = recordsOf(logs).map(({ record }) => record);
  const ofDay = records.find((r) => attributesOf(r).kind === 'day') as LogRecord;
  expect([attributesOf(ofDay), millis(ofDay)]).toMatchObject([
    { title: 'Game day', 'log.file.name': 'events.jsonl' },
    event.atMs,
  ]);
  const line = JSON.parse(first) as Line;
  expect(records.find((r) => r !== ofDay)).toMatchObject({
    traceId: line.traceId,
    spanId: line.spanId,
  });
});

// `firedrill tools install` does not have it, because its build takes minutes.
const jaeger = findExecutable(['jaeger'], pathWithTools().split(delimiter));
test.skipIf(jaeger === undefined)('a real Jaeger shows the spans (jaeger)', async () => {
  const [otlp, grpc, query] = (await freePorts(3)) as [number, number, number];
  const config = join(folder, 'jaeger.yaml');
  const at = (port: number): object => ({ endpoint: `127.0.0.1:${port}` });
  writeFileSync(
    config,
    stringify({
      extensions: {
        jaeger_storage: { backends: { memory: { memory: { max_traces: 100 } } } },
        jaeger_query: { storage: { traces: 'memory' }, grpc: at(grpc), http: at(query) },
      },
      receivers: { otlp: { protocols: { http: at(otlp) } } },
      exporters: { jaeger_storage_exporter: { trace_storage: 'memory' } },
      service: {
        extensions: ['jaeger_storage', 'jaeger_query'],
        pipelines: { traces: { receivers: ['otlp'], exporters: ['jaeger_storage_exporter'] } },
        telemetry: { metrics: { level: 'none' } },
      },
    }),
  );
  const child = spawn(jaeger as string, ['--config', config], { stdio: 'ignore' });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  endings.push(() => {
    // After a SIGTERM it would wait for a Collector of its own.
    child.kill('SIGKILL');
    return ended;
  });
  const asked = async <T>(path: string): Promise<T[] | undefined> => {
    const answer = await fetch(`http://127.0.0.1:${query}${path}`).catch(() => undefined);
    return answer && (((await answer.json()) as { data: T[] | null }).data ?? []);
  };
  await until(() => asked('/api/services'), 'Jaeger');
  const started = await startCollector(
    ['--traces-to', `http://127.0.0.1:${otlp}`],
    ['/nowhere'],
    {},
  );
  const [line] = lines(await traced(started.http)) as [string];
  type Trace = { spans: { tags: { key: string; value: unknown }[] }[] };
  const spans = async (): Promise<Trace['spans']> =>
    (await asked<Trace>(`/api/traces/${(JSON.parse(line) as Line).traceId}`))?.[0]?.spans ?? [];
  await until(async () => (await spans()).length === 2, 'the trace');
  expect(await asked('/api/services')).toContain('web');
  const tags = (await spans()).map((s) => s.tags.map((t) => `${t.key}=${String(t.value)}`));
  for (const kind of ['client', 'server']) {
    expect(tags).toContainEqual(
      expect.arrayContaining([`span.kind=${kind}`, 'http.response.status_code=503', 'error=true']),
    );
  }
});
