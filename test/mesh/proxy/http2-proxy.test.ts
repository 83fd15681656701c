/** HTTP/2 through whole proxies: both protocols on either side, two hops of mutual TLS, drains, real gRPC clients. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import {
  type ClientHttp2Session,
  connect,
  createServer,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { requireTool } from '../../../base/tools.js';
import type { MeshState } from '../../../mesh/model.js';
import { testWith } from '../../tools.js';
import {
  destination,
  httpServer,
  pki,
  route,
  say,
  server,
  startProxy,
  state,
  type TestProxy,
  until,
} from './rig.js';
import { block, type Frame, frame, settings, takeFrames } from './http2-raw.js';

const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close();
});

async function app(
  handle: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void,
): Promise<string> {
  const http2 = createServer();
  http2.on('session', (session) => {
    session.on('error', () => undefined);
    open.push(() => session.destroy());
  });
  http2.on('stream', (stream, headers) => {
    stream.on('error', () => undefined);
    handle(stream, headers);
  });
  await new Promise<void>((resolve) => http2.listen(0, '127.0.0.1', resolve));
  open.push(() => http2.close());
  return `127.0.0.1:${(http2.address() as AddressInfo).port}`;
}

async function proxyOf(...args: Parameters<typeof startProxy>): Promise<TestProxy> {
  const proxy = await startProxy(...args);
  open.push(() => proxy.stop());
  return proxy;
}

function session(port: number): ClientHttp2Session {
  const client = connect(`http://127.0.0.1:${port}`);
  client.on('error', () => undefined);
  open.push(() => client.destroy());
  return client;
}

interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  trailers: IncomingHttpHeaders;
  body: string;
}

function ask(
  client: ClientHttp2Session,
  headers: Record<string, string | string[]>,
  body?: string,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const stream = client.request({ ':authority': 'cart', ':path': '/', ...headers });
    const answer: Answer = { status: 0, headers: {}, trailers: {}, body: '' };
    stream.on('response', (h) => {
      answer.headers = h;
      answer.status = Number(h[':status']);
    });
    stream.on('trailers', (h) => (answer.trailers = h));
    stream.on('data', (chunk: Buffer) => (answer.body += chunk.toString()));
    stream.on('error', reject);
    stream.on('close', () => resolve(answer));
    stream.end(body);
  });
}

const echo = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void => {
  let body = '';
  stream.on('data', (chunk: Buffer) => (body += chunk.toString()));
  stream.on('end', () => {
    stream.respond(
      { ':status': 200, 'x-seen': JSON.stringify(headers) },
      { waitForTrailers: true },
    );
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': String(body.length) }));
    stream.end(body);
  });
};

test('an HTTP/2 client and an HTTP/1.1 endpoint: heads, bodies, trailers, cookies', async () => {
  const http1 = await httpServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      if (request.url === '/none') return void response.writeHead(204).end();
      if (request.method === 'HEAD')
        return void response.writeHead(200, { 'content-length': 9 }).end();
      response.setHeader('x-seen', JSON.stringify(request.headers));
      response.setHeader('trailer', 'x-sum');
      response.setHeader('connection', 'keep-alive');
      response.write(body);
      response.addTrailers({ 'x-sum': String(body.length) });
      response.end();
    });
  });
  open.push(() => http1.close());
  const proxy = await proxyOf({
    state: state({
      destinations: [destination('cart', [`127.0.0.1:${http1.port}`], { protocol: 'http1' })],
    }),
  });
  const client = session(proxy.outbound);
  const body = 'x'.repeat(200_000);
  for (const length of [undefined, String(body.length)]) {
    const answer = await ask(
      client,
      {
        ':method': 'POST',
        cookie: ['a=1', 'b=2'],
        te: 'trailers',
        ...(length !== undefined && { 'content-length': length }),
      },
      body,
    );
    expect(answer.status).toBe(200);
    expect(answer.body.length).toBe(body.length);
    expect(answer.trailers['x-sum']).toBe('200000');
    expect(answer.headers.connection).toBeUndefined();
    expect(answer.headers['transfer-encoding']).toBeUndefined();
    const seen = JSON.parse(String(answer.headers['x-seen'])) as Record<string, string>;
    expect(seen.host).toBe('cart');
    expect(seen.cookie).toBe('a=1; b=2');
    expect(length ? seen['content-length'] : seen['transfer-encoding']).toBe(length ?? 'chunked');
  }
  expect((await ask(client, { ':path': '/none' })).status).toBe(204);
  const head = await ask(client, { ':method': 'HEAD' });
  expect([head.status, head.body]).toEqual([200, '']);
});

test('an HTTP/1.1 client and an HTTP/2 endpoint', async () => {
  const address = await app(echo);
  const cart = destination('cart', [], {
    backend: { endpoints: [{ address, http2: true }] },
  });
  const proxy = await proxyOf({ state: state({ destinations: [cart] }) });
  const body = 'y'.repeat(300_000);
  const answer = await new Promise<IncomingMessage & { text: string }>((resolve, reject) => {
    const request = httpRequest(
      {
        port: proxy.outbound,
        host: '127.0.0.1',
        method: 'POST',
        path: '/a?b',
        headers: { host: 'cart' },
      },
      (response) => {
        let text = '';
        response.on('data', (chunk: Buffer) => (text += chunk.toString()));
        response.on('end', () => resolve(Object.assign(response, { text })));
      },
    );
    request.on('error', reject);
    request.end(body);
  });
  expect(answer.statusCode).toBe(200);
  expect(answer.text.length).toBe(body.length);
  expect(answer.trailers['x-sum']).toBe('300000');
  const seen = JSON.parse(String(answer.headers['x-seen'])) as Record<string, string>;
  expect([seen[':path'], seen[':authority'], seen[':method']]).toEqual(['/a?b', 'cart', 'POST']);
});

/** An app that answers each request with exactly these frames; `heard` gets the types of frames that it got. */
async function rawApp(
  answer: (stream: number, later: (bytes: Buffer) => void) => Buffer,
  heard: number[] = [],
): Promise<string> {
  const tcp = createTcpServer((socket) => {
    let rest: Buffer = Buffer.alloc(0);
    let isGreeted = false;
    socket.on('error', () => undefined);
    socket.on('data', (bytes: Buffer) => {
      rest = Buffer.concat([rest, bytes]);
      // The preface is as long as a frame's header and 15 octets.
      if (!isGreeted) rest = rest.subarray(24);
      if (!isGreeted) socket.write(settings);
      isGreeted = true;
      const frames: Frame[] = [];
      rest = takeFrames(rest, frames);
      heard.push(...frames.map(({ type }) => type));
      const later = (more: Buffer): void => void setTimeout(() => socket.write(more), 20);
      for (const { type, stream } of frames) if (type === 1) socket.write(answer(stream, later));
    });
  });
  await new Promise<void>((resolve) => tcp.listen(0, '127.0.0.1', resolve));
  open.push(() => tcp.close());
  return `127.0.0.1:${(tcp.address() as AddressInfo).port}`;
}

