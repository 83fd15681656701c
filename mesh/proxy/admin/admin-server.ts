/** The admin port, on loopback: metrics, health, the state in use, faults and tap for drills, profiles, shutdown. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { UserError } from '../../../base/errors.js';
import {
  adminServer,
  jsonBody,
  listenForAdmin,
  removedFault,
  sendJson as json,
  sendRemoved,
} from '../../admin-http.js';
import type { Proxy } from '../proxy.js';
import { redactedConfig } from './redact.js';

/** Connections at once; the oldest makes room for a new one. */
const maxConnections = 256;
/** A client that neither sends nor reads for so long is gone; a profile takes a minute. */
const silentMs = 90_000;

export class AdminServer {
  readonly #proxy: Proxy;
  readonly #server: Server;

  constructor(proxy: Proxy) {
    this.#proxy = proxy;
    this.#server = adminServer((...asked) => this.#answer(...asked));
    // Metrics and probes are open to every address, but not without end.
    this.#server.timeout = silentMs;
    const open = new Set<Socket>();
    this.#server.on('connection', (socket) => {
      const [oldest] = open;
      if (oldest && open.size >= maxConnections) oldest.destroy();
      open.add(socket);
      socket.once('close', () => open.delete(socket));
    });
  }

  /** Resolves to the port that it listens on. */
  listen(at: { host: string; port: number }): Promise<number> {
    return listenForAdmin(this.#server, at);
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #answer(
    call: string,
    request: IncomingMessage,
    response: ServerResponse,
    url: URL,
  ): Promise<void> {
    const proxy = this.#proxy;
    const { gateway } = proxy;
    switch (call) {
      case 'GET /metrics': {
        const { contentType, body } = gateway.metrics.expose(request.headers.accept);
        response.writeHead(200, { 'content-type': contentType });
        response.end(body);
        return;
      }
      case 'GET /live':
        return plain(response, 200, 'live\n');
      case 'GET /ready': {
        const reason = proxy.notReady();
        return plain(response, reason === undefined ? 200 : 503, `${reason ?? 'ready'}\n`);
      }
      case 'GET /config':
        return json(response, 200, redactedConfig(proxy));
      case 'GET /endpoints':
        return json(response, 200, gateway.endpoints());
      case 'GET /faults':
        return json(response, 200, gateway.faults.list());
      case 'POST /faults':
        return json(response, 200, gateway.faults.put(await jsonBody(request)));
      case 'POST /tap':
        return this.#tap(await jsonBody(request), response);
      case 'GET /why':
        return this.#why(url, response);
      case 'POST /why': {
        const body = (await jsonBody(request)) as { forMs?: unknown } | null;
        const forMs = body?.forMs;
        if (typeof forMs !== 'number' || !(forMs > 0 && forMs <= 3_600_000)) {
          throw new UserError({ message: 'bad forMs', expected: 'milliseconds, at most an hour' });
        }
        gateway.why.recordAll(forMs);
        return json(response, 200, { forMs });
      }
      case 'POST /profile/cpu':
      case 'POST /profile/heap': {
        const { takeProfile } = await import('./profile.js');
        const kind = url.pathname.endsWith('cpu') ? 'cpu' : 'heap';
        const seconds = Number(url.searchParams.get('seconds') ?? 5);
        if (!(seconds > 0 && seconds <= 60)) {
          throw new UserError({ message: 'bad seconds', expected: 'more than 0, at most 60' });
        }
        return json(response, 200, await takeProfile(kind, seconds));
      }
      case 'POST /shutdown':
        if (proxy.config.admin.shutdown !== true) {
          const error = 'POST /shutdown is off; `admin: { shutdown: true }` turns it on';
          return json(response, 403, { error });
        }
        json(response, 202, { draining: true });
        proxy.onShutdown();
        return;
      default:
    }
    if (call.startsWith('GET /probes/')) return this.#probe(url.pathname, request, response);
    const fault = removedFault(call);
    if (fault !== undefined) return sendRemoved(response, gateway.faults.remove(fault));
    json(response, 404, { error: `${call}: no such call`, calls });
  }

  /** Asks the app's own probe on behalf of the kubelet: no policy is applied, and only the app answers. */
  async #probe(path: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { probes = {} } = this.#proxy.config;
    const name = path.slice('/probes/'.length);
    const probe = Object.hasOwn(probes, name) ? probes[name] : undefined;
    if (!probe) return plain(response, 404, 'no such probe\n');
    const { makeProbe } = await import('./probe.js');
    const { localAddress = '127.0.0.1' } = request.socket;
    const { status, said } = await makeProbe(probe, localAddress, request.headers['user-agent']);
    plain(response, status, said);
  }

  #tap(scope: unknown, response: ServerResponse): void {
    const session = this.#proxy.gateway.tap.open(
      scope,
      (line) => !response.writableNeedDrain && (response.write(line), true),
      () => response.end(),
    );
    // The answer is written only after the scope has been checked: a bad scope is answered 400.
    response.writeHead(200, { 'content-type': 'application/x-ndjson' });
    response.flushHeaders();
    // There may be no request in scope for long.
    response.socket?.setTimeout(0);
    response.on('close', () => session.close());
  }

  #why(url: URL, response: ServerResponse): void {
    const { why } = this.#proxy.gateway;
    const id = url.searchParams.get('id');
    if (id === null) return json(response, 200, why.recent(100));
    const record = why.find(id);
    json(response, record ? 200 : 404, record ?? { error: `no record of ${id}` });
  }
}

const calls = [
  'GET /metrics',
  'GET /live',
  'GET /ready',
  'GET /config',
  'GET /endpoints',
  'GET /faults',
  'POST /faults',
  'DELETE /faults/<id>',
  'POST /tap',
  'GET /why?id=',
  'POST /why',
  'POST /profile/cpu?seconds=',
  'POST /profile/heap?seconds=',
  'POST /shutdown',
  'GET /probes/<container>/<kind>',
];

function plain(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' });
  response.end(text);
}
