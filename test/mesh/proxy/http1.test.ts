/** HTTP/1.1 through one proxy, byte by byte: framing, hop-by-hop headers, keep-alive, pipelining, refusals. */
import { connect } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  answering,
  destination,
  rawServer,
  type Running,
  say,
  startProxy,
  state,
  type TestProxy,
  until,
} from './rig.js';

const get = (path = '/', more = ''): string => `GET ${path} HTTP/1.1\r\nHost: cart\r\n${more}\r\n`;
const ok = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';

let proxy: TestProxy;
let upstream: Running & { sockets: Set<unknown> };
/** The upstream's received bytes, and its next answer. */
let heard = '';
let next: string | ((head: string) => string) = ok;
let opened = 0;

beforeAll(async () => {
  upstream = await rawServer((socket) => {
    opened++;
    answering((head) => {
      heard += head;
      return typeof next === 'string' ? next : next(head);
    })(socket);
  });
  proxy = await startProxy({
    state: state({ destinations: [destination('cart', [`127.0.0.1:${upstream.port}`])] }),
    limits: { headTimeoutMs: 1000, maxHeadBytes: 8192 },
  });
});

afterAll(async () => {
  await proxy.stop();
  await upstream.close();
});

async function ask(
  bytes: string | string[],
  answer: typeof next = ok,
  options: Parameters<typeof say>[2] = {},
): Promise<string> {
  heard = '';
  next = answer;
  return say(proxy.outbound, bytes, options);
}

test('passes a request and its answer on untouched', async () => {
  const text = await ask(get('/a?b=c', 'X-Y: z\r\n'), ok, { until: /ok$/ });
  expect(text).toBe(ok);
  expect(heard).toBe('GET /a?b=c HTTP/1.1\r\nHost: cart\r\nX-Y: z\r\n\r\n');
});

test('uses the upstream connection again', async () => {
  await ask(get(), ok, { until: /ok$/ });
  const before = opened;
  for (let i = 0; i < 5; i++) await ask(get(), ok, { until: /ok$/ });
  expect(opened).toBe(before);
});

test('answers pipelined requests in order, however they are cut', async () => {
  const three = get('/1') + get('/2') + get('/3');
  const answer = (head: string): string => {
    const path = /GET (\S+)/.exec(head)?.[1] ?? '';
    return `HTTP/1.1 200 OK\r\ncontent-length: ${path.length}\r\n\r\n${path}`;
  };
  const whole = await ask(three, answer, { until: /\/3$/ });
  expect(whole.match(/\r\n\r\n\/\d/g)).toEqual(['\r\n\r\n/1', '\r\n\r\n/2', '\r\n\r\n/3']);
  const pieces = await ask(
    [three.slice(0, 9), three.slice(9, 50), three.slice(50, 75), three.slice(75)],
    answer,
    { until: /\/3$/ },
  );
  expect(pieces).toBe(whole);
});

test('a client that half-closes after its requests still gets all answers', async () => {
  const text = await ask(get('/1') + get('/2'), ok, { half: true });
  expect(text).toBe(`${ok}${ok}<end>`);
});

test('drops what belongs to the hop, both ways', async () => {
  const text = await ask(
    get(
      '/',
      'Connection: keep-alive, X-Mine\r\nX-Mine: 1\r\nKeep-Alive: timeout=5\r\nProxy-Connection: x\r\nX-Ours: 2\r\n',
    ),
    'HTTP/1.1 200 OK\r\nConnection: keep-alive, x-theirs\r\nX-Theirs: 1\r\nX-Kept: 2\r\n' +
      'Keep-Alive: timeout=5\r\nContent-Length: 0\r\n\r\n',
    { until: /\r\n\r\n$/ },
  );
  expect(heard).toBe('GET / HTTP/1.1\r\nHost: cart\r\nX-Ours: 2\r\n\r\n');
  expect(text).toBe('HTTP/1.1 200 OK\r\nX-Kept: 2\r\nContent-Length: 0\r\n\r\n');
});

