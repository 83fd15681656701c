/** Sends one request by HTTP/1.1 or HTTP/2, byte for byte as given, to an app of either kind that records it. */
import { createServer as createHttp2Server } from 'node:http2';
import { createServer } from 'node:http';
import { type AddressInfo, type Socket, connect } from 'node:net';
import { block, frame, RawClient, settings } from './http2-raw.js';
import { clientPreface, maxFrameBytes } from '../../../mesh/proxy/http2/frame.js';

export type Protocol = 'http1' | 'http2';

/** A client's request. Names may be in any case; HTTP/2 has them in lower case unless `asIs`. */
export interface Sent {
  method?: string;
  path?: string;
  /** Undefined: `cart`; empty: no authority. */
  authority?: string;
  headers?: readonly (readonly [string, string])[];
  body?: string;
  trailers?: readonly (readonly [string, string])[];
  /** For HTTP/1 only. */
  version?: string;
}

export interface Got {
  /** 0: the stream or the connection was cut. */
  status: number;
  headers: Record<string, string>;
  body: string;
  trailers: Record<string, string>;
}

export interface Seen {
  method: string;
  path: string;
  authority: string;
  /** Names in lower case; values of a repeated name are joined by ` & `. */
  headers: Record<string, string>;
  body: string;
  trailers: Record<string, string>;
}

/** The app's answer to one request. */
export interface Answer {
  status?: number;
  headers?: Record<string, string>;
  body?: string;
  trailers?: Record<string, string>;
  /** Cut the connection instead, or send no answer. */
  instead?: 'reset' | 'silence';
}

export interface App {
  port: number;
  seen: Seen[];
  /** Requests whose client left before the answer. */
  left: number;
  close(): void;
}

function collect(pairs: readonly string[]): Record<string, string> {
  const found: Record<string, string> = {};
  for (let i = 0; i + 1 < pairs.length; i += 2) {
    const name = (pairs[i] as string).toLowerCase();
    found[name] = name in found ? `${found[name]} & ${pairs[i + 1]}` : (pairs[i + 1] as string);
  }
  return found;
}

export async function startApp(
  protocol: Protocol,
  answer: (seen: Seen, count: number) => Answer,
): Promise<App> {
  const app: App = { port: 0, seen: [], left: 0, close: () => undefined };
  const sockets = new Set<Socket>();
  const server =
    protocol === 'http1'
      ? createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
          const chunks: Buffer[] = [];
          const headers = collect(request.rawHeaders);
          response.on('close', () => {
            if (!response.writableEnded) app.left++;
          });
          request.on('data', (chunk: Buffer) => chunks.push(chunk));
          request.on('end', () => {
            const seen: Seen = {
              method: request.method ?? '',
              path: request.url ?? '',
              authority: headers.host ?? '',
              headers,
              body: Buffer.concat(chunks).toString('latin1'),
              trailers: collect(request.rawTrailers),
            };
            app.seen.push(seen);
            const {
              status = 200,
              headers: more,
              body = '',
              trailers,
              instead,
            } = answer(seen, app.seen.length);
            if (instead === 'silence') return;
            if (instead === 'reset') return void request.socket.resetAndDestroy();
            response.writeHead(status, { ...more, ...(trailers && { trailer: 'x' }) });
            if (trailers) response.addTrailers(trailers);
            response.end(body);
          });
        })
      : createHttp2Server({ strictSingleValueFields: false } as object, undefined);
  if (protocol === 'http2') {
    server.on('stream', (stream: import('node:http2').ServerHttp2Stream, _h, _f, raw: string[]) => {
      const chunks: Buffer[] = [];
      let trailers: Record<string, string> = {};
      let isAnswered = false;
      stream.on('error', () => undefined);
      stream.on('close', () => {
        if (!isAnswered) app.left++;
      });
      stream.on('trailers', (_t: unknown, _fl: unknown, list: string[]) => {
        trailers = collect(list);
      });
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        const {
          ':method': method = '',
          ':path': path = '',
          ':authority': authority = '',
          ...headers
        } = collect(raw);
        const body = Buffer.concat(chunks).toString('latin1');
        const seen = { method, path, authority, headers, body, trailers };
        app.seen.push(seen);
        const made = answer(seen, app.seen.length);
        if (made.instead === 'silence') return;
        isAnswered = true;
        if (made.instead === 'reset') return void stream.close(2);
        const { status = 200, headers: more, body: text = '', trailers: last } = made;
        stream.respond({ ':status': status, ...more }, { waitForTrailers: last !== undefined });
        stream.on('wantTrailers', () => stream.sendTrailers(last ?? {}));
        stream.end(text);
      });
    });
  }
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  app.port = (server.address() as AddressInfo).port;
  app.close = () => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  return app;
}

const limitMs = 8000;

export const ask = (protocol: Protocol, port: number, sent: Sent): Promise<Got> =>
  protocol === 'http1' ? askHttp1(port, sent) : askHttp2(port, sent);

