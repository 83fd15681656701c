/** Requests through the relay, between real clients and real servers. */
import { execFile, execFileSync } from 'node:child_process';
import {
  connect,
  createServer,
  type ClientHttp2Session,
  type Http2Server,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import { createServer as createTcpServer, type AddressInfo } from 'node:net';
import fc from 'fast-check';
import { afterEach, expect, test, vi } from 'vitest';
import { requireTool } from '../../../base/tools.js';
import { testWith } from '../../tools.js';
import { block, frame, settings } from './http2-raw.js';
import { endpointAt, startRig, type Rig, type Script } from './http2-rig.js';

type Handler = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void;

const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close();
});

async function upstream(handler: Handler): Promise<number> {
  const server: Http2Server = createServer();
  server.on('stream', (stream, headers) => {
    stream.on('error', () => undefined);
    handler(stream, headers);
  });
  const sessions = new Set<{ destroy(): void }>();
  server.on('session', (session) => {
    sessions.add(session);
    session.on('error', () => undefined);
    session.on('close', () => sessions.delete(session));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  open.push(() => {
    for (const session of sessions) session.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

async function relay(ports: number[], script: Script = {}): Promise<Rig> {
  const rig = await startRig(
    ports.map((port) => endpointAt(port)),
    script,
  );
  open.push(() => rig.close());
  return rig;
}

function client(rig: Rig): ClientHttp2Session {
  const session = connect(`http://127.0.0.1:${rig.port}`);
  session.on('error', () => undefined);
  open.push(() => session.destroy());
  return session;
}

interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  trailers: IncomingHttpHeaders;
  informational: number[];
  body: string;
  /** The code of RST_STREAM, 0: none. */
  code: number;
}

function ask(
  session: ClientHttp2Session,
  headers: OutgoingHttpHeaders,
  body?: string | Buffer,
  trailers?: OutgoingHttpHeaders,
): Promise<Answer> {
  const stream = session.request(
    { ':path': '/', ...headers },
    { endStream: body === undefined && !trailers, waitForTrailers: trailers !== undefined },
  );
  const answer: Answer = {
    status: 0,
    headers: {},
    trailers: {},
    informational: [],
    body: '',
    code: 0,
  };
  const chunks: Buffer[] = [];
  stream.on('headers', (h) => answer.informational.push(Number(h[':status'])));
  stream.on('response', (h) => {
    answer.status = Number(h[':status']);
    answer.headers = h;
  });
  stream.on('trailers', (h) => {
    answer.trailers = h;
  });
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  stream.on('error', () => undefined);
  if (trailers) stream.on('wantTrailers', () => stream.sendTrailers(trailers));
  if (body !== undefined || trailers) stream.end(body ?? '');
  return new Promise((resolve) => {
    stream.on('close', () => {
      answer.body = Buffer.concat(chunks).toString();
      answer.code = stream.rstCode;
      resolve(answer);
    });
  });
}

/** Polls until `look` returns true; the test's own limit bounds it. */
async function until(look: () => boolean): Promise<void> {
  while (!look()) await new Promise((resolve) => setTimeout(resolve, 5));
}

const echo: Handler = (stream, headers) => {
  const chunks: Buffer[] = [];
  let trailers: IncomingHttpHeaders = {};
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  stream.on('trailers', (h) => (trailers = h));
  stream.on('end', () => {
    stream.respond(
      { ':status': 200, 'x-seen': JSON.stringify(headers) },
      { waitForTrailers: true },
    );
    stream.on('wantTrailers', () =>
      stream.sendTrailers({ 'x-trailers': JSON.stringify(trailers) }),
    );
    stream.end(Buffer.concat(chunks));
  });
};

test('heads, bodies and trailers pass both ways, unchanged', async () => {
  const rig = await relay([await upstream(echo)]);
  const session = client(rig);
  const body = Buffer.alloc(300_000, 'abcdefghij');
  const answer = await ask(
    session,
    {
      ':method': 'POST',
      ':path': '/a/b?c=d%20e',
      ':authority': 'cart.retail:8080',
      'x-one': 'ä ö',
      cookie: ['a=1', 'b=2'],
      te: 'trailers',
    },
    body,
    { 'x-after': 'yes' },
  );
  expect(answer.status).toBe(200);
  expect(answer.body).toBe(body.toString());
  const seen = JSON.parse(String(answer.headers['x-seen'])) as Record<string, string>;
  expect(seen).toMatchObject({
    ':method': 'POST',
    ':path': '/a/b?c=d%20e',
    ':authority': 'cart.retail:8080',
    ':scheme': 'http',
    'x-one': 'ä ö',
    cookie: 'a=1; b=2',
    te: 'trailers',
  });
  expect(JSON.parse(String(answer.trailers['x-trailers']))).toEqual({ 'x-after': 'yes' });
  expect(rig.flows[0]?.log).toEqual([
    expect.stringMatching(/^pick/),
    'forbidRetry',
    'responded 200 -1',
    'ended complete -1 300000 300000',
  ]);
});

test('the flow sees the request, and its edits reach the endpoint and the client', async () => {
  const port = await upstream(echo);
  const rig = await relay([port], {
    requestHeaders: {
      remove: ['x-secret'],
      set: [['x-set', 'new']],
      add: [['x-add', '1']],
    },
    responseHeaders: {
      remove: ['date'],
      set: [['server', 'firedrill']],
      add: [],
    },
    moreRequestHeaders: ['traceparent', '00-aa-bb-01', 'l5d-client-id', 'web.retail'],
    path: '/rewritten?x=1',
    authority: 'other.retail',
  });
  const answer = await ask(client(rig), {
    ':authority': 'cart.retail',
    'x-secret': 's',
    'x-set': 'old',
    'x-add': '0',
    traceparent: '00-cc-dd-01',
  });
  const seen = JSON.parse(String(answer.headers['x-seen'])) as Record<string, string>;
  expect(seen[':path']).toBe('/rewritten?x=1');
  expect(seen[':authority']).toBe('other.retail');
  expect(seen['x-secret']).toBeUndefined();
  expect(seen['x-set']).toBe('new');
  expect(seen['x-add']).toBe('0, 1');
  expect(seen.traceparent).toBe('00-aa-bb-01');
  expect(seen['l5d-client-id']).toBe('web.retail');
  expect(answer.headers.server).toBe('firedrill');
  expect(answer.headers.date).toBeUndefined();
  const request = rig.flows[0]?.request;
  expect(request?.method).toBe('GET');
  expect(request?.authority).toBe('cart.retail');
  expect(request?.header('x-set')).toBe('old');
  expect(request?.header('x-none')).toBeUndefined();
});

test('any list of headers means the same to node:http2 behind us as it did before us', async () => {
  const raw: string[][] = [];
  const server = createServer();
  const onStream = (
    stream: ServerHttp2Stream,
    _: unknown,
    _flags: unknown,
    list: string[],
  ): void => {
    raw.push(list);
    stream.respond({ ':status': 200, 'x-back': String(raw.length) });
    stream.end();
  };
  server.on('stream', onStream as (...args: unknown[]) => void);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  open.push(() => server.close());
  const rig = await relay([(server.address() as AddressInfo).port]);
  const session = client(rig);
  open.push(() => session.destroy());
  const name = fc.stringMatching(/^x-[a-z0-9-]{1,20}$/);
  const value = fc.stringMatching(/^[!-~]([ -~]{0,80}[!-~])?$/);
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(fc.tuple(name, value), { selector: ([n]) => n }),
      async (list) => {
        const headers = Object.fromEntries(list);
        // Twice: fields that were literal at first come from a table then.
        for (let twice = 0; twice < 2; twice++) {
          const answer = await ask(session, headers);
          expect(answer.headers['x-back']).toBe(String(raw.length));
          const seen = raw.at(-1) ?? [];
          const pairs = seen.flatMap((text, i) => (i % 2 === 0 ? [[text, seen[i + 1]]] : []));
          expect(pairs.filter(([n]) => n?.startsWith('x-'))).toEqual(list);
        }
      },
    ),
    { numRuns: 60 },
  );
});

test('informational heads are passed on before the final one', async () => {
  const rig = await relay([
    await upstream((stream) => {
      stream.additionalHeaders({ ':status': 103, link: '</a.css>' });
      stream.respond({ ':status': 200 });
      stream.end('x');
    }),
  ]);
  const answer = await ask(client(rig), {});
  expect(answer.informational).toEqual([103]);
  expect(answer.status).toBe(200);
});

test('more interim heads than any server needs break the answer', async () => {
  const rig = await relay([
    await upstream((stream, headers) => {
      for (let i = 0; i < Number(headers['x-many']); i++)
        stream.additionalHeaders({ ':status': 103 });
      stream.respond({ ':status': 200 }, { endStream: true });
    }),
  ]);
  expect((await ask(client(rig), { 'x-many': '32' })).informational.length).toBe(32);
  expect((await ask(client(rig), { 'x-many': '33' })).status).toBe(502);
  expect(rig.flows[1]?.log).toContain('bad-response');
});

test('gRPC: a call that ends without a status has failed: UNKNOWN', async () => {
  const rig = await relay([
    await upstream((stream, headers) => {
      const isEmpty = headers[':path'] === '/head';
      stream.respond(
        { ':status': 200, 'content-type': 'application/grpc' },
        { endStream: isEmpty },
      );
      if (!isEmpty) stream.end('x');
    }),
  ]);
  const session = client(rig);
  await ask(session, { ':method': 'POST', 'content-type': 'application/grpc' }, 'x');
  await ask(session, { ':path': '/head', 'content-type': 'application/grpc+proto' });
  await ask(session, {});
  expect(rig.flows.flatMap((flow) => flow.endings)).toEqual([
    'ended complete 2 1 1',
    'ended complete 2 0 0',
    'ended complete -1 0 1',
  ]);
});

test('HEAD, 204 and 304 have no body, whatever their content-length', async () => {
  const rig = await relay([
    await upstream((stream, headers) => {
      const status = Number(headers['x-status']);
      stream.respond(
        { ':status': status, ...(status === 204 ? {} : { 'content-length': 10 }) },
        { endStream: true },
      );
    }),
  ]);
  const session = client(rig);
  for (const [method, status] of [
    ['HEAD', 200],
    ['GET', 304],
    ['GET', 204],
  ] as const) {
    const answer = await ask(session, { ':method': method, 'x-status': String(status) });
    expect([answer.status, answer.body, answer.code]).toEqual([status, '', 0]);
  }
});

test('an endpoint that breaks its answer breaks the stream, not the connection', async () => {
  const port = await upstream((stream, headers) => {
    stream.respond({ ':status': 200, 'content-length': headers[':path'] === '/short' ? 10 : 3 });
    stream.end('abc');
  });
  const rig = await relay([port]);
  const session = client(rig);
  expect((await ask(session, { ':path': '/short' })).code).toBe(2);
  expect(rig.flows[0]?.endings).toEqual(['ended upstream-broke -1 0 0']);
  expect((await ask(session, { ':path': '/whole' })).body).toBe('abc');
});

test('a client that leaves cancels its try at the endpoint', async () => {
  let code = -1;
  const rig = await relay([
    await upstream((stream) => {
      stream.on('close', () => (code = stream.rstCode));
      stream.respond({ ':status': 200 });
      stream.write('first');
    }),
  ]);
  const stream = client(rig).request({ ':path': '/' });
  stream.on('error', () => undefined);
  stream.once('data', () => stream.close(8));
  await until(() => code >= 0);
  expect(code).toBe(8);
  await until(() => rig.flows[0]?.endings.length === 1);
  expect(rig.flows[0]?.endings).toEqual(['ended client-gone -1 0 5']);
});

test('a refusal is answered: text to anybody, a status in a trailers-only head to gRPC', async () => {
  const rig = await relay([], {
    refusal: {
      kind: 'answer',
      status: 429,
      grpcStatus: 8,
      headers: ['retry-after', '1'],
      body: 'too many, 100%\n',
      reason: 'rate-limit',
    },
  });
  const session = client(rig);
  const plain = await ask(session, {});
  expect([plain.status, plain.headers['retry-after'], plain.body]).toEqual([
    429,
    '1',
    'too many, 100%\n',
  ]);
  const head = await ask(session, { ':method': 'HEAD' });
  expect([head.status, head.headers['content-length'], head.body]).toEqual([429, '15', '']);
  const grpc = await ask(session, { ':method': 'POST', 'content-type': 'application/grpc' }, 'x');
  expect(grpc.status).toBe(200);
  expect(grpc.headers).toMatchObject({
    'grpc-status': '8',
    'grpc-message': 'too many, 100%25',
    'content-type': 'application/grpc',
  });
});

test('refusals by reset, and by silence until the client leaves', async () => {
  const refusal = { status: 0, grpcStatus: -1, headers: [], body: '', reason: 'fault' };
  const rig = await relay([], { refusal: { ...refusal, kind: 'reset' } });
  const session = client(rig);
  expect((await ask(session, {})).code).not.toBe(0);
  rig.script = { refusal: { ...refusal, kind: 'blackhole' } };
  const stream = session.request({ ':path': '/' });
  stream.on('error', () => undefined);
  await until(() => rig.flows.length === 2);
  expect(rig.flows[1]?.endings).toEqual([]);
  stream.close(8);
  await until(() => rig.flows[1]?.endings.length === 1);
  expect(rig.flows[1]?.endings).toEqual(['ended client-gone -1 0 0']);
});

test('an injected delay is waited for', async () => {
  const rig = await relay([await upstream(echo)], { delayMs: 60 });
  const startMs = performance.now();
  expect((await ask(client(rig), {})).status).toBe(200);
  expect(performance.now() - startMs).toBeGreaterThanOrEqual(59);
});

test('total and per-try deadlines: 504, or grpc-status 4', async () => {
  const rig = await relay([await upstream(() => undefined)], { requestTimeoutMs: 40 });
  const session = client(rig);
  expect((await ask(session, {})).status).toBe(504);
  expect(rig.flows[0]?.log.slice(1, 2)).toEqual(['request-timeout']);
  const grpc = { ':method': 'POST', 'content-type': 'application/grpc+proto' };
  expect((await ask(session, grpc)).headers['grpc-status']).toBe('4');
  rig.script = { perTryTimeoutMs: 30, retries: 1, retryBufferBytes: 1000 };
  expect((await ask(session, {})).status).toBe(504);
  expect(rig.flows[2]?.log.filter((line) => line === 'try-timeout').length).toBe(2);
  rig.script = {};
  const own = await ask(session, { ...grpc, 'grpc-timeout': '50m' });
  expect(own.headers['grpc-status']).toBe('4');
});

test('a deadline in mid answer: trailers for gRPC, a reset for others; an idle stream likewise', async () => {
  const rig = await relay(
    [
      await upstream((stream) => {
        stream.respond({ ':status': 200, 'content-type': 'application/grpc' });
        stream.write('part');
      }),
    ],
    // Long enough for the first part to arrive on a busy machine.
    { requestTimeoutMs: 500 },
  );
  const session = client(rig);
  const grpc = await ask(session, { ':method': 'POST', 'content-type': 'application/grpc' });
  expect([grpc.body, grpc.trailers['grpc-status']]).toEqual(['part', '4']);
  expect((await ask(session, {})).code).toBe(8);
  rig.script = { idleTimeoutMs: 300 };
  expect((await ask(session, {})).code).toBe(8);
  expect(rig.flows[2]?.endings).toEqual(['ended idle-timeout -1 0 4']);
});

test('no endpoint can be reached: 502 from the flow, and grpc-status 14', async () => {
  const rig = await relay([1]);
  const session = client(rig);
  const plain = await ask(session, {});
  expect([plain.status, plain.headers['l5d-proxy-error']]).toEqual([502, 'refused']);
  const grpc = await ask(session, { ':method': 'POST', 'content-type': 'application/grpc' }, 'x');
  expect(grpc.headers['grpc-status']).toBe('14');
});

test('a retried request sends its body again, elsewhere', async () => {
  const bodies: string[] = [];
  const failing = await upstream((stream) => {
    stream.resume();
    stream.on('end', () => {
      stream.respond({ ':status': 503 });
      stream.end('no');
    });
  });
  const working = await upstream((stream) => {
    let body = '';
    stream.on('data', (chunk: Buffer) => (body += chunk.toString()));
    stream.on('end', () => {
      bodies.push(body);
      stream.respond({ ':status': 200 });
      stream.end('yes');
    });
  });
  const rig = await relay([failing, working], {
    retries: 1,
    retryStatuses: [503],
    retryBufferBytes: 65536,
    retryDelayMs: 10,
  });
  const session = client(rig);
  const answer = await ask(session, { ':method': 'POST' }, 'x'.repeat(50_000));
  expect([answer.status, answer.body]).toEqual([200, 'yes']);
  expect(bodies).toEqual(['x'.repeat(50_000)]);
  expect(rig.flows[0]?.log).toEqual([
    `pick ${failing}`,
    'responded 503 -1',
    `pick ${working}`,
    'responded 200 -1',
    'ended complete -1 50000 3',
  ]);
  // The body is too large to keep: the first answer stands.
  const large = await ask(session, { ':method': 'POST' }, 'x'.repeat(70_000));
  expect(large.status).toBe(503);
  expect(rig.flows[1]?.log).toContain('forbidRetry');
});

test('REFUSED_STREAM and streams above a GOAWAY count as not processed, and are retried', async () => {
  const refusing = await upstream((stream) => stream.close(7));
  const going = createTcpServer((socket) => {
    socket.on('error', () => undefined);
    // SETTINGS, and a GOAWAY before any stream.
    socket.once('data', () =>
      socket.write(Buffer.from(`000000040000000000000008070000000000${'0'.repeat(16)}`, 'hex')),
    );
  });
  await new Promise<void>((resolve) => going.listen(0, '127.0.0.1', resolve));
  open.push(() => going.close());
  const working = await upstream(echo);
  const rig = await relay([refusing, working], { retries: 1, retryBufferBytes: 1000 });
  const session = client(rig);
  expect((await ask(session, { ':method': 'POST' }, 'body')).body).toBe('body');
  expect(rig.flows[0]?.log[1]).toBe('not-processed');
  const other = await relay([(going.address() as AddressInfo).port, working], {
    retries: 1,
    retryBufferBytes: 1000,
  });
  expect((await ask(client(other), { ':method': 'POST' }, 'body')).body).toBe('body');
  expect(other.flows[0]?.log[1]).toBe('not-processed');
});

test('without a retry policy a small body is still kept for what was not processed', async () => {
  const refusing = await upstream((stream) => {
    stream.resume();
    stream.on('end', () => stream.close(7));
  });
  const working = await upstream(echo);
  const rig = await relay([refusing, working], { retries: 1 });
  const session = client(rig);
  expect((await ask(session, { ':method': 'POST' }, 'small')).body).toBe('small');
  expect(rig.flows[0]?.log).not.toContain('forbidRetry');
  // The large body has been passed on and cannot be sent again.
  const large = await ask(session, { ':method': 'POST' }, 'x'.repeat(40_000));
  expect(large.status).toBe(502);
  expect(rig.flows[1]?.log).toContain('forbidRetry');
  expect(rig.front.memory.usedBytes).toBe(0);
});

test('a mirror gets a marked copy, bounded, and never touches the answer', async () => {
  const copies: { headers: IncomingHttpHeaders; body: string }[] = [];
  const mirror = await upstream((stream, headers) => {
    let body = '';
    stream.on('data', (chunk: Buffer) => (body += chunk.toString()));
    stream.on('end', () => {
      copies.push({ headers, body });
      stream.respond({ ':status': 500 });
      stream.end('whatever');
    });
  });
  const ended: string[] = [];
  const rig = await relay([await upstream(echo)], {
    mirror: {
      endpoint: endpointAt(mirror),
      header: ['x-mirrored', 'true'],
      maxBodyBytes: 1000,
      ended: (how) => ended.push(how),
    },
  });
  const session = client(rig);
  const answer = await ask(session, { ':method': 'POST', ':path': '/a' }, 'copy me');
  expect([answer.status, answer.body]).toEqual([200, 'copy me']);
  expect(JSON.parse(String(answer.headers['x-seen']))).not.toHaveProperty('x-mirrored');
  expect((await ask(session, {})).status).toBe(200);
  await until(() => ended.length === 2);
  expect(ended).toEqual(['answered', 'answered']);
  expect(copies.map((c) => [c.headers[':path'], c.headers['x-mirrored'], c.body])).toEqual([
    ['/a', 'true', 'copy me'],
    ['/', 'true', ''],
  ]);
  expect((await ask(session, { ':method': 'POST' }, 'x'.repeat(2000))).status).toBe(200);
  expect(ended).toEqual(['answered', 'answered', 'unsent']);
});

test('an injected limit of bandwidth slows both directions and loses nothing', async () => {
  const slowed = vi.fn();
  const rig = await relay([await upstream(echo)], { bytesPerSecond: 100_000, slowed });
  const startMs = performance.now();
  const answer = await ask(client(rig), { ':method': 'POST' }, 'x'.repeat(20_000), {
    'x-after': '1',
  });
  expect(answer.body.length).toBe(20_000);
  expect(JSON.parse(String(answer.trailers['x-trailers']))).toEqual({ 'x-after': '1' });
  // At least the time of one direction, without the last piece's pause.
  expect(performance.now() - startMs).toBeGreaterThan(140);
  expect(rig.flows[0]?.endings).toEqual(['ended complete -1 20000 20000']);
  expect(slowed).toHaveBeenCalled();
});

test('a limit of bandwidth that nothing reaches slows nobody', async () => {
  const slowed = vi.fn();
  const rig = await relay([await upstream(echo)], { bytesPerSecond: 1_000_000_000, slowed });
  expect((await ask(client(rig), { ':method': 'POST' }, 'x'.repeat(20_000))).status).toBe(200);
  expect(slowed).not.toHaveBeenCalled();
});

test('gRPC: a status in trailers that follow at once is judged before anything is relayed', async () => {
  const grpc = { 'content-type': 'application/grpc' };
  // Head and trailers in one write, as servers send them when they fail at once.
  const raw = createTcpServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () =>
      socket.write(
        Buffer.concat([
          settings,
          frame(1, 4, 1, block([[':status', '200'], ...Object.entries(grpc)])),
          frame(1, 5, 1, block([['grpc-status', '14']])),
        ]),
      ),
    );
  });
  await new Promise<void>((resolve) => raw.listen(0, '127.0.0.1', resolve));
  open.push(() => raw.close());
  const failing = (raw.address() as AddressInfo).port;
  const only = await upstream((stream) => {
    stream.respond({ ':status': 200, ...grpc, 'grpc-status': '14' }, { endStream: true });
  });
  const working = await upstream((stream) => {
    stream.respond({ ':status': 200, ...grpc }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.end('reply');
  });
  const rig = await relay([only, failing, working], {
    retries: 2,
    retryGrpcStatuses: [14],
    retryBufferBytes: 1000,
  });
  const answer = await ask(client(rig), { ':method': 'POST', ...grpc }, 'call');
  expect([answer.body, answer.trailers['grpc-status']]).toEqual(['reply', '0']);
  expect(rig.flows[0]?.endings).toEqual(['ended complete 0 4 5']);
});

