/** Prometheus's HTTP API over our own store: remote write, queries, rules and alerts. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { messageOf } from '../../../base/errors.js';
import { decodeSnappy, writeRequestOf } from '../../../slo/promql/data/write-request.js';
import type { AlertSender } from './alert-sender.js';
import type { LimitedStore } from './limited-store.js';
import { ApiError } from './parameters.js';
import type { Answer, QueryAnswers } from './query-answers.js';
import { alertsJson, filterOf, rulesJson } from './rule-answers.js';
import type { RuleLoop } from './rule-loop.js';
import { targetsJson } from './target-answers.js';
import type { Scraper } from '../scraper.js';

export interface Served {
  store: LimitedStore;
  queries: QueryAnswers;
  rules: RuleLoop;
  sender: AlertSender;
  scrapers: readonly Scraper[];
  version: string;
  nowMs: () => number;
}

const formMaxBytes = 1024 * 1024;
const writeMaxBytes = 16 * 1024 * 1024;
const writtenMaxBytes = 64 * 1024 * 1024;
const connectionsMax = 256;
/** As in Prometheus, a sender's clock may be ahead by so much. */
const futureMaxMs = 600_000;

type Handler = (served: Served, query: URLSearchParams, part: string) => Answer;

const routes: readonly (readonly [RegExp, Handler])[] = [
  [/^query$/, ({ queries }, query) => queries.instant(query)],
  [/^query_range$/, ({ queries }, query) => queries.range(query)],
  [/^series$/, ({ queries }, query) => queries.series(query)],
  [/^labels$/, ({ queries }, query) => queries.labels(query)],
  [/^label\/([^/]+)\/values$/, ({ queries }, query, name) => queries.values(name, query)],
  [/^rules$/, ({ rules }, query) => ({ data: rulesJson(rules.groups, filterOf(query)) })],
  [/^alerts$/, ({ rules }) => ({ data: alertsJson(rules.groups) })],
  [/^alertmanagers$/, ({ sender }) => ({ data: alertmanagers(sender) })],
  [/^metadata$/, () => ({ data: {} })],
  [/^query_exemplars$/, () => ({ data: [] })],
  [/^targets$/, ({ scrapers }, query) => ({ data: targetsJson(scrapers, query) })],
  [/^status\/buildinfo$/, ({ version }) => ({ data: buildOf(version) })],
  [/^status\/flags$/, () => ({ data: {} })],
  [/^status\/config$/, () => ({ data: { yaml: '' } })],
];

const alertmanagers = (sender: AlertSender): object => ({
  activeAlertmanagers: sender.urls.map((url) => ({ url })),
  droppedAlertmanagers: [],
});

/** Grafana reads supported features from the version; the query language is that of Prometheus 3. */
const buildOf = (version: string): object => ({
  version: '3.0.0',
  revision: `firedrill ${version}`,
  branch: '',
  buildUser: '',
  buildDate: '',
  goVersion: '',
});

/**
 * Returns a server that does not listen yet; `served` is defined once the address is known. Connections, bodies and
 * times are bounded.
 */
export function serverOf(served: () => Served | undefined): Server {
  const server = createServer({ requestTimeout: 60_000, headersTimeout: 10_000 }, (...pair) => {
    const [, response] = pair;
    void answer(served(), ...pair).catch((error: unknown) => refuse(response, error));
  });
  server.maxConnections = connectionsMax;
  return server;
}

async function answer(
  served: Served | undefined,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (!served) throw new ApiError(503, 'unavailable', 'not ready yet');
  const url = new URL(request.url ?? '/', 'http://served');
  const path = url.pathname;
  if (path === '/-/ready' || path === '/-/healthy') return plain(response, 'ready\n');
  if (path === '/metrics') return plain(response, metricsOf(served));
  if (path === '/api/v1/write') return write(served, request, response);
  for (const [pattern, handle] of routes) {
    const match = path.startsWith('/api/v1/') ? pattern.exec(path.slice('/api/v1/'.length)) : null;
    if (!match) continue;
    if (request.method !== 'GET' && request.method !== 'POST') {
      throw new ApiError(405, 'bad_data', `${request.method} is not answered here`);
    }
    const query = await parametersOf(request, url);
    const { data, ...remarks } = handle(served, query, decoded(match[1] ?? ''));
    return json(response, 200, { status: 'success', data, ...remarks });
  }
  throw new ApiError(404, 'not_found', `${path} is not answered here`);
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new ApiError(400, 'bad_data', `${part} is no encoded name`);
  }
}

