/**
 * The console's one server, on loopback: the page, its script, and the events of a drill as server-sent events. It
 * reads a folder and nothing else; with `allowDrills` it may throw the kill switch.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { readFileSync } from 'node:fs';
import { messageOf } from '../base/errors.js';
import { asset, packageRoot } from '../base/paths.js';
import { throwSwitch } from '../chaos/runner/stop-switch.js';
import { answeringServer, listenForAdmin } from '../mesh/admin-http.js';
import { Door, isForeign } from './door.js';
import { Follow } from './follow.js';

export interface ConsoleOptions {
  /** The folder that `gameday run --out` writes. */
  folder: string;
  /** 0: any that is free. */
  port: number;
  /** Where the kill switch is; absent: nothing can be stopped from here. */
  stateFolder?: string;
  /** A new address, good for one visit, each time that one was used. */
  onAddress(address: string): void;
}

export interface Console {
  port: number;
  close(): Promise<void>;
}

const pollMs = 100;
const pingMs = 15_000;
const maxViewers = 64;

const headers = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-store',
};

/** Read once, at the start: a build meanwhile does not mix two pages. */
function pageFiles(): Record<string, { type: string; bytes: Buffer }> {
  const file = (path: string, type: string): { type: string; bytes: Buffer } => ({
    type: `${type}; charset=utf-8`,
    bytes: readFileSync(path),
  });
  return {
    '/': file(asset('console/page/index.html'), 'text/html'),
    '/page.css': file(asset('console/page/page.css'), 'text/css'),
    '/page.js': file(`${packageRoot}/dist/console/page/main.js`, 'text/javascript'),
  };
}

export async function startConsole(options: ConsoleOptions): Promise<Console> {
  const files = pageFiles();
  const door = new Door();
  const follow = new Follow(options.folder);
  const viewers = new Set<Viewer>();
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
  const timers = [
    setInterval(poll, pollMs),
    setInterval(() => {
      for (const viewer of viewers) viewer.ping();
    }, pingMs),
  ];
  let port = 0;
  const address = (): string => `http://127.0.0.1:${port}/?token=${door.token}`;
  const server = answeringServer((_, request, response, { pathname, searchParams }) => {
    if (isForeign(request, port)) return refuse(response, 403, 'not from another page or name');
    const token = searchParams.get('token');
    if (token !== null && request.method === 'GET' && pathname === '/') {
      const cookie = door.exchange(token);
      if (cookie === undefined) return refuse(response, 403, 'this address was used already');
      options.onAddress(address());
      response.writeHead(303, { ...headers, 'set-cookie': cookie, location: '/' }).end();
      return;
    }
    if (!door.admits(request)) return refuse(response, 401, 'open the address that was printed');
    if (request.method === 'POST') return stop(request, response, pathname, options);
    if (request.method !== 'GET') return refuse(response, 405, 'GET, or POST /stop');
    if (pathname === '/events') {
      if (viewers.size >= maxViewers) return refuse(response, 503, `${maxViewers} people watch`);
      const viewer = new Viewer(response, options.stateFolder !== undefined);
      viewers.add(viewer);
      response.on('close', () => viewers.delete(viewer));
      viewer.tell(follow, trouble);
      return;
    }
    const file = files[pathname];
    if (!file) return refuse(response, 404, 'no such page');
    response.writeHead(200, { ...headers, 'content-type': file.type }).end(file.bytes);
  });
  server.maxConnections = 4 * maxViewers;
  port = await listenForAdmin(server, { host: '127.0.0.1', port: options.port });
  options.onAddress(address());
  return {
    port,
    close: () => closeAll(server, viewers, timers, follow),
  };
}

/** The kill switch of the state folder, which every run under it obeys. */
function stop(
  { headers: { origin } }: IncomingMessage,
  response: ServerResponse,
  pathname: string,
  { stateFolder }: ConsoleOptions,
): void {
  if (pathname !== '/stop') return refuse(response, 404, 'no such call');
  if (stateFolder === undefined) return refuse(response, 403, 'start it with --allow-drills');
  if (origin === undefined) return refuse(response, 403, 'only from the page itself');
  throwSwitch(stateFolder, { reason: 'stopped from the console', atMs: Date.now() });
  response.writeHead(204, headers).end();
}

function refuse(response: ServerResponse, status: number, why: string): void {
  response.writeHead(status, { ...headers, 'content-type': 'text/plain; charset=utf-8' });
  response.end(`${why}\n`);
}

/** One page that watches: it has been told so many events, of such a day. */
class Viewer {
  readonly #response: ServerResponse;
  #told = 0;
  #generation = 0;
  #trouble: string | undefined;
  #waits = false;

  constructor(response: ServerResponse, mayStop: boolean) {
    this.#response = response;
    response.writeHead(200, { ...headers, 'content-type': 'text/event-stream' });
    response.write(`event: hello\ndata: ${JSON.stringify({ mayStop, parts: [] })}\n\n`);
    response.on('drain', () => (this.#waits = false));
  }

  /** A page that does not read is told later, and never has more than one batch waiting. */
  tell(follow: Follow, trouble: string | undefined): void {
    if (this.#waits) return;
    if (follow.generation !== this.#generation) {
      this.#generation = follow.generation;
      this.#told = 0;
      this.#write('reset', '{}');
    }
    if (trouble !== this.#trouble) this.#write('trouble', JSON.stringify(trouble ?? ''));
    this.#trouble = trouble;
    const fresh = follow.events.slice(this.#told, this.#told + 2000);
    if (fresh.length === 0) return;
    this.#told += fresh.length;
    this.#write('events', JSON.stringify(fresh));
  }

  ping(): void {
    if (!this.#waits) this.#waits = !this.#response.write(': still here\n\n');
  }

  #write(event: string, data: string): void {
    this.#waits = !this.#response.write(`event: ${event}\ndata: ${data}\n\n`) || this.#waits;
  }

  end(): void {
    this.#response.end();
  }
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
