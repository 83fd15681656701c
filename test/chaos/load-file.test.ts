/** A user's own load: read with places, made from recordings, and run by every driver with the same result. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { sleep } from '../../base/clock.js';
import { UserError } from '../../base/errors.js';
import { program } from '../../base/paths.js';
import { parseYaml, type YamlDocument } from '../../base/yaml.js';
import { loadFileText } from '../../chaos/load/derived.js';
import { readHar } from '../../chaos/load/from-har.js';
import { readOpenApi } from '../../chaos/load/from-openapi.js';
import { type Load, startPlan } from '../../chaos/load/load.js';
import { loadAt, type LoadPlan, readLoad, readProfile } from '../../chaos/load/load-file.js';
import { bindProfile } from '../../chaos/load/profile.js';
import { bodyProblem, fillIn } from '../../chaos/load/request.js';
import { testWith } from '../tools.js';

const folder = mkdtempSync(join(tmpdir(), 'firedrill-load-'));
let count = 0;
function file(text: string, name = `load-${count++}.yaml`): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const endings: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).toReversed()) await end();
});

test('weights share what fixed rates leave; headers, expectations and JSON are as written', () => {
  const profile = readProfile(
    file(`
rate: 40
timeout: 750ms
host: shop.example
headers: { x-user: 'user-{{n%5}}' }
routes:
  - { name: a, request: GET /a, weight: 3 }
  - { name: b, request: PATCH /b, json: { q: [1] }, expect: { status: [2xx, 409] } }
  - { name: c, path: /c, rate: 20, service: cart }
stages: [{ for: 10s, rate: 20 }, { for: 1m, rate: 80, ramp: true }]
`),
  );
  expect(profile).toEqual({
    host: 'shop.example',
    timeoutMs: 750,
    maxInFlight: 200,
    routes: [
      {
        name: 'a',
        method: 'GET',
        path: '/a',
        requestsPerSecond: 15,
        headers: { 'x-user': 'user-{{n%5}}' },
      },
      {
        name: 'b',
        method: 'PATCH',
        path: '/b',
        requestsPerSecond: 5,
        headers: { 'x-user': 'user-{{n%5}}', 'content-type': 'application/json' },
        body: '{"q":[1]}',
        expect: {
          statuses: [
            { from: 200, to: 299 },
            { from: 409, to: 409 },
          ],
        },
      },
      {
        name: 'c',
        service: 'cart',
        method: 'GET',
        path: '/c',
        requestsPerSecond: 20,
        headers: { 'x-user': 'user-{{n%5}}' },
      },
    ],
    stages: [
      { forMs: 10_000, factor: 0.5, ramp: false },
      { forMs: 60_000, factor: 2, ramp: true },
    ],
  });
  expect(bindProfile(profile, 'http://h', 80).routes.map((r) => r.requestsPerSecond)).toEqual([
    30, 10, 40,
  ]);
});

test.each([
  ['routes: []', ':1:9: routes: expected a list of routes, one at least'],
  ['routes: [{ name: a }]', ':1:10: routes.0: expected one of request, path and grpc'],
  ['routes: [{ name: "a,b", path: /x }]', ':1:18: routes.0.name: expected letters'],
  ['routes: [{ name: a, request: GET x }]', ':1:30: routes.0.request: expected a method and a'],
  ['routes: [{ name: a, path: /, expct: {} }]', ":1:30: unknown field 'expct' in routes.0"],
  [
    'routes:\n  - { name: a, path: / }\n  - { name: a, path: / }',
    ":3:13: the name 'a' is used twice",
  ],
  ['rate: 5\nroutes: [{ name: a, path: /, rate: 6 }]', ':1:7: the routes'],
  ['routes: [{ name: a, path: /, expect: { status: 999 } }]', ': expected a status such as 200'],
  [
    "routes: [{ name: a, path: /, expect: { body: { matches: '(' } } }]",
    ': expected a regular expression',
  ],
  ['routes: [{ name: a, path: /, headers: { x: "a\\nb" } }]', ': a header is one line'],
  ['timeout: 5\nroutes: [{ name: a, path: / }]', ':1:10: timeout: expected a duration'],
  ['url: ftp://x\nroutes: [{ name: a, path: / }]', ':1:6: url: expected http://host:port'],
])('%s is told with its place', (text, message) => {
  const path = file(text);
  const error = thrown(() => readLoad(path));
  expect(error.exitCode).toBe(2);
  expect(error.message).toContain(`${path}${message.startsWith(':1') ? message : ''}`);
  expect(error.message).toContain(message);
});

function thrown(run: () => unknown): UserError {
  try {
    run();
  } catch (error) {
    if (error instanceof UserError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

test('the load of a firedrill.yaml: a file, a script, existing traffic, or the profile itself', () => {
  file('routes: [{ name: a, path: /a }]', 'own.yaml');
  file('', 'own.js');
  file('', 'own.py');
  const at = (load: string): LoadPlan => {
    const [document] = parseYaml(join(folder, 'firedrill.yaml'), `name: x\nload: ${load}\n`);
    return loadAt(document as YamlDocument, ['load']);
  };
  expect(at('own.yaml')).toMatchObject({ kind: 'profile', profile: { routes: [{ path: '/a' }] } });
  expect(at('own.js')).toEqual({ kind: 'k6', script: join(folder, 'own.js'), env: {} });
  expect(at('{ k6: own.js, env: { A: b } }')).toMatchObject({ kind: 'k6', env: { A: 'b' } });
  expect(at('{ locust: own.py, users: 3 }')).toMatchObject({ users: 3, spawnRate: 3 });
  expect(at('existing')).toEqual({ kind: 'existing' });
  expect(at('{ profile: { routes: [{ name: b, path: /b }] } }')).toMatchObject({
    profile: { routes: [{ name: 'b', requestsPerSecond: 50 }] },
  });
  expect(thrown(() => at('nowhere.yaml')).message).toContain(
    'firedrill.yaml:2:7: no file nowhere.yaml',
  );
  expect(thrown(() => at('{ k6: gone.js }')).message).toContain(':2:13: no file gone.js');
  expect(thrown(() => at('{ profile: { routes: [{ name: b, path: b }] } }')).message).toContain(
    ':2:46: load.profile.routes.0.path: expected a path',
  );
});

test('placeholders and bodies', () => {
  expect(fillIn('/u/{{n%3}}?x={{n}}&k={{unique}}&{{other}}', 7, 'u1')).toBe(
    '/u/1?x=7&k=u1&{{other}}',
  );
  expect(bodyProblem({ contains: 'ok', excludesMatch: '^null' }, 'null ok')).toBe(
    'a match of ^null',
  );
  expect(bodyProblem({ matches: '^\\[', excludes: 'error' }, '[1]')).toBeUndefined();
});

describe('made from something else', () => {
  const har = (entries: object[]): string => JSON.stringify({ log: { entries } });
  const entry = (method: string, url: string, status = 200, more: object = {}): object => ({
    request: { method, url, headers: [{ name: 'Cookie', value: 'secret=1' }], ...more },
    response: { status },
  });

  test('a recording: its own origin, its shares, no cookies, no writes unless asked for', () => {
    const path = file(
      har([
        entry('GET', 'https://shop.example/items?page=1'),
        entry('GET', 'https://shop.example/items?page=1'),
        entry('GET', 'https://shop.example/gone', 404),
        entry('POST', 'https://shop.example/buy', 201, { postData: { text: '{"a":1}' } }),
        entry('GET', 'https://ads.example/pixel'),
      ]),
      'session.har',
    );
    const { profile, left } = readHar(path, { rate: 30 });
    expect(profile.routes).toEqual([
      { name: 'get-items', method: 'GET', path: '/items?page=1', requestsPerSecond: 20 },
      {
        name: 'get-gone',
        method: 'GET',
        path: '/gone',
        requestsPerSecond: 10,
        expect: { statuses: [{ from: 404, to: 404 }] },
      },
    ]);
    expect(left).toEqual([
      '1 requests to https://ads.example: another origin',
      '1 × POST /buy: it writes (--writes keeps it)',
    ]);
    expect(readHar(path, { writes: true }).profile.routes.at(-1)).toMatchObject({
      method: 'POST',
      body: '{"a":1}',
    });
    const written = readProfile(file(loadFileText(profile, ['a head'])));
    expect(written.routes.map((r) => [r.name, r.requestsPerSecond])).toEqual([
      ['get-items', 20],
      ['get-gone', 10],
    ]);
  });

  test('a recording of an outage or of a login is no expectation, and keeps no credential', () => {
    const path = file(
      har([
        entry('GET', 'https://shop.example/', 503),
        entry('GET', 'https://shop.example/'),
        entry('GET', 'https://shop.example/cart', 500),
        entry('GET', 'https://shop.example/late', 404),
        entry('GET', 'https://shop.example/late'),
        entry('GET', 'https://shop.example/in?page=2&access_token=abc'),
        entry('POST', 'https://shop.example/login', 200, {
          postData: { text: '{"password":"x"}' },
        }),
      ]),
      'outage.har',
    );
    const { profile, left } = readHar(path, { writes: true });
    expect(profile.routes.map((r) => [r.path, r.expect])).toEqual([
      ['/', undefined],
      ['/late', undefined],
      ['/cart', undefined],
    ]);
    expect(left).toEqual([
      'GET /in: its address holds a credential',
      'POST /login: its body holds a credential',
      'the answer 503 of GET /: a failure is not expected',
      'the answer 500 of GET /cart: a failure is not expected',
      'the answer 404 of GET /late: a failure is not expected',
    ]);
  });

  test.each([
    ['servers: [{ url: https://api.example/v1/ }]', '/v1/a'],
    ['servers: [{ url: "/{base}", variables: { base: { default: v2 } } }, { url: /v3 }]', '/v2/a'],
    ['servers: [{ url: "http://[" }]', '/a'],
    ['basePath: /old', '/old/a'],
  ])('an API below the path of its server: %s', (server, path) => {
    const text = `openapi: 3.0.0\n${server}\npaths: { /a: { get: { responses: { 200: {} } } } }\n`;
    expect(readOpenApi(file(text)).profile.routes.map((r) => r.path)).toEqual([path]);
  });

  test('an API description: what its own examples can ask; the rest is said', () => {
    const path = file(`
openapi: 3.0.0
paths:
  /items/{id}:
    parameters: [{ $ref: '#/components/parameters/Id' }]
    get: { operationId: getItem, responses: { '200': {}, 'default': {} } }
    delete: { responses: { '204': {} } }
  /search:
    get:
      parameters:
        - { name: q, in: query, required: true, schema: { type: string, enum: [red shoe] } }
      responses: { 2XX: {} }
  /orders/{order}:
    get: { parameters: [{ name: order, in: path, required: true, schema: { type: string } }] }
components:
  parameters:
    Id: { name: id, in: path, required: true, example: 7 }
`);
    const { profile, left } = readOpenApi(path, { rate: 10 });
    expect(profile.routes).toMatchObject([
      { name: 'getItem', path: '/items/7', expect: { statuses: [{ from: 200, to: 200 }] } },
      { name: 'get-search', path: '/search?q=red+shoe', requestsPerSecond: 5 },
    ]);
    expect(left).toEqual([
      'DELETE /items/{id}: it writes (--writes keeps it)',
      'GET /orders/{order}: order has no example',
    ]);
    expect(thrown(() => readOpenApi(file('a: 1'))).message).toContain(':1:1: no OpenAPI');
  });
});

describe('run', () => {
  async function serve(
    answer: (request: IncomingMessage, response: ServerResponse) => void,
  ): Promise<string> {
    const server = createServer(answer);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    endings.push(
      () => server.closeAllConnections(),
      () => void server.close(),
    );
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  async function points(load: Load, atLeast: number): Promise<Map<string, Set<string>>> {
    endings.push(() => load.stop());
    while (load.points.count < atLeast && load.failure === undefined) await sleep(20);
    const seen = new Map<string, Set<string>>();
    for (const p of load.points.all()) {
      const outcome = `${p.status ?? '-'} ${p.failure ?? 'ok'}`;
      seen.set(p.route, (seen.get(p.route) ?? new Set()).add(outcome));
    }
    return seen;
  }

  const outcomes = `
rate: 60
timeout: 300ms
routes:
  - { name: good, request: GET /good, headers: { x-n: '{{n}}' } }
  - { name: teapot, request: PUT /teapot, body: x, expect: { status: 418 } }
  - { name: broken, path: /broken }
  - { name: empty, path: /empty, expect: { body: { excludesMatch: '^null' } } }
  - { name: hangs, path: /hangs }
  - { name: cut, path: /cut }
`;

  const drivers = [
    ['embedded', test],
    ['k6', testWith('k6')],
  ] as const;
  for (const [driver, run] of drivers) {
    run(`${driver}: status, body, silence and hanging are told apart`, async () => {
      const hosts = new Set<string>();
      const url = await serve((request, response) => {
        hosts.add(`${request.method} ${request.url} ${request.headers.host}`);
        request.resume();
        if (request.url === '/base/hangs') return;
        if (request.url === '/base/cut') return void request.socket.destroy();
        const status = request.url === '/base/broken' ? 500 : 200;
        response.writeHead(request.url === '/base/teapot' ? 418 : status).end('null');
      });
      const plan = readLoad(file(outcomes));
      // A URL with a path, and with a trailing slash: routes lie below it.
      const load = await startPlan(plan, { driver, url: `${url}/base/` });
      const seen = await points(load, 90);
      expect(Object.fromEntries([...seen].map(([k, v]) => [k, [...v]]))).toEqual({
        good: ['200 ok'],
        teapot: ['418 ok'],
        broken: ['500 status'],
        empty: ['200 body'],
        hangs: ['0 timeout'],
        cut: ['0 no-answer'],
      });
      expect(hosts).toContain(`PUT /base/teapot ${new URL(url).host}`);
    });
  }

  for (const [driver, run] of drivers) {
    run(`${driver}: a gRPC call's status is its own`, async () => {
      const server = createHttp2Server();
      server.on('stream', (stream, headers) => {
        const isHealth = headers[':path'] === '/grpc.health.v1.Health/Check';
        stream.respond(
          { ':status': 200, 'content-type': 'application/grpc' },
          { waitForTrailers: true },
        );
        stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': isHealth ? 0 : 12 }));
        stream.resume().end(isHealth ? Buffer.from([0, 0, 0, 0, 2, 8, 1]) : undefined);
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      endings.push(() => void server.close());
      const proto = file(
        'syntax = "proto3"; package grpc.health.v1; message Q {} message A { int32 s = 1; }\n' +
          'service Health { rpc Check(Q) returns (A); rpc Watch(Q) returns (A); }',
        'health.proto',
      );
      const text = ['Check', 'Watch'].map(
        (m) => `  - { name: ${m}, grpc: { method: grpc.health.v1.Health/${m}, proto: ${proto} } }`,
      );
      const plan = readLoad(file(`rate: 20\nroutes:\n${text.join('\n')}\n`));
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const load = await startPlan(plan, { driver, url });
      const seen = await points(load, 20);
      await load.stop();
      expect([...(seen.get('Check') ?? [])].map((o) => o.split(' ')[1])).toEqual(['ok']);
      expect([...(seen.get('Watch') ?? [])].map((o) => o.split(' ')[1])).toEqual(['status']);
    });
  }

  testWith('k6')(
    "a user's own k6 script: its checks are the outcome, its end a sentence",
    async () => {
      const url = await serve((_request, response) => void response.end('null'));
      const script = file(
        `import http from 'k6/http';
import { check, sleep } from 'k6';
export const options = { vus: 2, duration: '2s' };
export default function () {
  check(http.get(__ENV.BASE_URL + '/a', { tags: { name: 'a' } }), { full: (r) => r.body !== 'null' });
  http.get(__ENV.BASE_URL + '/b');
  sleep(0.05);
}`,
        'script.js',
      );
      const load = await startPlan(readLoad(script), { driver: 'auto', url });
      const seen = await points(load, 1_000_000);
      expect(Object.fromEntries([...seen].map(([k, v]) => [k, [...v]]))).toEqual({
        a: ['200 body'],
        '/b': ['200 ok'],
      });
      expect(load.failure).toBe('k6 ended before it was told to: its script came to an end');
    },
  );

  testWith('locust')("a user's Locust file", async () => {
    const url = await serve((request, response) => {
      response.statusCode = request.url === '/b' ? 503 : 200;
      response.end('null');
    });
    const script = file(
      `from locust import HttpUser, task, constant
class Shopper(HttpUser):
    wait_time = constant(0.05)
    @task
    def a(self):
        with self.client.get("/a", catch_response=True) as answer:
            if answer.text == "null":
                answer.failure("empty")
    @task
    def b(self):
        self.client.get("/b")
`,
      'shopper.py',
    );
    const load = await startPlan(readLoad(script), { driver: 'auto', url });
    const seen = await points(load, 60);
    expect(Object.fromEntries([...seen].map(([k, v]) => [k, [...v]]))).toMatchObject({
      '/a': ['200 body'],
      '/b': ['503 status'],
    });
  });

  const command = (...args: string[]): Promise<{ code: number | null; out: string }> =>
    new Promise((resolve) => {
      const child = spawn(process.execPath, [program('cli'), 'load', 'run', ...args]);
      let out = '';
      for (const stream of [child.stdout, child.stderr]) stream.on('data', (d) => (out += d));
      child.on('exit', (code) => resolve({ code, out }));
    });
  const slo = file(
    'apiVersion: firedrill.dev/v1\nservice: orders\nowner: team-a\nregion: eu\nslos:\n' +
      '  - name: latency\n    objective: 99\n    sli:\n      latency:\n' +
      '        histogram: http_request_duration_seconds{service="orders"}\n        threshold: 300ms\n',
  );
  const state = ['--state', join(folder, 'state')];

  test('to a foreign address nothing is sent but GET /, with its own Host; all failing is no success', async () => {
    const asked = new Set<string>();
    const url = await serve((request, response) => {
      asked.add(`${request.method} ${request.url} ${request.headers.host}`);
      response.writeHead(500).end();
    });
    const junit = join(folder, 'load.xml');
    const args = ['--url', `${url}/`, '--duration', '1s', '--load', 'embedded', '--junit', junit];
    const { code, out } = await command(...args, '-i', slo, ...state);
    expect([...asked]).toEqual([`GET / ${new URL(url).host}`]);
    expect(code).toBe(1);
    expect(out).toMatch(/MISSED +something succeeded +0 of \d+ as expected/);
    expect(out).toMatch(/MISSED +orders-latency +no successful answer/);
    expect(readFileSync(junit, 'utf8')).toContain('failures="2" errors="0"');
  });

  test('a port where nobody listens, and an objective that no route measures, are never green', async () => {
    const args = ['--url', 'http://127.0.0.1:9', '--duration', '1s', '--load', 'embedded'];
    const dead = await command(...args, ...state);
    expect(dead.code).toBe(1);
    expect(dead.out).toMatch(/MISSED +the load ran +\d+ requests, 0 answered/);
    const url = await serve((_request, response) => void response.end());
    const profile = file('rate: 20\nroutes: [{ name: browse, path: / }]');
    const own = ['--url', url, '--profile', profile, '--duration', '1s', '--load', 'embedded'];
    const { code, out } = await command(...own, '-i', slo, ...state);
    expect(code).toBe(3);
    expect(out).toMatch(/NOT JUDGED +orders-latency +no route of the load measures orders/);
  });

  test('without a profile the path and the query are asked for; --url goes before the profile', async () => {
    const asked = new Set<string | undefined>();
    const url = await serve((request, response) => {
      asked.add(request.url);
      response.end();
    });
    const short = ['--duration', '1s', '--load', 'embedded', ...state];
    expect((await command('--url', `${url}/orders?open=1`, ...short)).code).toBe(0);
    expect([...asked]).toEqual(['/orders?open=1']);
    asked.clear();
    const profile = file('url: http://127.0.0.1:9\nrate: 20\nroutes: [{ name: a, path: /a }]');
    const { code, out } = await command('--url', `${url}/below/`, '--profile', profile, ...short);
    expect([code, out]).toEqual([
      0,
      expect.stringMatching(/^\d+ requests by embedded, after \d+ /),
    ]);
    expect([...asked]).toEqual(['/below/a']);
  });

  test.each([
    [['--url', 'http://me:secret@127.0.0.1:9'], 'it holds a name or a password; expected headers'],
    [['--url', 'ftp://127.0.0.1'], "bad --url 'ftp://127.0.0.1'; expected http://host:port"],
    [['--url', 'http://h/?a=b', '--profile'], 'it has a query (?a=b); expected it at the paths'],
  ])('%j is refused', async (args, words) => {
    const more = args.includes('--profile') ? [file('routes: [{ name: a, path: /a }]')] : [];
    const { code, out } = await command(...args, ...more, ...state);
    expect([code, out]).toEqual([2, expect.stringContaining(words)]);
    expect(out).not.toContain('secret');
  });

  test('the kill switch holds a load back', async () => {
    const stopped = join(folder, 'stopped');
    await new Promise((resolve) =>
      spawn(process.execPath, [program('cli'), 'gameday', 'stop', '--state', stopped]).on(
        'exit',
        resolve,
      ),
    );
    const { code, out } = await command('--url', 'http://127.0.0.1:9', '--state', stopped);
    expect(code).toBe(4);
    expect(out).toContain('the kill switch is thrown');
  });
});