async function parametersOf(request: IncomingMessage, url: URL): Promise<URLSearchParams> {
  const query = url.searchParams;
  const type = request.headers['content-type'] ?? '';
  if (request.method !== 'POST' || !type.startsWith('application/x-www-form-urlencoded')) {
    return query;
  }
  const body = new URLSearchParams((await bodyOf(request, formMaxBytes)).toString());
  for (const [name, value] of query) body.append(name, value);
  return body;
}

async function bodyOf(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request) {
    length += (chunk as Buffer).length;
    if (length > maxBytes) {
      throw new ApiError(413, 'bad_data', `the body is larger than ${maxBytes} bytes`);
    }
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}

async function write(
  { store, nowMs }: Served,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (request.method !== 'POST') throw new ApiError(405, 'bad_data', 'remote write is a POST');
  if (/proto=io\.prometheus\.write\.v2/.test(request.headers['content-type'] ?? '')) {
    throw new ApiError(415, 'bad_data', 'remote write 1.0 is taken, and not 2.0');
  }
  const { 'content-encoding': encoding = 'snappy' } = request.headers;
  if (encoding !== 'snappy')
    throw new ApiError(415, 'bad_data', `snappy is taken, not ${encoding}`);
  const body = await bodyOf(request, writeMaxBytes);
  let written: ReturnType<typeof writeRequestOf>;
  try {
    written = writeRequestOf(decodeSnappy(body, writtenMaxBytes));
  } catch (error) {
    throw new ApiError(400, 'bad_data', `the body is no remote write: ${messageOf(error)}`);
  }
  const oldestMs = nowMs() - store.limits.retentionMs;
  const refusedBefore = store.refused;
  let [old, early, ambiguous, other] = [0, 0, 0, 0];
  for (const { labels, samples, ...one } of written) {
    if (one.ambiguous || (labels.__name__ ?? '') === '') {
      ambiguous++;
      continue;
    }
    const series = store.series(labels);
    for (const { timeMs, value, stale } of samples) {
      if (timeMs < oldestMs) old++;
      else if (timeMs > nowMs() + futureMaxMs) early++;
      else if (!store.take(series, timeMs, stale ? 'stale' : value)) other++;
    }
  }
  if (store.samples > store.limits.samplesMax) store.sweep(nowMs());
  const refused = store.refused - refusedBefore;
  const limits = `${store.limits.seriesMax}, or of ${store.labelsMax} characters in labels`;
  const wrong = [
    ...(refused > 0 ? [`${refused} series beyond the limit of ${limits}`] : []),
    ...(old > 0 ? [`${old} samples older than what is kept`] : []),
    ...(early > 0 ? [`${early} samples too far in the future`] : []),
    ...(ambiguous > 0
      ? [`${ambiguous} series without a name, or with an empty, repeated or unreadable label`]
      : []),
    ...(other > 0 ? [`${other} samples of a time that has another value`] : []),
  ];
  // Valid samples are kept; the error must not make the sender repeat them.
  if (wrong.length > 0) throw new ApiError(400, 'bad_data', wrong.join('; '));
  response.writeHead(204).end();
}

function metricsOf({ store, rules, sender }: Served): string {
  const missed = rules.groups.reduce((sum, g) => sum + g.missed, 0);
  const failing = rules.groups.reduce((sum, g) => sum + g.errors.size, 0);
  const lines: [string, string, number][] = [
    ['firedrill_watch_series', 'gauge', store.seriesCount],
    ['firedrill_watch_samples', 'gauge', store.samples],
    ['firedrill_watch_refused_series_total', 'counter', store.refused],
    ['firedrill_watch_rules_failing', 'gauge', failing],
    ['firedrill_watch_missed_evaluations_total', 'counter', missed],
    ['firedrill_watch_dropped_alerts_total', 'counter', sender.dropped],
  ];
  return lines.map(([name, type, value]) => `# TYPE ${name} ${type}\n${name} ${value}\n`).join('');
}

const plain = (response: ServerResponse, text: string): void => {
  response.setHeader('content-type', 'text/plain; version=0.0.4; charset=utf-8').end(text);
};

function json(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}

function refuse(response: ServerResponse, error: unknown): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const known = error instanceof ApiError ? error : undefined;
  // The rest of a body that was too large is not read.
  if (known?.status === 413) response.shouldKeepAlive = false;
  json(response, known?.status ?? 500, {
    status: 'error',
    errorType: known?.type ?? 'internal',
    error: messageOf(error),
  });
}
