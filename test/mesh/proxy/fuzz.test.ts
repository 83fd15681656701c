/**
 * Split, mutated and truncated bytes from both sides, for two seconds, or for FUZZ_SECONDS (`npm run fuzz`: a
 * minute). No crash, no dropped exception, and no answer with another request's bytes.
 */
import { createHash } from 'node:crypto';
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { type Random, seededRandom } from '../../../base/random.js';
import { destination, rawServer, route, startProxy, state, until } from './rig.js';

const seconds = Number(process.env.FUZZ_SECONDS ?? 2);
const seed = Number(process.env.FUZZ_SEED ?? Date.now() % 1e9);

const requests = [
  (id: string) => `GET /${id} HTTP/1.1\r\nHost: cart\r\nX-Id: ${id}\r\n\r\n`,
  (id: string) =>
    `POST /${id} HTTP/1.1\r\nHost: cart\r\nX-Id: ${id}\r\nContent-Length: 5\r\n\r\nabcde`,
  (id: string) =>
    `PUT /${id} HTTP/1.1\r\nHost: cart\r\nX-Id: ${id}\r\nTransfer-Encoding: chunked\r\n\r\n` +
    '3\r\nabc\r\n2;a=b\r\nde\r\n0\r\nX-T: 1\r\n\r\n',
  (id: string) =>
    `HEAD http://cart/${id} HTTP/1.1\r\nHost: cart\r\nX-Id: ${id}\r\nConnection: keep-alive, x\r\n\r\n`,
  (id: string) =>
    `GET /${id} HTTP/1.0\r\nHost: cart\r\nX-Id: ${id}\r\nConnection: keep-alive\r\n\r\n`,
  (id: string) =>
    `GET /${id} HTTP/1.1\r\nHost: cart\r\nX-Id: ${id}\r\n` +
    'Connection: Upgrade\r\nUpgrade: x\r\nExpect: 100-continue\r\n\r\n',
];

const answers = [
  (id: string) => `HTTP/1.1 200 OK\r\nX-Id: ${id}\r\nContent-Length: ${id.length}\r\n\r\n${id}`,
  (id: string) =>
    `HTTP/1.1 200 OK\r\nX-Id: ${id}\r\nTransfer-Encoding: chunked\r\n\r\n` +
    `${id.length.toString(16)}\r\n${id}\r\n0\r\nX-T: 1\r\n\r\n`,
  (id: string) =>
    `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 No\r\nX-Id: ${id}\r\nContent-Length: 0\r\n\r\n`,
  (id: string) => `HTTP/1.1 503 No\r\nX-Id: ${id}\r\nContent-Length: 0\r\n\r\n`,
  (id: string) => `HTTP/1.1 204 None\r\nX-Id: ${id}\r\n\r\n`,
  (id: string) =>
    `HTTP/1.1 101 Up\r\nX-Id: ${id}\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n${id}`,
  (id: string) => `HTTP/1.0 200 OK\r\nX-Id: ${id}\r\n\r\n${id}`,
];

const noise = [
  '\r\n',
  '\n',
  '\r',
  ' ',
  '\0',
  ':',
  '0\r\n\r\n',
  'Content-Length: 3\r\n',
  'Transfer-Encoding: chunked\r\n',
  'GET / HTTP/1.1\r\n',
  'HTTP/1.1 200 OK\r\n',
  '\xff',
  'Host: b\r\n',
  ';',
  ',',
];

function pick<T>(random: Random, list: readonly T[]): T {
  return list[random.below(list.length)] as T;
}

function mutate(random: Random, text: string): string {
  let bytes = text;
  for (let n = random.below(3); n > 0; n--) {
    const at = random.below(bytes.length + 1);
    switch (random.below(5)) {
      case 0:
        bytes = bytes.slice(0, at) + pick(random, noise) + bytes.slice(at);
        break;
      case 1:
        bytes = bytes.slice(0, at) + bytes.slice(at + 1 + random.below(4));
        break;
      case 2:
        bytes = bytes.slice(0, at) + String.fromCharCode(random.below(256)) + bytes.slice(at + 1);
        break;
      case 3:
        bytes = bytes.slice(0, at);
        break;
      default:
        bytes += bytes.slice(at);
    }
  }
  return bytes;
}

