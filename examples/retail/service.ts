/** The common parts of the shop's services: an HTTP server, counters, and an admin port for drills on loopback. */
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { realClock } from '../../base/clock.js';
import { messageOf, UserError } from '../../base/errors.js';
import { systemRandom } from '../../base/random.js';
import { Behaviour } from './behaviour.js';
import type { Answer, Peers } from './peers.js';

export interface Call {
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
}

/** One service's own work. An error thrown by it is answered 500. */
export type Handler = (call: Call) => Promise<Answer> | Answer;

export interface ServiceParts {
  peers: Peers;
  /** Named numbers that the admin port shows. */
  counters: Record<string, number>;
}

export interface ServiceDescription {
  /** The number of concurrent pieces of work, the duration of each, and the limit of waiting requests. */
  work: { slots: number; workMs: number; maxWaiting: number };
  handler(parts: ServiceParts): Handler;
}

export interface RunningService {
  port: number;
  adminPort: number;
  close(): Promise<void>;
}

const maxBodyBytes = 256 * 1024;

export async function startService(
  description: ServiceDescription,
  options: { port: number; adminPort: number; peers: Peers },
): Promise<RunningService> {
  const behaviour = new Behaviour(realClock, systemRandom, description.work);
  const counters: Record<string, number> = { received: 0, answered: 0, failed: 0 };
  const handler = description.handler({ peers: options.peers, counters });

  const serve = async (request: IncomingMessage): Promise<Answer> => {
    const body = await bodyOf(request);
    if (!(await behaviour.work())) return { status: 503, body: '{"error":"overloaded"}' };
    const { method = 'GET', url: path = '/', headers } = request;
    return handler({ method, path, headers, body });
  };
  const server = createServer((request, response) => {
    if (request.url === '/healthz') return void response.end('ok');
    counters.received!++;
    serve(request)
      .catch((error: unknown) => ({
        status: 500,
        body: JSON.stringify({ error: messageOf(error) }),
      }))
      .then((answer) => {
        counters[answer.status < 500 ? 'answered' : 'failed']!++;
        send(response, answer.status, answer.body);
      });
  });
  // The caller's pool must close first, so that no request meets a closing connection: this timeout is longer.
  server.keepAliveTimeout = 120_000;
  const admin = createServer((request, response) => {
    answerAdmin(behaviour, counters, request).then(
      ([status, value]) => send(response, status, JSON.stringify(value)),
      (error: unknown) =>
        send(
          response,
          error instanceof UserError || error instanceof SyntaxError ? 400 : 500,
          JSON.stringify({ error: messageOf(error) }),
        ),
    );
  });
  const port = await listen(server, options.port);
  const adminPort = await listen(admin, options.adminPort);
  return {
    port,
    adminPort,
    async close() {
      await Promise.all([closed(server), closed(admin)]);
    },
  };
}

async function answerAdmin(
  behaviour: Behaviour,
  counters: Record<string, number>,
  request: IncomingMessage,
): Promise<[number, unknown]> {
  const path = request.url ?? '/';
  const call = `${request.method} ${path}`;
  if (call === 'GET /state') return [200, { counters, waiting: behaviour.waiting }];
  if (call === 'GET /faults') return [200, behaviour.faults()];
  if (call === 'POST /faults') return [200, behaviour.put(JSON.parse(await bodyOf(request)))];
  if (request.method === 'DELETE' && path.startsWith('/faults/')) {
    const removed = behaviour.remove(decodeURIComponent(path.slice('/faults/'.length)));
    return [removed ? 200 : 404, { removed }];
  }
  return [404, { error: `no ${call}` }];
}

function send(response: ServerResponse, status: number, body: string): void {
  if (response.destroyed) return;
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
  });
  response.end(body);
}

function bodyOf(request: IncomingMessage): Promise<string> {
  return new Promise((resolve, reject) => {
    let body = '';
    request.setEncoding('utf8');
    request.on('data', (chunk: string) => {
      body += chunk;
      if (body.length > maxBodyBytes) {
        request.destroy();
        reject(new UserError({ message: 'the body is too long' }));
      }
    });
    request.on('end', () => resolve(body)).on('error', reject);
  });
}

function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeIdleConnections();
    setTimeout(() => server.closeAllConnections(), 1000).unref();
  });
}