const ofHttp2App = (address: string): MeshState =>
  state({
    destinations: [destination('cart', [], { backend: { endpoints: [{ address, http2: true }] } })],
  });

test('an answer to HEAD that ends behind its head leaves the connection of an HTTP/1.1 client open', async () => {
  const address = await rawApp((stream, later) => {
    later(frame(0, 1, stream));
    return frame(1, 4, stream, block([[':status', '200']]));
  });
  const proxy = await proxyOf({ state: ofHttp2App(address) });
  const request = 'HEAD / HTTP/1.1\r\nhost: cart\r\n\r\n';
  const text = await say(proxy.outbound, request + request, { until: /OK[^]*OK[^]*\r\n\r\n/ });
  expect(text).not.toContain('connection');
});

test('an answer that is retried is over: its stream is not reset', async () => {
  const heard: number[] = [];
  let calls = 0;
  const address = await rawApp((stream) => {
    const status = ++calls === 1 ? '503' : '200';
    return frame(1, 5, stream, block([[':status', status]]));
  }, heard);
  const backoff = { baseMs: 1, maxMs: 1, jitter: 0 };
  const allowed = { onConnectFailure: true, unsafeMethods: false, maxBufferedBytes: 0 };
  const retry = { limit: 1, statuses: [[503, 503] as [number, number]], backoff, ...allowed };
  const mesh = ofHttp2App(address);
  mesh.destinations[0]?.routes.push(route({ retry }));
  const proxy = await proxyOf({ state: mesh });
  expect((await ask(session(proxy.outbound), {})).status).toBe(200);
  expect((await ask(session(proxy.outbound), {})).status).toBe(200);
  expect(heard).not.toContain(3);
});

test('a request waits for a stream no longer than for a connection: 503', async () => {
  const busy = createServer({ settings: { maxConcurrentStreams: 1 } });
  busy.on('session', (s) => void open.push(() => s.destroy()));
  busy.on('stream', (stream: ServerHttp2Stream) => stream.on('error', () => undefined));
  await new Promise<void>((resolve) => busy.listen(0, '127.0.0.1', resolve));
  open.push(() => busy.close());
  const { port } = busy.address() as AddressInfo;
  const mesh = ofHttp2App(`127.0.0.1:${port}`);
  Object.assign(mesh.destinations[0]?.backends[0]?.limits ?? {}, { maxConnections: 1 });
  const proxy = await proxyOf({ state: mesh });
  const client = session(proxy.outbound);
  const first = client.request({ ':authority': 'cart', ':path': '/' }, { endStream: true });
  first.on('error', () => undefined);
  // failFastMs is 500, and the line is looked at once a second.
  const answer = await ask(client, {});
  expect([answer.status, answer.headers['retry-after']]).toEqual([503, '1']);
});

