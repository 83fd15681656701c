/**
 * The console's one server: serves the page and its script, a drill's events as server-sent events, and the views'
 * data. Read-only, unless its viewers may do more (posts.ts).
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { messageOf } from '../base/errors.js';
import { hover } from '../base/drawing/hover.js';
import { answeringServer, listenForAdmin } from '../mesh/admin-http.js';
import { Answers, type Reader } from './answers.js';
import { type Behind, Door } from './door.js';
import { Follow } from './follow.js';
import { readable, readPage, shownJson } from './page-document.js';
import { type Drills, post } from './posts.js';
import { readOwn } from './report-file.js';
import { firstState, Viewer } from './viewer.js';

export interface ConsoleOptions {
  /** The folder that `gameday run --out` writes. */
  folder: string;
  /** Absent: 127.0.0.1. */
  host?: string;
  /** 0: any free port. */
  port: number;
  /** Absent: viewers cannot start, stop or answer drills. */
  drills?: Drills;
  /** Whether viewers may write the report's postmortem.md. */
  mayEdit?: boolean;
  /** The reverse proxy that identifies viewers; absent: tokens, on loopback. */
  behind?: Behind;
  /** By view: `now`, `services`, `plan`. */
  readers?: readonly [string, Reader][];
  /**
   * Streams live requests until `signal` ends it. `tell` gets the sources that do not answer; resolves to the reason if
   * none does.
   */
  tap?(
    filters: URLSearchParams,
    take: (lines: string) => void,
    tell: (silent: readonly string[]) => void,
    signal: AbortSignal,
  ): Promise<string | undefined>;
  /** Called with a new one-time address each time one was used. */
  onAddress(address: string): void;
}

export interface Console {
  port: number;
  close(): Promise<void>;
}

const pollMs = 50;
const pingMs = 15_000;
const maxViewers = 64;

/** Limited, since each tap asks every proxy for its requests. */
const maxTaps = 16;

const headers = {
  'content-security-policy': "default-src 'none'; base-uri 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-store',
};

/** Of the report's scripts only the one that reads its figures may run, in an origin of its own. */
const reportPolicy = `${hover().policy}; frame-ancestors 'none'; sandbox allow-popups allow-scripts`;

export async function startConsole(options: ConsoleOptions): Promise<Console> {
  const page = readPage();
  const door = new Door(options.behind);
  const answers = new Answers(new Map(options.readers));
  const follow = new Follow(options.folder);
  const viewers = new Set<Viewer>();
  const taps = new Set<ServerResponse>();
  const hello = {
    mayDrill: options.drills !== undefined,
    mayEdit: options.mayEdit === true,
    parts: (options.readers ?? []).map(([part]) => part),
  };
  let trouble: string | undefined;
  const poll = (): void => {
    try {
      follow.poll();
      trouble = follow.trouble;
    } catch (error) {
      trouble = messageOf(error);
    }
    for (const viewer of viewers) viewer.tell(follow, trouble);
  };
  poll();
  let port = 0;
  const address = (): string =>
    options.behind?.origin ?? `http://127.0.0.1:${port}/?token=${door.token}`;
  const watch = (response: ServerResponse, had: URLSearchParams): void => {
    if (viewers.size >= maxViewers) return refuse(response, 503, `${maxViewers} people watch`);
    stream(response);
    const viewer = new Viewer(response, hello, follow, had);
    viewers.add(viewer);
    response.on('close', () => viewers.delete(viewer));
    viewer.tell(follow, trouble);
  };
  const server = answeringServer(async (_, request, response, { pathname, searchParams }) => {
    const foreign = door.foreign(request, port);
    if (foreign !== undefined) return refuse(response, 403, foreign);
    const token = searchParams.get('token');
    if (token !== null && request.method === 'GET' && pathname === '/') {
      const cookie = door.exchange(token, port);
      if (cookie === undefined) return refuse(response, 403, 'this address was used already');
      options.onAddress(address());
      response.writeHead(303, { ...headers, 'set-cookie': cookie, location: '/' }).end();
      return;
    }
    if (!door.admits(request, port))
      return refuse(response, 401, 'open the address that was printed');
    if (request.method === 'POST') return answerPost(request, response, pathname, options);
    if (request.method !== 'GET') return refuse(response, 405, 'GET or POST');
    if (pathname === '/events') return watch(response, searchParams);
    if (pathname === '/tap') return tapTo(response, searchParams, options, taps);
    if (pathname === '/report') return report(response, options.folder);
    const part = /^\/data\/([a-z]+)$/.exec(pathname)?.[1] ?? '';
    if (answers.has(part)) return sendJson(response, await answers.of(part, searchParams));
    if (pathname !== '/') return refuse(response, 404, 'no such page');
    sendAs(response, 'text/html', page.with(firstState(hello, follow)), page.policy);
  });
  server.maxConnections = 4 * maxViewers;
  const { host = '127.0.0.1' } = options;
  port = await listenForAdmin(server, { host, port: options.port });
  const timers = beat(poll, viewers);
  options.onAddress(address());
  return {
    port,
    close: async () => {
      await options.drills?.launch.close();
      await closeAll(server, viewers, timers, follow);
    },
  };
}