test('never believes a client about its identity', async () => {
  await ask(get('/', 'L5d-Client-Id: root\r\nl5d_client_id: root\r\nX-A: 1\r\n'), ok, {
    until: /ok$/,
  });
  expect(heard).toBe('GET / HTTP/1.1\r\nHost: cart\r\nX-A: 1\r\n\r\n');
});

test('takes a target in absolute form by its authority, whatever Host says', async () => {
  await ask('GET http://cart/x?y HTTP/1.1\r\nHost: other\r\nA: b\r\n\r\n', ok, { until: /ok$/ });
  expect(heard).toBe('GET /x?y HTTP/1.1\r\nA: b\r\nhost: cart\r\n\r\n');
});

test('closes when asked to, and says so', async () => {
  const text = await ask(get('/', 'Connection: close\r\n'), ok);
  expect(text).toBe('HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok<end>');
});

test('speaks HTTP/1.0 to those who do', async () => {
  const once = await ask('GET / HTTP/1.0\r\nHost: cart\r\n\r\n', ok);
  expect(once).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*connection: close\r\n\r\nok<end>$/);
  expect(heard).toMatch(/^GET \/ HTTP\/1\.1\r\n/);
  const kept = await ask('GET / HTTP/1.0\r\nHost: cart\r\nConnection: keep-alive\r\n\r\n', ok, {
    until: /ok$/,
  });
  expect(kept).toContain('connection: keep-alive');
  const chunked = await ask(
    'GET / HTTP/1.0\r\nHost: cart\r\n\r\n',
    'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n3;x=y\r\nyes\r\n0\r\n\r\n',
  );
  expect(chunked).toMatch(/^HTTP\/1\.1 200 OK\r\nconnection: close\r\n\r\nokyes<end>$/);
});

test('reads answers without a body as such', async () => {
  for (const answer of [
    'HTTP/1.1 204 No Content\r\n\r\n',
    'HTTP/1.1 304 Not Modified\r\ncontent-length: 100\r\n\r\n',
  ]) {
    expect(await ask(get(), answer, { until: /\r\n\r\n$/ })).toBe(answer);
  }
  for (const framing of ['content-length: 5', 'transfer-encoding: chunked']) {
    const text = `HTTP/1.1 204 No Content\r\n${framing}\r\nx: 1\r\n\r\n`;
    expect(await ask(get(), text, { until: /\r\n\r\n$/ })).toBe(
      'HTTP/1.1 204 No Content\r\nx: 1\r\n\r\n',
    );
  }
  const head = await ask(
    'HEAD / HTTP/1.1\r\nHost: cart\r\n\r\n',
    'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n',
    { until: /\r\n\r\n$/ },
  );
  expect(head).toContain('content-length: 100');
  const before = opened;
  expect(await ask(get(), ok, { until: /ok$/ })).toBe(ok);
  expect(opened).toBe(before);
});

test('passes chunks on as they are, with trailers that may be', async () => {
  const body = '3\r\nabc\r\n0\r\nX-Sum: 9\r\nContent-Length: 5\r\nL5d-Client-Id: root\r\n\r\n';
  const text = await ask(get(), `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${body}`, {
    until: /X-Sum: 9\r\n\r\n$/,
  });
  expect(text).toBe(
    'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 9\r\n\r\n',
  );
});

test('an answer without a length ends with its connection', async () => {
  let socketEnd: (() => void) | undefined;
  const server = await rawServer((socket) => {
    socket.on('data', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\nall ');
      socketEnd = () => socket.end('of it');
      setTimeout(() => socketEnd?.(), 20);
    });
  });
  const own = await startProxy({
    state: state({ destinations: [destination('cart', [`127.0.0.1:${server.port}`])] }),
  });
  expect(await say(own.outbound, get())).toBe(
    'HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nall of it<end>',
  );
  await own.stop();
  await server.close();
});

test('a truncated answer is not passed off as whole', async () => {
  const server = await rawServer((socket) => {
    socket.on('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort'));
  });
  const own = await startProxy({
    state: state({ destinations: [destination('cart', [`127.0.0.1:${server.port}`])] }),
  });
  expect(await say(own.outbound, get())).toMatch(/<reset>$/);
  await own.stop();
  await server.close();
});

