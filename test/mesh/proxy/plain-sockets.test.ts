/** Without Node's stream handles connections fall back to documented sockets: the same behaviour, but slower. */
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { streamWrap } from '../../../mesh/proxy/listen/stream-handle.js';
import {
  destination,
  httpServer,
  type Pki,
  pki,
  rawServer,
  type Running,
  say,
  server,
  startProxy,
  state,
  type TestProxy,
} from './rig.js';

vi.hoisted(() => {
  process.env.FIREDRILL_PLAIN_SOCKETS = '1';
});

let keys: Pki;
let app: Running;
let chat: Running;
let inside: TestProxy;
let outside: TestProxy;

const large = Buffer.alloc(3_000_000, 'abcdefg');
const sha = (data: Buffer): string => createHash('sha256').update(data).digest('hex');

beforeAll(async () => {
  keys = await pki();
  app = await httpServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      if (request.url === '/large') response.end(large);
      else response.end(`${request.url} ${sha(Buffer.concat(chunks))}`);
    });
  });
  chat = await rawServer((socket) => {
    let upgraded = false;
    socket.on('data', (chunk) => {
      if (upgraded) socket.write(chunk);
      else socket.write('HTTP/1.1 101 Up\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n');
      upgraded = true;
    });
    socket.on('end', () => socket.end('bye'));
  });
  inside = await startProxy({
    sides: ['inbound'],
    identity: await keys.issue('cart'),
    state: state({ servers: [server(1, `127.0.0.1:${app.port}`)] }),
  });
  const to = { address: `127.0.0.1:${inside.inbound}`, identity: keys.identityOf('cart') };
  outside = await startProxy({
    identity: await keys.issue('checkout'),
    state: state({
      destinations: [
        destination('cart', [to], { hosts: ['cart', '127.0.0.1'] }),
        destination('chat', [`127.0.0.1:${chat.port}`]),
      ],
    }),
  });
});

afterAll(async () => {
  await outside.stop();
  await inside.stop();
  await app.close();
  await chat.close();
  keys.remove();
});

test('requests, large bodies both ways, an upgrade, all through documented sockets', async () => {
  expect(streamWrap).toBeUndefined();
  const url = `http://127.0.0.1:${outside.outbound}`;
  for (let i = 0; i < 3; i++) {
    const answer = await fetch(`${url}/up${i}`, { method: 'POST', body: large });
    expect(await answer.text()).toBe(`/up${i} ${sha(large)}`);
    const down = Buffer.from(await (await fetch(`${url}/large`)).arrayBuffer());
    expect(sha(down)).toBe(sha(large));
  }
  const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: cart\r\n\r\n`;
  const empty = sha(Buffer.alloc(0));
  const text = await say(outside.outbound, get('/a') + get('/b'), { half: true });
  expect(text.match(/\/[ab] \w{64}/g)).toEqual([`/a ${empty}`, `/b ${empty}`]);
  expect(text).toMatch(/<end>$/);
  const tunnel = await say(
    outside.outbound,
    ['GET / HTTP/1.1\r\nHost: chat\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n', 'hello'],
    { half: true },
  );
  expect(tunnel).toMatch(/^HTTP\/1\.1 101 [^]*\r\n\r\nhellobye<end>$/);
});
