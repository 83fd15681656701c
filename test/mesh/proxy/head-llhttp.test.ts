/** The reader of heads beside llhttp, node:http's parser: it accepts nothing that llhttp refuses. */
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { broken, Head } from '../../../mesh/proxy/http1/head.js';

let server: Server;
let seen: IncomingMessage | undefined;

beforeAll(async () => {
  server = createServer({ maxHeaderSize: 65_536, requireHostHeader: true }, (request, response) => {
    seen = request;
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

afterAll(() => {
  server.closeAllConnections();
  server.close();
});

/** The request as llhttp reads it, or undefined if it answers 400 or nothing. */
function llhttp(text: string): Promise<IncomingMessage | undefined> {
  seen = undefined;
  return new Promise((resolve) => {
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.on('data', () => socket.destroy());
    socket.on('close', () => resolve(seen));
    socket.end(text, 'latin1');
  });
}

const name = fc.constantFrom(
  'X',
  'Host',
  'Content-Length',
  'Transfer-Encoding',
  'Connection',
  'x-a',
  'x:y',
  'x y',
  '',
  'x\t',
);
const value = fc.oneof(
  fc.constantFrom(
    'a',
    '3',
    '3, 3',
    '+3',
    'chunked',
    'Chunked',
    'chunked, gzip',
    'close',
    ' a ',
    'a\rb',
    'a\nb',
    'a\0',
    '',
    'a\r\n b',
  ),
  fc.string({ maxLength: 6, unit: 'binary' }),
);
const lineEnd = fc.oneof(
  { weight: 30, arbitrary: fc.constant('\r\n') },
  { weight: 1, arbitrary: fc.constantFrom('\n', '\r', '\r\r\n', '\n\r') },
);
const field = fc
  .tuple(name, fc.constantFrom(':', ': ', ' : ', ''), value, lineEnd)
  .map((parts) => parts.join(''));
const line = fc.constantFrom(
  'GET / HTTP/1.1',
  'POST /a?b HTTP/1.1',
  'GET / HTTP/1.0',
  'GET  / HTTP/1.1',
  'GET /\x7f HTTP/1.1',
  'GET / HTTP/2.0',
  'GET http://a/b HTTP/1.1',
  'OPTIONS * HTTP/1.1',
);
const message = fc
  .tuple(
    line,
    lineEnd,
    fc.constantFrom('Host: a\r\n', 'host:b:80\r\n', ''),
    fc.array(field, { maxLength: 4 }),
  )
  .map(([first, end, host, fields]) => `${first}${end}${host}${fields.join('')}\r\n`);

test('takes no head that llhttp refuses, and reads the same in those that both take', async () => {
  let both = 0;
  let stricter = 0;
  await fc.assert(
    fc.asyncProperty(message, async (text) => {
      const head = new Head('request', 65_536);
      const bytes = Buffer.from(text, 'latin1');
      const end = head.parse(bytes, 0, bytes.length);
      if (end < 0) {
        if (end === broken) stricter++;
        return;
      }
      // An announced body must come, or node:http waits for it.
      const body = head.chunked
        ? '0\r\n\r\n'
        : 'x'.repeat(Math.max(0, Math.min(head.contentLength, 100)));
      const theirs = await llhttp(text.slice(0, end) + body);
      expect(theirs, JSON.stringify(text)).toBeDefined();
      if (!theirs) return;
      both++;
      expect(theirs.method).toBe(head.method);
      expect(theirs.url).toBe(head.target);
      const raw: string[] = [];
      for (let i = 0; i < head.count; i++) {
        raw.push(head.text.slice(head.places[i * 4], head.places[i * 4 + 1]), head.value(i));
      }
      expect(raw).toEqual(theirs.rawHeaders);
    }),
    { numRuns: 600 },
  );
  expect(both).toBeGreaterThan(50);
  expect(stricter).toBeGreaterThan(50);
});