/** Started once the server listens: timers would keep a process alive whose port is taken. */
const beat = (poll: () => void, viewers: ReadonlySet<Viewer>): NodeJS.Timeout[] => [
  setInterval(poll, pollMs),
  setInterval(() => {
    for (const viewer of viewers) viewer.ping();
  }, pingMs),
];

function stream(response: ServerResponse): void {
  response.writeHead(200, { ...headers, 'content-type': 'text/event-stream' });
}

/** Live requests as server-sent events, in batches; a page that does not read misses some. */
function tapTo(
  response: ServerResponse,
  filters: URLSearchParams,
  { tap }: ConsoleOptions,
  taps: Set<ServerResponse>,
): void {
  if (!tap) return refuse(response, 404, 'start it with --proxies');
  if (taps.size >= maxTaps) return refuse(response, 503, `${maxTaps} taps are open`);
  taps.add(response);
  response.on('close', () => taps.delete(response));
  const abort = new AbortController();
  response.on('close', () => abort.abort());
  stream(response);
  const take = (lines: string): void => {
    if (response.writableNeedDrain) return;
    const data = readable(lines)
      .split('\n')
      .filter((line) => line !== '');
    if (data.length > 0) response.write(data.map((line) => `data: ${line}\n\n`).join(''));
  };
  const say = (event: string, data: unknown): string =>
    `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
  const tell = (silent: readonly string[]): void => void response.write(say('silent', silent));
  tap(filters, take, tell, abort.signal).then(
    (why = '') => response.end(say('over', why)),
    (error: unknown) => response.end(say('refused', messageOf(error))),
  );
}

function report(response: ServerResponse, folder: string): void {
  const page = readOwn(folder, 'index.html');
  if (!page) return refuse(response, 404, 'the report is written at the end of a drill');
  const own = { ...headers, 'content-security-policy': reportPolicy };
  response.writeHead(200, { ...own, 'content-type': 'text/html; charset=utf-8' });
  response.end(page);
}

async function answerPost(
  request: IncomingMessage,
  response: ServerResponse,
  pathname: string,
  options: ConsoleOptions,
): Promise<void> {
  const { status, body } = await post(request, pathname, options);
  if (typeof body === 'string') return refuse(response, status, body);
  const type = { ...headers, 'content-type': 'application/json; charset=utf-8' };
  response.writeHead(status, body === undefined ? headers : type);
  response.end(body === undefined ? undefined : JSON.stringify(body));
}

const sendJson = (response: ServerResponse, value: unknown): void =>
  sendAs(response, 'application/json', shownJson(value));

function sendAs(response: ServerResponse, type: string, body: string, policy?: string): void {
  response.writeHead(200, {
    ...headers,
    ...(policy !== undefined && { 'content-security-policy': policy }),
    'content-type': `${type}; charset=utf-8`,
  });
  response.end(body);
}

function refuse(response: ServerResponse, status: number, why: string): void {
  response.writeHead(status, { ...headers, 'content-type': 'text/plain; charset=utf-8' });
  response.end(`${why}\n`);
}

async function closeAll(
  server: Server,
  viewers: ReadonlySet<Viewer>,
  timers: readonly NodeJS.Timeout[],
  follow: Follow,
): Promise<void> {
  for (const timer of timers) clearInterval(timer);
  for (const viewer of viewers) viewer.end();
  follow.close();
  server.closeAllConnections();
  await new Promise<void>((resolve) => server.close(() => resolve()));
}