test('the body of an answer that may have none never reaches a client of HTTP/1.1', async () => {
  const smuggled = 'HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil';
  const address = await rawApp((stream) =>
    Buffer.concat([
      frame(1, 4, stream, block([[':status', '204']])),
      frame(0, 1, stream, Buffer.from(smuggled)),
    ]),
  );
  const proxy = await proxyOf({ state: ofHttp2App(address) });
  const request = 'GET / HTTP/1.1\r\nhost: cart\r\nconnection: close\r\n\r\n';
  const text = await say(proxy.outbound, request);
  expect(text).toMatch(/^HTTP\/1\.1 502 /);
  expect(text).not.toContain('evil');
});

test.each([
  ['1.1', 'x-a: content-length', /transfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n$/],
  ['1.0', 'connection: keep-alive', /connection: close\r\n\r\nok$/],
])('an answer without a length, to HTTP/%s', async (version, header, expected) => {
  const address = await rawApp((stream) =>
    Buffer.concat([
      frame(
        1,
        4,
        stream,
        block([
          [':status', '200'],
          ['vary', 'content-length'],
        ]),
      ),
      frame(0, 1, stream, Buffer.from('ok')),
    ]),
  );
  const proxy = await proxyOf({ state: ofHttp2App(address) });
  const request = `GET / HTTP/${version}\r\nhost: cart\r\n${header}\r\n\r\n`;
  const text = await say(proxy.outbound, request, { until: expected });
  expect(text.replace('<end>', '')).toMatch(expected);
});

/** Out and in with mutual TLS, to an app that speaks HTTP/2. */
async function twoHops(
  handle: Parameters<typeof app>[0],
  more: Partial<Parameters<typeof destination>[2]> = {},
): Promise<{ outbound: TestProxy; inbound: TestProxy }> {
  const keys = await pki();
  open.push(() => keys.remove());
  const target = await app(handle);
  const inbound = await proxyOf({
    sides: ['inbound'],
    identity: await keys.issue('cart'),
    state: state({
      servers: [
        server(1, target, {
          defaultPolicy: 'deny',
          authorizations: [
            { name: 'web', identities: [keys.identityOf('web')], unauthenticated: false },
          ],
        }),
      ],
    }),
  });
  const outbound = await proxyOf({
    identity: await keys.issue('web'),
    state: state({
      destinations: [
        destination(
          'cart',
          [{ address: `127.0.0.1:${inbound.inbound}`, identity: keys.identityOf('cart') }],
          more,
        ),
      ],
    } satisfies Partial<MeshState>),
  });
  return { outbound, inbound };
}

test('two hops of mutual TLS: the app learns who called, whatever the client claims', async () => {
  const { outbound } = await twoHops(echo);
  const client = session(outbound.outbound);
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, i) =>
      ask(client, { ':method': 'POST', 'l5d-client-id': 'liar', 'x-i': String(i) }, `body ${i}`),
    ),
  );
  for (const [i, answer] of answers.entries()) {
    expect([answer.status, answer.body]).toEqual([200, `body ${i}`]);
    const seen = JSON.parse(String(answer.headers['x-seen'])) as Record<string, string>;
    expect(seen['l5d-client-id']).toBe('web.retail.serviceaccount.identity.test.local');
    expect(seen['x-i']).toBe(String(i));
  }
});

test('gRPC both ways through two hops; classified by grpc-status', async () => {
  const { outbound } = await twoHops((stream, headers) => {
    stream.respond(
      { ':status': 200, 'content-type': 'application/grpc' },
      { waitForTrailers: true },
    );
    const status = headers[':path'] === '/cart.Cart/Fail' ? '14' : '0';
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': status }));
    stream.on('data', (chunk: Buffer) => stream.write(chunk));
    stream.on('end', () => stream.end());
  });
  const client = session(outbound.outbound);
  const grpc = { ':method': 'POST', 'content-type': 'application/grpc', te: 'trailers' };
  const stream = client.request({ ':authority': 'cart', ':path': '/cart.Cart/Talk', ...grpc });
  let heard = '';
  let status: unknown;
  stream.on('data', (chunk: Buffer) => (heard += chunk.toString()));
  stream.on('trailers', (h) => (status = h['grpc-status']));
  for (let i = 0; i < 10; i++) {
    stream.write(`[${i}]`);
    await until(() => heard.endsWith(`[${i}]`));
  }
  stream.end();
  await until(() => status !== undefined);
  expect(status).toBe('0');
  const failed = await ask(client, { ...grpc, ':path': '/cart.Cart/Fail' }, 'x');
  expect(failed.trailers['grpc-status']).toBe('14');
  const metrics = await (await fetch(`http://127.0.0.1:${outbound.admin}/metrics`)).text();
  const counted = (classification: string, grpcStatus: string): boolean =>
    metrics
      .split('\n')
      .some(
        (line) =>
          line.startsWith('response_total{') &&
          line.includes(`classification="${classification}"`) &&
          line.includes(`grpc_status="${grpcStatus}"`) &&
          line.endsWith(' 1'),
      );
  expect(counted('success', '0'), metrics).toBe(true);
  expect(counted('failure', '14'), metrics).toBe(true);
});