test('gRPC: a head alone is held back for a moment only, whatever retries are armed', async () => {
  const rig = await relay(
    [
      await upstream((stream) => {
        stream.respond({ ':status': 200, 'content-type': 'application/grpc' });
        // Sends nothing before it gets data.
        stream.on('data', (chunk: Buffer) => stream.end(chunk));
      }),
    ],
    { retries: 1, retryGrpcStatuses: [14], retryBufferBytes: 1000 },
  );
  const stream = client(rig).request({
    ':method': 'POST',
    ':path': '/chat.Chat/Talk',
    'content-type': 'application/grpc',
  });
  stream.on('error', () => undefined);
  let status = 0;
  let heard = '';
  stream.on('response', (h) => (status = Number(h[':status'])));
  stream.on('data', (chunk: Buffer) => (heard += chunk.toString()));
  await until(() => status === 200);
  stream.end('now');
  await until(() => heard === 'now');
});

test('gRPC streaming both ways: each message is passed on as it comes', async () => {
  const rig = await relay([
    await upstream((stream) => {
      stream.respond(
        { ':status': 200, 'content-type': 'application/grpc' },
        { waitForTrailers: true },
      );
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.on('data', (chunk: Buffer) => stream.write(`<${chunk.toString()}>`));
      stream.on('end', () => stream.end());
    }),
  ]);
  const stream = client(rig).request({
    ':method': 'POST',
    ':path': '/chat.Chat/Talk',
    'content-type': 'application/grpc',
  });
  let heard = '';
  let status = '';
  stream.on('data', (chunk: Buffer) => (heard += chunk.toString()));
  stream.on('trailers', (h) => (status = String(h['grpc-status'])));
  for (let i = 0; i < 20; i++) {
    stream.write(`m${i}`);
    await until(() => heard.endsWith(`<m${i}>`));
  }
  stream.end();
  await until(() => status !== '');
  expect(status).toBe('0');
  expect(rig.flows[0]?.endings[0]).toMatch(/^ended complete 0 /);
});