function pieces(random: Random, text: string): string[] {
  const parts: string[] = [];
  for (let at = 0; at < text.length;) {
    const length = random.below(3) === 0 ? 1 + random.below(5) : 1 + random.below(text.length);
    parts.push(text.slice(at, at + length));
    at += length;
  }
  return parts;
}

/** Writes in pieces, each its own segment if possible. */
async function write(
  socket: { write(t: string, e: 'latin1'): unknown; destroyed: boolean },
  parts: string[],
): Promise<void> {
  for (const part of parts) {
    if (socket.destroyed) return;
    socket.write(part, 'latin1');
    if (parts.length > 1) await new Promise((resolve) => setImmediate(resolve));
  }
}

test(`bytes gone wrong (seed ${seed})`, { timeout: seconds * 1000 + 30_000 }, async () => {
  const random = seededRandom(seed);
  const server = await rawServer((socket) => {
    let seen = '';
    socket.on('end', () => socket.end());
    socket.on('data', (chunk) => {
      seen += chunk.toString('latin1');
      const id = /x-id: (\w+)[\s\S]*\r\n\r\n/i.exec(seen)?.[1];
      if (id === undefined) return;
      seen = '';
      void write(socket, pieces(random, mutate(random, pick(random, answers)(id)))).then(() => {
        if (random.below(10) === 0) socket.destroy();
      });
    });
  });
  const retry = {
    limit: 2,
    statuses: [[500, 599]] as [number, number][],
    onConnectFailure: true,
    unsafeMethods: true,
    backoff: { baseMs: 1, maxMs: 2, jitter: 1 },
    maxBufferedBytes: 1000,
  };
  const proxy = await startProxy({
    state: state({
      destinations: [
        destination('cart', [`127.0.0.1:${server.port}`], {
          routes: [route({ retry, timeouts: { requestMs: 300, perTryMs: 100 } })],
        }),
      ],
    }),
    limits: { headTimeoutMs: 300 },
  });
  let sessions = 0;
  let answered = 0;
  const issued = new Set<string>();
  const leaks: string[] = [];
  const endMs = Date.now() + seconds * 1000;
  const client = async (number: number): Promise<void> => {
    for (let i = 0; Date.now() < endMs; i++) {
      sessions++;
      const id = createHash('sha256').update(`${seed} ${number} ${i}`).digest('hex').slice(0, 16);
      issued.add(id);
      const text = Array.from({ length: 1 + random.below(3) }, () =>
        mutate(random, pick(random, requests)(id)),
      ).join('');
      await new Promise<void>((resolve) => {
        const socket = connect({ port: proxy.outbound, host: '127.0.0.1', noDelay: true });
        let got = '';
        socket.on('data', (chunk) => {
          got += chunk.toString('latin1');
          setTimeout(() => socket.destroy(), random.below(40));
        });
        socket.on('error', () => undefined);
        socket.on('close', () => {
          if (got.includes('HTTP/1.1')) answered++;
          // Mutations may cut an id, but must never turn it into another client's or connection's.
          for (const found of got.match(/id\d+x\d+z/g) ?? [])
            if (found !== id) leaks.push(`${id}: ${got}`);
          resolve();
        });
        void write(socket, pieces(random, text)).then(() => {
          if (random.below(8) === 0) socket.destroy();
          else setTimeout(() => socket.destroy(), 600);
        });
      });
    }
  };
  await Promise.all(Array.from({ length: 40 }, (_, number) => client(number)));
  expect(leaks).toEqual([]);
  expect(proxy.logs.filter((line) => line.includes('dropped'))).toEqual([]);
  expect(answered).toBeGreaterThan(0);
  // Every request that began has ended.
  await until(() => proxy.proxy.busy === 0);
  const metrics = await (await fetch(`http://127.0.0.1:${proxy.admin}/metrics`)).text();
  const open = /^tcp_open_connections\{[^}]*peer="src"[^}]*\} (\d+)/m.exec(metrics)?.[1];
  expect(open).toBe('0');
  await proxy.stop();
  await server.close();
  if (process.env.FUZZ_SECONDS)
    process.stdout.write(`fuzz: ${sessions} connections, ${answered} answered\n`);
});