test('a drain under load: clients are asked to go, and no request fails', async () => {
  const { outbound, inbound } = await twoHops((stream) => {
    stream.resume();
    setTimeout(() => {
      if (!stream.destroyed) {
        stream.respond({ ':status': 200 });
        stream.end('ok');
      }
    }, 5);
  });
  const client = session(outbound.outbound);
  let answered = 0;
  const load = { isOver: false };
  const failures: unknown[] = [];
  const worker = async (): Promise<void> => {
    while (!load.isOver) {
      try {
        const answer = await ask(client, {});
        if (answer.status === 200) answered++;
        else failures.push(answer.status);
      } catch (error) {
        failures.push(error);
      }
    }
  };
  const workers = Array.from({ length: 8 }, worker);
  await until(() => answered > 50);
  const drained = inbound.proxy.drain.start();
  const atDrain = answered;
  // The inbound proxy serves until no request comes; the outbound one opens a new session.
  await until(() => answered > atDrain + 100);
  load.isOver = true;
  await Promise.all(workers);
  await drained;
  expect(failures).toEqual([]);
}, 60_000);

test('a retried request of HTTP/2 goes to another endpoint, never to the same', async () => {
  const seen: string[] = [];
  const failing = await app((stream) => {
    seen.push('failing');
    stream.respond({ ':status': 503 }, { endStream: true });
  });
  const working = await app((stream) => {
    seen.push('working');
    stream.respond({ ':status': 200 }, { endStream: true });
  });
  const cart = destination('cart', [], {
    backend: { endpoints: [failing, working].map((address) => ({ address, http2: true })) },
    routes: [
      route({
        retry: {
          limit: 1,
          statuses: [[500, 599]],
          onConnectFailure: true,
          unsafeMethods: false,
          backoff: { baseMs: 1, maxMs: 2, jitter: 1 },
          maxBufferedBytes: 1000,
        },
      }),
    ],
  });
  const proxy = await proxyOf({ state: state({ destinations: [cart] }) });
  const client = session(proxy.outbound);
  for (let i = 0; i < 20; i++) expect((await ask(client, {})).status).toBe(200);
  for (const [i, where] of seen.entries()) {
    if (where === 'failing') expect(seen[i + 1]).toBe('working');
  }
});

testWith('grpcurl')('grpcurl calls through two hops', async () => {
  const { outbound } = await twoHops((stream) => {
    stream.respond(
      { ':status': 200, 'content-type': 'application/grpc' },
      { waitForTrailers: true },
    );
    stream.on('wantTrailers', () =>
      stream.sendTrailers({ 'grpc-status': '0', 'grpc-message': '' }),
    );
    stream.pipe(stream);
  });
  const folder = mkdtempSync(join(tmpdir(), 'firedrill-grpc-'));
  open.push(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(
    join(folder, 'echo.proto'),
    `syntax = "proto3";
package echo;
message Note { string text = 1; int32 number = 2; }
service Echo {
  rpc Once(Note) returns (Note);
  rpc Talk(stream Note) returns (stream Note);
}
`,
  );
  const call = (method: string, data: string): Promise<string> =>
    new Promise((resolve, reject) =>
      execFile(
        requireTool('grpcurl'),
        [
          '-plaintext',
          '-authority',
          'cart',
          '-import-path',
          folder,
          '-proto',
          'echo.proto',
          '-max-time',
          '20',
          '-d',
          data,
          `127.0.0.1:${outbound.outbound}`,
          method,
        ],
        { timeout: 30_000 },
        (error, stdout, stderr) => (error ? reject(new Error(stderr)) : resolve(stdout)),
      ),
    );
  const once = await call('echo.Echo/Once', '{"text":"hello","number":7}');
  expect(JSON.parse(once)).toEqual({ text: 'hello', number: 7 });
  const talk = await call('echo.Echo/Talk', '{"text":"a"}{"text":"b"}{"text":"c"}');
  expect(talk.match(/"text": "."/g)).toEqual(['"text": "a"', '"text": "b"', '"text": "c"']);
});