function askHttp1(port: number, sent: Sent): Promise<Got> {
  const { method = 'GET', path = '/', authority = 'cart', headers = [], body, trailers } = sent;
  let text = `${method} ${path} ${sent.version ?? 'HTTP/1.1'}\r\n`;
  if (authority !== '') text += `Host: ${authority}\r\n`;
  for (const [name, value] of headers) text += `${name}: ${value}\r\n`;
  const isChunked = trailers !== undefined;
  if (isChunked) text += 'Transfer-Encoding: chunked\r\n';
  else if (body !== undefined) text += `Content-Length: ${body.length}\r\n`;
  text += '\r\n';
  if (isChunked) {
    if (body) text += `${body.length.toString(16)}\r\n${body}\r\n`;
    text += `0\r\n${trailers.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`;
  } else text += body ?? '';
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    let got = '';
    const done = (): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(parseAnswer(got, method === 'HEAD') ?? cut);
    };
    const timer = setTimeout(done, limitMs);
    socket.on('error', done).on('end', done);
    socket.on('data', (chunk) => {
      got += chunk.toString('latin1');
      if (parseAnswer(got, method === 'HEAD')) done();
    });
    socket.write(text, 'latin1');
  });
}

const cut: Got = { status: 0, headers: {}, body: '', trailers: {} };

/** Undefined: not complete. */
function parseAnswer(text: string, isHead: boolean): Got | undefined {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const [line = '', ...fields] = text.slice(0, end).split('\r\n');
  const status = Number(line.split(' ')[1]);
  if (status < 200 && status !== 101) return parseAnswer(text.slice(end + 4), isHead);
  const headers = fieldsOf(fields);
  const rest = text.slice(end + 4);
  if (headers['transfer-encoding'] === 'chunked' && !isHead) {
    let body = '';
    for (let at = 0; ;) {
      const lineEnd = rest.indexOf('\r\n', at);
      if (lineEnd < 0) return undefined;
      const size = parseInt(rest.slice(at, lineEnd), 16);
      if (size === 0) {
        const after = rest.slice(lineEnd + 2);
        if (!after.startsWith('\r\n') && !after.includes('\r\n\r\n')) return undefined;
        const lines = after.split('\r\n').filter((l) => l !== '');
        return { status, headers, body, trailers: fieldsOf(lines) };
      }
      body += rest.slice(lineEnd + 2, lineEnd + 2 + size);
      at = lineEnd + 4 + size;
    }
  }
  const length = isHead ? 0 : Number(headers['content-length'] ?? 0);
  if (rest.length < length) return undefined;
  return { status, headers, body: rest.slice(0, length), trailers: {} };
}

const fieldsOf = (lines: readonly string[]): Record<string, string> =>
  collect(lines.flatMap((l) => [l.slice(0, l.indexOf(':')), l.slice(l.indexOf(':') + 1).trim()]));

async function askHttp2(port: number, sent: Sent): Promise<Got> {
  const { method = 'GET', path = '/', authority = 'cart', headers = [], body, trailers } = sent;
  const client = new RawClient(port);
  const pseudo: [string, string][] = [
    [':method', method],
    [':scheme', 'http'],
    [':path', path],
  ];
  if (authority !== '') pseudo.push([':authority', authority]);
  const lower = (list: readonly (readonly [string, string])[]): [string, string][] =>
    list.map(([name, value]) => [name.toLowerCase(), value]);
  const hasMore = body !== undefined || trailers !== undefined;
  const parts = [
    clientPreface,
    settings,
    frame(1, hasMore ? 4 : 5, 1, block([...pseudo, ...lower(headers)])),
  ];
  if (hasMore) {
    const bytes = Buffer.from(body ?? '', 'latin1');
    let at = 0;
    for (; bytes.length - at > maxFrameBytes; at += maxFrameBytes)
      parts.push(frame(0, 0, 1, bytes.subarray(at, at + maxFrameBytes)));
    parts.push(frame(0, trailers ? 0 : 1, 1, bytes.subarray(at)));
  }
  if (trailers) parts.push(frame(1, 5, 1, block(lower(trailers))));
  client.send(...parts);
  const endMs = Date.now() + limitMs;
  const isOver = (): boolean =>
    client.closed ||
    Date.now() > endMs ||
    client.frames.some(
      (f) =>
        f.type === 7 || (f.stream === 1 && (f.type === 3 || ((f.flags & 1) === 1 && f.type < 2))),
    );
  await client.until(isOver);
  client.socket.destroy();
  const own = client.frames.filter((f) => f.stream === 1);
  const heads = own.filter((f) => f.type === 1).map((f) => client.fields(f));
  const answer = heads.find((h) => Number(h[':status']) >= 200);
  const isCut = own.some((f) => f.type === 3 && f.payload.readUInt32BE(0) !== 0);
  if (!answer || (isCut && !own.some((f) => (f.flags & 1) === 1))) return cut;
  const { ':status': status, ...rest } = answer;
  const text = Buffer.concat(own.filter((f) => f.type === 0).map((f) => f.payload));
  const last = heads[heads.length - 1] as Record<string, string>;
  return {
    status: Number(status),
    headers: rest,
    body: text.toString('latin1'),
    trailers: last === answer ? {} : last,
  };
}
