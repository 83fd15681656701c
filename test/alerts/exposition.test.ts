/** Exposed metrics, and the mistakes in invalid ones. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { fetchOverHttp } from '../../alerts/watch/scraper.js';
import { expect, test } from 'vitest';
import { eachSample, type ExposedSample, labelsOf } from '../../alerts/watch/exposition.js';

function read(text: string, openMetrics = false): ExposedSample[] {
  const samples: ExposedSample[] = [];
  eachSample(text, { openMetrics }, (sample) => samples.push({ ...sample }));
  return samples;
}

test('comments, labels, escapes, timestamps and special numbers', () => {
  const text = [
    '# HELP a_total "quoted" {help}',
    '',
    'a_total 1',
    'a_total{x="1",y="a\\"b\\\\n}\\n",} 2e3 1700000000123',
    '  b { z = "\\x" } +Inf  ',
    'c NaN\t',
    'd{x="1" y="2"} 16 5 ',
  ].join('\n');
  const samples = read(text);
  expect(samples.map((s) => [s.value, s.timeMs])).toEqual([
    [1, undefined],
    [2000, 1_700_000_000_123],
    [Infinity, undefined],
    [NaN, undefined],
    [16, 5],
  ]);
  expect(samples.map((s) => labelsOf(s.series))).toEqual([
    { __name__: 'a_total' },
    { __name__: 'a_total', x: '1', y: 'a"b\\n}\n' },
    { __name__: 'b', z: '\\x' },
    { __name__: 'c' },
    { __name__: 'd', x: '1', y: '2' },
  ]);
});

test('OpenMetrics: seconds, exemplars, quoted names', () => {
  const text = 'a_total{x="1"} 5 1.5 # {trace="t"} 1 1.5\na_total 7 # {trace="t"} 1\n# EOF\n';
  expect(read(text, true).map((s) => [s.value, s.timeMs])).toEqual([
    [5, 1500],
    [7, undefined],
  ]);
  expect(labelsOf('{"a.b",x="1"}')).toEqual({ __name__: 'a.b', x: '1' });
});

test.each([
  ['a 1\nb{x="1" 2', 'line 2, column 2: labels without their closing brace'],
  ['a', 'line 1, column 2: a value is missing after a'],
  ['a one', "line 1, column 3: 'one' is not a number"],
  ['a 0x10', "line 1, column 3: '0x10' is not a number"],
  ['a 1e400', "line 1, column 3: '1e400' is not a number"],
  ['a 1\r\nb 2\r\n', String.raw`line 1, column 3: '1\r' is not a number`],
  [
    'a 1 soon',
    "line 1, column 5: only a timestamp in milliseconds may follow the value, not 'soon'",
  ],
  ['a 1 2.5', "line 1, column 5: only a timestamp in milliseconds may follow the value, not '2.5'"],
  ['a 1 -2', "line 1, column 5: only a timestamp in milliseconds may follow the value, not '-2'"],
  ['a 1 2 3', "line 1, column 5: only a timestamp in milliseconds may follow the value, not '2 3'"],
  ['a 1 # {t="1"} 1', 'line 1, column 5: only a timestamp in milliseconds may follow the value'],
  ['a 1 9223372036854775808', "line 1, column 5: '9223372036854775808' is not a timestamp"],
  ['a 1\n# TYPE b conter\nb 1', "line 2, column 1: 'conter' is not a type"],
  ['# TYPE b', "line 1, column 1: '' is not a type"],
])('%j', (text, message) => {
  expect(() => read(text)).toThrow(message);
});

test.each([
  [' a 1\n# EOF\n', "line 1, column 2: 'a' is not a number"],
  ['a  1\n# EOF\n', 'line 1, column 2: one space stands before the value'],
  ['a 1 \n# EOF\n', 'line 1, column 5: only a timestamp or an exemplar may follow the value'],
  ['a 1\n\n# EOF\n', 'line 2, column 1: an empty line'],
  ['# a comment\na 1\n# EOF\n', 'line 1, column 1: a comment is HELP, TYPE, UNIT or # EOF'],
  ['a 1\n# EOF\nb 1\n', 'line 3, column 1: more text after # EOF'],
  ['a_total 1 # {t="1"}\n# EOF\n', 'only a timestamp or an exemplar may follow the value'],
])('OpenMetrics %j', (text, message) => {
  expect(() => read(text, true)).toThrow(message);
});

test.each(['a.b', 'a-b', '{x.y="1"}', 'a{x:y="1"}', '{"a","b"}', 'a{"b"}', 'a{x="1"', '\ufeffa'])(
  'the series %s is refused',
  (series) => {
    expect(() => labelsOf(series)).toThrow();
  },
);

test('the type of the answer says which format it is', async () => {
  const server = createServer(({ url }, response) => {
    response.setHeader(
      'content-type',
      url === '/open' ? 'application/openmetrics-text; version=1.0.0' : 'text/plain',
    );
    response.end('a_total 1 1.5\n# EOF\n');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const asked = async (path: string): Promise<boolean> =>
    (await fetchOverHttp(`http://127.0.0.1:${port}${path}`, 25_000)).openMetrics;
  expect([await asked('/open'), await asked('/')]).toEqual([true, false]);
  server.close();
});

test.each([
  ['a{x=1}', 'the value of x is not in quotes'],
  ['a{x="1",x="2"}', 'the label x appears twice'],
  ['a{x="1"-y="2"}', 'a label was expected at -y="2"}'],
  ['{x="1"}', 'no metric name in'],
  ['1a', "'1a' is not a metric name"],
])('%s', (series, message) => {
  expect(() => labelsOf(series)).toThrow(message);
});

test.each(['identity', 'gzip'])('a body without an end is given up, as %s', async (encoding) => {
  const lines = Buffer.alloc(2 ** 20, 'requests_total 1\n');
  const server = createServer((_, response) => {
    response.setHeader('content-encoding', encoding);
    if (encoding === 'gzip') return response.end(gzipSync(Buffer.alloc(80 * 2 ** 20)));
    const more = (): void => {
      while (!response.destroyed && response.write(lines));
      response.once('drain', more);
    };
    more();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const got = fetchOverHttp(`http://127.0.0.1:${port}/metrics`, 25_000);
  await expect(got).rejects.toThrow('the body is too large');
  server.closeAllConnections();
  server.close();
});
