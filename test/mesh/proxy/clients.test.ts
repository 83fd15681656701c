/** Common clients, through two proxies and mutual TLS: requests arrive unchanged. */
import { createHash } from 'node:crypto';
import { execFile } from 'node:child_process';
import { request as httpRequest, Agent } from 'node:http';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { Agent as Undici, request as undiciRequest, WebSocket } from 'undici';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  destination,
  httpServer,
  type Pki,
  pki,
  rawServer,
  type Running,
  server,
  startProxy,
  state,
  type TestProxy,
} from './rig.js';

const run = promisify(execFile);
let keys: Pki;
let app: Running;
let echo: Running;
let inside: TestProxy;
let echoInside: TestProxy;
let outside: TestProxy;
let url = '';

const sha = (data: Buffer): string => createHash('sha256').update(data).digest('hex');
const large = Buffer.alloc(5_000_000);
for (let i = 0; i < large.length; i++) large[i] = (i * 7 + (i >> 8)) & 255;

beforeAll(async () => {
  keys = await pki();
  app = await httpServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks);
      if (request.url === '/large') return response.end(large);
      response.setHeader('x-method', request.method ?? '');
      if (request.method === 'HEAD') return response.end();
      response.setHeader('trailer', 'x-sum');
      response.write(`${request.method} ${request.url} ${body.length} ${sha(body)}`);
      response.addTrailers({ 'x-sum': String(body.length) });
      response.end();
    });
  });
  // Just enough WebSocket (RFC 6455) to send each short text back.
  echo = await rawServer((socket) => {
    let upgraded = false;
    socket.on('data', (chunk) => {
      if (!upgraded) {
        upgraded = true;
        const key = /sec-websocket-key: (\S+)/i.exec(chunk.toString('latin1'))?.[1] ?? '';
        const accept = createHash('sha1')
          .update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
          .digest('base64');
        socket.write(
          'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
            `Sec-WebSocket-Accept: ${accept}\r\n\r\n`,
        );
        return;
      }
      const length = (chunk[1] as number) & 127;
      const mask = chunk.subarray(2, 6);
      const data = Buffer.from(
        chunk.subarray(6, 6 + length).map((b, i) => b ^ (mask[i % 4] as number)),
      );
      const opcode = (chunk[0] as number) & 15;
      socket.write(Buffer.concat([Buffer.from([0x80 | opcode, data.length]), data]));
      if (opcode === 8) socket.end();
    });
  });
  const inbound = async (port: number): Promise<TestProxy> =>
    startProxy({
      sides: ['inbound'],
      identity: await keys.issue('cart'),
      state: state({ servers: [server(1, `127.0.0.1:${port}`)] }),
    });
  [inside, echoInside] = await Promise.all([inbound(app.port), inbound(echo.port)]);
  const to = (proxy: TestProxy): { address: string; identity: string } => ({
    address: `127.0.0.1:${proxy.inbound}`,
    identity: keys.identityOf('cart'),
  });
  outside = await startProxy({
    identity: await keys.issue('checkout'),
    state: state({
      destinations: [
        destination('cart', [to(inside)], { hosts: ['cart', '127.0.0.1'] }),
        destination('chat', [to(echoInside)], { hosts: ['localhost'] }),
      ],
    }),
  });
  url = `http://127.0.0.1:${outside.outbound}`;
});

afterAll(async () => {
  for (const each of [outside, inside, echoInside]) await each.stop();
  await app.close();
  await echo.close();
  keys.remove();
});

test('curl: get, post, put in chunks, head, a large answer', async () => {
  const curl = async (...args: string[]): Promise<string> =>
    (await run('curl', ['-sS', '-m', '20', ...args], { maxBuffer: 64e6, encoding: 'latin1' }))
      .stdout;
  expect(await curl(`${url}/a`)).toMatch(/^GET \/a 0 /);
  expect(await curl('-d', 'x=1', `${url}/b`, '--next', `${url}/c`)).toMatch(
    /^POST \/b 3 [^]*GET \/c 0 /,
  );
  expect(await curl('-T', 'package.json', '-H', 'Transfer-Encoding: chunked', `${url}/d`)).toMatch(
    /^PUT \/d \d+ /,
  );
  expect(await curl('-I', `${url}/e`)).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*x-method: HEAD/i);
  expect(sha(Buffer.from(await curl(`${url}/large`), 'latin1'))).toBe(sha(large));
});

test('node:http: a connection used again, large bodies both ways, trailers', async () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const ask = (
    path: string,
    body?: Buffer,
  ): Promise<{ text: string; trailers: object; reused: boolean }> =>
    new Promise((resolve, reject) => {
      const request = httpRequest(
        `${url}${path}`,
        { agent, method: body ? 'POST' : 'GET' },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('end', () =>
            resolve({
              text: Buffer.concat(chunks).toString('latin1'),
              trailers: response.trailers,
              reused: request.reusedSocket,
            }),
          );
        },
      );
      request.on('error', reject);
      if (body) Readable.from([body.subarray(0, 1e6), body.subarray(1e6)]).pipe(request);
      else request.end();
    });
  expect((await ask('/first')).trailers).toEqual({ 'x-sum': '0' });
  const second = await ask('/second', large);
  expect(second.text).toBe(`POST /second ${large.length} ${sha(large)}`);
  expect(second.reused).toBe(true);
  expect(sha(Buffer.from((await ask('/large')).text, 'latin1'))).toBe(sha(large));
  agent.destroy();
});

test('undici: pipelined requests', async () => {
  const dispatcher = new Undici({ pipelining: 8, connections: 1 });
  const texts = await Promise.all(
    Array.from({ length: 40 }, async (_, i) => {
      const { body } = await undiciRequest(`${url}/${i}`, { dispatcher });
      return body.text();
    }),
  );
  texts.forEach((text, i) => expect(text).toMatch(new RegExp(`^GET /${i} 0 `)));
  await dispatcher.close();
});

test("Python's http.client: keep-alive and chunks", async () => {
  const script = `
import http.client
c = http.client.HTTPConnection('127.0.0.1', ${outside.outbound}, timeout=20)
for i in range(3):
    c.request('GET', '/py%d' % i)
    r = c.getresponse()
    print(r.status, r.read().decode()[:10])
c.request('POST', '/up', body=iter([b'abc', b'defg']), encode_chunked=True, headers={'Transfer-Encoding': 'chunked'})
print(c.getresponse().read().decode()[:11])
`;
  const { stdout } = await run('python3', ['-c', script]);
  expect(stdout).toBe('200 GET /py0 0\n200 GET /py1 0\n200 GET /py2 0\nPOST /up 7 \n');
});

test('a WebSocket client', async () => {
  const socket = new WebSocket(`ws://localhost:${outside.outbound}/chat`);
  const heard: string[] = [];
  await new Promise<void>((resolve, reject) => {
    socket.addEventListener('open', () => socket.send('hello'));
    socket.addEventListener('message', ({ data }) => {
      heard.push(String(data));
      if (heard.length < 3) socket.send(`${heard.length}`);
      else socket.close();
    });
    socket.addEventListener('close', () => resolve());
    socket.addEventListener('error', () => reject(new Error('no WebSocket')));
  });
  expect(heard).toEqual(['hello', '1', '2']);
});
