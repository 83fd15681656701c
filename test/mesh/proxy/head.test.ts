/** The reader of heads: accepted and refused heads, and independence of the split. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ChunkedReader } from '../../../mesh/proxy/http1/chunked.js';
import { broken, Head, needMore } from '../../../mesh/proxy/http1/head.js';
import { splitAbsolute } from '../../../mesh/proxy/http1/target.js';

function parse(text: string, kind: 'request' | 'response' = 'request', maxBytes = 65_536): Head {
  const head = new Head(kind, maxBytes);
  const bytes = Buffer.from(text, 'latin1');
  const end = head.parse(bytes, 0, bytes.length);
  if (end === needMore) throw new Error('needs more');
  if (end !== broken) expect(bytes.toString('latin1', 0, end).endsWith('\r\n\r\n')).toBe(true);
  return head;
}

const refused: [what: string, head: string, status: number][] = [
  ['no host', 'GET / HTTP/1.1\r\n\r\n', 400],
  ['two hosts', 'GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n', 400],
  ['a host with a path', 'GET / HTTP/1.1\r\nHost: a/b\r\n\r\n', 400],
  ['a host with a user', 'GET / HTTP/1.1\r\nHost: u@a\r\n\r\n', 400],
  ['bare LF after the request line', 'GET / HTTP/1.1\nHost: a\r\n\r\n', 400],
  ['bare LF after a field', 'GET / HTTP/1.1\r\nHost: a\n\r\n', 400],
  ['bare CR in a value', 'GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n', 400],
  ['bare CR at the end', 'GET / HTTP/1.1\r\nHost: a\r\n\rX', 400],
  ['NUL in a value', 'GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n', 400],
  ['a folded field', 'GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n', 400],
  ['a fold before the first field', 'GET / HTTP/1.1\r\n Host: a\r\n\r\n', 400],
  ['space before the colon', 'GET / HTTP/1.1\r\nHost : a\r\n\r\n', 400],
  ['a field without a colon', 'GET / HTTP/1.1\r\nHost: a\r\nnothing\r\n\r\n', 400],
  ['an empty field name', 'GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n', 400],
  ['a field name beyond ASCII', 'GET / HTTP/1.1\r\nHost: a\r\nX\xe9: b\r\n\r\n', 400],
  [
    'two lengths',
    'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n',
    400,
  ],
  [
    'the same length twice',
    'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n',
    400,
  ],
  ['a list of lengths', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 3\r\n\r\n', 400],
  ['a signed length', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\n', 400],
  ['a negative length', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -3\r\n\r\n', 400],
  ['a length in hex', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x3\r\n\r\n', 400],
  [
    'a length that could be octal',
    'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 010\r\n\r\n',
    400,
  ],
  ['a length of zeros', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 00\r\n\r\n', 400],
  ['a later minor version', 'GET / HTTP/1.2\r\nHost: a\r\n\r\n', 505],
  ['the last minor version', 'GET / HTTP/1.9\r\nHost: a\r\n\r\n', 505],
  ['a method in small letters', 'get / HTTP/1.1\r\nHost: a\r\n\r\n', 400],
  ['a method with one small letter', 'GEt / HTTP/1.1\r\nHost: a\r\n\r\n', 400],
  ['an empty length', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n', 400],
  [
    'a length beyond numbers',
    'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n',
    400,
  ],
  [
    'length and coding',
    'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n',
    400,
  ],
  [
    'coding and length',
    'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n',
    400,
  ],
  [
    'chunked twice',
    'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n',
    400,
  ],
  [
    'chunked, chunked',
    'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n',
    400,
  ],
  [
    'chunked that is not last',
    'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n',
    400,
  ],
  ['identity', 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n', 400],
  [
    'a coding with a tab before it',
    'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\x0bchunked\r\n\r\n',
    400,
  ],
  [
    'a coding we do not know',
    'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n',
    501,
  ],
  ['a coding in HTTP/1.0', 'POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n', 400],
  ['HTTP/2 in words', 'GET / HTTP/2.0\r\nHost: a\r\n\r\n', 505],
  ['HTTP/0.9', 'GET /\r\n', 400],
  ['a version in lower case', 'GET / http/1.1\r\nHost: a\r\n\r\n', 400],
  ['two spaces', 'GET  / HTTP/1.1\r\nHost: a\r\n\r\n', 400],
  ['a space in the target', 'GET /a b HTTP/1.1\r\nHost: a\r\n\r\n', 400],
  ['a target beyond ASCII', 'GET /\xe9 HTTP/1.1\r\nHost: a\r\n\r\n', 400],
  ['a target that is no path', 'GET a HTTP/1.1\r\nHost: a\r\n\r\n', 400],
  ['an absolute target with a user', 'GET http://u:p@a/ HTTP/1.1\r\nHost: a\r\n\r\n', 400],
  ['a star for GET', 'GET * HTTP/1.1\r\nHost: a\r\n\r\n', 400],
  ['CONNECT without a port', 'CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n', 400],
  ['a method with a control', 'G\x01T / HTTP/1.1\r\nHost: a\r\n\r\n', 400],
];

for (const [what, text, status] of refused) {
  test(`refuses ${what}`, () => {
    expect(parse(text).error?.status).toBe(status);
  });
}

test('answers 414 and 431 where a head grows beyond its limit', () => {
  const long = 'a'.repeat(2000);
  expect(parse(`GET /${long} HTTP/1.1\r\nHost: a\r\n\r\n`, 'request', 1000).error?.status).toBe(
    414,
  );
  expect(
    parse(`GET / HTTP/1.1\r\nHost: a\r\nX: ${long}\r\n\r\n`, 'request', 1000).error?.status,
  ).toBe(431);
  const many = 'x: 1\r\n'.repeat(300);
  expect(parse(`GET / HTTP/1.1\r\nHost: a\r\n${many}\r\n`).error?.status).toBe(431);
});

test('reads what it should of a request', () => {
  const head = parse(
    '\r\nPOST /cart?a=1 HTTP/1.1\r\nHost: Cart.retail:80\r\nX-A:  one \t\r\nX-a: two\r\n' +
      'Connection: keep-alive, X-Gone\r\nContent-Length: 12\r\nTE: trailers\r\nExpect: 100-continue\r\n\r\n',
  );
  expect(head.error).toBeUndefined();
  expect(head.method).toBe('POST');
  expect(head.target).toBe('/cart?a=1');
  expect(head.value(head.hostAt)).toBe('Cart.retail:80');
  expect(head.header('x-a')).toBe('one, two');
  expect(head.header('x-b')).toBeUndefined();
  expect(head.contentLength).toBe(12);
  expect(head.named).toEqual(['x-gone']);
  expect(head.keepAlive && !head.close).toBe(true);
  expect(head.expectAt).toBe(6);
});

test('reads status lines, with and without a reason', () => {
  expect(parse('HTTP/1.1 200 OK\r\n\r\n', 'response').status).toBe(200);
  expect(parse('HTTP/1.0 404\r\n\r\n', 'response').status).toBe(404);
  expect(parse('HTTP/1.1 599 \r\nX: y\r\n\r\n', 'response').status).toBe(599);
  for (const line of [
    'HTTP/1.1 20 OK',
    'HTTP/1.1 2000 OK',
    'HTTP/2 200',
    'ICY 200 OK',
    'HTTP/1.1 099 X',
  ]) {
    expect(parse(`${line}\r\n\r\n`, 'response').error, line).toBeDefined();
  }
});

test('splits absolute targets', () => {
  expect(splitAbsolute('GET', 'http://cart:80?a')).toEqual({ authority: 'cart:80', path: '/?a' });
  expect(splitAbsolute('GET', 'http://cart/x')).toEqual({ authority: 'cart', path: '/x' });
});

const anyHead = fc
  .array(
    fc.oneof(
      {
        weight: 5,
        arbitrary: fc.constantFrom(
          'GET / HTTP/1.1',
          'Host: a',
          '\r\n',
          ' ',
          ':',
          '\t',
          'X: y',
          'Content-Length: 3',
        ),
      },
      { weight: 1, arbitrary: fc.string({ maxLength: 4, unit: 'binary' }) },
    ),
    { maxLength: 12 },
  )
  .map((parts) => `GET / HTTP/1.1\r\nHost: a\r\n${parts.join('')}\r\n\r\n`);

test('however the bytes are split, the answer is the same', () => {
  fc.assert(
    fc.property(anyHead, fc.array(fc.nat(80), { maxLength: 6 }), (text, cuts) => {
      const bytes = Buffer.from(text, 'latin1');
      const whole = new Head('request', 65_536);
      const end = whole.parse(bytes, 0, bytes.length);
      const pieces = new Head('request', 65_536);
      let found = needMore;
      for (const cut of [
        ...cuts.filter((c) => c < bytes.length).sort((a, b) => a - b),
        bytes.length,
      ]) {
        found = pieces.parse(bytes, 0, cut);
        if (found !== needMore) break;
      }
      expect(found).toBe(end);
      expect(pieces.error).toEqual(whole.error);
      expect(pieces.text).toBe(whole.text);
      expect(pieces.count).toBe(whole.count);
    }),
    { numRuns: 2000 },
  );
});

const body = (line: string): number => {
  const bytes = Buffer.from(`${line}\r\nhello\r\n0\r\n\r\n`, 'latin1');
  // A copy, since extensions are cut out in place.
  const whole = new ChunkedReader().read(Buffer.from(bytes), 0, bytes.length);
  // The same bytes one at a time.
  const reader = new ChunkedReader();
  let split = 0;
  for (let i = 0; i < bytes.length && split >= 0; i++) split = reader.read(bytes, i, i + 1);
  expect(split < 0).toBe(whole < 0);
  return whole;
};

test.each(['5', '005', '5;a', '5;a=b', '5;a="b c"', '5;a="b\\"";c=d', '5;a;b=c;d=""'])(
  'a chunk line that all servers read alike passes: %s',
  (line) => expect(body(line)).toBeGreaterThan(0),
);

test.each([
  '5;',
  '5;;',
  '5; a',
  '5 ;a',
  '5;a ',
  '5;a=',
  '5;=b',
  '5;a=b=c',
  '5;a="b',
  '5;a="b\\"',
  '5;a="\x90"',
  '5;a="b"c',
  '5;a=b"',
  '5;a=\tb',
  `5;${'x'.repeat(5000)}`,
])('a chunk extension that is none is refused: %j', (line) => expect(body(line)).toBe(-1));

const chunk = fc.record({
  data: fc.stringMatching(/^[a-z;\r\n]{1,20}$/),
  extension: fc.constantFrom('', '', ';a', ';a=b', ';a="b;c\\""', ';a;b=c'),
});

test('chunk extensions are cut out, wherever a read ends', () => {
  fc.assert(
    fc.property(
      fc.array(chunk, { maxLength: 6 }),
      fc.constantFrom('', ';last=1'),
      fc.array(fc.nat(200), { maxLength: 12 }),
      (chunks, last, cuts) => {
        const line = (data: string, extension: string) =>
          `${data.length.toString(16)}${extension}\r\n${data}\r\n`;
        const sent = `${chunks.map((c) => line(c.data, c.extension)).join('')}0${last}\r\n\r\n`;
        const clean = `${chunks.map((c) => line(c.data, '')).join('')}0\r\n\r\n`;
        const bytes = Buffer.from(`${sent}NEXT`, 'latin1');
        const reader = new ChunkedReader();
        let passed = '';
        let at = 0;
        const ends = [...cuts.filter((c) => c < sent.length), bytes.length].sort((a, b) => a - b);
        for (const end of ends) {
          if (reader.done || end < at) continue;
          const read = reader.read(bytes, at, end);
          passed += bytes.toString('latin1', reader.verbatimStart, reader.verbatimEnd);
          at = read;
        }
        expect(reader.done).toBe(true);
        expect(passed).toBe(clean);
        expect(bytes.toString('latin1', at)).toBe('NEXT');
      },
    ),
    { numRuns: 2000 },
  );
});