test('an answer that comes before the request is complete ends the request', async () => {
  const rig = await relay([
    await upstream((stream) => {
      stream.respond({ ':status': 413 });
      stream.end('too large');
    }),
  ]);
  const stream = client(rig).request({ ':method': 'POST', ':path': '/' });
  stream.on('error', () => undefined);
  let status = 0;
  stream.on('response', (h) => (status = Number(h[':status'])));
  stream.resume();
  stream.write('first part, and then nothing');
  await until(() => stream.closed);
  expect(status).toBe(413);
  expect(stream.rstCode).toBe(0);
});

test('a connection to an endpoint that broke while idle is replaced', async () => {
  const port = await upstream((stream) => {
    stream.respond({ ':status': 200 });
    stream.end('ok');
    stream.on('close', () => stream.session?.destroy());
  });
  const rig = await relay([port], { retries: 1, retryBufferBytes: 100 });
  const session = client(rig);
  for (let i = 0; i < 5; i++) expect((await ask(session, {})).body).toBe('ok');
});

test('more streams than an endpoint takes at once wait, or get another session', async () => {
  let most = 0;
  let now = 0;
  const server = createServer({ settings: { maxConcurrentStreams: 3 } });
  server.on('stream', (stream) => {
    most = Math.max(most, ++now);
    setTimeout(() => {
      now--;
      stream.respond({ ':status': 200 });
      stream.end('ok');
    }, 5);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  open.push(() => server.close());
  const { port } = server.address() as AddressInfo;
  const rig = await startRig([endpointAt(port)], {}, { limits: { maxSessions: 4 } });
  open.push(() => rig.close());
  const session = client(rig);
  // The endpoint's settings must be known first.
  await ask(session, {});
  const answers = await Promise.all(Array.from({ length: 60 }, () => ask(session, {})));
  expect(answers.map((a) => a.body)).toEqual(Array.from({ length: 60 }, () => 'ok'));
  expect(most).toBeLessThanOrEqual(12);
});

const curl = ((): string | undefined => {
  try {
    return /HTTP2/.test(execFileSync('curl', ['--version']).toString()) ? 'curl' : undefined;
  } catch {
    return undefined;
  }
})();

test.skipIf(!curl)('curl with prior knowledge, a body up and down', async () => {
  const rig = await relay([await upstream(echo)]);
  const output = await new Promise<string>((resolve, reject) =>
    execFile(
      'curl',
      [
        '-sS',
        '--http2-prior-knowledge',
        '-d',
        'a=b',
        '-w',
        ' %{http_version} %{http_code}',
        `http://127.0.0.1:${rig.port}/x`,
      ],
      { timeout: 20_000 },
      (error, stdout) => (error ? reject(error) : resolve(stdout)),
    ),
  );
  expect(output).toBe('a=b 2 200');
});

testWith('h2load')('h2load, 20 connections of 10 streams, without an error', async () => {
  const rig = await relay([
    await upstream((stream) => {
      stream.respond({ ':status': 200 });
      stream.end('hello');
    }),
  ]);
  const output = await new Promise<string>((resolve) =>
    execFile(
      requireTool('h2load'),
      ['-n', '4000', '-c', '20', '-m', '10', `http://127.0.0.1:${rig.port}/items`],
      { timeout: 50_000 },
      (_, stdout) => resolve(stdout),
    ),
  );
  expect(output).toContain('4000 succeeded, 0 failed, 0 errored');
  expect(rig.flows.length).toBe(4000);
  await until(() => rig.flows.every((flow) => flow.endings.length === 1));
});
