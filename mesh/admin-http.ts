/** What the admin ports of the proxy and of the controller share: bodies with a bound, JSON, and no web pages. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, isIP } from 'node:net';
import { exitCode, messageOf, UserError } from '../base/errors.js';

const maxBodyBytes = 64 * 1024;

export function sendJson(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(`${JSON.stringify(value)}\n`);
}

/** 400 for a caller's mistake, 500 for ours; where the answer has begun it is cut off. */
export function sendError(response: ServerResponse, error: unknown): void {
  if (response.headersSent) response.destroy();
  else sendJson(response, error instanceof UserError ? 400 : 500, { error: messageOf(error) });
}

/** The body as JSON; `{}` where there is none. Throws a UserError above 64 KiB, or where it is no JSON. */
export async function jsonBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > maxBodyBytes) throw new UserError('the body is too large');
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8') || '{}');
  } catch {
    throw new UserError('the body is not JSON');
  }
}

/** Resolves to the port. Throws a UserError where it cannot be had. */
export function listenForAdmin(
  server: Server,
  { host, port }: { host: string; port: number },
): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        new UserError(
          `admin ${host}:${port}: ${error.code ?? error.message}`,
          exitCode.environment,
        ),
      ),
    );
    server.listen(port, host, () => resolve((server.address() as AddressInfo).port));
  });
}

/** What scrapers and probes ask for, from wherever and by whatever name they know the port. */
const open: ReadonlySet<string> = new Set(['GET /metrics', 'GET /live', 'GET /ready']);

const loopback = /^(::ffff:)?127\.|^::1$/;

/**
 * Why a caller may not make this call; undefined: it may. What changes or reveals anything is for this machine alone
 * (in Kubernetes through `kubectl port-forward`), and there for programs: a browser reaches loopback too. A page's
 * POST bears an Origin, and one that rebinds its own name to 127.0.0.1 (DNS rebinding) bears that name as Host.
 */
export function whyRefused(request: IncomingMessage, call: string): string | undefined {
  if (open.has(call) || call.startsWith('GET /probes/')) return undefined;
  const { remoteAddress = '', localAddress } = request.socket;
  // Both ends are one address: the caller is on this machine, or in this pod.
  if (!loopback.test(remoteAddress) && remoteAddress !== localAddress) {
    return `only from this machine's loopback (kubectl port-forward); open to others: ${[...open].join(', ')}`;
  }
  const { origin, host = '' } = request.headers;
  const name = host.replace(/:\d+$/, '').replace(/^\[|\]$/g, '');
  const isRebound = name !== '' && name !== 'localhost' && isIP(name) === 0;
  if (origin === undefined && !isRebound) return undefined;
  return 'not for web pages: no Origin, and a Host that is an address or localhost';
}

/** Answers a call such as `GET /faults`. What it throws is told to the caller: a UserError as 400, the rest as 500. */
export type Answer = (
  call: string,
  request: IncomingMessage,
  response: ServerResponse,
  url: URL,
) => unknown;

/** A server that no request ends: not by an address that is none, nor by an answer that throws. */
export function answeringServer(answer: Answer): Server {
  return createServer((request, response) => {
    void (async () => {
      const url = urlOf(request);
      await answer(`${request.method} ${url.pathname}`, request, response, url);
    })().catch((error: unknown) => sendError(response, error));
  });
}

/** The same behind the rule of `whyRefused`, which comes before every call. */
export const adminServer = (answer: Answer): Server =>
  answeringServer((call, request, response, url) => {
    const error = whyRefused(request, call);
    if (error !== undefined) return sendJson(response, 403, { error });
    return answer(call, request, response, url);
  });

function urlOf({ url = '/' }: IncomingMessage): URL {
  try {
    return new URL(url, 'http://admin');
  } catch {
    throw new UserError(`'${url}' is no path`);
  }
}

/** The id of `DELETE /faults/ID`; undefined for any other call. */
export function removedFault(call: string): string | undefined {
  const id = /^DELETE \/faults\/(.+)$/.exec(call)?.[1];
  return id === undefined ? undefined : decodeURIComponent(id);
}

export const sendRemoved = (response: ServerResponse, removed: boolean): void =>
  sendJson(response, removed ? 200 : 404, { removed });
