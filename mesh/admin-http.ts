/**
 * The code that the admin ports of the proxy and of the controller share: size-limited bodies, JSON, and the refusal
 * of web pages.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, isIP } from 'node:net';
import { messageOf, notListening, UserError } from '../base/errors.js';

const maxBodyBytes = 64 * 1024;

export function sendJson(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(`${JSON.stringify(value)}\n`);
}

/** 400 for the caller's mistake, 500 for an internal one; if the answer has begun, it is cut off. */
function sendError(response: ServerResponse, error: unknown): void {
  if (response.headersSent) response.destroy();
  else sendJson(response, error instanceof UserError ? 400 : 500, { error: messageOf(error) });
}

/** The body as JSON; `{}` for an empty body. Throws a UserError above 64 KiB or on invalid JSON. */
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

/** Resolves to the port. Throws a UserError when the port cannot be opened. */
export function listenForAdmin(
  server: Server,
  { host, port }: { host: string; port: number },
): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(notListening(host, port, error)));
    server.listen(port, host, () => resolve((server.address() as AddressInfo).port));
  });
}

/** The calls of scrapers and probes, which are open to every address and every Host. */
const open: ReadonlySet<string> = new Set(['GET /metrics', 'GET /live', 'GET /ready']);

const loopback = /^(::ffff:)?127\.|^::1$/;

/**
 * The reason why a caller may not make this call; undefined: it may. Calls that change or reveal anything are for
 * this machine only (in Kubernetes through `kubectl port-forward`), and for programs only, since a browser reaches
 * loopback too. A web page's POST carries an Origin, and a page that rebinds its own name to 127.0.0.1 (DNS
 * rebinding) sends that name as Host.
 */
export function whyRefused(request: IncomingMessage, call: string): string | undefined {
  if (open.has(call) || call.startsWith('GET /probes/')) return undefined;
  const { remoteAddress = '', localAddress } = request.socket;
  // If both ends have one address, the caller is on this machine, or in this pod.
  if (!loopback.test(remoteAddress) && remoteAddress !== localAddress) {
    return `only from this machine's loopback (kubectl port-forward); open to others: ${[...open].join(', ')}`;
  }
  const { origin, host = '' } = request.headers;
  const name = host
    .toLowerCase()
    .replace(/:\d+$/, '')
    .replace(/^\[|\]$/g, '');
  const isRebound = name !== '' && name !== 'localhost' && isIP(name) === 0;
  if (origin === undefined && !isRebound) return undefined;
  return 'not for web pages: no Origin, and a Host that is an address or localhost';
}

/** Answers a call such as `GET /faults`. The caller gets its exceptions: a UserError as 400, any other as 500. */
export type Answer = (
  call: string,
  request: IncomingMessage,
  response: ServerResponse,
  url: URL,
) => unknown;

/** A server that survives every request: invalid addresses and exceptions of `answer` get an error answer. */
export function answeringServer(answer: Answer): Server {
  return createServer((request, response) => {
    void (async () => {
      const url = urlOf(request);
      // The answer to HEAD is that to GET; Node leaves out its body.
      const method = request.method === 'HEAD' ? 'GET' : request.method;
      await answer(`${method} ${url.pathname}`, request, response, url);
    })().catch((error: unknown) => sendError(response, error));
  });
}

/** The same, with the check of `whyRefused` before every call. */
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
    throw new UserError(`'${url}' is not a path`);
  }
}

/** The id of `DELETE /faults/ID`; undefined for any other call. */
export function removedFault(call: string): string | undefined {
  const id = /^DELETE \/faults\/(.+)$/.exec(call)?.[1];
  if (id === undefined) return undefined;
  try {
    return decodeURIComponent(id);
  } catch {
    throw new UserError(`'${id}' is not an id: an invalid escape`);
  }
}

export const sendRemoved = (response: ServerResponse, removed: boolean, trouble?: string): void =>
  sendJson(response, removed ? 200 : 404, { removed, ...(trouble !== undefined && { trouble }) });