test('passes interim answers on, and 100 Continue only to who asked', async () => {
  const hints = 'HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n';
  expect(await ask(get(), `HTTP/1.1 100 Continue\r\n\r\n${hints}${ok}`, { until: /ok$/ })).toBe(
    `${hints}${ok}`,
  );
  const framed = hints.replace('link', 'content-length: 5\r\nlink');
  expect(await ask(get(), `${framed}${ok}`, { until: /ok$/ })).toBe(`${hints}${ok}`);
  const text = await ask(
    ['POST / HTTP/1.1\r\nHost: cart\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n', 'abc'],
    // On a busy machine the body comes with the head.
    (head) => `HTTP/1.1 100 Continue\r\n\r\n${head.includes('abc') ? ok : ''}`,
    { until: /100 Continue\r\n\r\n/ },
  );
  expect(text).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\n/);
  expect(heard).toContain('Expect: 100-continue');
});

test('refuses requests that are none, and closes', async () => {
  for (const [bytes, status] of [
    ['GET / HTTP/1.1\r\n\r\n', 400],
    [
      'POST / HTTP/1.1\r\nHost: cart\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      400,
    ],
    ['POST / HTTP/1.1\r\nHost: cart\r\nTransfer-Encoding: gzip, chunked\r\n\r\n', 501],
    [`GET / HTTP/1.1\r\nHost: cart\r\nX: ${'y'.repeat(9000)}\r\n\r\n`, 431],
    [`GET /${'y'.repeat(9000)} HTTP/1.1\r\nHost: cart\r\n\r\n`, 414],
    ['GET / HTTP/3.0\r\nHost: cart\r\n\r\n', 505],
    ['GET / HTTP/1.1\r\nHost: cart\r\n', 408],
    ['nonsense\r\n', 400],
  ] as const) {
    const text = await ask(bytes, ok);
    expect(text, JSON.stringify(bytes.slice(0, 60))).toMatch(
      new RegExp(`^HTTP/1\\.1 ${status} [^]*connection: close[^]*<end>$`),
    );
    expect(heard).toBe('');
  }
});

test('a body that breaks its chunks is refused, and the try that had a part of it cut off', async () => {
  for (const chunk of [
    'x\r\n',
    '3\r\nabcd\r\n',
    '3\nabc\r\n',
    '-3\r\n',
    '3 \r\nabc\r\n',
    '0x3\r\nabc\r\n',
    '3;\x00\r\nabc\r\n',
    'fffffffffffffff\r\n',
    '\r\n',
  ]) {
    const text = await ask(
      `POST / HTTP/1.1\r\nHost: cart\r\nTransfer-Encoding: chunked\r\n\r\n${chunk}0\r\n\r\n`,
      '',
    );
    expect(text, JSON.stringify(chunk)).toMatch(/^HTTP\/1\.1 400 [^]*<end>$/);
  }
  const late = await ask(
    ['POST / HTTP/1.1\r\nHost: cart\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n', 'zz\r\n'],
    '',
  );
  expect(late).toMatch(/^HTTP\/1\.1 400 /);
});

test('a status line without its last space gets it', async () => {
  const answer = 'HTTP/1.1 200\r\ncontent-length: 2\r\n\r\nok';
  expect(await ask(get(), answer, { until: /ok$/ })).toBe(answer.replace('200', '200 '));
});

test('a connection that brought chunks in HTTP/1.0 is not used again', async () => {
  const head = 'HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ntransfer-encoding: chunked\r\n\r\n';
  // A proxy of its own has no other connection to use.
  const own = await startProxy({
    state: state({ destinations: [destination('cart', [`127.0.0.1:${upstream.port}`])] }),
  });
  next = `${head}2\r\nok\r\n0\r\n\r\n`;
  expect(await say(own.outbound, get(), { until: /0\r\n\r\n$/ })).toContain('ok');
  const before = opened;
  next = ok;
  expect(await say(own.outbound, get(), { until: /ok$/ })).toBe(ok);
  expect(opened).toBe(before + 1);
  await own.stop();
});

test('answers that are none become 502', async () => {
  for (const answer of [
    'nonsense\r\n\r\n',
    'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\nx',
    'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n',
    'HTTP/1.1 200 OK\nbad: line\r\n\r\n',
    'HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n',
  ]) {
    expect(await ask(get(), answer, { until: /\r\n\r\n/ }), JSON.stringify(answer)).toMatch(
      /^HTTP\/1\.1 502 /,
    );
  }
});

test('bytes after an answer are never taken for the next one', async () => {
  const evil = 'HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil';
  expect(await ask(get(), `${ok}${evil}`, { until: /ok/ })).toBe(ok);
  expect(await ask(get(), ok, { until: /ok/ })).toBe(ok);
});

test('upgrades, then passes bytes both ways until both have ended', async () => {
  const server = await rawServer((socket) => {
    let upgraded = false;
    socket.on('data', (chunk) => {
      if (upgraded) return void socket.write(`echo:${chunk.toString('latin1')}`);
      upgraded = true;
      heard = chunk.toString('latin1');
      socket.write(
        'HTTP/1.1 101 Switching Protocols\r\n' +
          'Connection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello',
      );
    });
    socket.on('end', () => socket.end('bye'));
  });
  const own = await startProxy({
    state: state({ destinations: [destination('cart', [`127.0.0.1:${server.port}`])] }),
  });
  const text = await say(
    own.outbound,
    [get('/ws', 'Connection: Upgrade\r\nUpgrade: websocket\r\n'), 'one', 'two'],
    { half: true },
  );
  expect(heard).toContain('connection: upgrade');
  expect(heard).toContain('upgrade: websocket');
  // On a busy machine both pieces are one read.
  expect(text.replace('echo:two', 'two')).toBe(
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nconnection: upgrade\r\n\r\n' +
      'helloecho:onetwobye<end>',
  );
  await own.stop();
  await server.close();
});

test('a tunnel that its server has ended first takes all that the client still sends', async () => {
  // More than the server's kernel takes while the server does not read.
  const sent = 'x'.repeat(1 << 20);
  let got = 0;
  let how = '';
  const server = await rawServer((socket) => {
    socket.once('data', () => {
      socket.end('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\nall');
      // The rest waits until the client has ended.
      socket.pause();
      socket.on('data', (chunk) => (got += chunk.length));
      socket.on('end', () => (how = 'end')).on('error', () => (how = 'reset'));
      setTimeout(() => socket.resume(), 300);
    });
  });
  const own = await startProxy({
    state: state({ destinations: [destination('cart', [`127.0.0.1:${server.port}`])] }),
  });
  const client = connect({ port: own.outbound, host: '127.0.0.1', allowHalfOpen: true });
  client.write(get('/ws', 'Connection: Upgrade\r\nUpgrade: websocket\r\n'));
  await new Promise((resolve) => client.resume().once('end', resolve));
  client.end(sent);
  await until(() => how !== '');
  expect([how, got]).toEqual(['end', sent.length]);
  await until(() => own.proxy.busy === 0);
  await own.stop();
  await server.close();
});

test('does not let h2c hide inside', async () => {
  await ask(
    get('/', 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\n'),
    ok,
    { until: /ok$/ },
  );
  expect(heard).toBe('GET / HTTP/1.1\r\nHost: cart\r\n\r\n');
});

test('a client that goes ends its try', async () => {
  let closed = 0;
  const server = await rawServer((socket) =>
    socket.on('data', () => undefined).on('close', () => closed++),
  );
  const own = await startProxy({
    state: state({ destinations: [destination('cart', [`127.0.0.1:${server.port}`])] }),
  });
  void say(own.outbound, 'POST / HTTP/1.1\r\nHost: cart\r\nContent-Length: 10\r\n\r\nabc', {
    limitMs: 100,
  });
  await until(() => closed === 1);
  await own.stop();
  await server.close();
});

test('a refused connection is 502 or 503, with the reason', async () => {
  const own = await startProxy({
    state: state({ destinations: [destination('cart', ['127.0.0.1:1'])] }),
  });
  expect(await say(own.outbound, get(), { until: /\r\n\r\n/ })).toMatch(
    /^HTTP\/1\.1 50[23] [^]*l5d-proxy-error: /,
  );
  await own.stop();
});
